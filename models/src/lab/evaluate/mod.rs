//! Does a vector steer where it should? Clips of the same seeds, unsteered, steered, with random directions and with the
//! prompt that names the target, heard by a [`Judge`].
//!
//! The codes of every clip are kept as labels in a folder, so that an interrupted experiment goes on, everything can be
//! heard, and another judge costs no generation. A clip that is there is taken only if its recipe is the very one.

mod experiment;
mod quality;
mod report;
mod statistics;

pub use experiment::{Condition, Experiment};
pub use report::{Clip, Heard, Report};

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::LabError;
use super::judge::{Judge, label_of};
use crate::encodec;
use crate::musicgen::{Cancel, Engine, Recipe, Take, generate, stop_if};
use crate::steering::Vector;

use experiment::random_vector;
use quality::{Picture, clipping, silence};

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
            let take = take(engine, recipe, steered_by, &place, cancel)?;
            let audio = encodec::decode(engine, &take.codes)?;
            let codec = &architecture.codec;
            let mono: Vec<f32> = audio
                .chunks_exact(codec.channels)
                .map(|sample| sample.iter().sum::<f32>() / codec.channels as f32)
                .collect();
            let picture = Picture::new(&mono, codec.sample_rate);
            let told = judge.hear(&mono, codec.sample_rate)?;
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
                silence: silence(&mono, codec.sample_rate),
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
    write(&folder.join("results.json"), &results)?;
    write(&folder.join("table.md"), report.tables().as_bytes())?;
    Ok(report)
}

/// The clip at `place`, made if it is not there.
fn take(
    engine: &Arc<Engine>,
    recipe: Recipe,
    vector: &Arc<Vector>,
    place: &Path,
    cancel: &Cancel,
) -> Result<Take, LabError> {
    let off = |reason: String| LabError::File { file: place.display().to_string(), reason };
    match fs::read_to_string(place) {
        Ok(text) => {
            let take = Take::from_json(&text).map_err(|error| off(error.to_string()))?;
            // The recipe itself is compared, because the id in the file is only what the file says.
            if take.recipe.id() != recipe.id() {
                return Err(off("it is the clip of another experiment; choose another folder".to_owned()));
            }
            if take.codes.frames() != recipe.frames {
                return Err(off("it is not whole; remove it, and it is made again".to_owned()));
            }
            take.check(engine.bundle())?;
            Ok(take)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let vectors = [Arc::clone(vector)];
            let used = if recipe.steering.slots.is_empty() { &[][..] } else { &vectors[..] };
            let take = generate(engine, recipe, used, cancel, |_| {})?;
            write(place, &serde_json::to_vec(&take).map_err(|error| off(error.to_string()))?)?;
            Ok(take)
        }
        Err(source) => Err(LabError::Read { path: place.to_owned(), source }),
    }
}

/// Writes a file beside its place and moves it there.
fn write(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let whole = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    whole().map_err(|source| LabError::Write { path: path.to_owned(), source })
}
