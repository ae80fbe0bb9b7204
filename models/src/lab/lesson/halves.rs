//! Which tracks a direction is learnt from, and which ones the ear.

use std::collections::BTreeSet;

use crate::lab::random::Random;
use crate::lab::{Activations, LabError};

/// Fewest tracks of a class: two for each half, one of which can be held out from the other.
const LEAST: usize = 4;

/// Deals the tracks of each class to two halves at random; the first one has the odd track.
///
/// # Errors
/// [`LabError::Request`] for a class with fewer than four tracks.
pub(super) fn split(activations: &Activations, seed: u64) -> Result<[Activations; 2], LabError> {
    let samples = activations.samples();
    let mut halves = [BTreeSet::new(), BTreeSet::new()];
    for class in samples.present() {
        let mut tracks = samples.tracks_of(class);
        if tracks.len() < LEAST {
            return Err(LabError::request(format!(
                "{} has {} usable recordings, which tell nothing; {LEAST} is the least, two to learn from and two to \
                 listen with, and only with twenty one can be sure",
                samples.classes()[class],
                tracks.len()
            )));
        }
        Random::new(seed, "tiller/lab/halves", class).shuffle(&mut tracks);
        let rest = tracks.split_off(tracks.len().div_ceil(2));
        halves[0].extend(tracks);
        halves[1].extend(rest);
    }
    let [first, second] = halves.each_ref().map(|tracks| activations.of_tracks(tracks));
    Ok([first?, second?])
}
