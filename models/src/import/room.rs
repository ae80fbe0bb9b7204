//! Whether the machine has room for an import, before it begins.

use std::path::Path;

use sysinfo::System;

use super::ImportError;
use super::checkpoint::Checkpoint;
use crate::bundle::Precision;
use crate::bundle::manifest::Architecture;

/// Weights of the parts of a model.
struct Weights {
    /// Of what is written in single precision once.
    common: u64,
    /// Of what is written in each precision.
    decoder: u64,
}

impl Weights {
    fn of(checkpoint: &Checkpoint, architecture: &Architecture) -> Self {
        let cross = 2 * architecture.layers * architecture.width * architecture.width;
        let cross = if architecture.chroma.is_none() { cross as u64 } else { 0 };
        let common = checkpoint.count("text_encoder.") + checkpoint.count("audio_encoder.") + cross;
        Self { common, decoder: checkpoint.count("decoder.") }
    }

    /// Bytes of the bundle.
    fn disk(&self, precisions: &[Precision]) -> u64 {
        4 * self.common + precisions.iter().map(|&precision| self.decoder_bytes(precision)).sum::<u64>()
    }

    /// Bytes of what is in memory at once when the bundle is tried out.
    fn memory(&self, precisions: &[Precision]) -> u64 {
        let largest = precisions.iter().map(|&precision| self.decoder_bytes(precision)).max();
        4 * self.common + largest.unwrap_or(0)
    }

    fn decoder_bytes(&self, precision: Precision) -> u64 {
        let bits = match precision {
            Precision::F32 => 32,
            Precision::F16 => 16,
            // Scales included.
            Precision::Int8 => 9,
            Precision::Int4 => 5,
        };
        self.decoder * bits / 8
    }
}

/// Fails if the disk of `folder` or the memory that is free cannot hold the bundle.
pub fn check(
    folder: &Path,
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    precisions: &[Precision],
) -> Result<(), ImportError> {
    let weights = Weights::of(checkpoint, architecture);
    let free = fs4::available_space(folder).map_err(ImportError::reading(folder))?;
    enough(weights.disk(precisions), free).map_err(|(needed, free)| ImportError::DiskFull {
        folder: folder.to_owned(),
        needed,
        free,
    })?;
    // Where nobody says what is free, the system's own refusal has to do.
    enough(weights.memory(precisions), free_memory().unwrap_or(u64::MAX))
        .map_err(|(needed, free)| ImportError::MemoryFull { needed, free })
}

/// Bytes that processes can still have: the system's, or those of the container that this one runs in. `None` on a system
/// that does not say.
fn free_memory() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    let free = system.available_memory() + system.free_swap();
    // What the container keeps of files gives way, as it does in the system.
    let limits = system.cgroup_limits();
    Some(
        limits.map_or(free, |limits| {
            free.min(limits.total_memory.saturating_sub(limits.rss) + limits.free_swap)
        }),
    )
}

/// What is needed and free, in GB, if that is too little.
fn enough(needed: u64, free: u64) -> Result<(), (f64, f64)> {
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    if needed > free { Err((gigabytes(needed), gigabytes(free))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_precision_takes_room_on_the_disk_and_the_largest_in_memory() {
        let weights = Weights { common: 100, decoder: 1_000 };
        let both = [Precision::F32, Precision::Int8];
        assert_eq!(weights.disk(&both), 400 + 4_000 + 1_125);
        assert_eq!(weights.memory(&both), 400 + 4_000);
        assert_eq!(weights.memory(&[Precision::Int8]), 400 + 1_125);
    }

    #[test]
    fn too_little_is_said_in_gigabytes() {
        assert_eq!(enough(3_000_000_000, 2_000_000_000), Err((3.0, 2.0)));
        assert_eq!(enough(2, 2), Ok(()));
        assert!(free_memory().unwrap() > 1 << 20);
    }
}
