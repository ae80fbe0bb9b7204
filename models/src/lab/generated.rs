//! From prompts to activations: what the model plays for prompts of each class, read again, as contrastive steering
//! learns from pairs of prompts.
//!
//! Every piece is generated and then read like audio. Read without a prompt, or with one for all, its activations are
//! those of the music alone. Read with the prompt that it was made from, they are those that generating it held in the
//! conditional row, at every position: there a probe may read the words instead of the music.
//!
//! Seeds are the same for all prompts, and so tell nothing of the class. Prompts do: where every class has several, a
//! prompt is a track, so that none has pieces on both sides of a split.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::audio::number;
use super::recorder::{Extraction, ExtractionSettings, Recorder};
use super::{DatasetLabel, LabError, Prompts};
use crate::musicgen::{Cancel, Engine, Reading, Recipe, Sampling, generate};

/// How pieces are made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PieceSettings {
    /// Seed of each prompt's first piece.
    pub seed: u64,
    /// Pieces of each prompt: with this seed, the next and so on.
    pub seeds: u64,
    /// Scale of classifier-free guidance.
    pub guidance: f32,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Whether a piece is read with the prompt that it was made from, instead of the one for all.
    pub own_prompt: bool,
}

/// Generates and reads pieces of the length of a segment, all or the shard's share. What is read goes to `partial`, and
/// a run that was interrupted goes on where that file ends. `progress` is called after every piece with how many are done.
///
/// # Errors
/// [`LabError::Request`] for no seed or seeds beyond the largest number; a partial file of something else; what the
/// model refuses.
pub fn extract_pieces(
    engine: &Arc<Engine>,
    prompts: &Prompts,
    pieces: &PieceSettings,
    settings: &ExtractionSettings,
    partial: &Path,
    cancel: &Cancel,
    mut progress: impl FnMut(usize),
) -> Result<Extraction, LabError> {
    let end = pieces.seed.checked_add(pieces.seeds).filter(|&end| end > pieces.seed);
    let end =
        end.ok_or_else(|| LabError::request("choose one seed or more, none beyond the largest number"))?;
    if pieces.own_prompt && !settings.prompt.is_empty() {
        return Err(LabError::request(
            "pieces are read with their own prompts or with the same one; choose one of the two",
        ));
    }
    let all: Vec<(usize, u64)> = (0..prompts.prompts.len())
        .flat_map(|prompt| (pieces.seed..end).map(move |seed| (prompt, seed)))
        .collect();
    let share = settings.shard.of(&all);
    let source = json!({ "prompts": prompts.prompts, "pieces": pieces });
    let labels = DatasetLabel { name: String::new(), classes: prompts.classes.clone() };
    let noted = Some(("generated", json!(pieces)));
    let mut recorder = Recorder::open(engine, &[labels], false, settings, noted, &source, partial)?;
    let several = prompts.several();
    let mut reading: Option<(usize, Reading)> = None;
    for (done, &(index, seed)) in share.iter().enumerate() {
        progress(done);
        if recorder.was_read() {
            continue;
        }
        let (class, prompt) = &prompts.prompts[index];
        let recipe = Recipe {
            sampling: pieces.sampling,
            guidance: pieces.guidance,
            ..Recipe::plain(engine, prompt, seed, settings.frames)
        };
        // Before the first piece, so that a length that cannot be read is said at once.
        let reader = match reading.take() {
            Some((of, reader)) if of == index || !pieces.own_prompt => reader,
            _ => {
                let prompt = if pieces.own_prompt { prompt } else { &settings.prompt };
                settings.reading(engine, prompt, cancel)?
            }
        };
        let (_, reader) = reading.insert((index, reader));
        let take = generate(engine, recipe, &[], cancel, |_| {})?;
        let track = if several { number(prompt) } else { number(format!("{prompt}\n{seed}")) };
        recorder.read(reader, &take.codes, &[*class], track, None)?;
    }
    progress(share.len());
    Ok(recorder.finish(Vec::new()))
}
