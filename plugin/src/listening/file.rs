//! A recording as a file among the musician's own.

use std::fs;
use std::io::{BufWriter, ErrorKind};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};
use tempfile::NamedTempFile;

/// Writes `samples` as a WAV of one channel of 32-bit floats at `sample_rate`, in Hz, under the next name that is free in
/// `folder`, which is made if need be. It appears whole or not at all.
///
/// # Errors
/// A sentence saying where it could not be written, and why.
pub(super) fn write(folder: &Path, samples: &[f32], sample_rate: u32) -> Result<PathBuf, String> {
    let refused = |reason: &dyn std::fmt::Display| {
        let folder = folder.display();
        format!(
            "The recording could not be written to {folder}: {reason}. Make room or a place for it, and listen again."
        )
    };
    fs::create_dir_all(folder).map_err(|error| refused(&error))?;
    let mut file = NamedTempFile::new_in(folder).map_err(|error| refused(&error))?;
    let spec = WavSpec { channels: 1, sample_rate, bits_per_sample: 32, sample_format: SampleFormat::Float };
    let written = WavWriter::new(BufWriter::new(file.as_file_mut()), spec).and_then(|mut writer| {
        samples.iter().try_for_each(|&sample| writer.write_sample(sample))?;
        writer.finalize()
    });
    written.map_err(|error| refused(&error))?;
    let mut number = 1_u32;
    loop {
        let place = folder.join(format!("sidechain {number}.wav"));
        match file.persist_noclobber(&place) {
            Ok(_) => return Ok(place),
            Err(taken) if taken.error.kind() == ErrorKind::AlreadyExists && number < u32::MAX => {
                (file, number) = (taken.file, number + 1);
            }
            Err(error) => return Err(refused(&error.error)),
        }
    }
}
