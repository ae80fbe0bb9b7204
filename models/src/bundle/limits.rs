//! Which numbers a manifest may hold: wide enough for every published model, narrow enough that no product of
//! them overflows or asks for absurd memory.

use std::ops::RangeInclusive;

use super::manifest::{Architecture, Manifest};

/// Bytes of `bundle.json`.
pub const MANIFEST_BYTES: u64 = 4 << 20;
/// Bytes of an `.onnx` file; weights live beside it.
pub const GRAPH_BYTES: u64 = 16 << 20;
/// Bytes of any other file but weights.
pub const SMALL_FILE_BYTES: u64 = 64 << 20;
/// Bytes of a whole bundle.
pub const BUNDLE_BYTES: u64 = 64 << 30;
/// Files of a bundle.
pub const FILES: usize = 4096;

/// Checks every number of the manifest; the error is a clause naming the number.
pub fn check(manifest: &Manifest) -> Result<(), String> {
    let Architecture {
        layers,
        width,
        heads,
        codebooks,
        vocabulary,
        delays,
        max_positions,
        window,
        text_width,
        chroma,
        codec,
    } = &manifest.architecture;
    within("layers", *layers, 1..=512)?;
    within("width", *width, 1..=32_768)?;
    within("heads", *heads, 1..=512)?;
    within("codebooks", *codebooks, 1..=64)?;
    // Codes are 16 bits wide; index `vocabulary` is the pad token.
    within("vocabulary", *vocabulary, 1..=65_535)?;
    within("max_positions", *max_positions, 1..=1 << 20)?;
    within("window", *window, 1..=*max_positions)?;
    within("text_width", *text_width, 1..=32_768)?;
    within("sample_rate", codec.sample_rate as usize, 1..=768_000)?;
    within("samples_per_frame", codec.samples_per_frame, 1..=1 << 20)?;
    within("channels", codec.channels, 1..=8)?;
    within("streams", codec.streams, 1..=codec.channels)?;
    within("latent_width", codec.latent_width, 1..=65_536)?;
    within("lstm_layers", codec.lstm_layers, 0..=16)?;
    within("code_context", codec.code_context, 0..=4_096)?;
    within("latent_context", codec.latent_context, 0..=4_096)?;
    if width % heads != 0 {
        return Err(format!("its width {width} is no multiple of its {heads} heads"));
    }
    let streams = codec.streams;
    if codebooks % streams != 0 || codec.channels % streams != 0 {
        return Err(format!(
            "its {codebooks} codebooks and {} channels are not shared out evenly among {streams} streams",
            codec.channels
        ));
    }
    if delays.len() != *codebooks || delays.iter().any(|&delay| delay > 1_024) {
        return Err(format!(
            "its delays {delays:?} are not one small number for each of {codebooks} codebooks"
        ));
    }
    if let Some(bank) = &codec.filter_bank {
        within("filter_bank.bands", bank.bands, 1..=4_096)?;
        within("filter_bank.window", bank.window, 1..=1 << 20)?;
        within("filter_bank.hop", bank.hop, 1..=bank.window)?;
        within("filter_bank.padding", bank.padding, 0..=bank.window)?;
        if codec.samples_per_frame % bank.hop != 0 {
            return Err(format!(
                "its {} samples a frame are no multiple of the filter bank's hop",
                codec.samples_per_frame
            ));
        }
    }
    if let Some(chroma) = chroma {
        within("chroma.classes", chroma.classes, 2..=36)?;
        within("chroma.frames", chroma.frames, 1..=65_536)?;
        within("chroma.sample_rate", chroma.sample_rate as usize, 1..=768_000)?;
        within("chroma.window", chroma.window, 4..=1 << 20)?;
        within("chroma.hop", chroma.hop, 1..=1 << 20)?;
    }
    let graphs = &manifest.graphs;
    if (graphs.cross.is_some(), graphs.prefix.is_some()) != (chroma.is_none(), chroma.is_some()) {
        return Err(
            "it has not the one graph, cross or with chroma prefix, of what the decoder is told".into()
        );
    }
    for (name, norms) in [("residual", &manifest.norms.residual), ("attention", &manifest.norms.attention)] {
        if norms.len() != *layers || norms.iter().any(|norm| !norm.is_finite() || *norm < 0.0) {
            return Err(format!("its {name} norms are not one finite number for each of {layers} layers"));
        }
    }
    if !manifest.graphs.decoder.contains_key(&manifest.default_precision) {
        return Err(format!("its default precision {} has no decoder", manifest.default_precision));
    }
    Ok(())
}

fn within(name: &str, value: usize, range: RangeInclusive<usize>) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(format!("its {name} is {value}, outside {} to {}", range.start(), range.end()))
}
