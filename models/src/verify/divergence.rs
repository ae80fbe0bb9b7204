//! How far one decoder's expectations are from another's.

use serde::Serialize;

use super::expectations::Expectations;

/// How far the guided logits of a decoder are from those of the reference, on the same music.
#[derive(Debug, Clone, Serialize)]
pub struct Divergence {
    /// Root mean square of the differences, logits less the mean of their row.
    pub rms: f64,
    /// The same of the reference's logits: what [`rms`](Self::rms) is to be seen beside.
    pub rms_of_reference: f64,
    /// The largest difference.
    pub largest: f64,
    /// Mean Kullback-Leibler divergence of what would be drawn from, at temperature 1 and without top-k, from what the
    /// reference would draw from; nats a token.
    pub mean_kl: f64,
    /// Share of the tokens, by codebook, of which both expect the same one most.
    pub top_1_agreement: Vec<f64>,
    /// Rows of logits that were compared, by codebook.
    #[serde(skip)]
    rows: Vec<usize>,
    #[serde(skip)]
    values: usize,
}

impl Divergence {
    /// Nothing compared yet.
    pub(super) fn new(codebooks: usize) -> Self {
        Self {
            rms: 0.0,
            rms_of_reference: 0.0,
            largest: 0.0,
            mean_kl: 0.0,
            top_1_agreement: vec![0.0; codebooks],
            rows: vec![0; codebooks],
            values: 0,
        }
    }

    /// Adds what two decoders expect of one piece. All figures are sums until [`finish`](Self::finish).
    pub(super) fn add(&mut self, reference: &Expectations, other: &Expectations) {
        for ((codebook, exact), (_, found)) in reference.rows().zip(other.rows()) {
            self.add_row(codebook, exact, found);
        }
    }

    fn add_row(&mut self, codebook: usize, exact: &[f32], found: &[f32]) {
        // A constant added to all logits of a row changes nothing.
        let (exact, found) = (centred(exact), centred(found));
        for (exact, found) in exact.iter().zip(&found) {
            let difference = (found - exact).abs();
            self.rms += difference * difference;
            self.rms_of_reference += exact * exact;
            self.largest = self.largest.max(difference);
        }
        let (from, to) = (log_probabilities(&exact), log_probabilities(&found));
        self.mean_kl += from.iter().zip(&to).map(|(p, q)| p.exp() * (p - q)).sum::<f64>();
        if most(&exact) == most(&found) {
            self.top_1_agreement[codebook] += 1.0;
        }
        self.rows[codebook] += 1;
        self.values += exact.len();
    }

    /// Turns sums into means.
    pub(super) fn finish(&mut self) {
        let values = self.values.max(1) as f64;
        self.rms = (self.rms / values).sqrt();
        self.rms_of_reference = (self.rms_of_reference / values).sqrt();
        self.mean_kl /= self.rows.iter().sum::<usize>().max(1) as f64;
        for (agreement, &rows) in self.top_1_agreement.iter_mut().zip(&self.rows) {
            *agreement /= rows.max(1) as f64;
        }
    }

    /// Share of all tokens of which both expect the same one most.
    #[must_use]
    pub fn agreement(&self) -> f64 {
        self.top_1_agreement.iter().sum::<f64>() / self.top_1_agreement.len().max(1) as f64
    }
}

fn centred(row: &[f32]) -> Vec<f64> {
    let mean = row.iter().map(|&value| f64::from(value)).sum::<f64>() / row.len() as f64;
    row.iter().map(|&value| f64::from(value) - mean).collect()
}

fn log_probabilities(row: &[f64]) -> Vec<f64> {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = row.iter().map(|value| (value - largest).exp()).sum();
    row.iter().map(|value| value - largest - sum.ln()).collect()
}

/// The first of the largest.
fn most(row: &[f64]) -> Option<usize> {
    (0..row.len()).reduce(|best, index| if row[index] > row[best] { index } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_but_for_a_constant_does_not_diverge() {
        let mut divergence = Divergence::new(1);
        divergence.add_row(0, &[1.0, 2.0, 4.0], &[11.0, 12.0, 14.0]);
        divergence.finish();
        assert!(divergence.largest < 1e-12 && divergence.rms < 1e-12 && divergence.mean_kl.abs() < 1e-12);
        assert_eq!(divergence.agreement(), 1.0);
    }

    #[test]
    fn divergence_is_that_of_the_two_distributions() {
        let mut divergence = Divergence::new(2);
        let odds = |p: f64| [(p / (1.0 - p)).ln() as f32, 0.0];
        divergence.add_row(0, &odds(0.8), &odds(0.5));
        divergence.add_row(1, &odds(0.8), &odds(0.3));
        divergence.finish();
        let kl = |p: f64, q: f64| p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln();
        assert!((divergence.mean_kl - (kl(0.8, 0.5) + kl(0.8, 0.3)) / 2.0).abs() < 1e-6);
        // The larger of two equal logits is the first.
        assert_eq!(divergence.top_1_agreement, [1.0, 0.0]);
    }
}
