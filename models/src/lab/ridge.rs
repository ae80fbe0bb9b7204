//! Linear probes with squared error and ridge penalty, in closed form from moments (paper, "Steering vectors", 2: MSE).
//!
//! Minimises `sum w (y - x.b - c)^2 + alpha |b|^2`, scikit-learn's `Ridge`; standardised, `alpha sum (s_j b_j)^2` with
//! the deviation `s_j` of each component, which is `Ridge` behind a `StandardScaler` with its weights folded back.
//!
//! linfa's estimators take all rows at once, know no sufficient statistics and want an older ndarray; nalgebra's
//! Cholesky decomposition is all that is needed here.

use nalgebra::{Cholesky, DMatrix};
use ndarray::{Array1, Array2, Axis};

use super::LabError;
use super::moments::Moments;
use super::readout::Readout;

/// Penalties tried by cross-validation, relative to the mean diagonal entry of the centred Gram matrix.
const RELATIVE: [f64; 7] = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0];
/// What is taken where nothing can be held out to choose.
const UNTRIED: usize = 3;

/// Strength of the ridge penalty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Penalty {
    /// Times the mean diagonal entry of what is penalised.
    Relative(f64),
    /// alpha, as scikit-learn counts it.
    Absolute(f64),
}

/// The normal equations of one training set.
pub struct System {
    /// Centred Gram matrix.
    gram: DMatrix<f64>,
    /// Centred `x y'`.
    right: DMatrix<f64>,
    /// What alpha multiplies on the diagonal.
    scale: Array1<f64>,
    mean: Array1<f64>,
    target: Array1<f64>,
    /// Whether any component varies at all.
    varies: bool,
}

impl System {
    /// The system of `moments`, which have a Gram matrix.
    pub fn new(moments: &Moments, standardise: bool) -> Self {
        let (mean, target) = (moments.mean(), &moments.y / moments.weight);
        let column = mean.clone().insert_axis(Axis(1));
        let gram: Array2<f64> = &moments.xx - &(moments.weight * column.dot(&column.t()));
        let right: Array2<f64> = &moments.xy - &(column.dot(&moments.y.clone().insert_axis(Axis(0))));
        let scale = match standardise {
            // A constant component is left as it is, as scikit-learn does.
            true => moments.variance().mapv(|variance| if variance > 0.0 { variance } else { 1.0 }),
            false => Array1::ones(mean.len()),
        };
        let (width, targets) = right.dim();
        Self {
            // Symmetric, so that rows may be taken for columns.
            gram: DMatrix::from_iterator(width, width, gram.iter().copied()),
            right: DMatrix::from_row_iterator(width, targets, right.iter().copied()),
            scale,
            mean,
            target,
            varies: moments.variance().iter().any(|&variance| variance > 0.0),
        }
    }

    /// The penalty as scikit-learn counts it.
    pub fn alpha(&self, penalty: Penalty) -> f64 {
        match penalty {
            Penalty::Absolute(alpha) => alpha,
            Penalty::Relative(factor) => {
                let diagonal = self.gram.diagonal();
                let scaled: f64 = diagonal.iter().zip(&self.scale).map(|(entry, scale)| entry / scale).sum();
                factor * scaled / self.scale.len() as f64
            }
        }
    }

    /// The probe, one function for each target. A place where nothing varies has the zero function.
    ///
    /// # Errors
    /// [`LabError::Request`] if the penalty is too small for the equations to have one solution.
    pub fn solve(&self, penalty: Penalty) -> Result<Readout, LabError> {
        let (width, targets) = self.right.shape();
        if !self.varies {
            return Ok(Readout::zero(width, targets));
        }
        let alpha = self.alpha(penalty);
        let mut penalised = self.gram.clone();
        for (component, scale) in self.scale.iter().enumerate() {
            penalised[(component, component)] += alpha * scale;
        }
        let decomposed = Cholesky::new(penalised).ok_or_else(|| {
            LabError::request(format!(
                "with a ridge penalty of {alpha:e} the probe has no single solution; choose a larger one"
            ))
        })?;
        let solution = decomposed.solve(&self.right);
        let weights = Array2::from_shape_fn((width, targets), |(row, column)| solution[(row, column)]);
        let offsets = &self.target - &self.mean.dot(&weights);
        Ok(Readout { weights, offsets })
    }
}

/// Which penalty held-out error asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// For a probe on all folds.
    pub whole: Penalty,
    /// For a probe on all folds but one, chosen without looking at that one.
    pub without: Vec<Penalty>,
}

impl Choice {
    /// The same penalty everywhere.
    pub fn fixed(penalty: Penalty, folds: usize) -> Self {
        Self { whole: penalty, without: vec![penalty; folds] }
    }

