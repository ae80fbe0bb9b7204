//! How well a linear probe reads the classes at a place (paper, "Where is a concept represented?").
//!
//! The probe is ridge regression on the classes one-hot, all of them at once; it takes the class with the highest score.
//! Its penalty is chosen within the training folds, so that what is held out decides nothing. The baseline are the same
//! probes for labels dealt anew among the tracks of each fold, so that every fold keeps its share of each class: without
//! that, a class that one side of the split lacks is in excess on the other, and the baseline falls below chance. Since
//! the Gram matrix does not depend on the labels, and classes are balanced by the weights of the true ones, a hundred of
//! these probes cost little more than one.

use std::num::NonZeroUsize;

use ndarray::{Array1, Array2, ArrayView1, Axis, s};
use serde::Serialize;

use super::folds::Folds;
use super::moments::Moments;
use super::random::Random;
use super::readout::Readout;
use super::ridge::{Choice, System};
use super::score::{HeldOut, auc as area_under, bootstrap};
use super::{Activations, Estimate, LabError, Place, Samples};

/// How probes are made.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeSettings {
    /// Whether components are penalised as if standardised.
    pub standardise: bool,
    /// Folds of the cross-validation over tracks, 2 or more; fewer if a class has fewer tracks.
    pub folds: usize,
    /// How often labels are dealt anew for the baseline.
    pub permutations: NonZeroUsize,
    /// Decides splits, permutations and the bootstrap.
    pub seed: u64,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        let permutations = NonZeroUsize::MIN.saturating_add(99);
        Self { standardise: false, folds: 5, permutations, seed: 0 }
    }
}

/// How well the classes are read at a place, on tracks that were held out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbeScore {
    /// Share of rows whose class is read, every class counting the same: 0 to 1, chance 1 over the number of classes.
    pub accuracy: Estimate,
    /// Area under the receiver operating characteristic of each class against the others, on average: chance .5.
    pub auc: Estimate,
    /// Share of the variance of the one-hot classes that is explained: at most 1, below 0 if worse than their mean.
    pub r2: Estimate,
    /// Accuracy of taking the class with the nearest mean: difference in means instead of a probe.
    pub means: Estimate,
    /// Accuracy of probes for permuted labels.
    pub baseline: Baseline,
    /// How well each class that has rows is read, by label.
    pub classes: Vec<ClassScore>,
}

/// How well one class is told from the others together, on tracks that were held out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassScore {
    /// The class's label.
    pub label: usize,
    /// Share of its rows that are read right: 0 to 1.
    pub accuracy: f64,
    /// Area under the receiver operating characteristic against the others: chance .5.
    pub auc: f64,
    /// Share of the variance of being of the class that is explained: at most 1, below 0 if worse than its mean.
    pub r2: f64,
}

/// What is read where there is nothing to read.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Baseline {
    /// Mean accuracy.
    pub mean: f64,
    /// Its 95th percentile.
    pub high: f64,
    /// Share of permutations that read as well as the true labels, the true ones included.
    pub p: f64,
}

/// Classes of all tracks: the true ones, and as they are dealt anew. Each is a column of targets.
struct Labels {
    classes: Vec<usize>,
    /// For each labelling, the column of each track's class.
    of_track: Vec<Vec<usize>>,
    /// What a row of each true class counts, by column.
    weights: Vec<f64>,
}

impl Labels {
    fn new(samples: &Samples, classes: Vec<usize>, split: &Folds, permutations: usize, seed: u64) -> Self {
        let column = |class: usize| classes.partition_point(|&other| other < class);
        let true_ones: Vec<usize> = samples.tracks().iter().map(|track| column(track.class)).collect();
        let mut of_track = vec![true_ones.clone(); permutations + 1];
        for (number, dealt) in of_track.iter_mut().enumerate().skip(1) {
            let mut random = Random::new(seed, "tiller/lab/permutation", number);
            for tracks in split.tracks() {
                let mut columns: Vec<usize> = tracks.iter().map(|&track| dealt[track]).collect();
                random.shuffle(&mut columns);
                for (track, column) in tracks.into_iter().zip(columns) {
                    dealt[track] = column;
                }
            }
        }
        let share = samples.rows() as f64 / classes.len() as f64;
        let weights = classes.iter().map(|&class| share / samples.rows_of(class) as f64).collect();
        Self { classes, of_track, weights }
    }

