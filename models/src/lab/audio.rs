//! Audio to learn from: a folder for each class, a file for each track.
//!
//! WAV files at the model's sample rate. Channels are mixed down or repeated to as many as the model has. A track is
//! known by its contents: its number is a hash of the file, so that a recording keeps it wherever it lies, and one that
//! lies in the folders of two classes is found out.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use hound::WavReader;
use sha2::{Digest, Sha256};

use super::LabError;
use crate::bundle::Codec;
use crate::wav;

/// Folders of audio, one for each class.
#[derive(Debug, Clone)]
pub struct AudioFolder {
    /// Names of the folders, sorted: the label is the place in the list.
    pub classes: Vec<String>,
    /// The files, by class and name.
    pub tracks: Vec<AudioTrack>,
}

/// One file.
#[derive(Debug, Clone)]
pub struct AudioTrack {
    /// Where it is.
    pub path: PathBuf,
    /// Its class, an index into the classes.
    pub class: usize,
}

/// What is in a file.
pub struct Recording {
    /// Number of the track: 63 bits of the file's SHA-256.
    pub id: i64,
    /// Samples, channels interleaved, full scale 1.
    pub samples: Vec<f32>,
}

impl AudioFolder {
    /// Lists the files that end in `.wav` in the folders below `root`; hidden ones are passed over.
    ///
    /// # Errors
    /// [`LabError::Read`]; [`LabError::Request`] for fewer than two folders or one without such files.
    pub fn list(root: &Path) -> Result<Self, LabError> {
        let folders: Vec<PathBuf> = entries(root)?.into_iter().filter(|path| path.is_dir()).collect();
        if folders.len() < 2 {
            return Err(LabError::request(format!(
                "{} holds {} folders; make one for each of two classes or more and put their audio there",
                root.display(),
                folders.len()
            )));
        }
        let mut listed = Self { classes: Vec::new(), tracks: Vec::new() };
        for (class, folder) in folders.iter().enumerate() {
            let wav = |path: &PathBuf| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("wav"));
            let files: Vec<PathBuf> = entries(folder)?.into_iter().filter(wav).collect();
            if files.is_empty() {
                let folder = folder.display();
                return Err(LabError::request(format!(
                    "{folder} holds no WAV file; put the class's audio there"
                )));
            }
            let name = folder.file_name().unwrap_or(folder.as_os_str());
            listed.classes.push(name.to_string_lossy().into_owned());
            listed.tracks.extend(files.into_iter().map(|path| AudioTrack { path, class }));
        }
        Ok(listed)
    }
}

/// What is in a folder, sorted, without hidden entries.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, LabError> {
    let read = |source| LabError::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

impl AudioTrack {
    /// Reads the file for a codec, or says why it is of no use.
    pub(super) fn read(&self, codec: &Codec) -> Result<Recording, String> {
        let bytes = fs::read(&self.path).map_err(|error| error.to_string())?;
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        let id = i64::from_le_bytes(std::array::from_fn(|index| hash[index])) & i64::MAX;
        let reader = WavReader::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
        let spec = reader.spec();
        if spec.sample_rate != codec.sample_rate {
            let (found, wanted) = (spec.sample_rate, codec.sample_rate);
            return Err(format!("it has {found} samples a second and the model {wanted}: convert it"));
        }
        let samples = wav::samples(reader).map_err(|error| error.to_string())?;
        if samples.iter().any(|sample| !sample.is_finite()) {
            return Err("it has samples that are no finite numbers".to_owned());
        }
        Ok(Recording { id, samples: channels(samples, usize::from(spec.channels), codec.channels) })
    }
}

/// As many channels as `wanted`: as they are, or the mean of all in each.
fn channels(samples: Vec<f32>, found: usize, wanted: usize) -> Vec<f32> {
    if found == wanted {
        return samples;
    }
    let mixed = samples.chunks_exact(found.max(1)).map(|frame| frame.iter().sum::<f32>() / found as f32);
    mixed.flat_map(|sample| std::iter::repeat_n(sample, wanted)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_mixed_down_or_repeated() {
        assert_eq!(channels(vec![1.0, 0.0, 0.5, 0.5], 2, 1), [0.5, 0.5]);
        assert_eq!(channels(vec![1.0, -1.0], 1, 2), [1.0, 1.0, -1.0, -1.0]);
        assert_eq!(channels(vec![1.0, 2.0], 2, 2), [1.0, 2.0]);
    }
}
