//! How much of a concept is there: what a vector file knows of the projections on its directions.

use serde::{Deserialize, Serialize};

/// How the concept is read at one place. The **reading** of an activation h is `scale * (r . h) + offset` for the unit
/// direction r: -1 at the mean of what the vector leads away from, 1 at the mean of what it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gauge {
    /// Readings in a unit of the projection, above 0.
    pub scale: f64,
    /// Reading at projection 0.
    pub offset: f64,
    /// Readings of rows of what the vector leads to, held out from the direction that read them.
    pub plus: Spread,
    /// The same of what it leads away from.
    pub minus: Spread,
    /// Share of held-out rows that were told right, both sides counting the same: 0 to 1, chance .5.
    pub accuracy: f64,
}

/// Mean and deviation of readings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation, not negative.
    pub deviation: f64,
}

impl Gauge {
    /// The reading at a projection on the unit direction.
    #[must_use]
    pub fn reading(&self, projection: f64) -> f64 {
        self.scale * projection + self.offset
    }

    /// How far the sides are apart, in deviations of held-out readings: 0 if these have the sides the wrong way round,
    /// infinite if they do not vary.
    #[must_use]
    pub fn separation(&self) -> f64 {
        let distance = self.plus.mean - self.minus.mean;
        if distance > 0.0 { distance / self.variance().sqrt() } else { 0.0 }
    }

    /// Probability that a reading is of what the vector leads to, 0 to 1, both sides being as likely beforehand: for
    /// normal distributions with the held-out means and a common variance, which makes it logistic.
    #[must_use]
    pub fn probability(&self, reading: f64) -> f64 {
        let from_middle = reading - (self.plus.mean + self.minus.mean) / 2.0;
        let log_odds = from_middle * (self.plus.mean - self.minus.mean) / self.variance();
        // Without variance a reading in the very middle tells nothing.
        if log_odds.is_nan() { 0.5 } else { 1.0 / (1.0 + (-log_odds).exp()) }
    }

    /// How far a reading is on the way between the held-out means of the sides, 0 at what the vector leads away from, 1 at
    /// what it leads to; below and above that it ends. Half the way if the reading is no number.
    #[must_use]
    pub fn way(&self, reading: f64) -> f64 {
        let way = (reading - self.minus.mean) / (self.plus.mean - self.minus.mean);
        if way.is_nan() { 0.5 } else { way.clamp(0.0, 1.0) }
    }

    /// Whether it tells the sides apart at all: better than chance, and the right way round.
    #[must_use]
    pub fn tells(&self) -> bool {
        self.accuracy > 0.5 && self.separation() > 0.0
    }

    fn variance(&self) -> f64 {
        (self.plus.deviation.powi(2) + self.minus.deviation.powi(2)) / 2.0
    }

    /// What is wrong with the numbers, as the rest of a sentence.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if !(self.scale > 0.0 && self.scale.is_finite()) {
            return Err("whose scale is not above 0");
        }
        if !(self.plus.deviation >= 0.0 && self.minus.deviation >= 0.0) {
            return Err("with a negative deviation");
        }
        if !(0.0..=1.0).contains(&self.accuracy) {
            return Err("whose accuracy is not between 0 and 1");
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Readings are projections; sides at -1 and 1 with this deviation.
    pub(in crate::steering) fn plain(deviation: f64, accuracy: f64) -> Gauge {
        let side = |mean| Spread { mean, deviation };
        Gauge { scale: 1.0, offset: 0.0, plus: side(1.0), minus: side(-1.0), accuracy }
    }

    #[test]
    fn probability_is_that_of_two_normal_distributions() {
        let gauge = plain(0.8, 0.9);
        let density = |reading: f64, mean: f64| (-((reading - mean) / 0.8).powi(2) / 2.0).exp();
        for reading in [-3.0, -1.0, 0.0, 0.25, 2.0] {
            let (plus, minus) = (density(reading, 1.0), density(reading, -1.0));
            assert!((gauge.probability(reading) - plus / (plus + minus)).abs() < 1e-12, "{reading}");
        }
        assert!((gauge.separation() - 2.5).abs() < 1e-12);
    }

    #[test]
    fn readings_that_do_not_vary_are_certain_but_in_the_middle() {
        let gauge = plain(0.0, 1.0);
        assert_eq!([-0.1, 0.0, 0.1].map(|reading| gauge.probability(reading)), [0.0, 0.5, 1.0]);
        assert_eq!(gauge.separation(), f64::INFINITY);
    }

    #[test]
    fn sides_the_wrong_way_round_are_not_told_apart() {
        let gauge = plain(1.0, 0.4);
        assert_eq!(Gauge { plus: gauge.minus, minus: gauge.plus, ..gauge }.separation(), 0.0);
    }
}
