//! The direction of a contrast at each place, and how well it tells held-out tracks apart.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use super::examples::Examples;
use super::moments::Moments;
use super::readout::{Readout, difference_in_means};
use super::ridge::{Choice, Penalty, System};
use super::score::{HeldOut, Score};
use super::{Activations, Contrast, LabError, Place, RowStatistics, Shard, logistic, pca};
use crate::steering::{Direction, Gauge, Spread};

/// How a direction is found (paper, "Steering vectors"). As text: `dim`, `mse`, `bce`, `pca`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Difference in means.
    Dim,
    /// Weights of a linear probe with squared error and ridge penalty.
    Mse,
    /// Weights of a linear probe with logistic loss.
    Bce,
    /// First principal component of the differences between rows of the two sides.
    Pca,
}

impl Method {
    const ALL: [Self; 4] = [Self::Dim, Self::Mse, Self::Bce, Self::Pca];

    /// What it is called in full.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::Dim => "difference in means",
            Self::Mse => "linear probe, squared error with ridge penalty",
            Self::Bce => "linear probe, logistic loss",
            Self::Pca => "first principal component of pair differences",
        }
    }

    /// Whether all it must know of the rows is in their sums.
    pub(super) fn has_statistics(self) -> bool {
        self != Self::Bce
    }

    /// Whether Gram matrices are among these sums.
    pub(super) fn needs_gram(self) -> bool {
        matches!(self, Self::Mse | Self::Pca)
    }

    fn name(self) -> &'static str {
        ["dim", "mse", "bce", "pca"][self as usize]
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        Self::ALL
            .into_iter()
            .find(|method| method.name() == text)
            .ok_or_else(|| LabError::request(format!("{text:?} is no method; use dim, mse, bce or pca")))
    }
}

/// How directions are found and scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The method.
    pub method: Method,
    /// Whether components are standardised first and the direction folded back to activation space.
    pub standardise: bool,
    /// Penalty of [`Method::Mse`], scikit-learn's `alpha`, not negative; chosen by cross-validation if `None`.
    pub ridge: Option<f64>,
    /// Inverse penalty of [`Method::Bce`], scikit-learn's `C`, above 0.
    pub c: f64,
    /// Folds of the cross-validation, 2 or more; fewer if a class has fewer tracks.
    pub folds: usize,
    /// Decides the split and the bootstrap.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { method: Method::Dim, standardise: false, ridge: None, c: 1.0, folds: 5, seed: 0 }
    }
}

/// A direction with its score.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// The direction, of any length, `[D]`: towards the class asked for.
    pub direction: Vec<f32>,
    /// On tracks that were held out from the direction that was scored.
    pub score: Score,
    /// Mean norm of the activations, both sides counting the same.
    pub norm: f64,
    /// The ridge penalty, scikit-learn's `alpha`.
    pub ridge: Option<f64>,
    /// How the concept is read along the direction; `None` if it does not lead from one side to the other.
    pub gauge: Option<Gauge>,
}

/// One contrast in some activations: what is learnt at each place.
pub struct Study<'a> {
    examples: Examples<'a>,
    pub(super) contrast: &'a Contrast,
    pub(super) settings: &'a Settings,
    statistics: Option<RowStatistics>,
}

impl<'a> Study<'a> {
    /// Splits the data.
    ///
    /// # Errors
    /// [`LabError::Request`] if a class has a single track or a setting is out of range.
    pub fn new(
        activations: &'a Activations,
        contrast: &'a Contrast,
        settings: &'a Settings,
    ) -> Result<Self, LabError> {
        if settings.ridge.is_some_and(|ridge| !(ridge.is_finite() && ridge >= 0.0)) {
            return Err(LabError::request("the ridge penalty is a finite number, 0 or more"));
        }
        if !(settings.c.is_finite() && settings.c > 0.0) {
            return Err(LabError::request(
                "C, the inverse penalty of the logistic probe, is a number above 0",
            ));
        }
        if settings.folds < 2 {
            return Err(LabError::request("cross-validation takes two folds or more"));
        }
        if activations.places().iter().all(|place| place.head.is_some()) {
            return Err(LabError::request(
                "the files hold attention heads alone, and steering acts on sites; extract the activations without --heads",
            ));
        }
        let examples = Examples::new(activations, contrast, settings.folds, settings.seed)?;
        Ok(Self { examples, contrast, settings, statistics: None })
    }

    /// The same study with statistics of its rows, which then are read for the scores alone.
    #[must_use]
    pub fn with(self, statistics: RowStatistics) -> Self {
        Self { statistics: Some(statistics), ..self }
    }

