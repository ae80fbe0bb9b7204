//! Splits of tracks for cross-validation.
//!
//! A fold belongs to a track; a row has no fold but its track's. So no track can have rows on both sides of a split.

use super::random::Random;
use super::{LabError, Samples};

/// Which fold each track of some classes is in. Every fold has tracks of each of these classes.
#[derive(Debug, Clone)]
pub struct Folds {
    /// For each track; `None` for tracks of other classes.
    of_track: Vec<Option<usize>>,
    count: usize,
}

impl Folds {
    /// Deals the tracks of each of `classes` into `wanted` folds, at random by `seed`; into as many as the smallest
    /// class has tracks if these are fewer.
    ///
    /// # Errors
    /// [`LabError::Request`] if a class has a single track.
    pub fn new(samples: &Samples, classes: &[usize], wanted: usize, seed: u64) -> Result<Self, LabError> {
        let mut tracks: Vec<Vec<usize>> = classes.iter().map(|&class| samples.tracks_of(class)).collect();
        if let Some(lonely) = tracks.iter().position(|tracks| tracks.len() < 2) {
            return Err(LabError::request(format!(
                "the class {} has a single track, and nothing could be held out to tell the concept from that track; \
                 give it two tracks at the very least, better ten",
                samples.classes()[classes[lonely]]
            )));
        }
        let count = tracks.iter().map(Vec::len).min().unwrap_or(2).min(wanted.max(2));
        let mut of_track = vec![None; samples.tracks().len()];
        for (tracks, &class) in tracks.iter_mut().zip(classes) {
            Random::new(seed, "tiller/lab/folds", class).shuffle(tracks);
            for (place, &track) in tracks.iter().enumerate() {
                of_track[track] = Some(place % count);
            }
        }
        Ok(Self { of_track, count })
    }

    /// The tracks of each fold.
    pub fn tracks(&self) -> Vec<Vec<usize>> {
        let of_fold = |fold| (0..self.of_track.len()).filter(|&t| self.of_track[t] == Some(fold)).collect();
        (0..self.count).map(of_fold).collect()
    }

    /// The rows of each fold, ascending; two folds or more.
    pub fn rows(&self, samples: &Samples) -> Vec<Vec<usize>> {
        let mut rows = vec![Vec::new(); self.count];
        for row in 0..samples.rows() {
            if let Some(fold) = self.of_track[samples.track_of(row)] {
                rows[fold].push(row);
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_track_is_on_both_sides_and_every_fold_has_every_class(
            segments in prop::collection::vec(1_usize..6, 8..40),
            wanted in 0_usize..8,
            seed: u64,
        ) {
            // Tracks 0, 1, 2, ... with a few segments each, of three classes in turn, the last one not asked for.
            let track: Vec<i64> = segments
                .iter()
                .zip(0..)
                .flat_map(|(&rows, id)| std::iter::repeat_n(id, rows))
                .collect();
            let label: Vec<i64> = track.iter().map(|id| id % 3).collect();
            let samples = Samples::new(None, &label, &track).unwrap();
            let rows = Folds::new(&samples, &[0, 1], wanted, seed).unwrap().rows(&samples);

            let tracks: Vec<BTreeSet<usize>> = rows
                .iter()
                .map(|rows| rows.iter().map(|&row| samples.track_of(row)).collect())
                .collect();
            for (index, one) in tracks.iter().enumerate() {
                prop_assert!(tracks[index + 1..].iter().all(|other| one.is_disjoint(other)));
            }
            for rows in &rows {
                let classes: BTreeSet<usize> = rows.iter().map(|&row| samples.class_of(row)).collect();
                prop_assert_eq!(classes, BTreeSet::from([0, 1]));
            }
            prop_assert_eq!(rows.concat().len(), samples.rows_of(0) + samples.rows_of(1));
        }
    }

    #[test]
    fn a_seed_decides_the_split() {
        let track: Vec<i64> = (0..40).collect();
        let label: Vec<i64> = track.iter().map(|id| id % 2).collect();
        let samples = Samples::new(None, &label, &track).unwrap();
        let rows = |seed| Folds::new(&samples, &[0, 1], 5, seed).unwrap().rows(&samples);
        assert_eq!(rows(1), rows(1));
        assert_ne!(rows(1), rows(2));
    }

    #[test]
    fn a_single_track_cannot_be_split() {
        let samples = Samples::new(None, &[0, 0, 1, 1], &[1, 2, 3, 3]).unwrap();
        let error = Folds::new(&samples, &[0, 1], 5, 0).unwrap_err().to_string();
        assert!(error.contains("the class 1 has a single track"), "{error}");
    }
}
