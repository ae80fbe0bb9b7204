//! A finished piece: its recipe and the codes it became.

use serde::{Deserialize, Serialize};

use crate::bundle::{Architecture, Bundle};
use crate::codes::Codes;
use crate::runtime::Provider;

use super::{GenerateError, Recipe};

/// The schema this build writes, and the newest it reads.
pub const SCHEMA: u32 = 1;

/// A finished piece: its recipe and the codes it became. As JSON it is the label beside an exported file, and all
/// that is needed to make it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Take {
    /// Schema version, [`SCHEMA`] at writing.
    pub schema: u32,
    /// Id of the recipe, [`Recipe::id`].
    pub id: String,
    /// Everything that decided the codes.
    pub recipe: Recipe,
    /// Frames a second.
    pub frame_rate: f64,
    /// Samples a second of the decoded audio.
    pub sample_rate: u32,
    /// What ran the graphs.
    pub provider: Provider,
    /// Version of ONNX Runtime.
    pub runtime: String,
    /// The tokens, `[codebooks][frames]`, delay removed.
    pub codes: Codes,
    /// What [monitoring](crate::steering::Monitoring) let through of each slot's strength, 0 to 1 for each frame. For
    /// people: the recipe decides it. No frames for slots that are not monitored, and no slots if none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub let_through: Vec<Vec<f32>>,
}

impl Take {
    /// Reads a label.
    ///
    /// # Errors
    /// [`GenerateError::Label`] for anything but a label of this schema or an older one.
    pub fn from_json(text: &str) -> Result<Self, GenerateError> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let malformed =
            |error: serde_json::Error| GenerateError::Label(format!("it cannot be understood: {error}"));
        let Version { schema } = serde_json::from_str(text).map_err(malformed)?;
        if schema == 0 || schema > SCHEMA {
            return Err(GenerateError::Label(format!(
                "it has schema {schema}, and this Tiller reads up to {SCHEMA}: update Tiller"
            )));
        }
        serde_json::from_str(text).map_err(malformed)
    }

    /// Length in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.codes.frames() as f64 / self.frame_rate
    }

    /// How much of a slot's strength monitoring let through where there was any, 0 to 1 on average over the frames: with an
    /// on-and-off rule, the share of the time that it steered. `None` for a slot that is not monitored or has no strength.
    #[must_use]
    pub fn share_steered(&self, slot: usize) -> Option<f64> {
        let (parts, curve) = (self.let_through.get(slot)?, &self.recipe.steering.slots.get(slot)?.curve);
        let steered = parts.iter().enumerate().filter(|&(frame, _)| curve.at(frame) != 0.0);
        let (frames, sum) =
            steered.fold((0, 0.0), |(frames, sum), (_, &part)| (frames + 1, sum + f64::from(part)));
        (frames > 0).then(|| sum / f64::from(frames))
    }

    /// Whether `bundle` can decode the codes: they name entries of its codebooks, as many as it has.
    ///
    /// # Errors
    /// [`GenerateError::Label`] says what does not fit.
    pub fn check(&self, bundle: &Bundle) -> Result<(), GenerateError> {
        check_codes(&self.codes, bundle)
    }
}

/// Whether codes of unknown origin fit a bundle.
pub(crate) fn check_codes(codes: &Codes, bundle: &Bundle) -> Result<(), GenerateError> {
    let name = &bundle.manifest().name;
    misfit(codes, bundle.architecture()).map_or(Ok(()), |misfit| {
        Err(GenerateError::Label(format!(
            "it {misfit}: choose the bundle it was made with, which {name} is not"
        )))
    })
}

/// What codes of unknown origin have that a model has not, to follow a name for them; `None` if they fit.
pub(super) fn misfit(codes: &Codes, architecture: &Architecture) -> Option<String> {
    let (found, codebooks) = (codes.codebooks(), architecture.codebooks);
    if found != codebooks {
        return Some(format!("has {found} codebooks where the model has {codebooks}"));
    }
    let vocabulary = architecture.vocabulary;
    let code = codes.largest().filter(|&code| usize::from(code) >= vocabulary)?;
    Some(format!("has code {code} where the model's codebooks have {vocabulary} entries"))
}