    /// The activations.
    #[must_use]
    pub fn activations(&self) -> &'a Activations {
        self.examples.activations
    }

    /// The places that a shard learns: sites, because steering acts there. Heads are for probes and clusters.
    #[must_use]
    pub fn places(&self, shard: Shard) -> Vec<Place> {
        let sites: Vec<Place> =
            self.activations().places().iter().copied().filter(|place| place.head.is_none()).collect();
        shard.of(&sites)
    }

    /// Folds that the tracks are split into.
    #[must_use]
    pub fn folds(&self) -> usize {
        self.examples.folds()
    }

    /// The moments of every fold's rows that are in a stretch of all.
    pub(super) fn read_moments(
        &self,
        place: Place,
        gram: bool,
        rows: Range<usize>,
    ) -> Result<Vec<Moments>, LabError> {
        self.examples.moments(place, gram, rows)
    }
}

/// Learns the direction at `place` from all rows, and scores it by cross-validation over tracks. `None` if nothing
/// varies there.
///
/// # Errors
/// A value that is not finite, a probe without solution.
pub fn learn(study: &Study<'_>, place: Place) -> Result<Option<Learned>, LabError> {
    let Settings { method, standardise, ridge, c, seed, .. } = *study.settings;
    let examples = &study.examples;
    let folds = match &study.statistics {
        Some(statistics) => statistics.moments(place)?,
        None => study.read_moments(place, method.needs_gram(), 0..examples.activations.samples().rows())?,
    };
    let whole = Moments::without(&folds, &[]);
    if whole.variance().iter().all(|&variance| variance == 0.0) {
        return Ok(None);
    }
    let penalties = match (method, ridge) {
        (Method::Mse, None) => Choice::by_cross_validation(&folds, standardise, 1)?,
        (_, alpha) => Choice::fixed(Penalty::Absolute(alpha.unwrap_or(0.0)), folds.len()),
    };
    let fit = |left_out: Option<usize>, moments: &Moments| -> Result<Readout, LabError> {
        let penalty = left_out.map_or(penalties.whole, |fold| penalties.without[fold]);
        Ok(match method {
            Method::Dim => difference_in_means(moments, standardise),
            Method::Mse => System::new(moments, standardise).solve(penalty)?,
            Method::Bce => logistic::fit(examples, place, left_out, moments, c, standardise)?,
            Method::Pca => pca::of_differences(moments, standardise),
        })
    };

    let (mut held_out, mut readings) = (Vec::new(), Readings::default());
    for fold in 0..folds.len() {
        let training = Moments::without(&folds, &[fold]);
        let sides = training.side_means();
        let readout = fit(Some(fold), &training)?.normalised(&sides);
        // A probe's 0 may be anywhere; readings are 0 in the middle.
        let middle = readout.middle(&sides);
        examples.read(place, examples.held_out(fold), |chunk| {
            let scores = readout.scores(chunk.rows);
            for (index, &row) in chunk.numbers.iter().enumerate() {
                let (target, weight, score) =
                    (chunk.targets[index], chunk.weights[index], scores[[index, 0]]);
                readings.add(target, weight, score - middle);
                held_out.push(HeldOut {
                    track: examples.activations.samples().track_of(row),
                    target,
                    weight,
                    score,
                });
            }
        })?;
    }
    let samples = examples.activations.samples();
    let direction: Vec<f32> = fit(None, &whole)?.weights.iter().map(|&value| value as f32).collect();
    let score = Score::of(held_out, samples, &study.contrast.classes(), seed);
    Ok(Some(Learned {
        gauge: readings.gauge(&direction, &whole.side_means(), score.accuracy.value),
        direction,
        score,
        norm: whole.norm / whole.weight,
        ridge: (method == Method::Mse).then(|| System::new(&whole, standardise).alpha(penalties.whole)),
    }))
}

/// Weighted sums of held-out readings on each side: of 1, the reading and its square.
#[derive(Default)]
struct Readings([[f64; 3]; 2]);

impl Readings {
    fn add(&mut self, target: f64, weight: f64, reading: f64) {
        let sums = &mut self.0[usize::from(target < 0.0)];
        for (sum, term) in sums.iter_mut().zip([1.0, reading, reading * reading]) {
            *sum += weight * term;
        }
    }

    /// How the concept is read along `direction`, whose sides have the means `sides` in all rows.
    fn gauge(&self, direction: &[f32], sides: &[Array1<f64>; 2], accuracy: f64) -> Option<Gauge> {
        // Read along the direction that steering will have.
        let unit = Direction::new(direction)?;
        let [plus, minus] = sides.each_ref().map(|mean| {
            mean.iter().zip(unit.values()).map(|(mean, &component)| mean * f64::from(component)).sum::<f64>()
        });
        let half = (plus - minus) / 2.0;
        let [above, below] = self.0.map(|[weight, sum, squares]| {
            let mean = sum / weight;
            Spread { mean, deviation: (squares / weight - mean * mean).max(0.0).sqrt() }
        });
        let gauge = Gauge {
            scale: 1.0 / half,
            offset: -(plus + minus) / 2.0 / half,
            plus: above,
            minus: below,
            accuracy,
        };
        (gauge.scale > 0.0 && gauge.scale.is_finite()).then_some(gauge)
    }
}
