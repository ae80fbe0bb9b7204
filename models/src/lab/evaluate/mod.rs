//! Does a vector steer where it should? Clips of the same prompts and seeds, unsteered, steered, with random directions and
//! with the prompts that name the target, heard by a [`Judge`].
//!
//! The codes of every clip are kept as labels in a folder, so that an interrupted experiment goes on, everything can be
//! heard, and another judge costs no generation. A clip that is there is taken only if its recipe is the very one. What
//! was asked for is kept too ([`Record`]), so that everything can be made again from the folder.

mod clip;
mod condition;
mod experiment;
mod record;
mod report;
mod spot;
mod tables;

pub use clip::Clip;
pub use condition::Condition;
pub use experiment::Experiment;
pub use record::Record;
pub use report::{Heard, Report};
pub use spot::{Sites, Spot};

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::LabError;
use super::clips::{self, Sound};
use super::control::random_vector;
use super::judge::Judge;
use super::quality::Picture;
use super::whole;
use crate::musicgen::{Cancel, Engine, stop_if};
use crate::steering::{Layers, Monitoring, Vector};
use clip::Listener;

/// Runs what is missing of an experiment in `folder`, and hears all of it. Writes `clips/CONDITION-SEED.json` (the label
/// of each clip), `results.json` and `table.md`; each appears whole or not at all.
///
/// `progress` is called before each clip with the number of those done; [`Experiment::clips`] says how many there are.
///
/// # Errors
/// [`LabError::Request`] for settings that make no sense, a label that the judge has not, a place at which the vector has
/// no direction, or a folder with the clips of another experiment; [`LabError::File`] for a damaged clip;
/// [`LabError::Model`], also after a cancel, whereafter the same call goes on; [`LabError::Read`], [`LabError::Write`],
/// and what the judge says.
pub fn evaluate(
    engine: &Arc<Engine>,
    vector: &Arc<Vector>,
    judge: &dyn Judge,
    experiment: &Experiment,
    folder: &Path,
    cancel: &Cancel,
    mut progress: impl FnMut(usize),
) -> Result<Report, LabError> {
    experiment.check()?;
    let listener = Listener::new(judge, &experiment.source, &experiment.target)?;
    let studio = Studio::new(engine, vector, experiment, folder, cancel)?;
    let conditions = experiment.conditions();
    let mut heard = vec![Vec::new(); conditions.len()];
    let mut done = 0;
    for prompt in 0..experiment.prompts.len() {
        let mut plain: Vec<Picture> = Vec::new();
        for seed in experiment.seed..experiment.seed + experiment.seeds.get() {
            for (heard, &condition) in heard.iter_mut().zip(&conditions) {
                for direction in 0..experiment.clips_of(condition) {
                    progress(done);
                    stop_if(cancel)?;
                    let (sound, steered) = studio.sound(condition, [prompt, direction], seed)?;
                    let (mut clip, picture) = listener.hear(&sound, [prompt, direction], seed)?;
                    clip.steered = steered;
                    match condition {
                        // Its distance is known when that of the next seed is there.
                        Condition::Unsteered => plain.push(picture),
                        _ => clip.distance = plain.last().map_or(0.0, |plain| picture.distance(plain)),
                    }
                    heard.push(clip);
                    done += 1;
                }
            }
        }
        let unsteered = heard[0].iter_mut().rev().take(plain.len()).rev();
        for ((at, clip), picture) in unsteered.enumerate().zip(&plain) {
            clip.distance = picture.distance(&plain[(at + 1) % plain.len()]);
        }
    }
    progress(done);

    let report = Report::new(engine, vector, judge, experiment, heard);
    // A report is made of strings, numbers, lists and structs, which serde_json cannot fail on.
    let results = serde_json::to_vec_pretty(&report).unwrap_or_default();
    whole::write(&folder.join("results.json"), &results)?;
    whole::write(&folder.join("table.md"), report.tables().as_bytes())?;
    Ok(report)
}

/// Makes the clips of an experiment.
struct Studio<'a> {
    engine: &'a Arc<Engine>,
    experiment: &'a Experiment,
    /// The vector at each of the experiment's places, and the layers that a recipe names.
    moved: Vec<(Spot, Arc<Vector>, Layers)>,
    clips: PathBuf,
    cancel: &'a Cancel,
}

impl<'a> Studio<'a> {
    /// Fails for a vector that does not fit, before any clip is made.
    fn new(
        engine: &'a Arc<Engine>,
        vector: &Arc<Vector>,
        experiment: &'a Experiment,
        folder: &Path,
        cancel: &'a Cancel,
    ) -> Result<Self, LabError> {
        let mut moved = Vec::new();
        for &spot in &experiment.spots {
            let (vector, layers) = spot.of(vector)?;
            vector
                .check(engine.bundle().architecture())
                .map_err(|error| LabError::request(error.to_string()))?;
            experiment.check_monitor(engine, &vector, layers)?;
            moved.push((spot, vector, layers));
        }
        let clips = folder.join("clips");
        fs::create_dir_all(&clips).map_err(|source| LabError::Write { path: clips.clone(), source })?;
        Ok(Self { engine, experiment, moved, clips, cancel })
    }

    /// The clip of a condition, a prompt, a direction and a seed: made, if it is not there. With how much of the strength
    /// was let through, if it is steered.
    fn sound(
        &self,
        condition: Condition,
        [prompt, direction]: [usize; 2],
        seed: u64,
    ) -> Result<(Sound, Option<f64>), LabError> {
        let architecture = self.engine.bundle().architecture();
        let at = |spot: Spot| self.moved.iter().find(|(known, ..)| *known == spot);
        let push = match condition {
            Condition::Unsteered | Condition::Prompt => None,
            Condition::Steered { spot, strength } | Condition::Monitored { spot, strength, .. } => {
                at(spot).map(|(_, vector, layers)| (Arc::clone(vector), *layers, strength))
            }
            Condition::Random { spot, strength } => match at(spot) {
                Some((_, vector, layers)) => {
                    let random = random_vector(vector, architecture, seed, direction)?;
                    Some((Arc::new(random), *layers, strength))
                }
                None => None,
            },
        };
        let text = self.experiment.prompt(condition, prompt);
        let by = push.as_ref().map(|(vector, layers, strength)| (&**vector, *layers, *strength));
        let mut recipe = self.experiment.clips.recipe(self.engine, text, seed, by);
        if let Condition::Monitored { rule, .. } = condition {
            recipe.steering = recipe.steering.monitored(Some(Monitoring::new(rule)));
        }
        // The first prompt's clips have the names that they had when there was but one.
        let number = if prompt > 0 { format!("p{}-", prompt + 1) } else { String::new() };
        let place = self.clips.join(format!("{number}{}-{seed}.json", condition.name(direction)));
        let take =
            clips::take(self.engine, recipe, push.as_ref().map(|(vector, ..)| vector), &place, self.cancel)?;
        let steered = push.as_ref().map(|_| take.share_steered(0).unwrap_or(1.0));
        Ok((Sound::of(self.engine, &take.codes)?, steered))
    }
}
