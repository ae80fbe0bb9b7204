//! How well held-out rows are told apart, and how sure that is.
//!
//! Everything is weighted, so that classes count the same however many rows they have. Intervals are 95 % percentiles of
//! a bootstrap over **tracks**, drawn within their classes: segments of one track are not independent, tracks are.

use serde::{Deserialize, Serialize};

use super::Samples;
use super::random::Random;

/// Replicates of a bootstrap.
const REPLICATES: usize = 1_000;

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// On the data.
    pub value: f64,
    /// 2.5th percentile.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

/// How well the two sides of a contrast are told apart on tracks that were held out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Share of rows on the right side, both sides counting the same: 0 to 1, chance .5.
    pub accuracy: Estimate,
    /// Area under the receiver operating characteristic: 0 to 1, chance .5.
    pub auc: Estimate,
    /// Squared correlation of the score with the side, or 0 where that is negative: 0 to 1, chance 0. It still grows where
    /// all rows are on the right side already.
    pub r2: Estimate,
}

/// One held-out row.
#[derive(Debug, Clone, Copy)]
pub struct HeldOut {
    /// Index of its track.
    pub track: usize,
    /// +1 or -1.
    pub target: f64,
    /// What it counts.
    pub weight: f64,
    /// Above 0 for the side +1.
    pub score: f64,
}

impl Score {
    /// The score of all held-out rows of `classes`.
    pub fn of(mut held_out: Vec<HeldOut>, samples: &Samples, classes: &[usize], seed: u64) -> Self {
        held_out.sort_unstable_by(|a, b| a.score.total_cmp(&b.score));
        let measure = |times: &[f64]| {
            let weight = |row: &HeldOut| row.weight * times[row.track];
            [accuracy(&held_out, weight), auc(&held_out, weight), r2(&held_out, weight)]
        };
        let [accuracy, auc, r2] = bootstrap(samples, classes, seed, measure);
        Self { accuracy, auc, r2 }
    }
}

/// Figures with their intervals: `measure` gets how many times each track counts.
pub fn bootstrap<const FIGURES: usize>(
    samples: &Samples,
    classes: &[usize],
    seed: u64,
    measure: impl Fn(&[f64]) -> [f64; FIGURES],
) -> [Estimate; FIGURES] {
    let tracks: Vec<Vec<usize>> = classes.iter().map(|&class| samples.tracks_of(class)).collect();
    let mut times = vec![1.0; samples.tracks().len()];
    let values = measure(&times);
    let mut replicates = vec![Vec::with_capacity(REPLICATES); FIGURES];
    for replicate in 0..REPLICATES {
        let mut random = Random::new(seed, "tiller/lab/bootstrap", replicate);
        times.fill(0.0);
        for tracks in &tracks {
            for _ in tracks {
                times[tracks[random.below(tracks.len())]] += 1.0;
            }
        }
        for (figures, figure) in replicates.iter_mut().zip(measure(&times)) {
            figures.push(figure);
        }
    }
    let mut estimates = values.map(|value| Estimate { value, low: value, high: value });
    for (estimate, figures) in estimates.iter_mut().zip(&mut replicates) {
        figures.sort_by(f64::total_cmp);
        let at = |share: f64| figures[(share * (REPLICATES - 1) as f64).round() as usize];
        (estimate.low, estimate.high) = (at(0.025), at(0.975));
    }
    estimates
}

fn accuracy(rows: &[HeldOut], weight: impl Fn(&HeldOut) -> f64) -> f64 {
    let side = |sign: f64| {
        let (right, all) =
            rows.iter().filter(|row| row.target == sign).fold((0.0, 0.0), |(right, all), row| {
                // A score of 0 tells nothing, and is half right.
                let share = if row.score == 0.0 { 0.5 } else { f64::from(row.score * sign > 0.0) };
                (right + share * weight(row), all + weight(row))
            });
        right / all
    };
    (side(1.0) + side(-1.0)) / 2.0
}

/// Of rows ascending by score.
pub fn auc(rows: &[HeldOut], weight: impl Fn(&HeldOut) -> f64) -> f64 {
    let (mut below, mut pairs, mut plus) = (0.0, 0.0, 0.0);
    for ties in rows.chunk_by(|a, b| a.score == b.score) {
        let of = |sign: f64| ties.iter().filter(|row| row.target == sign).map(&weight).sum::<f64>();
        let (here, there) = (of(1.0), of(-1.0));
        pairs += here * (below + there / 2.0);
        below += there;
        plus += here;
    }
    pairs / (below * plus)
}

