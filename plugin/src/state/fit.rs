//! Takes that last whole bars.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// How much longer or shorter a take may become. Farther than that, nothing stretches music well.
pub const STRETCHES: RangeInclusive<f64> = 0.5..=2.0;

/// A length in quarter notes that a take's audio is stretched to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Quarter notes: a whole number of bars when it was chosen.
    pub beats: f64,
    /// Quarter notes a minute. It follows the tempo of the whole song, while that stands.
    pub tempo: f64,
}

impl Fit {
    /// The whole number of bars that is nearest to `seconds` at `tempo`, at least one; `bar` is in quarter notes.
    #[must_use]
    pub fn to_bars(seconds: f64, tempo: f64, bar: f64) -> Self {
        let bars = (seconds * tempo / 60.0 / bar).round().max(1.0);
        Self { beats: bars * bar, tempo }
    }

    /// How long it lasts.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.beats * 60.0 / self.tempo
    }

    /// How many times as long it makes a take of `seconds`; `None` where that cannot be done.
    #[must_use]
    pub fn ratio(&self, seconds: f64) -> Option<f64> {
        // What is no number is in no range.
        let ratio = self.seconds() / seconds;
        let sound = STRETCHES.contains(&ratio) && self.tempo > 0.0;
        (sound && self.seconds() <= crate::MAX_TAKE_SECONDS).then_some(ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_take_fits_the_nearest_bars_and_at_least_one() {
        assert_eq!(Fit::to_bars(7.8, 120.0, 4.0), Fit { beats: 16.0, tempo: 120.0 });
        assert_eq!(Fit::to_bars(5.2, 120.0, 3.5).beats, 10.5);
        assert_eq!(Fit::to_bars(0.3, 120.0, 4.0).beats, 4.0);
    }

    #[test]
    fn stretches_beyond_the_double_and_the_half_are_none() {
        let fit = Fit { beats: 16.0, tempo: 120.0 };
        assert_eq!(fit.ratio(8.0), Some(1.0));
        assert_eq!(fit.ratio(10.0), Some(0.8));
        for seconds in [3.9, 16.1, 0.0, f64::NAN] {
            assert_eq!(fit.ratio(seconds), None, "{seconds}");
        }
        for tempo in [0.0, -120.0, f64::NAN, f64::INFINITY, 1e-300] {
            assert_eq!(Fit { tempo, ..fit }.ratio(8.0), None, "{tempo}");
        }
        assert_eq!(Fit { beats: -16.0, tempo: -120.0 }.ratio(8.0), None, "a song does not run backwards");
    }
}
