//! A whole lesson: from two folders of audio to a vector that says whether it works, and a page that shows it.
//!
//! Activations, then directions by two methods, then where and how strongly to steer, then the confirmation. Without a
//! judge the tracks of both folders are halved: the direction is learnt from one half and the [ear](crate::lab::ear) from
//! the other. Everything that took time is kept in a folder, so that an interrupted lesson goes on.

mod folders;
mod halves;
mod method;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::ear::{Ear, Judged, Own};
use super::strength::{Found, Search, Verdict, search};
use super::{
    Activations, Contrast, ExtractionSettings, LabError, Method, Pooling, Progress, Samples, Shard, Skipped,
    Stage, extract, whole,
};
use crate::musicgen::{Cancel, Engine, stop_if};
use crate::steering::Vector;

/// Every so many positions of a recording are read.
const EVERY: std::num::NonZeroUsize = std::num::NonZeroUsize::new(25).unwrap();
/// Tracks of a class below which a direction is uncertain, whatever its scores are.
const CERTAIN: usize = 10;

/// What is to be learnt.
#[derive(Debug, Clone)]
pub struct Lesson {
    /// What people call the vector.
    pub name: String,
    /// Folder of audio that has the concept.
    pub plus: PathBuf,
    /// Folder of audio that has not.
    pub minus: PathBuf,
    /// Length of the segments that recordings are cut into, in frames.
    pub frames: usize,
    /// How clips are made that it is tried on.
    pub search: Search,
}

/// What a lesson came to.
#[derive(Debug, Clone, Serialize)]
pub struct Learnt {
    /// The vector file.
    #[serde(skip)]
    pub vector: Vec<u8>,
    /// The report: an HTML page that needs no other file.
    #[serde(skip)]
    pub page: String,
    /// What to think of it, and why.
    pub verdict: String,
    /// Whether it works.
    pub works: bool,
    /// What should make one doubt it, a sentence each.
    pub doubts: Vec<String>,
    /// How the direction was found.
    pub method: Method,
    /// Segments that were read.
    pub segments: usize,
    /// Files that were of no use, or in part.
    pub skipped: Vec<Skipped>,
    /// What was found by steering; `None` if the folders cannot be told apart, and nothing was tried.
    pub found: Option<Found>,
}