    fn weight(&self, track: usize) -> f64 {
        self.weights[self.of_track[0][track]]
    }

    /// One-hot targets of rows of these tracks, all labellings side by side.
    fn targets(&self, tracks: &[usize]) -> Array2<f64> {
        let count = self.classes.len();
        let mut targets = Array2::zeros((tracks.len(), count * self.of_track.len()));
        for (mut row, &track) in targets.outer_iter_mut().zip(tracks) {
            for (labelling, of_track) in self.of_track.iter().enumerate() {
                row[labelling * count + of_track[track]] = 1.0;
            }
        }
        targets
    }
}

/// What is kept of a held-out row.
struct Read {
    track: usize,
    scores: Array1<f64>,
    by_means: usize,
}

/// Probes a place. `None` if nothing varies there.
///
/// # Errors
/// A class with a single track, a value that is not finite.
pub fn probe(
    activations: &Activations,
    settings: &ProbeSettings,
    place: Place,
) -> Result<Option<ProbeScore>, LabError> {
    let samples = activations.samples();
    let classes = samples.present();
    let count = classes.len();
    let split = Folds::new(samples, &classes, settings.folds, settings.seed)?;
    let rows = split.rows(samples);
    let labels = Labels::new(samples, classes, &split, settings.permutations.get(), settings.seed);
    let tracks_of =
        |rows: &[usize]| -> Vec<usize> { rows.iter().map(|&row| samples.track_of(row)).collect() };

    let mut folds = Vec::with_capacity(rows.len());
    for rows in &rows {
        let mut moments = Moments::new(activations.width_at(place), count * labels.of_track.len(), true);
        activations.read(place, rows, |numbers, values| {
            let tracks = tracks_of(numbers);
            let weights = tracks.iter().map(|&track| labels.weight(track)).collect();
            moments.add(values, &weights, labels.targets(&tracks).view());
            Ok(())
        })?;
        folds.push(moments);
    }
    if Moments::without(&folds, &[]).variance().iter().all(|&variance| variance == 0.0) {
        return Ok(None);
    }

    let true_ones: Vec<Moments> = folds.iter().map(|moments| moments.with_targets(count)).collect();
    let choice = Choice::by_cross_validation(&true_ones, settings.standardise, count)?;
    let mut read = Vec::with_capacity(samples.rows());
    let mut right = Array2::<f64>::zeros((labels.of_track.len(), count));
    let mut all = right.clone();
    for (fold, rows) in rows.iter().enumerate() {
        let training = Moments::without(&folds, &[fold]);
        let probes = System::new(&training, settings.standardise).solve(choice.without[fold])?;
        let means = nearest_mean(&training, count);
        activations.read(place, rows, |numbers, values| {
            let (scores, by_means) = (probes.scores(values), means.scores(values));
            for (index, track) in tracks_of(numbers).into_iter().enumerate() {
                for (labelling, of_track) in labels.of_track.iter().enumerate() {
                    let columns = labelling * count..(labelling + 1) * count;
                    let class = of_track[track];
                    right[[labelling, class]] +=
                        f64::from(highest(scores.slice(s![index, columns])) == class);
                    all[[labelling, class]] += 1.0;
                }
                let of_classes = scores.slice(s![index, ..count]).to_owned();
                read.push(Read { track, scores: of_classes, by_means: highest(by_means.row(index)) });
            }
            Ok(())
        })?;
    }
    let accuracies = (&right / &all).sum_axis(Axis(1)) / count as f64;
    let permuted = accuracies.slice(s![1..]).to_vec();
    let baseline = baseline(accuracies[0], permuted);
    Ok(Some(score(&read, &labels, samples, settings.seed, baseline)))
}

/// Scores that are highest for the class whose mean is nearest.
fn nearest_mean(moments: &Moments, classes: usize) -> Readout {
    let means = &moments.xy.slice(s![.., ..classes]) / &moments.y.slice(s![..classes]);
    let offsets = means.map_axis(Axis(0), |mean| -mean.dot(&mean) / 2.0);
    Readout { weights: means, offsets }
}

fn highest(scores: ArrayView1<'_, f64>) -> usize {
    let first = (0, f64::NEG_INFINITY);
    let best = scores.iter().enumerate().fold(
        first,
        |best, (index, &score)| {
            if score > best.1 { (index, score) } else { best }
        },
    );
    best.0
}

