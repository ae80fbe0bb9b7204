//! What a search found, in the vector's file.

use serde_json::json;

use super::{Found, Verdict};
use crate::lab::LabError;
use crate::lab::moved::rewritten;
use crate::steering::Vector;

impl Found {
    /// The file of `vector` with what was found: `dose` (the curve, beside a random direction) and `evidence` in any case;
    /// `sites`, `layers` and `strength` only if it works.
    ///
    /// # Errors
    /// [`LabError::Request`] if the file could not be read again.
    pub fn file(&self, vector: &Vector) -> Result<Vec<u8>, LabError> {
        let mut changes = vec![("dose", json!(self.dose)), ("evidence", self.evidence())];
        if self.verdict == Verdict::Works {
            changes.push(("sites", json!(self.region.sites)));
            changes.push(("layers", json!(self.region.layers(vector))));
            changes.push(("strength", json!(self.strength)));
        }
        let changes: Vec<_> = changes.into_iter().map(|(key, value)| (key, value.to_string())).collect();
        let bytes = rewritten(vector, &changes);
        Vector::from_bytes(&bytes, vector.concept()).map_err(|error| LabError::request(error.to_string()))?;
        Ok(bytes)
    }

    /// The figures of the strength that was chosen, on seeds that chose nothing.
    fn evidence(&self) -> serde_json::Value {
        let half = |estimate: crate::lab::Estimate| (estimate.high - estimate.low) / 2.0;
        json!({
            "verdict": self.verdict,
            "lift": self.gain.value,
            "interval": half(self.gain),
            "random": self.random.value,
            "random interval": half(self.random),
            "over random": self.over_random,
            "p": self.p,
            "effect": self.effect,
            "before": self.before,
            "distance": self.distance,
            "where": self.region,
            "strength": self.strength,
            "heard by": self.ear,
            "prompts": self.search.prompts,
            "seeds": self.search.confirming(),
            "frames": self.search.clips.frames,
            "clips": self.pairs,
        })
    }
}
