//! Which tracks a direction is learnt from, and which ones the ear.
//!
//! Tracks that belong together, as the two renders of one piece, are in the same half: an ear that knew a piece from its
//! other half would hear the piece and not the concept.

use std::collections::{BTreeMap, BTreeSet};

use crate::lab::folds::groups;
use crate::lab::random::Random;
use crate::lab::{Activations, LabError, Samples};

/// Fewest tracks of a class: two for each half, one of which can be held out from the other.
const LEAST: usize = 4;

/// Deals the tracks of each class to two halves at random; the first one has the odd track.
///
/// # Errors
/// [`LabError::Request`] for a class with fewer than four tracks, or fewer that can be parted.
pub(super) fn split(activations: &Activations, seed: u64) -> Result<[Activations; 2], LabError> {
    let [first, second] = deal(activations.samples(), seed)?.map(|tracks| activations.of_tracks(&tracks));
    Ok([first?, second?])
}

/// Indices of the tracks of both halves.
fn deal(samples: &Samples, seed: u64) -> Result<[BTreeSet<usize>; 2], LabError> {
    let classes = samples.present();
    let refuse = |class: usize, what: String| {
        Err(LabError::request(format!(
            "{} has {what}, which tell nothing; {LEAST} is the least, two to learn from and two to listen with, and only \
             with twenty one can be sure",
            samples.classes()[class]
        )))
    };
    for &class in &classes {
        let tracks = samples.tracks_of(class).len();
        if tracks < LEAST {
            return refuse(class, format!("{tracks} usable recordings"));
        }
    }
    let mut alike: BTreeMap<BTreeSet<usize>, Vec<Vec<usize>>> = BTreeMap::new();
    for (of, tracks) in groups(samples, &classes) {
        alike.entry(of).or_default().push(tracks);
    }
    let mut halves = [Vec::new(), Vec::new()];
    for (number, (_, mut groups)) in alike.into_iter().enumerate() {
        Random::new(seed, "tiller/lab/halves", number).shuffle(&mut groups);
        let rest = groups.split_off(groups.len().div_ceil(2));
        halves[0].extend(groups);
        halves[1].extend(rest);
    }
    let has =
        |class: usize, group: &[usize]| group.iter().any(|&track| samples.tracks()[track].class == class);
    for &class in &classes {
        let [one, other] =
            halves.each_ref().map(|half| half.iter().filter(|group| has(class, group)).count());
        if one.min(other) < LEAST / 2 {
            return refuse(class, format!("{} recordings or pairs of them that can be parted", one + other));
        }
    }
    Ok(halves.map(|groups| groups.into_iter().flatten().collect()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn halves_are_even_and_part_no_group(pairs in 0_i64..12, alone in 0_i64..12, seed: u64) {
            // Tracks 2 n and 2 n + 1 are twins of two classes; those after them, of both classes in turn, belong to nobody.
            let tracks: Vec<i64> = (0..2 * (pairs + alone)).collect();
            let label: Vec<i64> = tracks.iter().map(|track| track % 2).collect();
            let group: Vec<i64> =
                tracks.iter().map(|track| if *track < 2 * pairs { track / 2 } else { 1_000 + track }).collect();
            prop_assume!(pairs + alone >= 4);
            let samples = Samples::new(None, &label, &tracks).unwrap().grouped(&group).unwrap();
            let halves = deal(&samples, seed);
            if pairs / 2 + alone / 2 < 2 {
                prop_assert!(halves.unwrap_err().to_string().contains("4 is the least"));
                return Ok(());
            }
            let halves = halves.unwrap();
            prop_assert!(halves[0].is_disjoint(&halves[1]));
            prop_assert_eq!(halves[0].len() + halves[1].len(), tracks.len());
            let count = |half: usize, class| halves[half].iter().filter(|&&track| samples.tracks()[track].class == class).count();
            for class in [0, 1] {
                prop_assert!((0..=2).contains(&(count(0, class) - count(1, class))));
            }
            for pair in 0..usize::try_from(pairs).unwrap() {
                prop_assert_eq!(halves[0].contains(&(2 * pair)), halves[0].contains(&(2 * pair + 1)));
            }
        }
    }

    #[test]
    fn a_seed_decides_the_halves_and_one_group_of_all_has_none() {
        let samples = || Samples::new(None, &[0, 1].repeat(10), &Vec::from_iter(0..20)).unwrap();
        let dealt = |seed| deal(&samples(), seed).unwrap();
        assert_eq!(dealt(1), dealt(1));
        assert_ne!(dealt(1), dealt(2));
        let error = deal(&samples().grouped(&[5; 20]).unwrap(), 1).unwrap_err().to_string();
        assert!(error.contains("1 recordings or pairs of them that can be parted"), "{error}");
    }
}
