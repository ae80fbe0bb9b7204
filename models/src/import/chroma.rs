//! How a melody checkpoint hears melodies: what `config.json` and `preprocessor_config.json` say of chroma.

use std::path::Path;

use serde::Deserialize;

use super::ImportError;
use super::config::{json, refuse, sane};
use crate::bundle::manifest::Chroma;

/// What `MusicgenMelodyConfig` adds to MusicGen's.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct MelodyConfig {
    num_chroma: usize,
    chroma_length: usize,
}

impl Default for MelodyConfig {
    fn default() -> Self {
        Self { num_chroma: 12, chroma_length: 235 }
    }
}

/// `MusicgenMelodyFeatureExtractor`.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Extractor {
    feature_size: usize,
    sampling_rate: u32,
    hop_length: usize,
    n_fft: usize,
}

impl Default for Extractor {
    fn default() -> Self {
        Self { feature_size: 12, sampling_rate: 32_000, hop_length: 4_096, n_fft: 16_384 }
    }
}

/// Reads and checks what a melody checkpoint in `folder` says of chroma.
pub fn read(folder: &Path) -> Result<Chroma, ImportError> {
    let MelodyConfig { num_chroma: classes, chroma_length: frames } = json(folder, "config.json")?;
    let extractor: Extractor = json(folder, "preprocessor_config.json")?;
    if extractor.feature_size != classes {
        let found = extractor.feature_size;
        return refuse(format!("its melodies have {found} pitch classes where its decoder takes {classes}"));
    }
    sane(
        "config of melodies",
        &[
            ("num_chroma", classes),
            ("chroma_length", frames),
            ("sampling_rate", extractor.sampling_rate as usize),
            ("hop_length", extractor.hop_length),
            ("n_fft", extractor.n_fft),
        ],
    )?;
    Ok(Chroma {
        classes,
        frames,
        sample_rate: extractor.sampling_rate,
        window: extractor.n_fft,
        hop: extractor.hop_length,
    })
}
