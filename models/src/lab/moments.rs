//! Exact sufficient statistics of weighted rows `x` with targets `y`: all that difference in means, ridge regression and
//! principal components need to know of the data.
//!
//! They add up: those of a whole are the sum of those of its parts. So one pass over the data, fold by fold, gives the
//! statistics of every training set of a cross-validation.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};

/// Weighted sums over rows of width D with T targets each.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Sum of the weights.
    pub weight: f64,
    /// Sum of `||x||`.
    pub norm: f64,
    /// Sum of `x`, `[D]`.
    pub x: Array1<f64>,
    /// Sum of the squares of `x`, `[D]`.
    pub squares: Array1<f64>,
    /// Sum of `y`, `[T]`.
    pub y: Array1<f64>,
    /// Sum of the squares of `y`, `[T]`.
    pub yy: Array1<f64>,
    /// Sum of `x y'`, `[D, T]`.
    pub xy: Array2<f64>,
    /// Sum of `x x'`, the Gram matrix, `[D, D]`; empty where nothing needs it.
    pub xx: Array2<f64>,
}

impl Moments {
    /// Those of no rows.
    pub fn new(width: usize, targets: usize, gram: bool) -> Self {
        let side = if gram { width } else { 0 };
        Self {
            weight: 0.0,
            norm: 0.0,
            x: Array1::zeros(width),
            squares: Array1::zeros(width),
            y: Array1::zeros(targets),
            yy: Array1::zeros(targets),
            xy: Array2::zeros((width, targets)),
            xx: Array2::zeros((side, side)),
        }
    }

    /// Adds rows `[n, D]` with weights `[n]` and targets `[n, T]`.
    pub fn add(&mut self, rows: ArrayView2<'_, f64>, weights: &Array1<f64>, targets: ArrayView2<'_, f64>) {
        let weights = weights.view().insert_axis(Axis(1));
        let weighted = &rows * &weights;
        let squares = &weighted * &rows;
        let weighted_targets = &targets * &weights;
        self.weight += weights.sum();
        for (row, weight) in rows.outer_iter().zip(&weights) {
            self.norm += weight * row.dot(&row).sqrt();
        }
        self.x += &weighted.sum_axis(Axis(0));
        self.squares += &squares.sum_axis(Axis(0));
        self.y += &weighted_targets.sum_axis(Axis(0));
        self.yy += &(&weighted_targets * &targets).sum_axis(Axis(0));
        general_mat_mul(1.0, &weighted.t(), &targets, 1.0, &mut self.xy);
        if !self.xx.is_empty() {
            general_mat_mul(1.0, &weighted.t(), &rows, 1.0, &mut self.xx);
        }
    }

    /// Adds the moments of other rows.
    pub fn merge(&mut self, other: &Self) {
        self.weight += other.weight;
        self.norm += other.norm;
        self.x += &other.x;
        self.squares += &other.squares;
        self.y += &other.y;
        self.yy += &other.yy;
        self.xy += &other.xy;
        self.xx += &other.xx;
    }

    /// Those of all `folds` but some: of a training set.
    pub fn without(folds: &[Self], left_out: &[usize]) -> Self {
        let mut kept = folds.iter().enumerate().filter(|(fold, _)| !left_out.contains(fold));
        let (_, first) = kept.next().expect("some fold is left");
        let mut sum = first.clone();
        kept.for_each(|(_, moments)| sum.merge(moments));
        sum
    }

    /// The same with the first `count` targets alone.
    pub fn with_targets(&self, count: usize) -> Self {
        Self {
            y: self.y.slice(s![..count]).to_owned(),
            yy: self.yy.slice(s![..count]).to_owned(),
            xy: self.xy.slice(s![.., ..count]).to_owned(),
            ..self.clone()
        }
    }

    /// Mean of `x`, `[D]`.
    pub fn mean(&self) -> Array1<f64> {
        &self.x / self.weight
    }

    /// Variance of each component of `x`, `[D]`. Where rounding is all that is left of it, it is 0.
    pub fn variance(&self) -> Array1<f64> {
        let mean = self.mean();
        let raw = &self.squares / self.weight;
        ndarray::Zip::from(&raw).and(&mean).map_collect(|&square, &mean| {
            let variance = square - mean * mean;
            if variance > 1e-13 * square { variance } else { 0.0 }
        })
    }

    /// Means of `x` where the first target is +1 and where it is -1, if it is always one of these.
    pub fn side_means(&self) -> [Array1<f64>; 2] {
        let side = |sign: f64| {
            let sum = &self.x + &(sign * &self.xy.column(0));
            sum / (self.weight + sign * self.y[0])
        };
        [side(1.0), side(-1.0)]
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_parts_moments_add_up_to_those_of_the_whole() {
        let rows = Array2::from_shape_fn((30, 4), |(row, column)| ((row * 7 + column * 3) % 11) as f64 - 4.0);
        let weights = Array1::from_shape_fn(30, |row| 0.5 + (row % 3) as f64);
        let targets = Array2::from_shape_fn((30, 2), |(row, target)| ((row + target) % 5) as f64);
        let of = |range: std::ops::Range<usize>| {
            let mut moments = Moments::new(4, 2, true);
            moments.add(
                rows.slice(s![range.clone(), ..]),
                &weights.slice(s![range.clone()]).to_owned(),
                targets.slice(s![range, ..]),
            );
            moments
        };
        let whole = of(0..30);
        let parts = [of(0..7), of(7..8), of(8..30)];
        let sum = Moments::without(&parts, &[]);
        for (sum, whole) in [(&sum.xx, &whole.xx), (&sum.xy, &whole.xy)] {
            assert!((sum - whole).iter().all(|difference| difference.abs() < 1e-9));
        }
        assert!((sum.weight - whole.weight).abs() < 1e-12 && (sum.norm - whole.norm).abs() < 1e-9);
        let rest = Moments::without(&parts, &[1]);
        assert!((rest.weight + parts[1].weight - whole.weight).abs() < 1e-12);
    }

    #[test]
    fn means_and_variances_are_those_of_the_rows() {
        let mut moments = Moments::new(2, 1, false);
        let rows = array![[1.0, 5.0], [3.0, 5.0], [5.0, 5.0]];
        moments.add(rows.view(), &array![1.0, 1.0, 2.0], array![[1.0], [1.0], [-1.0]].view());
        assert_eq!(moments.mean(), array![3.5, 5.0]);
        assert_eq!(moments.variance(), array![2.75, 0.0]);
        assert_eq!(moments.side_means(), [array![2.0, 5.0], array![5.0, 5.0]]);
    }
}
