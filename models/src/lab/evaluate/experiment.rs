//! What is compared with what, and what makes each clip.

use std::num::NonZeroU64;

use serde::Serialize;

use crate::lab::LabError;
use crate::musicgen::{Engine, Recipe, Sampling};
use crate::steering::{Layers, Rows, Scale, Slot, Steering, StrengthCurve, Vector};

/// What is compared with what. All clips of a seed share their random numbers.
#[derive(Debug, Clone, Serialize)]
pub struct Experiment {
    /// Prompt of all clips but those of the target's.
    pub prompt: String,
    /// Prompt that names the target, for comparison.
    pub target_prompt: Option<String>,
    /// The judge's label of what the prompt asks for.
    pub source: String,
    /// The judge's label of what the vector leads to.
    pub target: String,
    /// Seed of the first clip.
    pub seed: u64,
    /// Seeds: this one, the next and so on; at least 2.
    pub seeds: NonZeroU64,
    /// Length of a clip in frames.
    pub frames: usize,
    /// Strengths to steer with, finite, not 0, each once.
    pub strengths: Vec<f32>,
    /// Where the vector acts.
    pub layers: Layers,
    /// Length of a step.
    pub scale: Scale,
    /// Rows of guidance that are steered.
    pub rows: Rows,
    /// Guidance of the prompt.
    pub guidance: f32,
    /// How tokens are drawn.
    pub sampling: Sampling,
}

/// What makes a clip, beside its seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Condition {
    /// The prompt alone.
    Unsteered,
    /// The vector.
    Steered {
        /// How strongly.
        strength: f32,
    },
    /// A random direction for each place of the vector, another one for each seed.
    Random {
        /// How strongly.
        strength: f32,
    },
    /// The prompt that names the target.
    Prompt,
}

impl Experiment {
    /// What is wrong with the numbers.
    pub(super) fn check(&self) -> Result<(), LabError> {
        if self.seeds.get() < 2 || self.seed.checked_add(self.seeds.get()).is_none() {
            return Err(LabError::request("choose two seeds or more, none beyond the largest number"));
        }
        let odd = |strength: &f32| !strength.is_finite() || *strength == 0.0;
        if self.strengths.is_empty() || self.strengths.iter().any(odd) {
            return Err(LabError::request("choose one strength or more, finite and not 0"));
        }
        for (at, strength) in self.strengths.iter().enumerate() {
            if self.strengths[..at].contains(strength) {
                return Err(LabError::request(format!("the strength {strength} is there twice")));
            }
        }
        if self.source == self.target {
            return Err(LabError::request("source and target are the same label; choose two"));
        }
        Ok(())
    }

    /// All conditions, the unsteered one first.
    #[must_use]
    pub fn conditions(&self) -> Vec<Condition> {
        let of = |strength: &f32| {
            [Condition::Steered { strength: *strength }, Condition::Random { strength: *strength }]
        };
        let steered = self.strengths.iter().flat_map(of);
        let prompt = self.target_prompt.iter().map(|_| Condition::Prompt);
        std::iter::once(Condition::Unsteered).chain(steered).chain(prompt).collect()
    }

    /// The recipe of a clip. `vector` is the one that steers it, if any does.
    pub(super) fn recipe(&self, engine: &Engine, condition: Condition, seed: u64, vector: &Vector) -> Recipe {
        let slots = match condition {
            Condition::Steered { strength } | Condition::Random { strength } => {
                vec![Slot::new(vector, StrengthCurve::constant(strength))]
            }
            Condition::Unsteered | Condition::Prompt => Vec::new(),
        };
        let steering = match slots.is_empty() {
            true => Steering::default(),
            false => Steering { scale: self.scale, rows: self.rows, layers: self.layers, period: 1, slots },
        };
        let prompt = match (&self.target_prompt, condition) {
            (Some(prompt), Condition::Prompt) => prompt,
            _ => &self.prompt,
        };
        Recipe {
            bundle: engine.bundle().id().to_owned(),
            bundle_name: engine.bundle().manifest().name.clone(),
            precision: engine.precision(),
            prompt: prompt.clone(),
            negative: String::new(),
            seed,
            sampling: self.sampling,
            guidance: self.guidance,
            frames: self.frames,
            steering,
        }
    }
}

impl Condition {
    /// What the clips of the condition are called in file names.
    pub(super) fn name(self) -> String {
        match self {
            Self::Unsteered => "unsteered".to_owned(),
            Self::Steered { strength } => format!("steered-{strength}"),
            Self::Random { strength } => format!("random-{strength}"),
            Self::Prompt => "prompt".to_owned(),
        }
    }
}
