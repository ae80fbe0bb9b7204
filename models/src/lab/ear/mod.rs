//! Who says how much of a concept is in a generated clip.
//!
//! With a judge at hand it is the judge. Without one, as a musician is, it is the model itself: a probe of what its layers
//! hold while it reads the clip's codes again, unsteered and without a prompt. The probe is fitted on tracks that the
//! direction was not learnt from, so that a direction cannot pass by what is peculiar to its own tracks.

mod judged;
mod own;

use crate::codes::Codes;

pub use judged::Judged;
pub use own::Own;

use super::LabError;

/// Who listens.
pub enum Ear {
    /// A judge that knows nothing of the model.
    Judge(Judged),
    /// The model's own activations.
    Own(Box<Own>),
}

impl Ear {
    /// What this ear is, exactly, without line breaks.
    #[must_use]
    pub fn identity(&self) -> &str {
        match self {
            Self::Judge(judged) => &judged.identity,
            Self::Own(own) => &own.identity,
        }
    }

    /// How much of the concept is in a clip: 0 as in what the vector leads away from, 1 as in what it leads to. `mono`
    /// is what `codes` sound like, full scale 1, at `sample_rate` Hz.
    ///
    /// # Errors
    /// What the judge says; [`LabError::Model`] for a model that fails, also after a cancel.
    pub fn hear(&mut self, codes: &Codes, mono: &[f32], sample_rate: u32) -> Result<f64, LabError> {
        match self {
            Self::Judge(judged) => judged.hear(mono, sample_rate),
            Self::Own(own) => own.hear(codes),
        }
    }
}
