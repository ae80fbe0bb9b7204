//! How strongly, and where, a vector should act: a search from coarse to fine for the most of the concept that a bound on
//! quality allows, and its confirmation on seeds that chose nothing, beside random directions of the same length.
//!
//! A setting is within the bound if its clips are on average no further from the unsteered ones than one and a half times
//! as far as these are from each other, and neither silent nor clipped for much longer. Every region (sites and layers) is
//! tried at [`FIRST`], then at twice that or, if it broke the bound, at a half and a quarter. Round the best of them
//! strengths are tried, and one layer more or fewer. Clips are kept as labels in a folder, named by their recipes, so that
//! an interrupted search goes on.

mod choice;
mod file;
mod maker;
mod panel;
mod region;
mod sounds;
mod verdict;

use std::num::NonZeroU64;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

pub use choice::Tried;
pub use region::Region;
pub(in crate::lab) use sounds::Sounds;
pub use verdict::Verdict;

use super::ear::Ear;
use super::statistics::{bootstrap_mean, cohen_d, sign_flip};
use super::{ClipSettings, Estimate, LabError, Progress, Stage, whole};
use crate::musicgen::{Cancel, Engine};
use crate::steering::Vector;
use choice::{Search as Choosing, rounded};
use maker::Maker;
use panel::{Rig, Trial};

/// The strength at which every region is tried first.
pub const FIRST: f32 = 0.3;
/// Strengths of the curve, in strengths chosen.
const CURVE: [f32; 5] = [0.25, 0.5, 0.75, 1.0, 1.5];
/// Largest p at which a vector is said to work.
const LARGEST_P: f64 = 0.01;
/// With fewer pairs of clips no p is as small: 2 / 2^8 is.
const LEAST_PAIRS: u64 = 8;

/// What clips are made of.
#[derive(Debug, Clone, Serialize)]
pub struct Search {
    /// What to play, without naming the target; one prompt or more, each once. An empty one is whatever the model likes.
    pub prompts: Vec<String>,
    /// The first seed.
    pub seed: u64,
    /// Clips of each prompt that confirm. Half as many others choose.
    pub seeds: NonZeroU64,
    /// How clips are made.
    #[serde(flatten)]
    pub clips: ClipSettings,
}

impl Search {
    /// The model's own ways with one empty prompt and clips of `frames` frames, twelve seeds.
    #[must_use]
    pub fn new(frames: usize) -> Self {
        Self {
            prompts: vec![String::new()],
            seed: 1,
            seeds: NonZeroU64::MIN.saturating_add(11),
            clips: ClipSettings::new(frames),
        }
    }

    /// The seeds that choose.
    #[must_use]
    pub fn choosing(&self) -> Range<u64> {
        self.seed..self.seed + self.seeds.get().div_ceil(2).max(2)
    }

    /// The seeds that confirm, none of which chooses.
    #[must_use]
    pub fn confirming(&self) -> Range<u64> {
        let first = self.choosing().end;
        first..first + self.seeds.get()
    }

    /// What is wrong with the numbers.
    fn check(&self) -> Result<(), LabError> {
        let pairs = self.seeds.get().saturating_mul(self.prompts.len() as u64);
        if self.prompts.is_empty() || pairs < LEAST_PAIRS {
            return Err(LabError::request(format!(
                "{pairs} clips cannot tell a direction from chance; use {LEAST_PAIRS} or more, as prompts times seeds"
            )));
        }
        if self.seeds.get() > u64::MAX / 4 || self.seed > u64::MAX / 4 {
            return Err(LabError::request("choose a smaller seed, and fewer of them"));
        }
        let twice = |(at, prompt): (usize, &String)| self.prompts[..at].contains(prompt);
        match self.prompts.iter().enumerate().any(twice) {
            true => Err(LabError::request("a prompt is there twice; name each once")),
            false => Ok(()),
        }
    }
}

/// A strength of the curve, on the seeds that confirm.
#[derive(Debug, Clone, Serialize)]
pub struct Dose {
    /// The strength.
    pub strength: f32,
    /// How much more of the concept there is than in the unsteered clip of the same seed.
    pub gain: Estimate,
    /// The same with a random direction of the same length.
    pub random: Estimate,
    /// Distance to the unsteered clip, over that between unsteered clips.
    pub distance: f64,
    /// The same with a random direction.
    pub random_distance: f64,
    /// Share of silence beyond the unsteered clips'.
    pub silence: f64,
    /// Share of clipped samples beyond the unsteered clips'.
    pub clipping: f64,
    /// Whether that is within the bound.
    pub within: bool,
}

