//! How loud a take is at each of its samples.

use std::f64::consts::FRAC_PI_2;

use crate::state::Fades;

/// A take's gain and fades, in samples.
///
/// A function of the sample's place in the take and of nothing else, so that every block size hears the same. Fades are
/// quarters of a sine: where one take falls while another rises over the same samples, their powers add up to one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Envelope {
    gain: f32,
    rise: usize,
    fall: usize,
    length: usize,
}

impl Envelope {
    /// The envelope of a take of `length` samples at `sample_rate`; `gain` is linear.
    #[must_use]
    pub fn new(gain: f32, fades: Fades, length: usize, sample_rate: u32) -> Self {
        let samples = |seconds: f64| (seconds * f64::from(sample_rate)).round() as usize;
        Self { gain, rise: samples(fades.rise), fall: samples(fades.fall), length }
    }

    /// The linear gain at a sample of the take. Wait-free.
    #[must_use]
    pub fn at(&self, sample: usize) -> f32 {
        let left = self.length.saturating_sub(sample);
        let mut gain = self.gain;
        if sample < self.rise {
            gain *= quarter((sample as f64 + 0.5) / self.rise as f64);
        }
        if left <= self.fall {
            gain *= quarter((left as f64 - 0.5).max(0.0) / self.fall as f64);
        }
        gain
    }
}

fn quarter(part: f64) -> f32 {
    (part * FRAC_PI_2).sin() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(rise: f64, fall: f64) -> Envelope {
        Envelope::new(0.5, Fades { rise, fall }, 1_000, 1_000)
    }

    #[test]
    fn a_take_without_fades_has_its_gain_throughout() {
        assert!((0..1_000).all(|sample| envelope(0.0, 0.0).at(sample) == 0.5));
    }

    #[test]
    fn fades_begin_and_end_in_silence_and_leave_the_middle_alone() {
        let envelope = envelope(0.1, 0.2);
        assert!(envelope.at(0) < 0.005 && envelope.at(999) < 0.005);
        assert!((100..800).all(|sample| envelope.at(sample) == 0.5));
        assert!((1..100).all(|sample| envelope.at(sample) > envelope.at(sample - 1)));
        assert!((801..1_000).all(|sample| envelope.at(sample) < envelope.at(sample - 1)));
    }

    #[test]
    fn two_takes_that_cross_keep_their_power() {
        let (going, coming) = (envelope(0.0, 0.3), envelope(0.3, 0.0));
        for sample in 0..300 {
            let power = going.at(700 + sample).powi(2) + coming.at(sample).powi(2);
            assert!((power - 0.25).abs() < 1e-6, "{power} at {sample}");
        }
    }

    #[test]
    fn fades_longer_than_the_take_are_cut_off_with_it() {
        let envelope = envelope(2.0, 2.0);
        assert!(envelope.at(999) < 0.005 && (0.05..0.1).contains(&envelope.at(500)));
    }
}
