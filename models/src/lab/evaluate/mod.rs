//! Does a vector steer where it should? Clips of the same seeds, unsteered, steered, with random directions and with the
//! prompt that names the target, heard by a [`Judge`].
//!
//! The codes of every clip are kept as labels in a folder, so that an interrupted experiment goes on, everything can be
//! heard, and another judge costs no generation. A clip that is there is taken only if its recipe is the very one.

mod experiment;
mod report;

pub use experiment::{Condition, Experiment};
pub use report::{Clip, Heard, Report};

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::LabError;
use super::clips::{self, Sound};
use super::control::random_vector;
use super::judge::{Judge, label_of};
use super::quality::{Picture, clipping, silence};
use super::whole;
use crate::musicgen::{Cancel, Engine, stop_if};
use crate::steering::Vector;

/// Runs what is missing of an experiment in `folder`, and hears all of it. Writes `clips/CONDITION-SEED.json` (the label
/// of each clip), `results.json` and `table.md`; each appears whole or not at all.
///
/// `progress` is called before each clip with the number of those done; there are as many as conditions times seeds.
///
/// # Errors
/// [`LabError::Request`] for settings that make no sense, a label that the judge has not, or a folder with the clips of
/// another experiment; [`LabError::File`] for a damaged clip; [`LabError::Model`], also after a cancel, whereafter the
/// same call goes on; [`LabError::Read`], [`LabError::Write`], and what the judge says.
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
    let labels = [label_of(judge, &experiment.source)?, label_of(judge, &experiment.target)?];
    let architecture = engine.bundle().architecture();
    vector.check(architecture).map_err(|error| LabError::request(error.to_string()))?;
    let clips = folder.join("clips");
    fs::create_dir_all(&clips).map_err(|source| LabError::Write { path: clips.clone(), source })?;

    let conditions = experiment.conditions();
    let mut heard = vec![Vec::new(); conditions.len()];
    let mut pictures: Vec<Picture> = Vec::new();
    let mut done = 0;
    for seed in experiment.seed..experiment.seed + experiment.seeds.get() {
        let random = Arc::new(random_vector(vector, architecture, seed)?);
        for (heard, &condition) in heard.iter_mut().zip(&conditions) {
            progress(done);
            stop_if(cancel)?;
            let steered_by = if matches!(condition, Condition::Random { .. }) { &random } else { vector };
            let recipe = experiment.recipe(engine, condition, seed, steered_by);
            let place = clips.join(format!("{}-{seed}.json", condition.name()));
            let take = clips::take(engine, recipe, Some(steered_by), &place, cancel)?;
            let Sound { audio, mono, sample_rate } = Sound::of(engine, &take.codes)?;
            let picture = Picture::new(&mono, sample_rate);
            let told = judge.hear(&mono, sample_rate)?;
            let [source, target] = labels.map(|label| told[label]);
            let both = source + target;
            let distance = match condition {
                Condition::Unsteered => {
                    pictures.push(picture);
                    // Known when the next one is there.
                    0.0
                }
                _ => pictures.last().map_or(0.0, |plain| picture.distance(plain)),
            };
            heard.push(Clip {
                seed,
                source,
                target,
                // A judge that hears neither prefers neither.
                normalised: if both > 0.0 { target / both } else { 0.5 },
                distance,
                silence: silence(&mono, sample_rate),
                clipping: clipping(&audio),
            });
            done += 1;
        }
    }
    for at in 0..pictures.len() {
        heard[0][at].distance = pictures[at].distance(&pictures[(at + 1) % pictures.len()]);
    }
    progress(done);

    let plain = heard[0].clone();
    let random_of = |strength: f32| {
        let at = conditions.iter().position(|known| *known == Condition::Random { strength })?;
        Some(heard[at].clone())
    };
    let conditions = conditions.iter().zip(&heard).map(|(&condition, clips)| {
        let random = match condition {
            Condition::Steered { strength } => random_of(strength),
            _ => None,
        };
        Heard::new(condition, clips.clone(), &plain, random.as_deref(), experiment.seed)
    });
    let report = Report {
        conditions: conditions.collect(),
        experiment: experiment.clone(),
        concept: vector.concept().to_owned(),
        vector: vector.hash().to_owned(),
        bundle: engine.bundle().id().to_owned(),
        judge: judge.identity().to_owned(),
    };
    // A report is made of strings, numbers, lists and structs, which serde_json cannot fail on.
    let results = serde_json::to_vec_pretty(&report).unwrap_or_default();
    whole::write(&folder.join("results.json"), &results)?;
    whole::write(&folder.join("table.md"), report.tables().as_bytes())?;
    Ok(report)
}
