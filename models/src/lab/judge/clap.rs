//! Zero-shot CLAP as a judge: labels are any words, and the one whose text goes best with the clip is the likeliest.

use std::path::Path;

use super::super::LabError;
use super::{Judge, resample};
use crate::clap::{Clap, ClapError};

/// What a label is put in, in place of `{}`.
pub const DEFAULT_TEMPLATE: &str = "This is a sound of {}.";
/// Where the label goes in a template.
const PLACE: &str = "{}";

/// A CLAP and the labels it chooses between. Its probabilities add up to 1: they are the softmax over the labels of the
/// cosines of clip and texts, times the model's own scale.
#[derive(Debug)]
pub struct ClapJudge {
    identity: String,
    labels: Vec<String>,
    clap: Clap,
    /// One embedding for each label.
    texts: Vec<Vec<f32>>,
}

impl ClapJudge {
    /// Opens a folder that [`crate::import::import_clap`] made, to choose between `labels` as `template` puts them.
    ///
    /// # Errors
    /// [`LabError::Request`] for fewer than two labels, an empty one, the same twice and a template without `{}`;
    /// [`LabError::Clap`] for a folder that cannot be used.
    pub fn open(folder: &Path, labels: &[String], template: &str) -> Result<Self, LabError> {
        if labels.len() < 2 {
            return Err(LabError::request("CLAP chooses between labels: give it two labels or more"));
        }
        if let Some(label) = labels.iter().enumerate().find(|(at, label)| labels[..*at].contains(label)) {
            return Err(LabError::request(format!("the labels have {:?} twice: leave one out", label.1)));
        }
        if labels.iter().any(|label| label.trim().is_empty()) {
            return Err(LabError::request("one of the labels is empty: say what to listen for"));
        }
        if !template.contains(PLACE) {
            return Err(LabError::request(format!(
                "the template {template:?} has no {PLACE} where the label goes; the default is {DEFAULT_TEMPLATE:?}"
            )));
        }
        let clap = Clap::open(folder)?;
        let read = |label: &String| clap.read(&template.replace(PLACE, label));
        let texts = labels.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let source = &clap.manifest().source;
        let identity = format!("clap {:?} {} {template:?}", source.checkpoint, source.sha256);
        Ok(Self { identity, labels: labels.to_vec(), clap, texts })
    }
}

impl Judge for ClapJudge {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn labels(&self) -> &[String] {
        &self.labels
    }

    fn hear(&self, audio: &[f32], sample_rate: u32) -> Result<Vec<f64>, LabError> {
        // Before a filter spreads it over what it touches.
        if audio.iter().any(|sample| !sample.is_finite()) {
            return Err(ClapError::NotFinite.into());
        }
        let manifest = self.clap.manifest();
        let clip = self.clap.hear(&resample(audio, sample_rate, manifest.features.sample_rate)?)?;
        let logits = self.texts.iter().map(|text| manifest.logit_scale * cosine(text, &clip));
        Ok(softmax(&logits.collect::<Vec<_>>()))
    }
}

/// Of vectors whose length is 1.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
