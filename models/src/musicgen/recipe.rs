//! Everything that decides which tokens a take becomes.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bundle::{Architecture, Precision};
use crate::codes::Codes;
use crate::steering::Steering;

use super::take::misfit;
use super::{Engine, Melody, Sampling};

/// The longest take, in seconds: an hour.
pub const LONGEST_TAKE: f64 = 3_600.0;

/// Everything that decides which tokens a take becomes, except the machine: same recipe, provider and ONNX Runtime
/// version, same codes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Id of the bundle, [`Bundle::id`](crate::bundle::Bundle::id).
    pub bundle: String,
    /// Name of the bundle, for people.
    pub bundle_name: String,
    /// Number format of the decoder's weights.
    pub precision: Precision,
    /// What to play. Empty for whatever the model likes.
    pub prompt: String,
    /// What guidance leads away from; empty for nothing in particular.
    #[serde(default)]
    pub negative: String,
    /// Seed of the random numbers.
    pub seed: u64,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Scale of classifier-free guidance, 0 to 100. Up to 1 there is none, and the unconditional row is not computed.
    pub guidance: f32,
    /// Length in frames of the codec, at least 1.
    pub frames: usize,
    /// Steering vectors and their strengths.
    #[serde(default)]
    pub steering: Steering,
    /// What the take begins with: codes of a recording or of another take, which the music goes on from. They are part of
    /// its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<Codes>,
    /// The melody that the take follows, from its beginning to the take's end; in models that hear melodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub melody: Option<Melody>,
}

impl Recipe {
    /// Guidance of audiocraft and of the published checkpoints.
    pub const DEFAULT_GUIDANCE: f32 = 3.0;

    /// What the engine's model plays for a prompt by itself: with the default guidance and sampling, not steered.
    #[must_use]
    pub fn plain(engine: &Engine, prompt: impl Into<String>, seed: u64, frames: usize) -> Self {
        Self {
            bundle: engine.bundle().id().to_owned(),
            bundle_name: engine.bundle().manifest().name.clone(),
            precision: engine.precision(),
            prompt: prompt.into(),
            negative: String::new(),
            seed,
            sampling: Sampling::default(),
            guidance: Self::DEFAULT_GUIDANCE,
            frames,
            steering: Steering::default(),
            opening: None,
            melody: None,
        }
    }

    /// The recipe's hash, which is the take's id: SHA-256 of its JSON without white space, fields in this order,
    /// hexadecimal.
    #[must_use]
    pub fn id(&self) -> String {
        // A recipe is made of strings, numbers, lists and structs, which serde_json cannot fail on; NaN becomes null.
        let json = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(&json).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether an unconditional row runs beside the conditional one.
    #[must_use]
    pub fn is_guided(&self) -> bool {
        self.guidance > 1.0
    }

    /// What is wrong with the numbers, as a sentence.
    pub(super) fn check(&self, architecture: &Architecture) -> Result<(), String> {
        self.sampling.check()?;
        if !(0.0..=100.0).contains(&self.guidance) {
            return Err(format!(
                "guidance is {}; it must be from 0 to 100 (1 and less switch it off)",
                self.guidance
            ));
        }
        if self.frames == 0 {
            return Err("the length is zero; ask for at least one frame, a fraction of a second".to_owned());
        }
        let seconds = self.frames as f64 / architecture.frame_rate();
        if seconds > LONGEST_TAKE {
            return Err(format!("the length is {seconds:.0} s; a take is at most {LONGEST_TAKE} s long"));
        }
        if let Some(opening) = &self.opening {
            check_opening(opening, self.frames, architecture)?;
        }
        if let Some(melody) = &self.melody {
            check_melody(melody, architecture)?;
        }
        Ok(())
    }
}

/// What is wrong with a melody for the model, as a sentence.
fn check_melody(melody: &Melody, architecture: &Architecture) -> Result<(), String> {
    let chroma = architecture.hearing().map_err(|error| error.to_string())?;
    match melody.classes().iter().find(|&&class| usize::from(class) >= chroma.classes) {
        Some(class) => {
            Err(format!("the melody has pitch class {class} where the model's have {}", chroma.classes))
        }
        None => Ok(()),
    }
}

/// What is wrong with the beginning that a take of `frames` is given, as a sentence.
fn check_opening(opening: &Codes, frames: usize, architecture: &Architecture) -> Result<(), String> {
    if let Some(misfit) = misfit(opening, architecture) {
        return Err(format!("what the take begins with {misfit}: choose the bundle it was made with"));
    }
    let rate = architecture.frame_rate();
    if opening.frames() >= frames {
        return Err(format!(
            "what the take begins with is {:.2} s long, and the whole take {:.2} s: ask for a longer take, which both are part of",
            opening.frames() as f64 / rate,
            frames as f64 / rate
        ));
    }
    Ok(())
}

/// Frames of a take of `seconds`, rounded to the nearest.
///
/// # Errors
/// A sentence if `seconds` is not a number, not above zero or above [`LONGEST_TAKE`].
pub fn frames_of(seconds: f64, architecture: &Architecture) -> Result<usize, String> {
    if !(seconds > 0.0 && seconds <= LONGEST_TAKE) {
        return Err(format!("the length is {seconds} s; it must be above 0 and at most {LONGEST_TAKE} s"));
    }
    Ok(((seconds * architecture.frame_rate()).round() as usize).max(1))
}
