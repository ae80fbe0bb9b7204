//! Any ONNX classifier as a judge, by the small file beside it that says what it hears and tells.
//!
//! Neither file is trusted: what does not fit is an error that names it.

use std::fs;
use std::io::{self, Read as _};
use std::num::NonZeroUsize;
use std::path::Path;

use ort::session::Session;
use ort::value::TensorRef;
use sha2::{Digest, Sha256};

use super::description::{Activation, Average, Description, Input, Layout, Mel};
use super::spectrograph::Spectrograph;
use super::{Judge, resample};
use crate::lab::LabError;
use crate::musicgen::GenerateError;
use crate::runtime::{Graph, Provider, SessionOptions};

/// Patches that the graph gets at a time, so that a long clip needs no more memory than a short one.
const BATCH: usize = 16;

/// A number that never changes: convolutions round differently for each number of threads.
const THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// The largest description, in bytes: a hundred thousand labels.
const LARGEST: u64 = 4 << 20;

/// How far rounding may lead out of 0 to 1.
const ROUNDING: f64 = 1e-3;

/// How near to 0 and 1 a probability may be whose log-odds are averaged: single precision ends there.
const CERTAINTY: f64 = 1e-6;

/// An ONNX classifier.
pub struct Classifier {
    file: String,
    identity: String,
    description: Description,
    spectrograph: Option<Spectrograph>,
    input: String,
    graph: Graph,
}

