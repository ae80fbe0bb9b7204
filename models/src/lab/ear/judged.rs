//! A judge that chooses between source and target.

use crate::lab::LabError;
use crate::lab::judge::{Judge, label_of};

/// The probability of the target over those of source and target, as in the paper's tables.
pub struct Judged {
    pub(super) identity: String,
    judge: Box<dyn Judge>,
    /// Source and target.
    labels: [usize; 2],
}

impl Judged {
    /// Has `judge` choose between two of its labels.
    ///
    /// # Errors
    /// [`LabError::Request`] for a label that it has not, or the same twice.
    pub fn new(judge: Box<dyn Judge>, source: &str, target: &str) -> Result<Self, LabError> {
        let labels = [label_of(&*judge, source)?, label_of(&*judge, target)?];
        if labels[0] == labels[1] {
            return Err(LabError::request("source and target are the same label; choose two"));
        }
        let identity = format!("{}: {target} over {source}", judge.identity());
        Ok(Self { identity, judge, labels })
    }

    pub(super) fn hear(&self, mono: &[f32], sample_rate: u32) -> Result<f64, LabError> {
        let told = self.judge.hear(mono, sample_rate)?;
        let [source, target] = self.labels.map(|label| told[label]);
        let both = source + target;
        // A judge that hears neither prefers neither.
        Ok(if both > 0.0 { target / both } else { 0.5 })
    }
}
