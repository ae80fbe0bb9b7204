//! What reads a concept off an activation: `score = weights . x + offset`.

use ndarray::{Array1, Array2, ArrayView2};

use super::moments::Moments;

/// T linear functions of an activation of width D.
#[derive(Debug, Clone, PartialEq)]
pub struct Readout {
    /// `[D, T]`.
    pub weights: Array2<f64>,
    /// `[T]`.
    pub offsets: Array1<f64>,
}

impl Readout {
    /// One function, which is 0 half-way between the means of the two sides.
    pub fn between(weights: Array1<f64>, sides: &[Array1<f64>; 2]) -> Self {
        let offset = -weights.dot(&(&sides[0] + &sides[1])) / 2.0;
        Self::one(weights, offset)
    }

    /// One function.
    pub fn one(weights: Array1<f64>, offset: f64) -> Self {
        let width = weights.len();
        Self {
            weights: weights.into_shape_with_order((width, 1)).expect("a column has as many entries"),
            offsets: Array1::from_elem(1, offset),
        }
    }

    /// Nothing is read.
    pub fn zero(width: usize, targets: usize) -> Self {
        Self { weights: Array2::zeros((width, targets)), offsets: Array1::zeros(targets) }
    }

    /// The scores of rows `[n, D]`: `[n, T]`.
    pub fn scores(&self, rows: ArrayView2<'_, f64>) -> Array2<f64> {
        rows.dot(&self.weights) + &self.offsets
    }

    /// The first function half-way between the means of the two sides.
    pub fn middle(&self, sides: &[Array1<f64>; 2]) -> f64 {
        self.weights.column(0).dot(&(&sides[0] + &sides[1])) / 2.0 + self.offsets[0]
    }

    /// The same function times a factor that brings the sides' means, on average, to +1 and -1, so that the scores of
    /// several folds can be compared.
    pub fn normalised(mut self, sides: &[Array1<f64>; 2]) -> Self {
        let half = self.weights.column(0).dot(&(&sides[0] - &sides[1])) / 2.0;
        if half > 0.0 {
            self.weights /= half;
            self.offsets /= half;
        }
        self
    }
}

/// Difference in means (paper, "Steering vectors", 1): `mean(x | +) - mean(x | -)`. Standardised, the difference of
/// standardised components, folded back to activation space as the weights of a probe are: divided by the variance.
pub fn difference_in_means(moments: &Moments, standardise: bool) -> Readout {
    let sides = moments.side_means();
    let mut difference = &sides[0] - &sides[1];
    if standardise {
        let scale = |difference: &mut f64, &variance: &f64| {
            *difference = if variance > 0.0 { *difference / variance } else { 0.0 };
        };
        ndarray::Zip::from(&mut difference).and(&moments.variance()).for_each(scale);
    }
    Readout::between(difference, &sides)
}
