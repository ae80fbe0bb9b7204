//! Tokens and curves of a project's takes, read as `docs/state.md` describes them.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::io::Read as _;

/// The strengths of a curve, a frame each; the last one holds. A list or a packed string.
pub fn curve(curve: &Value) -> Result<Vec<f64>> {
    let Some(text) = curve.as_str() else {
        return Ok(curve.as_array().into_iter().flatten().filter_map(Value::as_f64).collect());
    };
    let (mut value, mut slope) = (0_i16, 0_i16);
    let strengths = numbers(text)?.into_iter().map(|bend| {
        slope = slope.wrapping_add(bend.cast_signed());
        value = value.wrapping_add(slope);
        f64::from(value) / 1_000.0
    });
    Ok(strengths.collect())
}

/// A take's codes, `[codebooks][frames]`.
pub fn codes(take: &Value) -> Result<Vec<Vec<u16>>> {
    let packed = &take["codes"];
    let count = |field: &str| {
        let number = packed[field].as_u64().with_context(|| format!("the take's codes name no {field}"))?;
        usize::try_from(number).context("the take is larger than this machine can address")
    };
    let (codebooks, frames) = (count("codebooks")?, count("frames")?);
    let codes = numbers(packed["packed"].as_str().context("the take has no codes")?)?;
    ensure!(frames > 0 && codes.len() == codebooks * frames, "the take's codes have the wrong length");
    Ok(codes.chunks_exact(frames).map(<[u16]>::to_vec).collect())
}

fn numbers(text: &str) -> Result<Vec<u16>> {
    let packed = STANDARD.decode(text).context("packed numbers are not base64")?;
    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(packed.as_slice())
        .read_to_end(&mut bytes)
        .context("packed numbers are no zlib stream")?;
    let (low, high) = bytes.split_at(bytes.len() / 2);
    Ok(low.iter().zip(high).map(|(&low, &high)| u16::from_le_bytes([low, high])).collect())
}
