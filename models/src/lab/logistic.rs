//! Linear probes with logistic loss (paper, "Steering vectors", 2: BCE), by L-BFGS.
//!
//! Minimises `C sum w log(1 + exp(-y (x.b + c))) + |b|^2 / 2`, scikit-learn's `LogisticRegression`; standardised,
//! `sum (s_j b_j)^2 / 2` with the deviation `s_j` of each component, which is that behind a `StandardScaler` with its
//! weights folded back. Either way the steps are taken in standardised coordinates, where they are of one size. There
//! are no sufficient statistics of this loss: each step reads the rows again.

use std::cell::RefCell;

use argmin::core::{CostFunction, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use ndarray::{Array1, ArrayView1};

use super::examples::Examples;
use super::moments::Moments;
use super::readout::Readout;
use super::{LabError, Place};

/// Steps remembered, as in scikit-learn.
const MEMORY: usize = 10;
const MOST_STEPS: u64 = 1_000;
/// Norm of the gradient of the mean loss, in standardised coordinates, at which the minimum is found.
const TOLERANCE: f64 = 1e-9;
/// Change of the mean loss that is rounding.
const ROUNDING: f64 = 1e-15;

/// What is minimised over standardised weights `[D]` and, last, the score of the mean activation.
struct Loss<'a> {
    examples: &'a Examples<'a>,
    place: Place,
    rows: Vec<usize>,
    mean: Array1<f64>,
    /// 1 over the deviation of each component; 0 for constant ones, which take no part.
    inverse: Array1<f64>,
    /// What multiplies the squares of the weights.
    penalty: Array1<f64>,
    weight: f64,
    /// The last point with its value and gradient: the solver asks for both apart, and both take one reading.
    last: RefCell<Option<Evaluated>>,
}

struct Evaluated {
    point: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// The probe on all rows but those of a fold, whose moments are given. `c` is scikit-learn's inverse strength.
///
/// # Errors
/// [`LabError::Request`] if no minimum is found; those of reading.
pub fn fit(
    examples: &Examples<'_>,
    place: Place,
    left_out: Option<usize>,
    moments: &Moments,
    c: f64,
    standardise: bool,
) -> Result<Readout, LabError> {
    let inverse =
        moments.variance().mapv(|variance| if variance > 0.0 { 1.0 / variance.sqrt() } else { 0.0 });
    let penalty = inverse.mapv(|inverse| if standardise { 1.0 } else { inverse * inverse });
    let loss = Loss {
        examples,
        place,
        rows: examples.training(left_out),
        mean: moments.mean(),
        penalty: penalty / (c * moments.weight),
        inverse: inverse.clone(),
        weight: moments.weight,
        last: RefCell::new(None),
    };
    let mean = loss.mean.clone();
    let start = vec![0.0; mean.len() + 1];
    let minimum = minimise(loss, start).map_err(|error| match error.downcast::<LabError>() {
        Ok(error) => error,
        Err(error) => LabError::request(format!(
            "no logistic probe is found at {place} ({error}); use the method mse or dim"
        )),
    })?;
    let (&centre, weights) = minimum.split_last().unwrap_or((&0.0, &[]));
    let weights = &ArrayView1::from(weights) * &inverse;
    let offset = centre - weights.dot(&mean);
    Ok(Readout::one(weights, offset))
}

fn minimise(loss: Loss<'_>, start: Vec<f64>) -> Result<Vec<f64>, argmin::core::Error> {
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY)
        .with_tolerance_grad(TOLERANCE)?
        .with_tolerance_cost(ROUNDING)?;
    let result = Executor::new(loss, solver)
        .configure(|state| state.param(start).max_iters(MOST_STEPS))
        .timer(false)
        .run()?;
    let found = result.state().get_best_param().cloned();
    found.ok_or_else(|| argmin::core::Error::msg("no step could be taken"))
}

impl Loss<'_> {
    fn at(&self, point: &[f64]) -> Result<(f64, Vec<f64>), LabError> {
        if let Some(last) = self.last.borrow().as_ref().filter(|last| last.point == point) {
            return Ok((last.value, last.gradient.clone()));
        }
        let (&centre, standardised) = point.split_last().unwrap_or((&0.0, &[]));
        let standardised = ArrayView1::from(standardised);
        let weights = &standardised * &self.inverse;
        let offset = centre - weights.dot(&self.mean);
        let mut value = 0.0;
        let mut pull = 0.0;
        let mut gradient = Array1::<f64>::zeros(weights.len());
        self.examples.read(self.place, &self.rows, |chunk| {
            let mut pulls = chunk.rows.dot(&weights) + offset;
            for ((score, &target), &weight) in pulls.iter_mut().zip(&chunk.targets).zip(&chunk.weights) {
                let margin = target * *score;
                // log(1 + exp(-m)) and its derivative, without overflow on either side.
                let small = (-margin.abs()).exp();
                value += weight * (small.ln_1p() + (-margin).max(0.0));
                let wrong = if margin > 0.0 { small / (1.0 + small) } else { 1.0 / (1.0 + small) };
                *score = -target * weight * wrong;
            }
            pull += pulls.sum();
            gradient += &chunk.rows.t().dot(&pulls);
        })?;
        let weighted = &standardised * &self.penalty;
        gradient = (gradient - pull * &self.mean) * &self.inverse / self.weight + &weighted;
        let value = value / self.weight + weighted.dot(&standardised) / 2.0;
        let mut gradient = gradient.to_vec();
        gradient.push(pull / self.weight);
        let evaluated = Evaluated { point: point.to_vec(), value, gradient: gradient.clone() };
        *self.last.borrow_mut() = Some(evaluated);
        Ok((value, gradient))
    }
}

impl CostFunction for Loss<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, point: &Vec<f64>) -> Result<f64, argmin::core::Error> {
        Ok(self.at(point)?.0)
    }
}

impl Gradient for Loss<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, point: &Vec<f64>) -> Result<Vec<f64>, argmin::core::Error> {
        Ok(self.at(point)?.1)
    }
}