impl Classifier {
    /// Opens the classifier that the JSON file at `path` describes; see `docs/lab.md`. Loads ONNX Runtime.
    ///
    /// # Errors
    /// [`LabError::Read`]; [`LabError::File`] for a description or a graph that cannot be used.
    pub fn open(path: &Path) -> Result<Self, LabError> {
        let file = path.display().to_string();
        let off = |reason: String| LabError::File { file: file.clone(), reason };
        let failed = |source| LabError::Read { path: path.to_owned(), source };
        if fs::metadata(path).map_err(failed)?.len() > LARGEST {
            return Err(off(format!("it is longer than {LARGEST} bytes")));
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let description = Description::parse(&text).map_err(off)?;
        let place = path.with_file_name(&description.graph);
        let hash =
            fingerprint(&text, &place).map_err(|source| LabError::Read { path: place.clone(), source })?;
        let graph = Graph::new(place, SessionOptions::new(Provider::Cpu, Some(THREADS), false));
        let input = {
            let session = graph.session().map_err(GenerateError::from)?;
            input_of(&session, &description).map_err(off)?
        };
        let spectrograph = match &description.input {
            Input::Waveform => None,
            Input::Mel(mel) => Some(Spectrograph::new(mel, description.sample_rate)),
        };
        let name = description.name.as_ref().unwrap_or(&description.graph);
        let name: String =
            name.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        Ok(Self { identity: format!("{name} {hash}"), file, description, spectrograph, input, graph })
    }

    fn off(&self, reason: impl Into<String>) -> LabError {
        LabError::File { file: self.file.clone(), reason: reason.into() }
    }

    /// `probabilities` without rounding errors, or what is wrong with them.
    fn checked(&self, probabilities: Vec<f64>) -> Result<Vec<f64>, LabError> {
        if let Some(odd) = probabilities.iter().position(|p| !(-ROUNDING..=1.0 + ROUNDING).contains(p)) {
            let label = &self.description.labels[odd];
            let reason =
                format!("it gives {label:?} the probability {}; check its activation", probabilities[odd]);
            return Err(self.off(reason));
        }
        Ok(probabilities.into_iter().map(|p| p.clamp(0.0, 1.0)).collect())
    }

    /// Adds what is averaged of each row of the graph's output to `sums`; how many rows there were.
    fn run(&self, shape: &[usize], values: &[f32], sums: &mut [f64]) -> Result<usize, LabError> {
        let mut session = self.graph.session().map_err(GenerateError::from)?;
        let mut run = || -> ort::Result<(Vec<i64>, Vec<f32>)> {
            let input = TensorRef::from_array_view((shape.to_vec(), values))?;
            let outputs = session.run(ort::inputs![self.input.as_str() => input])?;
            let (shape, values) = outputs[self.description.output.as_str()].try_extract_tensor::<f32>()?;
            Ok((shape.to_vec(), values.to_vec()))
        };
        let (found, values) = run()
            .map_err(|error| self.off(format!("the graph fails on an input of shape {shape:?}: {error}")))?;
        let labels = self.description.labels.len();
        if usize::try_from(*found.last().unwrap_or(&0)) != Ok(labels) || values.is_empty() {
            return Err(self.off(format!("its output has shape {found:?}, and there are {labels} labels")));
        }
        for row in values.chunks_exact(labels) {
            let row: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
            let row = match (self.description.average, self.description.activation) {
                (Average::Probabilities, activation) => self.checked(probabilities(&row, activation))?,
                (Average::Logits, Activation::None) => self.checked(row)?.into_iter().map(log_odds).collect(),
                (Average::Logits, _) => row,
            };
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        Ok(values.len() / labels)
    }

    /// Runs the patches of a spectrogram `[frames, mels]`.
    fn run_patches(&self, mel: &Mel, frames: &[f32], sums: &mut [f64]) -> Result<usize, LabError> {
        let count = frames.len() / mel.mels;
        if count < mel.frames {
            let seconds = |frames: usize| (frames * mel.hop) as f64 / f64::from(self.description.sample_rate);
            return Err(LabError::request(format!(
                "the clip lasts {:.2} s and the judge {} needs {:.2} s; make longer clips",
                seconds(count),
                self.file,
                seconds(mel.frames)
            )));
        }
        let starts: Vec<usize> = (0..=count - mel.frames).step_by(mel.hop_frames).collect();
        let mut rows = 0;
        for starts in starts.chunks(BATCH) {
            let mut values = Vec::with_capacity(starts.len() * mel.frames * mel.mels);
            for &start in starts {
                let patch = &frames[start * mel.mels..(start + mel.frames) * mel.mels];
                match mel.layout {
                    Layout::TimeMel | Layout::ChannelTimeMel => values.extend_from_slice(patch),
                    Layout::MelTime | Layout::ChannelMelTime => {
                        values.extend((0..mel.mels).flat_map(|band| patch[band..].iter().step_by(mel.mels)));
                    }
                }
            }
            let shape = match mel.layout {
                Layout::TimeMel => vec![starts.len(), mel.frames, mel.mels],
                Layout::MelTime => vec![starts.len(), mel.mels, mel.frames],
                Layout::ChannelTimeMel => vec![starts.len(), 1, mel.frames, mel.mels],
                Layout::ChannelMelTime => vec![starts.len(), 1, mel.mels, mel.frames],
            };
            rows += self.run(&shape, &values, sums)?;
        }
        Ok(rows)
    }
}

impl Judge for Classifier {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn labels(&self) -> &[String] {
        &self.description.labels
    }

    fn hear(&self, audio: &[f32], sample_rate: u32) -> Result<Vec<f64>, LabError> {
        if audio.is_empty() || audio.iter().any(|sample| !sample.is_finite()) {
            return Err(LabError::request("a clip is empty or has samples that are no finite numbers"));
        }
        let audio = resample(audio, sample_rate, self.description.sample_rate)?;
        let mut sums = vec![0.0; self.description.labels.len()];
        let rows = match (&self.description.input, &self.spectrograph) {
            (Input::Mel(mel), Some(spectrograph)) => {
                self.run_patches(mel, &spectrograph.frames(&audio), &mut sums)?
            }
            _ => self.run(&[1, audio.len()], &audio, &mut sums)?,
        };
        let means: Vec<f64> = sums.into_iter().map(|sum| sum / rows as f64).collect();
        match (self.description.average, self.description.activation) {
            (Average::Probabilities, _) => Ok(means),
            (Average::Logits, Activation::None) => Ok(probabilities(&means, Activation::Sigmoid)),
            (Average::Logits, activation) => self.checked(probabilities(&means, activation)),
        }
    }
}

/// SHA-256 of the description and the graph, hexadecimal.
fn fingerprint(description: &str, graph: &Path) -> io::Result<String> {
    let mut hash = Sha256::new_with_prefix(description);
    let mut graph = fs::File::open(graph)?;
    let mut block = vec![0; 1 << 16];
    loop {
        match graph.read(&mut block)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hash.update(&block[..read]),
        }
    }
}

/// The name of the graph's input, or what does not fit.
fn input_of(session: &Session, description: &Description) -> Result<String, String> {
    let names = |outlets: &[ort::value::Outlet]| -> Vec<String> {
        outlets.iter().map(|outlet| outlet.name().to_owned()).collect()
    };
    let (inputs, outputs) = (names(session.inputs()), names(session.outputs()));
    if !outputs.contains(&description.output) {
        let known = outputs.join(", ");
        return Err(format!("its graph has no output {:?}; it has {known}", description.output));
    }
    match (&description.input_name, &inputs[..]) {
        (None, [only]) => Ok(only.clone()),
        (Some(name), _) if inputs.contains(name) && inputs.len() == 1 => Ok(name.clone()),
        _ => Err(format!("its graph has the inputs {}; a judge has one, its input_name", inputs.join(", "))),
    }
}

/// The inverse of the sigmoid, of a probability that is neither 0 nor 1.
fn log_odds(probability: f64) -> f64 {
    let inside = probability.clamp(CERTAINTY, 1.0 - CERTAINTY);
    (inside / (1.0 - inside)).ln()
}

/// A row of the output as probabilities; NaN where it holds no numbers.
fn probabilities(row: &[f64], activation: Activation) -> Vec<f64> {
    let values = row.iter().copied();
    match activation {
        Activation::None => values.collect(),
        Activation::Sigmoid => values.map(|value| 1.0 / (1.0 + (-value).exp())).collect(),
        Activation::Softmax => {
            let largest = values.clone().fold(f64::NEG_INFINITY, f64::max);
            let powers: Vec<f64> = values.map(|value| (value - largest).exp()).collect();
            let sum: f64 = powers.iter().sum();
            powers.into_iter().map(|power| power / sum).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;
    use crate::lab::judge::label_of;

    #[derive(Deserialize)]
    struct Recorded {
        audio: Vec<f32>,
        mel: Vec<f64>,
        mel_logits: Vec<f64>,
        waveform: Vec<f64>,
    }

    fn recorded() -> Recorded {
        serde_json::from_str(include_str!("../../../tests/data/judge/expected.json")).unwrap()
    }

    fn data(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/judge").join(name)
    }

    #[test]
    fn a_described_graph_hears_what_onnx_runtime_heard_in_python() {
        let recorded = recorded();
        for (name, expected) in [("mel.json", &recorded.mel), ("waveform.json", &recorded.waveform)] {
            let judge = Classifier::open(&data(name)).unwrap();
            let found = judge.hear(&recorded.audio, 1_600).unwrap();
            let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(found.len() == expected.len() && off < 1e-5, "{name}: {found:?} {expected:?}");
            assert_eq!(label_of(&judge, "Drums").unwrap(), 1);
            let unknown = label_of(&judge, "oboe").unwrap_err().to_string();
            assert!(unknown.contains("\"oboe\"; it has flute, drums, pad"), "{unknown}");
        }
    }

    #[test]
    fn logits_are_averaged_where_that_is_asked_for() {
        let recorded = recorded();
        let found = changed(|description| description["average"] = json!("logits")).unwrap();
        let off = found.iter().zip(&recorded.mel_logits).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-5, "{found:?} {:?}", recorded.mel_logits);
        let apart = recorded.mel.iter().zip(&recorded.mel_logits).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f64::max) > 1e-3, "the recording tells nothing");
        // Log-odds undo the sigmoid.
        for logit in [-8.0, 0.0, 0.3, 12.0] {
            assert!((log_odds(probabilities(&[logit], Activation::Sigmoid)[0]) - logit).abs() < 1e-6);
        }
        assert!(log_odds(0.0) < -13.0 && log_odds(1.0) > 13.0 && log_odds(1.0).is_finite());
    }

