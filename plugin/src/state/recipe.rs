//! What a take was, or is to be, made from.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tiller_models::steering::{Layers, Rows, Scale, StrengthCurve};

use super::{Melody, PackedCodes, Slot, curve};
use crate::params::SLOTS;

/// What a take was, or is to be, made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The bundle's name; empty: whichever is in use.
    #[serde(default)]
    pub model: String,
    /// The bundle's hash; empty: not compared.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model_sha256: String,
    /// Decoder precision, such as `int8`; empty: the bundle's default.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub precision: String,
    /// Prompt.
    pub prompt: String,
    /// Negative prompt.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub negative: String,
    /// Seed of the token choices.
    #[serde(default)]
    pub seed: u64,
    /// The melody it follows; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub melody: Option<Arc<Melody>>,
    /// Length in seconds.
    pub seconds: f64,
    /// Guidance, at least 1.
    #[serde(default = "default_guidance")]
    pub guidance: f32,
    /// Sampling temperature; 0 is greedy.
    #[serde(default = "unity")]
    pub temperature: f32,
    /// Tokens considered at each choice.
    #[serde(default = "default_top_k")]
    pub top_k: u32,
    /// What steers it; empty for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steering: Vec<Steering>,
    /// How steering acts.
    #[serde(default)]
    pub scale: Scale,
    /// Which rows of guidance it acts on.
    #[serde(default)]
    pub rows: Rows,
    /// Which layers it acts on.
    #[serde(default)]
    pub layers: Layers,
    /// Tokens that the take begins with, as they are, and goes on from; they are part of its length. Absent: it begins
    /// with its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<Arc<PackedCodes>>,
    /// Path of a recording that the take is to go on from. Its tokens become `opening` when the take is made; absent then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
}

/// One vector's part in a take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Steering {
    /// Which parameter it follows: 1 to 4.
    pub slot: usize,
    /// The vector.
    #[serde(flatten)]
    pub vector: Slot,
    /// Strength at each 20 ms frame of the take; the last value holds to its end.
    #[serde(with = "curve")]
    pub curve: StrengthCurve,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            model: String::new(),
            model_sha256: String::new(),
            precision: String::new(),
            prompt: String::new(),
            negative: String::new(),
            melody: None,
            seed: 0,
            seconds: 0.0,
            guidance: default_guidance(),
            temperature: 1.0,
            top_k: default_top_k(),
            steering: Vec::new(),
            scale: Scale::default(),
            rows: Rows::default(),
            layers: Layers::default(),
            opening: None,
            recording: None,
        }
    }
}

impl Recipe {
    /// The first of `frames` frames from which `other` makes something else: where making it has to begin. 0 unless
    /// nothing but strengths differs; `None` if nothing does.
    #[must_use]
    pub fn first_difference(&self, other: &Self, frames: usize) -> Option<usize> {
        if self.without_strengths() != other.without_strengths() {
            return Some(0);
        }
        let pairs = self.steering.iter().zip(&other.steering);
        pairs.filter_map(|(a, b)| a.curve.first_difference(&b.curve, frames)).min()
    }

    /// What a schema's types cannot say: numbers out of range.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if !(self.seconds > 0.0 && self.seconds <= crate::MAX_TAKE_SECONDS) {
            return Err("its length is not between 0 and 600 seconds");
        }
        if self.steering.iter().any(|s| !(1..=SLOTS).contains(&s.slot)) {
            return Err("a steering slot is not one of 1 to 4");
        }
        if self.steering.iter().flat_map(|s| s.curve.values()).any(|value| !value.is_finite()) {
            return Err("a strength is not a number");
        }
        Ok(())
    }

    fn without_strengths(&self) -> Self {
        let mut recipe = self.clone();
        for steering in &mut recipe.steering {
            steering.curve = StrengthCurve::default();
        }
        recipe
    }
}

pub(super) fn unity() -> f32 {
    1.0
}

fn default_guidance() -> f32 {
    3.0
}

fn default_top_k() -> u32 {
    250
}
