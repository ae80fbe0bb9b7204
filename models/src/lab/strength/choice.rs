//! Which setting is tried next, and which one is best.

use std::ops::Range;

use serde::Serialize;

use super::panel::{Panel, Rig, Trial};
use super::{FIRST, Region};
use crate::lab::{LabError, Progress, Stage};

/// Furthest that clips may be from the unsteered ones, in distances between seeds.
const MOST_DISTANCE: f64 = 1.5;
/// Most silence beyond the unsteered clips', as a share of the time.
const MOST_SILENCE: f64 = 0.15;
/// Most clipped samples beyond the unsteered clips', as a share of all.
const MOST_CLIPPING: f64 = 0.01;

/// Strengths tried round the best one.
const ROUND: [f32; 4] = [0.7, 0.85, 1.2, 1.4];
/// How often the best region may move by a layer.
const MOVES: usize = 3;

/// A setting with what it did to the clips of the seeds that choose.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tried {
    /// Where.
    pub region: Region,
    /// How strongly.
    pub strength: f32,
    /// How much more of the concept there is than without steering.
    pub gain: f64,
    /// Distance to the unsteered clip, over that between unsteered clips.
    pub distance: f64,
    /// Whether it is within the bound on quality.
    pub within: bool,
}

/// Whether the clips are whole.
pub(super) fn is_within(trial: &Trial) -> bool {
    trial.distance <= MOST_DISTANCE && trial.silence <= MOST_SILENCE && trial.clipping <= MOST_CLIPPING
}

/// The most of the concept within the bound; if nothing is, what changes the clips least.
pub(super) fn best(tried: &[Tried]) -> Option<&Tried> {
    let within = tried.iter().filter(|tried| tried.within);
    within
        .max_by(|a, b| a.gain.total_cmp(&b.gain))
        .or_else(|| tried.iter().min_by(|a, b| a.distance.total_cmp(&b.distance)))
}

/// A strength in hundredths, at least one.
pub(super) fn rounded(strength: f32) -> f32 {
    (strength * 100.0).round().max(1.0) / 100.0
}

/// The search on the seeds that choose.
pub(super) struct Search<'r, 'a> {
    rig: &'r mut Rig<'a>,
    panel: Panel,
    regions: Vec<Region>,
    /// What was tried so far.
    pub tried: Vec<Tried>,
}

impl<'r, 'a> Search<'r, 'a> {
    /// Makes the unsteered clips.
    pub fn new(
        rig: &'r mut Rig<'a>,
        seeds: Range<u64>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, LabError> {
        let regions = Region::coarse(rig.maker.vector);
        progress(Progress { stage: Stage::Scouting, done: 0, total: regions.len() });
        let panel = rig.panel(seeds, || {})?;
        Ok(Self { rig, panel, regions, tried: Vec::new() })
    }

    /// Tries every region.
    pub fn scout(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), LabError> {
        let regions = self.regions.clone();
        for (done, region) in regions.iter().enumerate() {
            progress(Progress { stage: Stage::Scouting, done, total: regions.len() });
            if self.try_once(region, FIRST)? {
                self.try_once(region, 2.0 * FIRST)?;
            } else if !self.try_once(region, FIRST / 2.0)? {
                self.try_once(region, FIRST / 4.0)?;
            }
        }
        progress(Progress { stage: Stage::Scouting, done: regions.len(), total: regions.len() });
        Ok(())
    }

    /// Tries strengths round the best setting, and one layer more or fewer as long as that is better.
    pub fn refine(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), LabError> {
        let total = 1 + MOVES;
        let mut note = |done| progress(Progress { stage: Stage::Refining, done, total });
        note(0);
        let Some(Tried { region, strength, .. }) = best(&self.tried).cloned() else { return Ok(()) };
        for factor in ROUND {
            self.try_once(&region, rounded(factor * strength))?;
        }
        for moves in 0..MOVES {
            note(1 + moves);
            let Some(from) = best(&self.tried).cloned() else { break };
            for region in from.region.neighbours(self.rig.maker.vector) {
                self.try_once(&region, from.strength)?;
            }
            if best(&self.tried) == Some(&from) {
                break;
            }
        }
        note(total);
        Ok(())
    }

    /// Tries a setting unless it was tried; whether it is within the bound.
    fn try_once(&mut self, region: &Region, strength: f32) -> Result<bool, LabError> {
        let strength = rounded(strength);
        let known = |tried: &&Tried| tried.region == *region && tried.strength == strength;
        if let Some(tried) = self.tried.iter().find(known) {
            return Ok(tried.within);
        }
        let trial = self.rig.trial(&self.panel, region, strength, false, || {})?;
        let within = is_within(&trial);
        self.tried.push(Tried {
            region: region.clone(),
            strength,
            gain: trial.gain(),
            distance: trial.distance,
            within,
        });
        Ok(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steering::Site;

    fn tried(gain: f64, distance: f64, within: bool) -> Tried {
        let region = Region { sites: vec![Site::Residual], first: 0, last: 0 };
        Tried { region, strength: 0.3, gain, distance, within }
    }

    #[test]
    fn the_bound_comes_before_the_gain() {
        let all = [tried(0.1, 0.5, true), tried(0.9, 1.6, false), tried(0.4, 1.4, true)];
        assert_eq!(best(&all), Some(&all[2]));
        let broken = [tried(0.9, 3.0, false), tried(0.1, 1.7, false)];
        assert_eq!(best(&broken), Some(&broken[1]));
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn each_part_of_the_bound_counts() {
        let whole = Trial { gains: vec![0.1], distance: 1.5, silence: 0.1, clipping: 0.0 };
        assert!(is_within(&whole));
        assert!(!is_within(&Trial { distance: f64::INFINITY, ..whole.clone() }));
        assert!(!is_within(&Trial { silence: 0.2, ..whole.clone() }));
        assert!(!is_within(&Trial { clipping: 0.02, ..whole }));
    }

    #[test]
    fn strengths_are_hundredths_and_never_nothing() {
        assert_eq!([0.3 * 0.85, 0.001, 0.6].map(rounded), [0.26, 0.01, 0.6]);
    }
}