    /// What is said of the judge with `change` in its description, when it hears the recorded clip.
    fn refused(change: impl Fn(&mut Value)) -> String {
        changed(change).unwrap_err().to_string()
    }

    /// What the judge with `change` in its description hears in the recorded clip.
    fn changed(change: impl Fn(&mut Value)) -> Result<Vec<f64>, LabError> {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(data("mel.onnx"), folder.path().join("mel.onnx")).unwrap();
        let mut description = serde_json::from_slice(&fs::read(data("mel.json")).unwrap()).unwrap();
        change(&mut description);
        let path = folder.path().join("judge.json");
        fs::write(&path, description.to_string()).unwrap();
        Classifier::open(&path).and_then(|judge| judge.hear(&recorded().audio, 1_600))
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (field, value, said) in [
            ("graph", json!("../mel.onnx"), "in the same folder"),
            ("graph", json!("other.onnx"), "cannot read"),
            ("graph", json!("judge.json"), "does not load"),
            ("output", json!("z"), "no output \"z\"; it has y"),
            ("input_name", json!("z"), "has the inputs x"),
            ("labels", json!(["a", "b"]), "shape [3, 3], and there are 2 labels"),
            ("labels", json!([]), "no labels"),
            ("labels", json!(["a", "a", "b"]), "\"a\" is empty or there twice"),
            ("activation", json!("none"), "check its activation"),
            ("average", json!("loudness"), "loudness"),
            ("sample_rate", json!(0), "sample rate is 0"),
            ("surprise", json!(1), "surprise"),
            ("input", json!("waveform"), "fails on an input of shape [1, 800]"),
        ] {
            let message = refused(|description| description[field] = value.clone());
            assert!(message.contains(said), "{field}: {message}");
        }
        for (field, value, said) in [
            ("mels", json!(9), "fails on an input of shape [3, 10, 9]"),
            ("n_fft", json!(63), "must be even"),
            ("hop", json!(0), "from 1 to"),
            ("f_max", json!(900.0), "half of the sample rate"),
            ("frames", json!(40), "make longer clips"),
            ("layout", json!("mel_time"), "fails on an input of shape [3, 8, 10]"),
            ("log", json!({ "base": "e", "scale": 1.0, "offset": 0.0 }), "above 0"),
        ] {
            let message = refused(|description| description["input"]["mel"][field] = value.clone());
            assert!(message.contains(said), "{field}: {message}");
        }
    }

    #[test]
    fn audio_and_outputs_that_are_no_numbers_are_refused() {
        let judge = Classifier::open(&data("mel.json")).unwrap();
        for audio in [&[][..], &[0.0, f32::NAN]] {
            assert!(judge.hear(audio, 1_600).unwrap_err().to_string().contains("no finite numbers"));
        }
        // The squares overflow.
        let judge = Classifier::open(&data("waveform.json")).unwrap();
        let message = judge.hear(&[1e30; 100], 1_600).unwrap_err().to_string();
        assert!(message.contains("the probability NaN"), "{message}");
    }
}
