//! Judges: who listens to a clip and says how likely each of some labels is.
//!
//! What an experiment measures is what a [`Judge`] hears, and nothing of the experiment knows which one it is. A judge
//! knows nothing of the model that it listens to.

mod clap;
mod classifier;
mod description;
mod resample;
mod spectrograph;

use std::path::Path;

pub use clap::{ClapJudge, DEFAULT_TEMPLATE};
pub use classifier::Classifier;
pub use resample::resample;
pub(in crate::lab) use spectrograph::Spectrograph;

use super::LabError;

/// Who hears how likely each of some labels is.
pub trait Judge: Send + Sync {
    /// What this judge is, exactly: figures of judges with the same identity can be compared. It has no line break.
    fn identity(&self) -> &str;

    /// What the judge can tell, each label once and at least one. Fixed for the life of the judge: one that takes any
    /// text as a label gets its labels when it is made.
    fn labels(&self) -> &[String];

    /// The probability of each label in the order of [`labels`](Self::labels), 0 to 1, for one clip: mono samples,
    /// full scale 1, of any length that is not zero, at any rate. They add up to 1 only if the judge chooses between
    /// its labels.
    ///
    /// # Errors
    /// [`LabError`] for audio that is too short for the judge or not finite, and for a judge that does not work or
    /// answers with what is no probability.
    fn hear(&self, audio: &[f32], sample_rate: u32) -> Result<Vec<f64>, LabError>;
}

/// The judge at `path`: a folder with a CLAP, which chooses between `labels` as `template` puts them, or the JSON file of
/// a classifier, which has its own labels and looks at neither.
///
/// # Errors
/// As [`ClapJudge::open`] and [`Classifier::open`].
pub fn open(path: &Path, labels: &[String], template: &str) -> Result<Box<dyn Judge>, LabError> {
    if path.is_dir() {
        return Ok(Box::new(ClapJudge::open(path, labels, template)?));
    }
    Ok(Box::new(Classifier::open(path)?))
}

/// The place of `label` among those of `judge`; letters may be large or small.
///
/// # Errors
/// [`LabError::Request`] with the labels there are.
pub fn label_of(judge: &dyn Judge, label: &str) -> Result<usize, LabError> {
    let labels = judge.labels();
    let exact = labels.iter().position(|known| known == label);
    exact.or_else(|| labels.iter().position(|known| known.eq_ignore_ascii_case(label))).ok_or_else(|| {
        LabError::request(format!("the judge has no label {label:?}; it has {}", labels.join(", ")))
    })
}
