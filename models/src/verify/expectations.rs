//! What a decoder expects at every position of music that is given (teacher forcing), with guidance, as in a take.

use std::sync::Arc;
use std::time::Instant;

use crate::bundle::manifest::Architecture;
use crate::codes::Codes;
use crate::musicgen::{Cancel, Engine, GenerateError, Generation, Recipe};

use super::StepTime;

/// Steps on each side of a position whose times count for it.
const AROUND: usize = 10;

/// For F frames, K codebooks, V tokens.
pub struct Expectations {
    /// Guided logits, `[F, K, V]`.
    scores: Vec<f32>,
    codebooks: usize,
    vocabulary: usize,
    /// What each step took, milliseconds, by position.
    milliseconds: Vec<f64>,
}

/// Frames at the end of a piece about which nothing is expected: some of their tokens come after the last that is given.
pub fn unread(architecture: &Architecture) -> usize {
    architecture.largest_delay() + 1
}

impl Expectations {
    /// What `engine` expects of `codes`, which it was given `prompt` for; all frames but the last [`unread`].
    ///
    /// # Errors
    /// As [`Generation::resume`], and [`GenerateError::NotANumber`] for logits that are none.
    pub fn of(
        engine: &Arc<Engine>,
        prompt: &str,
        codes: &Codes,
        cancel: &Cancel,
    ) -> Result<Self, GenerateError> {
        let architecture = engine.bundle().architecture();
        let (codebooks, vocabulary) = (architecture.codebooks, architecture.vocabulary);
        let frames = codes.frames().saturating_sub(unread(architecture));
        let recipe = Recipe::plain(engine, prompt, 0, codes.frames());
        let mut generation = Generation::resume(engine, recipe, &[], codes, frames, cancel)?;
        let mut scores = vec![0.0; frames * codebooks * vocabulary];
        let mut milliseconds = Vec::new();
        loop {
            let started = Instant::now();
            let more = generation.catch_up()?;
            milliseconds.push(started.elapsed().as_secs_f64() * 1e3);
            for codebook in 0..codebooks {
                let Some((frame, found)) = generation.scores(codebook) else { continue };
                if found.iter().any(|score| !score.is_finite()) {
                    return Err(GenerateError::NotANumber { frame, codebook });
                }
                if frame < frames {
                    scores[(frame * codebooks + codebook) * vocabulary..][..vocabulary]
                        .copy_from_slice(&found);
                }
            }
            if !more {
                return Ok(Self { scores, codebooks, vocabulary, milliseconds });
            }
        }
    }

    /// The logits of each codebook in each frame, frame by frame: codebook and `[V]`.
    pub fn rows(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let rows = self.scores.chunks_exact(self.vocabulary);
        rows.enumerate().map(|(index, row)| (index % self.codebooks, row))
    }
}

/// The median time of the steps around each of `positions` that was reached, over all of `read`.
pub fn times(read: &[&Expectations], positions: &[usize]) -> Vec<StepTime> {
    let around = |&position: &usize| {
        let mut times: Vec<f64> = read
            .iter()
            .filter(|expectations| position < expectations.milliseconds.len())
            .flat_map(|expectations| {
                let times = &expectations.milliseconds;
                times[position.saturating_sub(AROUND)..(position + AROUND).min(times.len())].iter().copied()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).map(|&milliseconds| StepTime { position, milliseconds })
    };
    positions.iter().filter_map(around).collect()
}