    /// Chooses by the squared error of the first `targets` targets on held-out folds. It needs no row again: the error
    /// of a probe on a fold follows from the fold's moments.
    ///
    /// # Errors
    /// As [`System::solve`].
    pub fn by_cross_validation(
        folds: &[Moments],
        standardise: bool,
        targets: usize,
    ) -> Result<Self, LabError> {
        let count = folds.len();
        let mut whole = [0.0; RELATIVE.len()];
        let mut without = vec![[0.0; RELATIVE.len()]; count];
        for one in 0..count {
            let system = System::new(&Moments::without(folds, &[one]), standardise);
            for (sum, factor) in whole.iter_mut().zip(RELATIVE) {
                *sum += error(&folds[one], &system.solve(Penalty::Relative(factor))?, targets);
            }
            // With three folds or more, two left out: each judges the probe on behalf of the other.
            for other in (one + 1..count).filter(|_| count > 2) {
                let system = System::new(&Moments::without(folds, &[one, other]), standardise);
                for (index, factor) in RELATIVE.into_iter().enumerate() {
                    let probe = system.solve(Penalty::Relative(factor))?;
                    without[one][index] += error(&folds[other], &probe, targets);
                    without[other][index] += error(&folds[one], &probe, targets);
                }
            }
        }
        let best = |errors: &[f64; RELATIVE.len()]| {
            let ranked = (0..RELATIVE.len()).min_by(|&a, &b| errors[a].total_cmp(&errors[b]));
            Penalty::Relative(RELATIVE[ranked.unwrap_or(UNTRIED)])
        };
        Ok(Self {
            whole: best(&whole),
            without: match count {
                2 => vec![Penalty::Relative(RELATIVE[UNTRIED]); 2],
                _ => without.iter().map(best).collect(),
            },
        })
    }
}

/// Sum of the squared errors of a probe on rows of which only the moments are known.
pub fn error(held_out: &Moments, probe: &Readout, targets: usize) -> f64 {
    let of_target = |target: usize| {
        let (weights, offset) = (probe.weights.column(target), probe.offsets[target]);
        let along = weights.dot(&held_out.x);
        held_out.yy[target] - 2.0 * (weights.dot(&held_out.xy.column(target)) + offset * held_out.y[target])
            + weights.dot(&held_out.xx.dot(&weights))
            + 2.0 * offset * along
            + offset * offset * held_out.weight
    };
    (0..targets).map(of_target).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose first component carries the target, with noise that repeats.
    fn rows(count: usize, width: usize) -> (Array2<f64>, Array2<f64>) {
        let noise = |row: usize, column: usize| {
            ((row * 7_919 + column * 104_729) % 997) as f64 / 997.0 - 0.5 + (column % 3) as f64
        };
        let rows = Array2::from_shape_fn((count, width), |(row, column)| noise(row, column));
        let targets = Array2::from_shape_fn((count, 1), |(row, _)| {
            2.0 * rows[[row, 0]] - rows[[row, 1]] + 0.1 * noise(row, 77)
        });
        (rows, targets)
    }

    fn moments(rows: &Array2<f64>, targets: &Array2<f64>) -> Moments {
        let mut moments = Moments::new(rows.ncols(), 1, true);
        moments.add(rows.view(), &Array1::ones(rows.nrows()), targets.view());
        moments
    }

    #[test]
    fn the_error_on_held_out_rows_follows_from_their_moments() {
        let (rows, targets) = rows(50, 6);
        let probe = System::new(&moments(&rows, &targets), false).solve(Penalty::Absolute(2.0)).unwrap();
        let residuals = &targets - &probe.scores(rows.view());
        let expected: f64 = residuals.iter().map(|residual| residual * residual).sum();
        assert!((error(&moments(&rows, &targets), &probe, 1) - expected).abs() < 1e-9);
    }

    #[test]
    fn a_small_penalty_is_chosen_for_much_data_and_a_place_without_variance_has_no_probe() {
        let (rows, targets) = rows(300, 5);
        let fold = |first: usize| {
            let part: Vec<usize> = (first..300).step_by(4).collect();
            moments(&rows.select(Axis(0), &part), &targets.select(Axis(0), &part))
        };
        let folds: Vec<Moments> = (0..4).map(fold).collect();
        let choice = Choice::by_cross_validation(&folds, false, 1).unwrap();
        let small = |penalty: &Penalty| matches!(penalty, Penalty::Relative(factor) if *factor <= 1e-2);
        assert!(small(&choice.whole) && choice.without.iter().all(small), "{choice:?}");

        let flat = Array2::ones((300, 5));
        let probe = System::new(&moments(&flat, &targets), true).solve(choice.whole).unwrap();
        assert_eq!(probe, Readout::zero(5, 1));
    }

    #[test]
    fn equations_without_a_single_solution_are_refused() {
        let (rows, targets) = rows(3, 6);
        let error = System::new(&moments(&rows, &targets), false).solve(Penalty::Absolute(0.0)).unwrap_err();
        assert!(error.to_string().contains("larger"), "{error}");
    }
}
