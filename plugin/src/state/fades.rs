//! How a take comes and goes.

use serde::{Deserialize, Serialize};

/// Seconds over which a take rises at its start and falls at its end; 0 for not at all. Longer than the take is fine:
/// the fade is then cut off with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fades {
    /// Seconds from silence to the take's gain.
    #[serde(rename = "in")]
    pub rise: f64,
    /// Seconds from the take's gain to silence, at its end.
    #[serde(rename = "out")]
    pub fall: f64,
}

impl Fades {
    /// Whether there are none, which is not worth storing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether both are lengths a take can have.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        [self.rise, self.fall].iter().all(|seconds| (0.0..=crate::MAX_TAKE_SECONDS).contains(seconds))
    }
}
