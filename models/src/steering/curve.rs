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

    /// The values, for `frames` frames, of the line through `points`: pairs of seconds, ascending, and strength. Before
    /// the first and after the last point their strengths hold; without points the curve is zero.
    #[must_use]
    pub fn through(points: &[(f64, f32)], frame_rate: f64, frames: usize) -> Self {
        let at = |seconds: f64| {
            let next = points.partition_point(|&(time, _)| time <= seconds);
            match (next.checked_sub(1).map(|index| points[index]), points.get(next)) {
                (Some((from, low)), Some(&(to, high))) => {
                    low + (high - low) * ((seconds - from) / (to - from)) as f32
                }
                (Some((_, strength)), None) | (None, Some(&(_, strength))) => strength,
                (None, None) => 0.0,
            }
        };
        Self((0..frames).map(|frame| at(frame as f64 / frame_rate)).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_holds_and_nothing_is_zero() {
        let curve = StrengthCurve::from_frames(vec![0.0, 0.5]);
        assert_eq!([0, 1, 2, 1_000].map(|frame| curve.at(frame)), [0.0, 0.5, 0.5, 0.5]);
        assert_eq!(StrengthCurve::default().at(3), 0.0);
    }

    #[test]
    fn points_are_joined_by_lines_and_the_outer_ones_hold() {
        let curve = StrengthCurve::through(&[(1.0, 0.0), (2.0, 1.0), (2.0, -1.0)], 4.0, 12);
        let expected = [0.0, 0.0, 0.0, 0.0, 0.0, 0.25, 0.5, 0.75, -1.0, -1.0, -1.0, -1.0];
        assert_eq!(curve.values(), expected);
        assert_eq!(StrengthCurve::through(&[], 50.0, 2).values(), [0.0, 0.0]);
    }

    #[test]
    fn curves_differ_first_where_their_values_do() {
        let curve = StrengthCurve::from_frames(vec![0.0, 0.5, 0.5]);
        assert_eq!(curve.first_difference(&StrengthCurve::from_frames(vec![0.0, 0.5]), 100), None);
        assert_eq!(
            curve.first_difference(&StrengthCurve::from_frames(vec![0.0, 0.5, 0.5, 0.6]), 100),
            Some(3)
        );
        assert_eq!(curve.first_difference(&StrengthCurve::constant(0.0), 1), None);
    }
}
