//! Whether a direction works, in words.

use serde::{Deserialize, Serialize};

use super::{Found, LARGEST_P};

/// What to think of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It brings more of the concept than a random direction does, and leaves the sound whole.
    Works,
    /// It changes the sound, but brings no more of the concept than a random direction.
    Random,
    /// At the strength that does least harm the sound breaks.
    Breaks,
}

impl Verdict {
    /// On what was confirmed; `within` says whether that is within the bound on quality.
    pub(super) fn of(found: &Found, within: bool) -> Self {
        match found {
            _ if !within => Self::Breaks,
            Found { p, over_random, gain, .. }
                if *p <= LARGEST_P && over_random.low > 0.0 && gain.low > 0.0 =>
            {
                Self::Works
            }
            _ => Self::Random,
        }
    }
}

impl Found {
    /// What to think of the direction of `concept`, and why: a sentence or two.
    #[must_use]
    pub fn sentence(&self, concept: &str) -> String {
        let Self { gain, random, over_random, p, strength, region, distance, pairs, .. } = self;
        let figures = format!(
            "{:+.2} of it at strength {strength} ({region}), 95 % {:+.2} to {:+.2}; a random direction of the same length \
             brings {:+.2}; the difference is {:+.2}, p = {p:.4}, over {pairs} pairs of clips",
            gain.value, gain.low, gain.high, random.value, over_random.value
        );
        match self.verdict {
            Verdict::Works => format!("{concept} works: {figures}."),
            Verdict::Random => format!(
                "{concept} changes the sound, but brings no more of the concept than a random direction: {figures}. Use \
                 more or clearer examples, or other prompts."
            ),
            Verdict::Breaks => format!(
                "{concept} breaks the sound at every strength that was tried: even at {strength} ({region}) clips are \
                 {distance:.2} times as far from the unsteered ones as these are from each other, or silent, or clipped. \
                 Use clearer examples."
            ),
        }
    }
}
