//! k-means on rows that are read in chunks (paper, "Where is a concept represented?").
//!
//! Lloyd's algorithm from k-means++ starts, in 64 bits. All restarts take each step together, so that a step is one
//! reading of the data however many there are. linfa's k-means wants all rows in memory and an older ndarray.

use std::num::NonZeroUsize;

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use super::random::Random;
use super::{Activations, LabError, Place};

const MOST_STEPS: usize = 300;

/// Which cluster each row fell to.
#[derive(Debug, Clone, PartialEq)]
pub struct Clustering {
    /// The cluster of each row, from 0.
    pub cluster: Vec<usize>,
    /// Sum of the squared distances of rows to their centres.
    pub inertia: f64,
}

/// One restart.
struct Run {
    /// `[k, D]`.
    centres: Array2<f64>,
    cluster: Vec<u32>,
    inertia: f64,
    settled: bool,
}

/// The best of `restarts` clusterings of all rows at `place` into `k` clusters.
///
/// # Errors
/// No cluster or more than rows; those of [`Activations::read`].
pub fn cluster(
    activations: &Activations,
    place: Place,
    k: usize,
    restarts: NonZeroUsize,
    seed: u64,
) -> Result<Clustering, LabError> {
    let rows: Vec<usize> = (0..activations.samples().rows()).collect();
    if !(1..=rows.len()).contains(&k) {
        let rows = rows.len();
        return Err(LabError::request(format!(
            "{rows} rows do not fall into {k} clusters; ask for 1 to {rows}"
        )));
    }
    let starts = starts(activations, place, &rows, k, restarts.get(), seed)?;
    let mut runs: Vec<Run> = starts
        .into_iter()
        .map(|centres| Run { centres, cluster: vec![u32::MAX; rows.len()], inertia: 0.0, settled: false })
        .collect();
    for _ in 0..MOST_STEPS {
        let mut active: Vec<&mut Run> = runs.iter_mut().filter(|run| !run.settled).collect();
        if active.is_empty() {
            break;
        }
        step(activations, place, &rows, &mut active)?;
    }
    let best = runs.into_iter().min_by(|a, b| a.inertia.total_cmp(&b.inertia));
    let best = best.expect("there is one restart or more");
    Ok(Clustering {
        cluster: best.cluster.into_iter().map(|cluster| cluster as usize).collect(),
        inertia: best.inertia,
    })
}

/// Assigns every row to the nearest centre and moves the centres to the means of their rows.
fn step(
    activations: &Activations,
    place: Place,
    rows: &[usize],
    runs: &mut [&mut Run],
) -> Result<(), LabError> {
    let (k, width) = runs[0].centres.dim();
    let mut sums = vec![(Array2::<f64>::zeros((k, width)), Array1::<f64>::zeros(k)); runs.len()];
    for run in runs.iter_mut() {
        (run.settled, run.inertia) = (true, 0.0);
    }
    activations.read(place, rows, |numbers, values| {
        for (run, (sums, counts)) in runs.iter_mut().zip(&mut sums) {
            let distances = squared_distances(values, &run.centres);
            for ((&row, value), distances) in
                numbers.iter().zip(values.outer_iter()).zip(distances.outer_iter())
            {
                let (nearest, distance) = nearest(distances.iter().copied());
                run.inertia += distance;
                counts[nearest] += 1.0;
                sums.row_mut(nearest).scaled_add(1.0, &value);
                let nearest = nearest as u32;
                run.settled &= run.cluster[row] == nearest;
                run.cluster[row] = nearest;
            }
        }
        Ok(())
    })?;
    for (run, (sums, counts)) in runs.iter_mut().zip(sums) {
        for ((mut centre, sum), &count) in run.centres.outer_iter_mut().zip(sums.outer_iter()).zip(&counts) {
            // A centre that lost all its rows stays where it is; another restart does better.
            if count > 0.0 {
                centre.assign(&(&sum / count));
            }
        }
    }
    Ok(())
}

/// Centres by k-means++ for every restart: each further one is a row drawn with odds that grow with the squared distance
/// to the nearest centre so far.
fn starts(
    activations: &Activations,
    place: Place,
    rows: &[usize],
    k: usize,
    restarts: usize,
    seed: u64,
) -> Result<Vec<Array2<f64>>, LabError> {
    let width = activations.width_at(place);
    let mut randoms: Vec<Random> =
        (0..restarts).map(|restart| Random::new(seed, "tiller/lab/k-means", restart)).collect();
    let mut centres = vec![Array2::<f64>::zeros((k, width)); restarts];
    let mut distances = vec![vec![f64::INFINITY; rows.len()]; restarts];
    for centre in 0..k {
        for ((random, centres), distances) in randoms.iter_mut().zip(&mut centres).zip(&mut distances) {
            let row = if centre == 0 { random.below(rows.len()) } else { drawn(distances, random) };
            activations.read(place, &[row], |_, values| {
                centres.row_mut(centre).assign(&values.row(0));
                Ok(())
            })?;
        }
        activations.read(place, rows, |numbers, values| {
            for (centres, distances) in centres.iter().zip(&mut distances) {
                let newest = centres.slice(s![centre..=centre, ..]).to_owned();
                for (&row, distance) in numbers.iter().zip(squared_distances(values, &newest).column(0)) {
                    distances[row] = distances[row].min(*distance);
                }
            }
            Ok(())
        })?;
    }
    Ok(centres)
}

/// An index, with odds as given.
fn drawn(odds: &[f64], random: &mut Random) -> usize {
    let total: f64 = odds.iter().sum();
    let mut left = random.unit() * total;
    let found = odds.iter().position(|&odds| {
        left -= odds;
        left < 0.0
    });
    // All rows are centres already, or rounding kept the last one.
    found.unwrap_or_else(|| random.below(odds.len()))
}

/// `[n, k]`, not negative.
fn squared_distances(values: ArrayView2<'_, f64>, centres: &Array2<f64>) -> Array2<f64> {
    let squares = |rows: ArrayView2<'_, f64>| rows.map_axis(Axis(1), |row| row.dot(&row));
    let mut distances = values.dot(&centres.t()) * -2.0;
    distances += &squares(values).insert_axis(Axis(1));
    distances += &squares(centres.view());
    distances.mapv_inplace(|distance| distance.max(0.0));
    distances
}

fn nearest(distances: impl Iterator<Item = f64>) -> (usize, f64) {
    let first = (0, f64::INFINITY);
    distances.enumerate().fold(first, |best, found| if found.1 < best.1 { found } else { best })
}
