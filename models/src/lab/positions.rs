//! Which positions of a piece of music hold the classes best, after the probes of several readings of the same music.

use serde::Serialize;

use super::{Activations, Estimate, LabError, Place, ProbeScore};

/// One reading at the place where its probe explains most.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PositionScore {
    /// Which positions were read, in words.
    pub positions: String,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// Share of the variance of the one-hot classes that is explained.
    pub r2: Estimate,
    /// Share of rows whose class is read.
    pub accuracy: Estimate,
    /// Rows that were read.
    pub rows: usize,
}

impl PositionScore {
    /// The best of the scores of a reading; `None` if there are none. Where a file does not say which positions it is of,
    /// they are those of `name`.
    #[must_use]
    pub fn of(name: &str, activations: &Activations, scores: &[(Place, ProbeScore)]) -> Option<Self> {
        let (place, score) = scores.iter().max_by(|(_, a), (_, b)| a.r2.value.total_cmp(&b.r2.value))?;
        Some(Self {
            positions: activations.positions().unwrap_or_else(|| format!("the rows of {name}")),
            place: *place,
            r2: score.r2,
            accuracy: score.accuracy,
            rows: activations.samples().rows(),
        })
    }
}

/// The reading to learn from, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Positions {
    /// Index of the recommended reading.
    pub best: usize,
    /// The reason, a sentence or two.
    pub reason: String,
    /// All of them.
    pub readings: Vec<PositionScore>,
}

impl Positions {
    /// After the best scores of two readings or more.
    ///
    /// # Errors
    /// [`LabError::Request`] for fewer.
    pub fn of(readings: Vec<PositionScore>) -> Result<Self, LabError> {
        let better = |&a: &usize, &b: &usize| readings[a].r2.value.total_cmp(&readings[b].r2.value);
        // The last of equals is taken, which is the first of the reversed.
        let best = (0..readings.len()).rev().max_by(better);
        let (Some(best), true) = (best, readings.len() > 1) else {
            return Err(LabError::request("positions are compared between two readings or more"));
        };
        let found = &readings[best];
        let mut reason = format!(
            "learn from {}: at {} a probe explains {:.3} of the classes' variance on tracks held out ({:.3} to {:.3})",
            found.positions, found.place, found.r2.value, found.r2.low, found.r2.high
        );
        let mut within = false;
        for (_, other) in readings.iter().enumerate().filter(|(index, _)| *index != best) {
            within |= other.r2.value >= found.r2.low;
            reason.push_str(&format!(", of {} {:.3} at {}", other.positions, other.r2.value, other.place));
        }
        reason.push_str(match within {
            true => "; the difference is within the interval, so that either will do",
            false => "; the difference is beyond the interval",
        });
        Ok(Self { best, reason, readings })
    }
}

/// That two readings are of the same music: the same tracks in the same classes.
///
/// # Errors
/// [`LabError::Request`].
pub fn check_same_music(one: &Activations, other: &Activations, name: &str) -> Result<(), LabError> {
    let of = |activations: &Activations| {
        let samples = activations.samples();
        let tracks: Vec<(i64, usize)> =
            samples.tracks().iter().map(|track| (track.id, track.class)).collect();
        (samples.classes().to_vec(), tracks)
    };
    match of(one) == of(other) {
        true => Ok(()),
        false => Err(LabError::request(format!(
            "{name} is of other tracks or classes; positions are compared in the same music, which one reading with \
             several choices of --pool gives"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steering::Site;

    fn reading(positions: &str, value: f64) -> PositionScore {
        let estimate = |value: f64| Estimate { value, low: value - 0.05, high: value + 0.05 };
        PositionScore {
            positions: positions.to_owned(),
            place: Place::new(Site::Residual, 2),
            r2: estimate(value),
            accuracy: estimate(0.9),
            rows: 10,
        }
    }

    #[test]
    fn the_best_reading_is_recommended_and_a_small_difference_is_said() {
        let apart = Positions::of(vec![reading("the last position", 0.5), reading("the mean", 0.7)]).unwrap();
        assert_eq!(apart.best, 1);
        assert!(apart.reason.starts_with("learn from the mean: at the residual stream of layer 2"));
        assert!(
            apart.reason.contains("of the last position 0.500")
                && apart.reason.ends_with("beyond the interval")
        );
        let near =
            Positions::of(vec![reading("the last position", 0.68), reading("the mean", 0.68)]).unwrap();
        assert_eq!(near.best, 0);
        assert!(near.reason.ends_with("either will do"), "{}", near.reason);
        assert!(Positions::of(vec![reading("the mean", 0.7)]).is_err());
    }
}
