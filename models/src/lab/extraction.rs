//! From audio to an activation file: audio -> codes -> the decoder, teacher-forced -> activations.
//!
//! Tracks are cut into segments of one length without overlap; what is left over at a track's end is dropped. The
//! decoder attends to one prompt for all, which must not name a class, else a probe reads the prompt; by default there
//! is none. Memory is that of one segment: each goes to disk before the next is read.

use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audio::{self, Sound};
use super::records::{Layout, Records};
use super::{Dataset, LabError, Place};
use crate::codes::Codes;
use crate::encodec;
use crate::musicgen::{Cancel, Engine, Reading};
use crate::steering::Site;

/// Segments without a sample above this are silent: a peak of -60 dB of full scale.
const SILENCE: f32 = 1e-3;

/// Which positions become rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The last position of a segment, as the paper reads it.
    Last,
    /// The mean over every n-th position of a segment.
    Mean,
    /// Every n-th position and the last, each a row.
    Each,
}

/// How audio is read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExtractionSettings {
    /// What the decoder attends to; empty for nothing.
    pub prompt: String,
    /// Length of a segment in frames of the codec, at most the model's window.
    pub frames: usize,
    /// Which positions become rows.
    pub pooling: Pooling,
    /// n of every n-th position; without meaning for [`Pooling::Last`].
    pub every: NonZeroUsize,
}

/// A file that was of no use, or in part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// What was read, on disk beside the activation file that it becomes.
#[derive(Debug)]
pub struct Extraction {
    records: Records,
    metadata: BTreeMap<String, String>,
    skipped: Vec<Skipped>,
    resumed: usize,
}

/// Reads all of `dataset`. What is read goes to `partial`, and a run that was interrupted goes on where that file ends.
/// `progress` is called after every track with how many are done.
///
/// # Errors
/// A recording in two classes, nothing to read in a class, a partial file of something else; what the model refuses.
pub fn extract(
    engine: &Arc<Engine>,
    dataset: &Dataset,
    settings: &ExtractionSettings,
    partial: &Path,
    cancel: &Cancel,
    mut progress: impl FnMut(usize),
) -> Result<Extraction, LabError> {
    let architecture = engine.bundle().architecture();
    let codec = &architecture.codec;
    let every = match settings.pooling {
        Pooling::Last => NonZeroUsize::new(settings.frames).unwrap_or(NonZeroUsize::MIN),
        Pooling::Mean | Pooling::Each => settings.every,
    };
    let layout = Layout {
        places: Site::ALL
            .into_iter()
            .flat_map(|site| (0..architecture.layers).map(move |layer| Place { site, layer }))
            .collect(),
        width: architecture.width,
        rows: if settings.pooling == Pooling::Each { settings.frames.div_ceil(every.get()) } else { 1 },
    };
    let model = &engine.bundle().manifest().source.sha256;
    let metadata: BTreeMap<String, String> = [
        ("classes", json!(dataset.classes).to_string()),
        ("model", model.clone()),
        ("reading", json!(settings).to_string()),
        ("precision", engine.precision().to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |found| found.len());
    let files: Vec<_> = dataset
        .recordings
        .iter()
        .map(|recording| (&recording.path, size(&recording.path), recording.class, recording.track))
        .collect();
    let identity =
        json!({ "metadata": metadata, "bundle": engine.bundle().id(), "files": files }).to_string();
    let mut reading = Reading::new(engine, &settings.prompt, settings.frames, cancel)?;
    let mut records = Records::open(partial, &identity, layout.clone())?;

    let resumed = records.count();
    let mut segments = 0;
    // Class and track of what was read, by the hash of the file: a copy is of the same track.
    let mut known: BTreeMap<i64, (usize, i64)> = BTreeMap::new();
    let mut used = vec![false; dataset.classes.len()];
    let mut skipped = Vec::new();
    let length = settings.frames * codec.samples_per_frame * codec.channels;
    for (done, recording) in dataset.recordings.iter().enumerate() {
        progress(done);
        let mut skip = |reason: String| skipped.push(Skipped { path: recording.path.clone(), reason });
        let Sound { hash, samples } = match audio::read(&recording.path, codec) {
            Ok(sound) => sound,
            Err(reason) => {
                skip(reason);
                continue;
            }
        };
        let (class, track) = *known.entry(hash).or_insert((recording.class, recording.track.unwrap_or(hash)));
        if class != recording.class {
            return Err(LabError::request(format!(
                "{} is the same recording as one of the class {}; leave it in one of the two",
                recording.path.display(),
                dataset.classes[class]
            )));
        }
        if samples.len() < length {
            skip("it is shorter than one segment".to_owned());
        }
        let mut silent = 0;
        for segment in samples.chunks_exact(length) {
            if segment.iter().all(|sample| sample.abs() <= SILENCE) {
                silent += 1;
                continue;
            }
            used[class] = true;
            segments += 1;
            if segments <= resumed {
                continue;
            }
            let codes = encodec::encode(engine, segment)?;
            let values = rows(&mut reading, &codes, every, settings.pooling, &layout)?;
            let label = i64::try_from(class).unwrap_or(i64::MAX);
            records.append(label, track, &values)?;
        }
        if silent > 0 {
            skip(format!("{silent} of its segments are silent (below -60 dB)"));
        }
    }
    progress(dataset.recordings.len());
    if let Some(class) = used.iter().position(|used| !used) {
        let example =
            skipped.first().map(|skipped| format!(": {}: {}", skipped.path.display(), skipped.reason));
        return Err(LabError::request(format!(
            "nothing in the class {} can be used{}",
            dataset.classes[class],
            example.unwrap_or_default()
        )));
    }
    Ok(Extraction { records, metadata, skipped, resumed })
}

/// The rows of one segment, each with all places side by side.
fn rows(
    reading: &mut Reading,
    codes: &Codes,
    every: NonZeroUsize,
    pooling: Pooling,
    layout: &Layout,
) -> Result<Vec<f32>, LabError> {
    let row = layout.places.len() * layout.width;
    let mut values = Vec::with_capacity(layout.rows * row);
    let mut sums = vec![0.0_f64; row];
    let mut count = 0.0;
    reading.read(codes, every, |held| {
        let held = held.residual.iter().chain(held.attention);
        match pooling {
            Pooling::Mean => sums.iter_mut().zip(held).for_each(|(sum, &value)| *sum += f64::from(value)),
            Pooling::Last | Pooling::Each => values.extend(held),
        }
        count += 1.0;
    })?;
    if pooling == Pooling::Mean {
        values.extend(sums.iter().map(|sum| (sum / count) as f32));
    }
    Ok(values)
}

impl Extraction {
    /// Segments that were read.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.records.count()
    }

    /// How many of them an earlier run had read.
    #[must_use]
    pub fn resumed(&self) -> usize {
        self.resumed
    }

    /// Files that were of no use, or in part.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Writes the activation file.
    ///
    /// # Errors
    /// [`LabError::Read`], [`LabError::Write`].
    pub fn write(&self, out: &mut impl Write) -> Result<(), LabError> {
        self.records.write(&self.metadata, out)
    }

    /// Removes what was kept for an interruption, when the activation file is in its place.
    ///
    /// # Errors
    /// [`LabError::Write`].
    pub fn finish(self) -> Result<(), LabError> {
        self.records.remove()
    }
}
