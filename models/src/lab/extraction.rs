//! From audio to activations: audio -> codes -> the decoder, teacher-forced -> activations.
//!
//! Tracks are cut into segments of one length without overlap; what is left over at a track's end is dropped. The
//! decoder attends to one prompt for all, which must not name a class, else a probe reads the prompt; by default there
//! is none. Memory is that of one recording: each segment goes to disk before the next is read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::audio::{self, Sound};
use super::parquet_rows::AudioRows;
use super::recorder::{Extraction, ExtractionSettings, Recorder, Skipped};
use super::{Dataset, LabError, Shard};
use crate::encodec;
use crate::musicgen::{Cancel, Engine};

/// Segments without a sample above this are silent: a peak of -60 dB of full scale.
const SILENCE: f32 = 1e-3;

/// Reads all of `dataset`, or the shard's share. What is read goes to `partial`, and a run that was interrupted goes on
/// where that file ends. `progress` is called after every track with how many are done.
///
/// # Errors
/// A recording in two classes, nothing to read in a class, a partial file of something else; what the model refuses.
pub fn extract(
    engine: &Arc<Engine>,
    dataset: &Dataset,
    settings: &ExtractionSettings,
    partial: &Path,
    cancel: &Cancel,
    mut progress: impl FnMut(usize),
) -> Result<Extraction, LabError> {
    let codec = &engine.bundle().architecture().codec;
    let all: Vec<usize> = (0..dataset.recordings.len()).collect();
    let recordings: Vec<_> =
        settings.shard.of(&all).into_iter().map(|index| &dataset.recordings[index]).collect();
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |found| found.len());
    let files: Vec<_> = recordings.iter().map(|recording| (recording, size(&recording.path))).collect();
    let mut reading = settings.reading(engine, &settings.prompt, cancel)?;
    let mut recorder = Recorder::open(
        engine,
        &dataset.labels(),
        dataset.is_grouped(),
        settings,
        None,
        &json!({ "files": files }),
        partial,
    )?;

    // Classes, track and group of what was read, by the hash of the file: a copy is of the same track.
    let mut known: BTreeMap<i64, (Vec<usize>, i64, Option<i64>)> = BTreeMap::new();
    let mut rows = AudioRows::default();
    let mut used = vec![false; dataset.classes.len()];
    let mut skipped = Vec::new();
    let length = settings.frames * codec.samples_per_frame * codec.channels;
    for (done, recording) in recordings.iter().enumerate() {
        progress(done);
        let mut skip = |reason: String| {
            let reason = match recording.row {
                None => reason,
                Some(row) => format!("row {row}: {reason}"),
            };
            skipped.push(Skipped { path: recording.path.clone(), reason });
        };
        let sound = match recording.row {
            None => audio::read(&recording.path, codec),
            Some(row) => match rows.bytes(&recording.path, row)? {
                Some(bytes) => audio::of_bytes(bytes, Path::new(""), codec),
                None => Err("it holds no audio".to_owned()),
            },
        };
        let Sound { hash, samples } = match sound {
            Ok(sound) => sound,
            Err(reason) => {
                skip(reason);
                continue;
            }
        };
        let mut classes = vec![recording.class];
        classes.extend(&recording.more);
        let (known, track, group) = known
            .entry(hash)
            .or_insert_with(|| (classes.clone(), recording.track.unwrap_or(hash), recording.group));
        if let Some(label) = (0..classes.len()).find(|&label| known[label] != classes[label]) {
            let names = label.checked_sub(1).map_or(&dataset.classes, |more| &dataset.more[more].classes);
            return Err(LabError::request(format!(
                "{}{} is the same recording as one of the class {}; leave it in one of the two",
                recording.row.map_or(String::new(), |row| format!("row {row} of ")),
                recording.path.display(),
                names[known[label]]
            )));
        }
        if samples.len() < length {
            skip("it is shorter than one segment".to_owned());
        }
        let mut silent = 0;
        for segment in samples.chunks_exact(length) {
            if segment.iter().all(|sample| sample.abs() <= SILENCE) {
                silent += 1;
                continue;
            }
            used[recording.class] = true;
            if !recorder.was_read() {
                let codes = encodec::encode(engine, segment)?;
                recorder.read(&mut reading, &codes, &classes, *track, *group)?;
            }
        }
        if silent > 0 {
            skip(format!("{silent} of its segments are silent (below -60 dB)"));
        }
    }
    progress(recordings.len());
    let example = || {
        let first = skipped.first();
        first.map_or(String::new(), |first| format!(": {}: {}", first.path.display(), first.reason))
    };
    // A share may be without a class; all the shares together are not, or they are refused when they are opened.
    match used.iter().position(|used| !used) {
        Some(class) if settings.shard == Shard::WHOLE => Err(LabError::request(format!(
            "nothing in the class {} can be used{}",
            dataset.classes[class],
            example()
        ))),
        Some(_) if !used.contains(&true) => Err(LabError::request(format!(
            "nothing in the shard {} can be used{}",
            settings.shard,
            example()
        ))),
        _ => Ok(recorder.finish(skipped)),
    }
}