fn r2(rows: &[HeldOut], weight: impl Fn(&HeldOut) -> f64) -> f64 {
    // Weighted sums of 1, score, target and their products; scores are of the size of targets.
    let mut sums = [0.0; 6];
    for row in rows {
        let (weight, score, target) = (weight(row), row.score, row.target);
        let terms = [1.0, score, target, score * score, target * target, score * target];
        for (sum, term) in sums.iter_mut().zip(terms) {
            *sum += weight * term;
        }
    }
    let [total, score, target, score_score, target_target, score_target] = sums;
    let variance =
        (score_score - score * score / total).max(0.0) * (target_target - target * target / total).max(0.0);
    let covariance = score_target - score * target / total;
    // Scores that point the wrong way explain nothing of rows held out, however closely they are related.
    if variance > 0.0 && covariance > 0.0 { covariance * covariance / variance } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_out(scores: &[(f64, f64)]) -> Vec<HeldOut> {
        let row = |(track, &(target, score))| HeldOut { track, target, weight: 1.0, score };
        scores.iter().enumerate().map(row).collect()
    }

    fn samples(scores: &[(f64, f64)]) -> Samples {
        let labels: Vec<i64> = scores.iter().map(|&(target, _)| i64::from(target > 0.0)).collect();
        Samples::new(None, &labels, &(0_i64..).take(scores.len()).collect::<Vec<_>>()).unwrap()
    }

    fn score(scores: &[(f64, f64)]) -> Score {
        Score::of(held_out(scores), &samples(scores), &[0, 1], 1)
    }

    #[test]
    fn figures_are_those_of_a_count_by_hand() {
        let found = score(&[(1.0, 0.9), (1.0, 0.2), (1.0, -0.3), (-1.0, -0.5), (-1.0, 0.2)]);
        assert!((found.accuracy.value - (2.0 / 3.0 + 0.5) / 2.0).abs() < 1e-12);
        // Of six pairs 0.9 beats two, 0.2 one and a half, -0.3 one.
        assert!((found.auc.value - 4.5 / 6.0).abs() < 1e-12);
        assert!((found.r2.value - 0.04 / (0.236 * 0.96)).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn rows_that_tell_nothing_are_at_chance_and_clear_ones_certain() {
        let nothing = score(&[(1.0, 0.0), (1.0, 0.0), (-1.0, 0.0), (-1.0, 0.0)]);
        assert_eq!([nothing.accuracy, nothing.auc].map(|e| e.value), [0.5, 0.5]);
        assert_eq!(nothing.r2.value, 0.0);
        let wrong = score(&[(1.0, -1.0), (1.0, -0.5), (-1.0, 0.5), (-1.0, 1.0)]);
        assert_eq!([wrong.accuracy, wrong.auc, wrong.r2].map(|e| e.value), [0.0; 3]);
        let clear = score(&[(1.0, 1.0), (1.0, 1.0), (-1.0, -1.0), (-1.0, -1.0)]);
        for figure in [clear.accuracy, clear.auc, clear.r2] {
            assert!((figure.low - 1.0).abs() < 1e-12 && (figure.high - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn intervals_are_of_tracks_and_shrink_with_their_number() {
        let noisy = |count: usize| {
            let row =
                |n: usize| (if n.is_multiple_of(2) { 1.0 } else { -1.0 }, ((n * 37) % 23) as f64 - 11.0);
            let found = score(&(0..count).map(row).collect::<Vec<_>>()).accuracy;
            assert!(found.low <= found.value && found.value <= found.high);
            found.high - found.low
        };
        assert!(noisy(40) > 1.8 * noisy(400), "{} {}", noisy(40), noisy(400));

        // The same 40 rows as segments of 4 tracks say less than as 40 tracks.
        let rows: Vec<(f64, f64)> = (0..40)
            .map(|n| (if n < 20 { 1.0 } else { -1.0 }, if (n / 10) % 2 == 0 { 1.0 } else { -1.0 }))
            .collect();
        let labels: Vec<i64> = rows.iter().map(|&(target, _)| i64::from(target > 0.0)).collect();
        let tracks: Vec<i64> = (0..40).map(|n| n / 10).collect();
        let samples = Samples::new(None, &labels, &tracks).unwrap();
        let mut grouped = held_out(&rows);
        grouped.iter_mut().for_each(|row| row.track /= 10);
        let grouped = Score::of(grouped, &samples, &[0, 1], 1).accuracy;
        let apart = score(&rows).accuracy;
        assert!(grouped.high - grouped.low > 2.0 * (apart.high - apart.low), "{grouped:?} {apart:?}");
    }

    #[test]
    fn the_area_is_that_of_scikit_learn() {
        #[derive(Deserialize)]
        struct Recorded {
            area: Area,
        }
        #[derive(Deserialize)]
        struct Area {
            target: Vec<f64>,
            score: Vec<f64>,
            weight: Vec<f64>,
            auc: f64,
        }
        let recorded: Recorded =
            serde_json::from_str(include_str!("../../tests/data/lab/expected.json")).unwrap();
        let Area { target, score, weight, auc: expected } = recorded.area;
        let mut rows: Vec<HeldOut> = (0..target.len())
            .map(|n| HeldOut { track: n, target: target[n], weight: weight[n], score: score[n] })
            .collect();
        rows.sort_by(|a, b| a.score.total_cmp(&b.score));
        assert!((auc(&rows, |row| row.weight) - expected).abs() < 1e-12);
    }
}
