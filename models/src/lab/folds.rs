//! Splits of tracks for cross-validation.
//!
//! A fold belongs to a track; a row has no fold but its track's. So no track can have rows on both sides of a split. Where
//! tracks belong together, a fold belongs to the group of them: a piece that is there twice, once with a quality and once
//! without, would else be learnt from in the one class and asked about in the other.

use std::collections::{BTreeMap, BTreeSet};

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
        let groups = groups(samples, classes);
        if groups.iter().any(|(_, tracks)| tracks.len() > 1) {
            return Self::of_groups(samples, classes, groups, wanted, seed);
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

    /// Deals groups of tracks: those of the same classes in turn, into as many folds as let each have every class.
    fn of_groups(
        samples: &Samples,
        classes: &[usize],
        groups: Vec<(BTreeSet<usize>, Vec<usize>)>,
        wanted: usize,
        seed: u64,
    ) -> Result<Self, LabError> {
        let mut alike: BTreeMap<BTreeSet<usize>, Vec<Vec<usize>>> = BTreeMap::new();
        for (of, tracks) in groups {
            alike.entry(of).or_default().push(tracks);
        }
        for (number, groups) in alike.values_mut().enumerate() {
            Random::new(seed, "tiller/lab/folds/groups", number).shuffle(groups);
        }
        let deal = |count: usize| {
            let mut of_track = vec![None; samples.tracks().len()];
            for groups in alike.values() {
                for (place, tracks) in groups.iter().enumerate() {
                    tracks.iter().for_each(|&track| of_track[track] = Some(place % count));
                }
            }
            Self { of_track, count }
        };
        let is_whole = |folds: &Self| {
            folds.tracks().iter().all(|tracks| {
                let of_fold: BTreeSet<usize> =
                    tracks.iter().map(|&track| samples.tracks()[track].class).collect();
                classes.iter().all(|class| of_fold.contains(class))
            })
        };
        let fewer = (2..=wanted.max(2)).rev().map(deal).find(is_whole);
        fewer.ok_or_else(|| {
            LabError::request(
                "the tracks that belong together are too few for a split that parts none of them; there must be two such \
                 groups of each class at the very least, better ten",
            )
        })
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

/// The tracks of some classes by what they belong to, with the classes of each group.
pub(super) fn groups(samples: &Samples, classes: &[usize]) -> Vec<(BTreeSet<usize>, Vec<usize>)> {
    let mut groups: BTreeMap<i64, (BTreeSet<usize>, Vec<usize>)> = BTreeMap::new();
    for (number, track) in
        samples.tracks().iter().enumerate().filter(|(_, track)| classes.contains(&track.class))
    {
        let (of, tracks) = groups.entry(track.group).or_default();
        of.insert(track.class);
        tracks.push(number);
    }
    groups.into_values().collect()
}

#[cfg(test)]
mod tests {
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

    proptest! {
        #[test]
        fn no_group_is_parted_and_every_fold_has_every_class(
            pairs in 2_i64..12, alone in 0_i64..6, wanted in 0_usize..8, seed: u64,
        ) {
            // Tracks 2 n and 2 n + 1 are twins of two classes; those after them belong to nobody.
            let tracks: Vec<i64> = (0..2 * pairs + alone).collect();
            let label: Vec<i64> = tracks.iter().map(|track| track % 2).collect();
            let group: Vec<i64> =
                tracks.iter().map(|track| if *track < 2 * pairs { track / 2 } else { 1_000 + track }).collect();
            let samples = Samples::new(None, &label, &tracks).unwrap().grouped(&group).unwrap();
            let folds = Folds::new(&samples, &[0, 1], wanted, seed).unwrap();
            prop_assert!((2..=wanted.max(2)).contains(&folds.count));
            for pair in 0..pairs {
                let twins = [2 * pair, 2 * pair + 1].map(|track| folds.of_track[usize::try_from(track).unwrap()]);
                prop_assert!(twins[0].is_some() && twins[0] == twins[1]);
            }
            for tracks in folds.tracks() {
                let classes: BTreeSet<usize> = tracks.iter().map(|&track| samples.tracks()[track].class).collect();
                prop_assert_eq!(classes, BTreeSet::from([0, 1]));
            }
            prop_assert!(folds.of_track.iter().all(Option::is_some));
        }
    }

    #[test]
    fn one_group_of_all_cannot_be_split() {
        let samples = Samples::new(None, &[0, 0, 1, 1], &[1, 2, 3, 4]).unwrap().grouped(&[5; 4]).unwrap();
        let error = Folds::new(&samples, &[0, 1], 5, 0).unwrap_err().to_string();
        assert!(error.contains("too few for a split that parts none"), "{error}");
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
