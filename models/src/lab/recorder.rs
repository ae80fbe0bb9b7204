//! From codes to activation files: segment after segment is read by the decoder and goes to disk, wherever it comes from.

use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::pools::Pools;
use super::records::{Layout, Records};
use super::{DatasetLabel, LabError, Place, Pooling, Shard};
use crate::bundle::Architecture;
use crate::codes::Codes;
use crate::musicgen::{Cancel, Engine, GenerateError, Reading};
use crate::steering::Site;

/// How music is read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExtractionSettings {
    /// What the decoder attends to; empty for nothing.
    pub prompt: String,
    /// Length of a segment in frames of the codec, at most the model's window.
    pub frames: usize,
    /// Which positions become rows, a file for each choice; each once, at least one.
    pub pooling: Vec<Pooling>,
    /// n of every n-th position; without meaning for [`Pooling::Last`] alone.
    pub every: NonZeroUsize,
    /// Whether what each attention head mixes is read, too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub heads: bool,
    /// Which share of the recordings or pieces is read: every count-th one.
    pub shard: Shard,
}

impl ExtractionSettings {
    /// A decoder that reads so, with `prompt`.
    pub(super) fn reading(
        &self,
        engine: &Arc<Engine>,
        prompt: &str,
        cancel: &Cancel,
    ) -> Result<Reading, GenerateError> {
        match self.heads {
            true => Reading::with_heads(engine, prompt, self.frames, cancel),
            false => Reading::new(engine, prompt, self.frames, cancel),
        }
    }
}

/// All places in the order in which a reading holds them, and their widths.
fn places(architecture: &Architecture, heads: bool) -> Vec<(Place, usize)> {
    let layers = 0..architecture.layers;
    let of_site = |site| layers.clone().map(move |layer| (Place::new(site, layer), architecture.width));
    let mut places: Vec<(Place, usize)> = Site::ALL.into_iter().flat_map(of_site).collect();
    if heads {
        let width = architecture.head_width();
        let of_layer = |layer| (0..architecture.heads).map(move |head| (Place::of_head(layer, head), width));
        places.extend(layers.flat_map(of_layer));
    }
    places
}

/// A file that was of no use, or in part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// Segments on their way to disk.
pub struct Recorder {
    pools: Pools,
    records: Records,
    metadata: Vec<BTreeMap<String, String>>,
    /// Segments met, by this run.
    met: usize,
    resumed: usize,
    decoding: Duration,
}

impl Recorder {
    /// Goes on where `partial` ends, or begins it. `is_grouped` says whether tracks belong together. `source` is all that decides what is read beside the settings; what
    /// of it a reader of the file should know is in `noted`.
    ///
    /// # Errors
    /// [`LabError::Write`]; [`LabError::File`] for a partial file of something else.
    pub fn open(
        engine: &Arc<Engine>,
        labels: &[DatasetLabel],
        is_grouped: bool,
        settings: &ExtractionSettings,
        noted: Option<(&str, Value)>,
        source: &Value,
        partial: &Path,
    ) -> Result<Self, LabError> {
        let pools = Pools::new(&settings.pooling, settings.every, settings.frames)?;
        let architecture = engine.bundle().architecture();
        let layout = Layout {
            places: places(architecture, settings.heads),
            rows: pools.rows(),
            labels: std::iter::once("label".to_owned())
                .chain(labels.iter().skip(1).map(|label| format!("label.{}", label.name)))
                .collect(),
            is_grouped,
        };
        let metadata: Vec<BTreeMap<String, String>> = pools
            .choices()
            .iter()
            .map(|choice| {
                let mut reading = json!(settings);
                reading["pooling"] = json!(choice);
                if let Some((key, value)) = &noted {
                    reading[*key] = value.clone();
                }
                let fixed = [
                    ("model", engine.bundle().manifest().source.sha256.clone()),
                    ("reading", reading.to_string()),
                    ("precision", engine.precision().to_string()),
                ];
                let fixed = fixed.map(|(key, value)| (key.to_owned(), value));
                let of_label = |(index, label): (usize, &DatasetLabel)| {
                    let key =
                        if index == 0 { "classes".to_owned() } else { format!("classes.{}", label.name) };
                    (key, json!(label.classes).to_string())
                };
                let first = labels.first().filter(|label| !label.name.is_empty());
                let name = first.map(|label| ("label_name".to_owned(), label.name.clone()));
                fixed.into_iter().chain(name).chain(labels.iter().enumerate().map(of_label)).collect()
            })
            .collect();
        let bundle = engine.bundle().id();
        let identity = json!({ "metadata": metadata, "bundle": bundle, "source": source }).to_string();
        let records = Records::open(partial, &identity, layout)?;
        Ok(Self { pools, metadata, met: 0, resumed: records.count(), decoding: Duration::ZERO, records })
    }

    /// Counts a segment, and says whether an earlier run has read it already.
    pub fn was_read(&mut self) -> bool {
        self.met += 1;
        self.met <= self.resumed
    }

    /// Reads a segment of a track, whose class for each label is in `classes`. `group` is what it belongs to, for a
    /// recorder of what is grouped; there a track without one is a group of its own.
    ///
    /// # Errors
    /// What the decoder refuses, a cancel; [`LabError::Write`].
    pub fn read(
        &mut self,
        reading: &mut Reading,
        codes: &Codes,
        classes: &[usize],
        track: i64,
        group: Option<i64>,
    ) -> Result<(), LabError> {
        let started = Instant::now();
        let values = self.pools.read(reading, codes)?;
        self.decoding += started.elapsed();
        self.records.append(classes, track, group.unwrap_or(track), &values)
    }

    /// All is read.
    pub fn finish(self, skipped: Vec<Skipped>) -> Extraction {
        let Self { pools, records, metadata, resumed, decoding, .. } = self;
        Extraction { pools, records, metadata, skipped, resumed, decoding }
    }
}

/// What was read, on disk beside the activation files that it becomes.
#[derive(Debug)]
pub struct Extraction {
    pools: Pools,
    records: Records,
    metadata: Vec<BTreeMap<String, String>>,
    skipped: Vec<Skipped>,
    resumed: usize,
    decoding: Duration,
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

    /// How long this run's decoder has read: without audio and codec, and without generating.
    #[must_use]
    pub fn decoding(&self) -> Duration {
        self.decoding
    }

    /// Files that were of no use, or in part.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Writes the activation file of the choice of positions that is `index`-th in the settings.
    ///
    /// # Errors
    /// [`LabError::Read`], [`LabError::Write`].
    pub fn write(&self, index: usize, out: &mut impl Write) -> Result<(), LabError> {
        self.records.write(&self.metadata[index], self.pools.range(index), out)
    }

    /// Removes what was kept for an interruption, when the activation files are in their places.
    ///
    /// # Errors
    /// [`LabError::Write`].
    pub fn finish(self) -> Result<(), LabError> {
        self.records.remove()
    }
}
