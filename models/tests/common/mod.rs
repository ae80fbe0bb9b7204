//! Small random checkpoints, imported once for a test binary, and what transformers made of them.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod hub;
pub mod planted;
pub mod readable;
pub mod takes;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use safetensors::SafeTensors;
use tiller_models::bundle::{Bundle, Precision};
use tiller_models::import::{ImportOptions, import};

/// A checkpoint under `tests/data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoint {
    /// 5 layers, text wider than the decoder; F16.
    Small,
    /// Gated text encoder as wide as the decoder, causal codec; two shards of BF16.
    Gated,
    /// A filter bank around the codec; F32.
    Banded,
    /// Left and right in turns, of a mono codec; F16.
    Stereo,
    /// Hears melodies: what it is told stands before the music; F16.
    Melody,
    /// The same with 3 codebooks for either side.
    StereoMelody,
}

impl Checkpoint {
    /// Those that are told by cross-attention.
    pub const ALL: [Self; 4] = [Self::Small, Self::Gated, Self::Banded, Self::Stereo];
    /// Those and the one that is told by a prefix.
    pub const EVERY: [Self; 5] = [Self::Small, Self::Gated, Self::Banded, Self::Stereo, Self::Melody];

    fn data(self) -> PathBuf {
        let name = ["small", "gated", "banded", "stereo", "melody", "stereo_melody"][self as usize];
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
    }

    /// The checkpoint's folder.
    pub fn folder(self) -> PathBuf {
        self.data().join("checkpoint")
    }

    /// Its bundle, imported at the first call.
    pub fn bundle(self) -> &'static Bundle {
        static BUNDLES: [OnceLock<Bundle>; 6] = [const { OnceLock::new() }; 6];
        static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
        BUNDLES[self as usize].get_or_init(|| {
            let folder = FOLDER.get_or_init(|| tempfile::tempdir().unwrap()).path().join(format!("{self:?}"));
            let precisions = vec![Precision::F32, Precision::F16, Precision::Int4, Precision::Int8];
            let options = ImportOptions { precisions, ..ImportOptions::default() };
            import(&self.folder(), &folder, &options, &mut |_| {}).unwrap()
        })
    }

    /// What transformers made of it.
    pub fn expected(self) -> Recording {
        Recording::open(&self.data().join("expected.safetensors"))
    }

    /// How transformers went on from audio with it.
    pub fn continued(self) -> Recording {
        Recording::open(&self.data().join("continued.safetensors"))
    }
}

/// Tensors recorded by `record_parity.py` or `record_continuation.py`.
pub struct Recording(Vec<u8>);

impl Recording {
    pub fn open(path: &Path) -> Self {
        Self(fs::read(path).unwrap())
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        SafeTensors::deserialize(&self.0).unwrap().tensor(name).unwrap().shape().to_vec()
    }

    pub fn has(&self, name: &str) -> bool {
        SafeTensors::deserialize(&self.0).unwrap().tensor(name).is_ok()
    }

    pub fn floats(&self, name: &str) -> Vec<f32> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let (values, _) = tensors.tensor(name).unwrap().data().as_chunks();
        values.iter().map(|value| f32::from_le_bytes(*value)).collect()
    }

    pub fn integers(&self, name: &str) -> Vec<i64> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let (values, _) = tensors.tensor(name).unwrap().data().as_chunks();
        values.iter().map(|value| i64::from_le_bytes(*value)).collect()
    }

    /// Integers `[rows, columns]` as codes.
    pub fn codes(&self, name: &str) -> Vec<Vec<u16>> {
        let columns = *self.shape(name).last().unwrap();
        let narrow = |row: &[i64]| row.iter().map(|&code| u16::try_from(code).unwrap()).collect();
        self.integers(name).chunks(columns).map(narrow).collect()
    }
}

/// `[channels][samples]` as audio is handed out, channels interleaved.
pub fn interleaved(planar: &[f32], channels: usize) -> Vec<f32> {
    let samples = planar.len() / channels;
    (0..samples)
        .flat_map(|sample| (0..channels).map(move |channel| planar[channel * samples + sample]))
        .collect()
}

/// The largest difference.
pub fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The largest magnitude.
pub fn peak(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |peak, value| peak.max(value.abs()))
}

/// Copies a folder's files and folders into another.
pub fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
