//! From what was learnt at each place to a vector file, whole or in shards.
//!
//! A shard's file has the format `tiller-vector-part/1`, which no reader of vectors takes for one: its tensors are those
//! of its places, and its metadata what was run (`run`), which shard it is and what its places scored. Shards of one run
//! merge to the vector file that the run without shards writes, byte by byte.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{LabError, Learned, Place, Score, Settings, Shard, Study};
use crate::steering::{FORMAT, Gauge, Site, Vector};
use crate::tensor_file;

/// The `format` of a shard's file.
const PART: &str = "tiller-vector-part/1";

/// A shard's file is at most as large as a vector file.
const LARGEST_FILE: u64 = 64 << 20;

/// What was run: equal in all shards of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Run {
    concept: String,
    labels: [String; 2],
    settings: Settings,
    folds: usize,
    places: Vec<Place>,
    width: usize,
    data: String,
    fingerprint: String,
    model: Option<String>,
    doubts: Vec<String>,
}

/// What is said of a place beside its direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Note {
    score: Score,
    norm: f64,
    ridge: Option<f64>,
    gauge: Option<Gauge>,
}

/// A vector file in the making.
#[derive(Debug, Clone)]
pub struct VectorDraft {
    run: Run,
    shards: BTreeSet<Shard>,
    learned: BTreeMap<Place, Learned>,
    silent: BTreeSet<Place>,
}

/// What a finished draft says.
#[derive(Debug, Clone, Serialize)]
pub struct DraftSummary {
    /// What the vector steers to.
    pub concept: String,
    /// The place with the best score.
    pub best: Place,
    /// Why that one.
    pub reason: String,
    /// The score at every place that has a direction.
    pub scores: Vec<PlaceScore>,
    /// What should make one doubt the scores.
    pub doubts: Vec<String>,
}

/// A place with its score.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PlaceScore {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// How well.
    #[serde(flatten)]
    pub score: Score,
}

impl VectorDraft {
    /// An empty draft of `shard` of a study; `concept` is what people call the vector.
    #[must_use]
    pub fn new(study: &Study<'_>, concept: &str, shard: Shard) -> Self {
        let activations = study.activations();
        let samples = activations.samples();
        let classes = study.contrast.classes();
        let counted: Vec<String> = classes
            .iter()
            .map(|&class| {
                let (rows, tracks) = (samples.rows_of(class), samples.tracks_of(class).len());
                format!("{rows} rows from {tracks} tracks of {}", samples.classes()[class])
            })
            .collect();
        let run = Run {
            concept: concept.to_owned(),
            labels: study.contrast.names().clone(),
            settings: study.settings.clone(),
            folds: study.folds(),
            places: study.places(Shard::WHOLE),
            width: activations.width(),
            data: counted.join(", "),
            fingerprint: activations.fingerprint(),
            model: activations.model().map(str::to_owned),
            doubts: samples.doubts(&classes),
        };
        Self { run, shards: [shard].into(), learned: BTreeMap::new(), silent: BTreeSet::new() }
    }

    /// Adds what was learnt at a place; `None` where nothing varies.
    pub fn add(&mut self, place: Place, learned: Option<Learned>) {
        match learned {
            Some(learned) => drop(self.learned.insert(place, learned)),
            None => drop(self.silent.insert(place)),
        }
    }

    /// The file of a shard.
    #[must_use]
    pub fn part(&self) -> Vec<u8> {
        let notes: BTreeMap<String, Note> = self
            .learned
            .iter()
            .map(|(place, learned)| {
                let Learned { score, norm, ridge, gauge, .. } = *learned;
                let note = Note { score, norm, ridge, gauge };
                (place.tensor(), note)
            })
            .collect();
        let metadata = [
            ("format", PART.to_owned()),
            ("run", json!(self.run).to_string()),
            ("shards", json!(self.shards).to_string()),
            ("learned", json!(notes).to_string()),
            ("silent", json!(self.silent).to_string()),
        ];
        tensor_file::of_vectors(&metadata.map(|(key, value)| (key.to_owned(), value)).into(), &self.tensors())
    }

