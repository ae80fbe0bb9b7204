//! How strongly one slot steers at every frame of a take.

use serde::{Deserialize, Serialize};

/// One slot's strength for every frame of a take. Past its end the last value holds; an empty curve is zero.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StrengthCurve(Vec<f32>);

impl StrengthCurve {
    /// The same strength at every frame.
    #[must_use]
    pub fn constant(strength: f32) -> Self {
        Self(vec![strength])
    }

    /// One strength for each frame.
    #[must_use]
    pub fn from_frames(strengths: Vec<f32>) -> Self {
        Self(strengths)
    }

    /// The strength at `frame`.
    #[must_use]
    pub fn at(&self, frame: usize) -> f32 {
        self.0.get(frame).or(self.0.last()).copied().unwrap_or(0.0)
    }

    /// The stored values; shorter than the take when the rest repeats the last one.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.0
    }

    /// The first of `frames` frames at which two curves differ: where rendering has to begin again.
    #[must_use]
    pub fn first_difference(&self, other: &Self, frames: usize) -> Option<usize> {
        (0..frames).find(|&frame| self.at(frame) != other.at(frame))
    }
}