/// Of the accuracy for the true labels and for permuted ones.
fn baseline(true_ones: f64, mut permuted: Vec<f64>) -> Baseline {
    permuted.sort_by(f64::total_cmp);
    let as_good = permuted.iter().filter(|&&accuracy| accuracy >= true_ones).count();
    Baseline {
        mean: permuted.iter().sum::<f64>() / permuted.len() as f64,
        high: permuted[((permuted.len() - 1) as f64 * 0.95).round() as usize],
        p: (1 + as_good) as f64 / (1 + permuted.len()) as f64,
    }
}

/// What each track contributes to accuracies and R2.
#[derive(Clone, Default)]
struct OfTrack {
    rows: f64,
    right: f64,
    right_by_means: f64,
    /// Weighted sum of the squared errors.
    error: f64,
}

fn score(read: &[Read], labels: &Labels, samples: &Samples, seed: u64, baseline: Baseline) -> ProbeScore {
    let count = labels.classes.len();
    let class_of = &labels.of_track[0];
    let mut tracks = vec![OfTrack::default(); samples.tracks().len()];
    for row in read {
        let class = class_of[row.track];
        let track = &mut tracks[row.track];
        track.rows += 1.0;
        track.right += f64::from(highest(row.scores.view()) == class);
        track.right_by_means += f64::from(row.by_means == class);
        let error = |(column, score): (usize, &f64)| (score - f64::from(column == class)).powi(2);
        track.error += labels.weight(row.track) * row.scores.iter().enumerate().map(error).sum::<f64>();
    }
    let ascending: Vec<Vec<HeldOut>> = (0..count)
        .map(|column| {
            let of_row = |row: &Read| HeldOut {
                track: row.track,
                target: if class_of[row.track] == column { 1.0 } else { -1.0 },
                weight: labels.weight(row.track),
                score: row.scores[column],
            };
            let mut rows: Vec<HeldOut> = read.iter().map(of_row).collect();
            rows.sort_by(|a, b| a.score.total_cmp(&b.score));
            rows
        })
        .collect();

    let measure = |times: &[f64]| {
        let recall = |right: &dyn Fn(&OfTrack) -> f64| -> f64 {
            let mut sums = vec![(0.0, 0.0); count];
            for ((track, &times), &class) in tracks.iter().zip(times).zip(class_of) {
                sums[class].0 += times * right(track);
                sums[class].1 += times * track.rows;
            }
            sums.iter().map(|(right, rows)| right / rows).sum::<f64>() / count as f64
        };
        let mut shares = vec![0.0; count];
        let mut error = 0.0;
        for ((index, track), &times) in tracks.iter().enumerate().zip(times) {
            shares[class_of[index]] += times * track.rows * labels.weight(index);
            error += times * track.error;
        }
        let total: f64 = shares.iter().sum();
        let variance: f64 = shares.iter().map(|share| share * (1.0 - share / total)).sum();
        let area = |rows: &Vec<HeldOut>| area_under(rows, |row| row.weight * times[row.track]);
        [
            recall(&|track| track.right),
            ascending.iter().map(area).sum::<f64>() / count as f64,
            1.0 - error / variance,
            recall(&|track| track.right_by_means),
        ]
    };
    let [accuracy, auc, r2, means] = bootstrap(samples, &labels.classes, seed, measure);
    let classes = labels.classes.iter().enumerate().map(|(column, &label)| {
        let mut error = 0.0;
        let (mut of_class, mut right) = (0.0, 0.0);
        for row in read {
            let is_class = f64::from(class_of[row.track] == column);
            error += labels.weight(row.track) * (row.scores[column] - is_class).powi(2);
            of_class += is_class;
            right += is_class * f64::from(highest(row.scores.view()) == column);
        }
        // All classes weigh the same.
        let share = 1.0 / count as f64;
        let all: f64 = read.iter().map(|row| labels.weight(row.track)).sum();
        ClassScore {
            label,
            accuracy: right / of_class,
            auc: area_under(&ascending[column], |row| row.weight),
            r2: 1.0 - error / (all * share * (1.0 - share)),
        }
    });
    ProbeScore { accuracy, auc, r2, means, baseline, classes: classes.collect() }
}