/// Teaches the model a concept. `judge` listens to clips, if there is one; else the model itself does. `folder` is for
/// what is kept until the lesson is over; it may be deleted then.
///
/// # Errors
/// [`LabError::Request`] for folders that nothing can be learnt from, a name without letters, and settings that make no
/// sense; [`LabError::Model`], also after a cancel, whereafter the same call goes on; [`LabError::Read`],
/// [`LabError::Write`], [`LabError::File`].
pub fn teach(
    engine: &Arc<Engine>,
    lesson: &Lesson,
    judge: Option<Judged>,
    folder: &Path,
    cancel: &Cancel,
    progress: &mut dyn FnMut(Progress),
) -> Result<Learnt, LabError> {
    let name = lesson.name.trim();
    if name.is_empty() {
        return Err(LabError::request("the vector has no name; say what it steers to, such as \"Rhodes\""));
    }
    let sides = folders::list(&lesson.plus, &lesson.minus)?;
    fs::create_dir_all(folder).map_err(|source| LabError::Write { path: folder.to_owned(), source })?;

    let settings = ExtractionSettings {
        prompt: String::new(),
        frames: lesson.frames,
        pooling: vec![Pooling::Mean],
        every: EVERY,
        heads: false,
        shard: Shard::WHOLE,
    };
    let total = sides.dataset.recordings.len();
    let partial = folder.join(folders::partial(&sides.dataset, engine.bundle().id(), lesson.frames));
    let extraction = extract(engine, &sides.dataset, &settings, &partial, cancel, |done| {
        progress(Progress { stage: Stage::Reading, done, total });
    })?;
    let file = folder.join("activations.safetensors");
    whole::write_by(&file, |out| extraction.write(0, out))?;
    let activations = Activations::open(&[file])?;

    let [plus, minus] = &sides.names;
    let contrast = |activations: &Activations| -> Result<Contrast, LabError> {
        let mut found = Contrast::named(activations.samples(), Some(plus), Some(minus))?;
        found.pop().ok_or_else(|| LabError::request("two folders make one contrast"))
    };
    let seed = lesson.search.seed;
    let (activations, listening) = match &judge {
        Some(_) => (activations, None),
        None => {
            let [first, second] = halves::split(&activations, seed)?;
            (first, Some(second))
        }
    };
    let contrast_learnt = contrast(&activations)?;
    let (mut done, total) = (0, 2 * activations.places().len());
    let draft = method::choose(&activations, &contrast_learnt, name, seed, || {
        done += 1;
        progress(Progress { stage: Stage::Learning, done, total });
        Ok(stop_if(cancel)?)
    })?;
    let vector =
        Vector::from_bytes(&draft.bytes, name).map_err(|error| LabError::request(error.to_string()))?;
    let best = draft.summary.scores.iter().find(|scored| scored.place == draft.summary.best);
    let separable = best.is_some_and(|scored| scored.score.accuracy.low > 0.5);
    let called = sides.called(name);
    let readable = |class: &str| if class == plus { called[0].clone() } else { class.to_owned() };
    let doubts = doubts(activations.samples(), listening.is_some(), readable);

    let mut ear = match (judge, listening) {
        (Some(judge), _) => Some(Ear::Judge(judge)),
        (None, Some(half)) if separable => {
            let own = Own::fit(engine, &half, &contrast(&half)?, lesson.search.clips.frames, seed, cancel)?;
            (own.score().accuracy.low > 0.5).then_some(Ear::Own(Box::new(own)))
        }
        (None, _) => None,
    };
    let found = match ear.as_mut().filter(|_| separable) {
        Some(ear) => Some(search(engine, &vector, ear, &lesson.search, folder, cancel, progress)?),
        None => None,
    };
    let verdict = match &found {
        Some(found) => found.sentence(name),
        None => format!(
            "{} and {minus} cannot be told apart: {}. Nothing was tried; use more recordings, or such as differ in \
             the concept alone.",
            called[0], draft.summary.reason
        ),
    };
    let bytes = match &found {
        Some(found) => found.file(&vector)?,
        None => draft.bytes.clone(),
    };
    let mut learnt = Learnt {
        vector: bytes,
        page: String::new(),
        verdict,
        works: found.as_ref().is_some_and(|found| found.verdict == Verdict::Works),
        doubts,
        method: draft.method,
        segments: extraction.segments(),
        skipped: extraction.skipped().to_vec(),
        found,
    };
    let sounds = match &learnt.found {
        Some(found) => Some(found.sounds(engine, &vector, folder, cancel)?),
        None => None,
    };
    learnt.page = report::page(name, &called, &draft, &learnt, sounds.as_ref())?;
    Ok(learnt)
}

/// The name of the file of a vector called `name`, without its extension: letters and digits, the rest as dashes.
#[must_use]
pub fn file_stem(name: &str) -> String {
    let plain = name.trim().to_lowercase();
    plain.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect()
}

/// What should make one doubt a direction, however well it scores.
/// `called` says what people call a class.
fn doubts(samples: &Samples, halved: bool, called: impl Fn(&str) -> String) -> Vec<String> {
    let few = samples.present().into_iter().map(|class| (class, samples.tracks_of(class).len()));
    few.filter(|&(_, tracks)| tracks < CERTAIN)
        .map(|(class, tracks)| {
            // Clopper and Pearson's lower bound when all of n independent examples come out right.
            let bound = 0.025_f64.powf(1.0 / tracks as f64);
            format!(
                "Uncertain: the direction is learnt from {tracks} recordings of {} alone. Were they all told right, its true \
                 accuracy might still be {bound:.2} (95 % confidence). Use {} recordings or more.",
                called(&samples.classes()[class]),
                if halved { 2 * CERTAIN } else { CERTAIN }
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::file_stem;

    #[test]
    fn files_are_called_as_vectors_are() {
        assert_eq!(file_stem("Rhodes"), "rhodes");
        assert_eq!(file_stem(" ../My Pad "), "---my-pad");
    }
}
