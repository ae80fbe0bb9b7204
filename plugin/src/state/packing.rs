//! Tokens as text: base64 over little-endian 16-bit indices, codebook after codebook.
//!
//! 30 s of four codebooks at 50 Hz are 16 kB. Fewer bits would fit, but any script can write these.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tiller_models::codes::Codes;

/// [`Codes`] that serialise as `{"codebooks": K, "frames": N, "data": base64}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct PackedCodes(Codes);

#[derive(Clone, Serialize, Deserialize)]
struct Written {
    codebooks: usize,
    frames: usize,
    data: String,
}

impl PackedCodes {
    /// The codes.
    #[must_use]
    pub fn codes(&self) -> &Codes {
        &self.0
    }
}

impl From<Codes> for PackedCodes {
    fn from(codes: Codes) -> Self {
        Self(codes)
    }
}

impl From<PackedCodes> for Written {
    fn from(PackedCodes(codes): PackedCodes) -> Self {
        let bytes: Vec<u8> = codes.rows().iter().flatten().flat_map(|code| code.to_le_bytes()).collect();
        Self { codebooks: codes.codebooks(), frames: codes.frames(), data: STANDARD.encode(bytes) }
    }
}

impl TryFrom<Written> for PackedCodes {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { codebooks, frames, data } = written;
        let bytes = STANDARD.decode(data).map_err(|error| format!("the tokens are not base64: {error}"))?;
        let expected = codebooks.checked_mul(frames).and_then(|codes| codes.checked_mul(2));
        if expected != Some(bytes.len()) || bytes.is_empty() {
            return Err(format!(
                "the tokens hold {} bytes where {codebooks} codebooks of {frames} frames need {}",
                bytes.len(),
                expected.map_or_else(|| "more than there can be".into(), |bytes| bytes.to_string()),
            ));
        }
        let rows = bytes
            .chunks_exact(frames * 2)
            .map(|row| row.chunks_exact(2).map(|code| u16::from_le_bytes([code[0], code[1]])).collect())
            .collect::<Vec<_>>();
        Codes::try_from(rows).map(Self).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_written_as_documented() {
        let codes = Codes::try_from(vec![vec![1, 256], vec![2, 3]]).unwrap();
        let text = serde_json::to_string(&PackedCodes::from(codes)).unwrap();
        assert_eq!(text, r#"{"codebooks":2,"frames":2,"data":"AQAAAQIAAwA="}"#);
    }

    #[test]
    fn thirty_seconds_stay_small() {
        let codes = Codes::try_from(vec![vec![2047; 1500]; 4]).unwrap();
        assert!(serde_json::to_string(&PackedCodes::from(codes)).unwrap().len() < 17_000);
    }

    #[test]
    fn wrong_sizes_are_refused_with_both_numbers() {
        for (codebooks, frames) in [(2, 3), (0, 0), (usize::MAX, 2)] {
            let text = format!(r#"{{"codebooks":{codebooks},"frames":{frames},"data":"AQAAAQIAAwA="}}"#);
            let error = serde_json::from_str::<PackedCodes>(&text).unwrap_err().to_string();
            assert!(error.contains("8 bytes"), "{error}");
        }
    }
}