    /// Reads a shard's file.
    ///
    /// # Errors
    /// [`LabError::Read`]; [`LabError::File`] with what is wrong.
    pub fn open_part(path: &Path) -> Result<Self, LabError> {
        let read = |source| LabError::Read { path: path.to_owned(), source };
        let wrong = |reason: String| LabError::File { file: path.display().to_string(), reason };
        if std::fs::metadata(path).map_err(read)?.len() > LARGEST_FILE {
            return Err(wrong(format!(
                "it is larger than {LARGEST_FILE} bytes, and so no shard of a vector"
            )));
        }
        Self::parse_part(&std::fs::read(path).map_err(read)?).map_err(wrong)
    }

    fn parse_part(bytes: &[u8]) -> Result<Self, String> {
        let broken = |error| format!("it is no safetensors file ({error})");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        match metadata.get("format").map(String::as_str) {
            Some(PART) => {}
            Some(FORMAT) => return Err("it is a whole vector file already, and no shard".to_owned()),
            _ => return Err(format!("it is no shard of a vector, whose format is {PART:?}")),
        }
        fn field<T: for<'a> Deserialize<'a>>(
            metadata: &std::collections::HashMap<String, String>,
            key: &str,
        ) -> Result<T, String> {
            let text = metadata.get(key).ok_or_else(|| format!("its metadata has no {key:?}"))?;
            serde_json::from_str(text).map_err(|error| format!("its metadata {key:?} is damaged: {error}"))
        }
        let run: Run = field(&metadata, "run")?;
        let notes: BTreeMap<String, Note> = field(&metadata, "learned")?;
        let tensors = SafeTensors::deserialize(bytes).map_err(broken)?;
        if tensors.len() != notes.len() {
            return Err("it has other tensors than its metadata says".to_owned());
        }
        let mut learned = BTreeMap::new();
        for (name, Note { score, norm, ridge, gauge }) in notes {
            let place = Place::of_tensor(&name).filter(|place| run.places.contains(place));
            let tensor = tensors
                .tensor(&name)
                .ok()
                .filter(|tensor| tensor.dtype() == safetensors::Dtype::F32 && tensor.shape() == [run.width]);
            let (Some(place), Some(tensor)) = (place, tensor) else {
                return Err(format!("its tensor {name:?} is not what its metadata says"));
            };
            let (values, _) = tensor.data().as_chunks();
            let direction = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            learned.insert(place, Learned { direction, score, norm, ridge, gauge });
        }
        Ok(Self { run, shards: field(&metadata, "shards")?, learned, silent: field(&metadata, "silent")? })
    }

    /// Puts the shards of one run together.
    ///
    /// # Errors
    /// [`LabError::Request`] if they are not of one run, or a shard is missing or there twice.
    pub fn merge(parts: Vec<Self>) -> Result<Self, LabError> {
        let mut parts = parts.into_iter();
        let mut whole = parts.next().ok_or_else(|| LabError::request("name the files of the shards"))?;
        for part in parts {
            if part.run != whole.run {
                return Err(LabError::request(
                    "the shards are of different runs: merge those made with the same data and options",
                ));
            }
            if let Some(twice) = part.shards.iter().find(|&shard| whole.shards.contains(shard)) {
                return Err(LabError::request(format!("shard {twice} is there twice; name each file once")));
            }
            whole.shards.extend(part.shards);
            whole.learned.extend(part.learned);
            whole.silent.extend(part.silent);
        }
        let made = |place: &&Place| !whole.learned.contains_key(place) && !whole.silent.contains(place);
        let count = whole.shards.first().map_or(1, |shard| shard.count());
        let missing: Vec<String> = (1..=count)
            .filter(|index| {
                !whole.shards.iter().any(|shard| shard.index() == *index && shard.count() == count)
            })
            .map(|index| format!("{index}/{count}"))
            .collect();
        if !missing.is_empty() || whole.run.places.iter().any(|place| made(&place)) {
            let missing = if missing.is_empty() { "some".to_owned() } else { missing.join(", ") };
            return Err(LabError::request(format!("the shards are not all there: {missing} are missing")));
        }
        Ok(whole)
    }