/// What a search found.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// What clips were made of.
    pub search: Search,
    /// Who listened.
    pub ear: String,
    /// Where the vector acts.
    pub region: Region,
    /// How strongly.
    pub strength: f32,
    /// Pairs of clips that all figures below are of.
    pub pairs: usize,
    /// Mean score of the unsteered clips: 0 as in what the vector leads away from, 1 as in what it leads to.
    pub before: f64,
    /// How much more of the concept there is at this strength.
    pub gain: Estimate,
    /// The same with a random direction.
    pub random: Estimate,
    /// The difference of the two.
    pub over_random: Estimate,
    /// Two-sided p of that.
    pub p: f64,
    /// Cohen's d of that; `None` without any spread.
    pub effect: Option<f64>,
    /// Distance to the unsteered clip, over that between unsteered clips.
    pub distance: f64,
    /// The curve, by strength.
    pub dose: Vec<Dose>,
    /// Everything that was tried while choosing, in order.
    pub tried: Vec<Tried>,
    /// What to think of it.
    pub verdict: Verdict,
}

/// Searches where and how strongly `vector` should act, as `ear` hears it. `folder` gets `clips/` and `strength.json`,
/// all figures.
///
/// # Errors
/// [`LabError::Request`] for settings that make no sense or a vector that does not fit; [`LabError::File`] for a damaged
/// clip; [`LabError::Model`], also after a cancel, whereafter the same call goes on; [`LabError::Read`],
/// [`LabError::Write`], and what the judge says.
pub fn search(
    engine: &Arc<Engine>,
    vector: &Vector,
    ear: &mut Ear,
    search: &Search,
    folder: &Path,
    cancel: &Cancel,
    progress: &mut dyn FnMut(Progress),
) -> Result<Found, LabError> {
    search.check()?;
    vector.check(engine.bundle().architecture()).map_err(|error| LabError::request(error.to_string()))?;
    let identity = ear.identity().to_owned();
    let mut rig = Rig { maker: Maker::new(engine, vector, search, folder, cancel)?, ear };
    let mut choosing = Choosing::new(&mut rig, search.choosing(), progress)?;
    choosing.scout(progress)?;
    choosing.refine(progress)?;
    let tried = choosing.tried;
    let Some(chosen) = choice::best(&tried).cloned() else {
        return Err(LabError::request("the vector has no direction to steer with"));
    };

    let mut strengths: Vec<f32> = CURVE.map(|share| rounded(share * chosen.strength)).to_vec();
    strengths.dedup();
    let pairs = search.prompts.len() * search.seeds.get() as usize;
    let total = pairs * (1 + 2 * strengths.len());
    let mut done = 0;
    let mut each = || {
        done += 1;
        progress(Progress { stage: Stage::Confirming, done, total });
    };
    let panel = rig.panel(search.confirming(), &mut each)?;
    let mut dose = Vec::new();
    let mut confirmed: Option<[Trial; 2]> = None;
    for strength in strengths {
        let steered = rig.trial(&panel, &chosen.region, strength, false, &mut each)?;
        let random = rig.trial(&panel, &chosen.region, strength, true, &mut each)?;
        dose.push(Dose {
            strength,
            gain: bootstrap_mean(&steered.gains, search.seed),
            random: bootstrap_mean(&random.gains, search.seed),
            distance: steered.distance,
            random_distance: random.distance,
            silence: steered.silence,
            clipping: steered.clipping,
            within: choice::is_within(&steered),
        });
        if strength == chosen.strength {
            confirmed = Some([steered, random]);
        }
    }
    let Some([steered, random]) = confirmed else { unreachable!("the curve has the strength itself") };
    let over: Vec<f64> = steered.gains.iter().zip(&random.gains).map(|(a, b)| a - b).collect();
    let mut found = Found {
        search: search.clone(),
        ear: identity,
        region: chosen.region,
        strength: chosen.strength,
        pairs: panel.len(),
        before: panel.score(),
        gain: bootstrap_mean(&steered.gains, search.seed),
        random: bootstrap_mean(&random.gains, search.seed),
        over_random: bootstrap_mean(&over, search.seed),
        p: sign_flip(&over, search.seed),
        effect: cohen_d(&over),
        distance: steered.distance,
        dose,
        tried,
        verdict: Verdict::Works,
    };
    found.verdict = Verdict::of(&found, choice::is_within(&steered));
    // What was found is made of strings, numbers, lists and structs, which serde_json cannot fail on.
    let figures = serde_json::to_vec_pretty(&found).unwrap_or_default();
    whole::write(&folder.join("strength.json"), &figures)?;
    Ok(found)
}
