//! The rows that take part in a contrast, split into folds, at one place.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::folds::Folds;
use super::moments::Moments;
use super::{Activations, Contrast, LabError, Place};

/// Rows of a contrast: each has a target, +1 or -1, a weight and a fold.
pub struct Examples<'a> {
    /// Where the rows are.
    pub activations: &'a Activations,
    contrast: &'a Contrast,
    /// By label.
    weights: Vec<f64>,
    /// Rows of each fold, ascending.
    folds: Vec<Vec<usize>>,
}

/// Rows `[n, D]`, their weights `[n]` and their targets `[n]`.
pub struct Chunk<'a> {
    pub numbers: &'a [usize],
    pub rows: ArrayView2<'a, f64>,
    pub weights: Array1<f64>,
    pub targets: Array1<f64>,
}

impl<'a> Examples<'a> {
    /// Splits the tracks of `contrast` into at most `folds` folds.
    ///
    /// # Errors
    /// [`LabError::Request`] if a class has a single track.
    pub fn new(
        activations: &'a Activations,
        contrast: &'a Contrast,
        folds: usize,
        seed: u64,
    ) -> Result<Self, LabError> {
        let samples = activations.samples();
        let folds = Folds::new(samples, &contrast.classes(), folds, seed)?;
        Ok(Self { activations, contrast, weights: contrast.weights(samples), folds: folds.rows(samples) })
    }

    /// Number of folds, at least 2.
    pub fn folds(&self) -> usize {
        self.folds.len()
    }

    /// The rows of one fold, ascending.
    pub fn held_out(&self, fold: usize) -> &[usize] {
        &self.folds[fold]
    }

    /// All rows but those of a fold, or all, ascending.
    pub fn training(&self, left_out: Option<usize>) -> Vec<usize> {
        let kept = self.folds.iter().enumerate().filter(|(fold, _)| Some(*fold) != left_out);
        let mut rows: Vec<usize> = kept.flat_map(|(_, rows)| rows.iter().copied()).collect();
        rows.sort_unstable();
        rows
    }

    /// Calls `each` with chunks of `rows`.
    ///
    /// # Errors
    /// Those of [`Activations::read`].
    pub fn read(
        &self,
        place: Place,
        rows: &[usize],
        mut each: impl FnMut(Chunk<'_>),
    ) -> Result<(), LabError> {
        let samples = self.activations.samples();
        self.activations.read(place, rows, |numbers, rows| {
            let class = |row: &usize| samples.class_of(*row);
            each(Chunk {
                numbers,
                rows,
                weights: numbers.iter().map(|row| self.weights[class(row)]).collect(),
                targets: numbers.iter().map(|row| self.contrast.target(class(row))).collect(),
            });
            Ok(())
        })
    }

    /// The moments of every fold's rows that are in a stretch of all, with Gram matrices or without.
    ///
    /// # Errors
    /// Those of [`Activations::read`].
    pub fn moments(&self, place: Place, gram: bool, stretch: Range<usize>) -> Result<Vec<Moments>, LabError> {
        let of_fold = |rows: &Vec<usize>| {
            let bound = |row: usize| rows.partition_point(|&found| found < row);
            let rows = &rows[bound(stretch.start)..bound(stretch.end)];
            let mut moments = Moments::new(self.activations.width_at(place), 1, gram);
            self.read(place, rows, |chunk| {
                let targets: Array2<f64> = chunk.targets.insert_axis(Axis(1));
                moments.add(chunk.rows, &chunk.weights, targets.view());
            })?;
            Ok(moments)
        };
        self.folds.iter().map(of_fold).collect()
    }
}