    /// The vector file, and what it says.
    ///
    /// # Errors
    /// [`LabError::Request`] if there is no direction in it.
    pub fn vector(&self) -> Result<(Vec<u8>, DraftSummary), LabError> {
        let summary = self.summary()?;
        let run = &self.run;
        let mut metadata: BTreeMap<String, String> = BTreeMap::new();
        let mut text = |key: &str, value: String| metadata.insert(key.to_owned(), value);
        text("format", FORMAT.to_owned());
        text("concept", run.concept.clone());
        text("method", run.settings.method.description().to_owned());
        text("data", run.data.clone());
        text("data_sha256", run.fingerprint.clone());
        text("reason", summary.reason.clone());
        if let Some(model) = &run.model {
            text("model", model.clone());
        }
        let mut value = |key: &str, value: Value| text(key, value.to_string());
        value("labels", json!(run.labels));
        value("sites", json!([summary.best.site]));
        value("layers", json!([summary.best.layer]));
        value("norms", self.by_layer(|learned| json!(learned.norm)));
        value("probe_accuracy", self.by_layer(|learned| json!(learned.score.accuracy.value)));
        value("scores", self.by_layer(|learned| json!(learned.score)));
        value("monitor", self.by_layer(|learned| json!(learned.gauge)));
        value("standardised", json!(run.settings.standardise));
        value("folds", json!(run.folds));
        value("seed", json!(run.settings.seed));
        value("doubts", json!(run.doubts));
        match run.settings.method {
            super::Method::Mse => drop(value("ridge", self.by_layer(|learned| json!(learned.ridge)))),
            super::Method::Bce => drop(value("c", json!(run.settings.c))),
            super::Method::Dim | super::Method::Pca => {}
        }
        let bytes = tensor_file::of_vectors(&metadata, &self.tensors());
        // What is written can be read: a direction that f32 cannot hold, say, is found here.
        Vector::from_bytes(&bytes, "the vector that was learnt")
            .map_err(|error| LabError::request(error.to_string()))?;
        Ok((bytes, summary))
    }

    fn summary(&self) -> Result<DraftSummary, LabError> {
        let best = self.learned.iter().max_by(|(_, a), (_, b)| a.score.r2.value.total_cmp(&b.score.r2.value));
        let Some((&best, Learned { score, .. })) = best else {
            return Err(LabError::request(
                "at none of the places anything varies between the rows; extract the activations again",
            ));
        };
        let [plus, minus] = &self.run.labels;
        let mut reason = format!(
            "of {} places {best} tells {plus} from {minus} best on tracks held out: R2 {:.3} ({:.3} to {:.3}), \
             accuracy {:.3} ({:.3} to {:.3})",
            self.learned.len(),
            score.r2.value,
            score.r2.low,
            score.r2.high,
            score.accuracy.value,
            score.accuracy.low,
            score.accuracy.high
        );
        if score.accuracy.low <= 0.5 {
            reason.push_str("; that cannot be told from chance");
        }
        let scores = self.learned.iter().map(|(&place, learned)| PlaceScore { place, score: learned.score });
        let doubts = self.run.doubts.clone();
        Ok(DraftSummary { concept: self.run.concept.clone(), best, reason, scores: scores.collect(), doubts })
    }

    fn tensors(&self) -> BTreeMap<String, Vec<f32>> {
        self.learned.iter().map(|(place, learned)| (place.tensor(), learned.direction.clone())).collect()
    }

    /// For each site a list over the layers, with null where there is no direction.
    fn by_layer(&self, figure: impl Fn(&Learned) -> Value) -> Value {
        let list = |site: Site| -> Option<Vec<Value>> {
            let last =
                self.learned.keys().filter(|place| place.site == site).map(|place| place.layer).max()?;
            let at = |layer| self.learned.get(&Place::new(site, layer)).map_or(Value::Null, &figure);
            Some((0..=last).map(at).collect())
        };
        let lists =
            Site::ALL.into_iter().filter_map(|site| Some((site.name().to_owned(), list(site)?.into())));
        Value::Object(lists.collect())
    }
}
