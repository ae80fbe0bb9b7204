//! Whether a bundle's rounded weights still play what its exact ones play, on this machine.
//!
//! The most exact decoder there is, on the processor, plays a few seconds to each prompt. Every other decoder then reads the
//! same music and says at each position what it would have played ([`expectations`]); the two are set side by side
//! ([`divergence`]). Real weights differ from each other in what rounding does to them, so that only the bundle itself can
//! tell.

mod divergence;
mod expectations;
mod trip;
mod verdict;

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde::Serialize;

use crate::bundle::{Bundle, Precision};
use crate::codes::Codes;
use crate::musicgen::{Cancel, Engine, EngineOptions, GenerateError, Recipe, Sampling, frames_of, generate};
use crate::runtime::Provider;

pub use self::divergence::Divergence;
use self::expectations::Expectations;
pub use self::trip::Trip;

/// What is compared.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// Precisions beside the most exact one; all that the bundle has if empty.
    pub precisions: Vec<Precision>,
    /// What the decoders play, one piece each; at least one.
    pub prompts: Vec<String>,
    /// Length of each piece, seconds.
    pub seconds: f64,
    /// Positions at which steps are timed; those beyond the pieces are left out.
    pub positions: Vec<usize>,
    /// What runs the compared decoders; the most exact one runs on the processor.
    pub provider: Provider,
    /// Threads of the decoders, as in [`EngineOptions`].
    pub threads: Option<NonZeroUsize>,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            precisions: Vec::new(),
            prompts: ["a calm flute melody over soft drums", "rock, 126 bpm"].map(str::to_owned).to_vec(),
            seconds: 5.0,
            positions: vec![50, 200],
            provider: Provider::Cpu,
            threads: None,
        }
    }
}

/// A bundle's decoders beside its most exact one.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// Name of the bundle.
    pub bundle: String,
    /// The most exact precision, which the others are compared with.
    pub reference: Precision,
    /// What ran the compared decoders.
    pub provider: Provider,
    /// Version of ONNX Runtime.
    pub runtime: String,
    /// Pieces that were played.
    pub pieces: usize,
    /// Frames of each piece that are compared.
    pub frames: usize,
    /// The decoders, the most exact one first.
    pub decoders: Vec<Compared>,
    /// Decoders that do not run here, and why.
    pub refused: Vec<Refused>,
    /// The codec, which all precisions share.
    pub codec: Trip,
}

/// One decoder beside the most exact one.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// Its precision.
    pub precision: Precision,
    /// What it expects of the same music; `None` for the reference itself.
    pub divergence: Option<Divergence>,
    /// Share of the codes of its own most probable music that are the reference's; `None` for the reference itself.
    pub greedy_agreement: Option<f64>,
    /// The first frame of that music which differs, the earliest of all pieces.
    pub first_difference: Option<usize>,
    /// What steps with guidance took.
    pub steps: Vec<StepTime>,
    /// What follows, as a sentence.
    pub verdict: String,
}

/// A decoder that does not run here.
#[derive(Debug, Clone, Serialize)]
pub struct Refused {
    /// Its precision.
    pub precision: Precision,
    /// Why, as a sentence that says what to do.
    pub reason: String,
}

/// What a step took.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct StepTime {
    /// Its position in the piece.
    pub position: usize,
    /// Median over the steps around it in all pieces, milliseconds.
    pub milliseconds: f64,
}

/// What the reference played to one prompt and expected of it.
struct Piece {
    prompt: String,
    codes: Codes,
    greedy: Codes,
    expectations: Expectations,
}

/// Compares the decoders of `bundle`. `progress` is told how many pieces of how many have been played or read.
///
/// # Errors
/// [`GenerateError::Recipe`] for no prompt or a length that is out of range, and whatever the reference fails with. What
/// another decoder fails with is [`Verification::refused`].
pub fn verify(
    bundle: &Bundle,
    options: &VerifyOptions,
    cancel: &Cancel,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Verification, GenerateError> {
    let architecture = bundle.architecture();
    let frames = frames_of(options.seconds, architecture).map_err(GenerateError::Recipe)?;
    let compared = frames.saturating_sub(expectations::unread(architecture));
    if options.prompts.is_empty() || compared == 0 || frames > architecture.window {
        let longest = architecture.window as f64 / architecture.frame_rate();
        return Err(GenerateError::Recipe(format!(
            "nothing can be compared over {} prompts and {} s: give at least one prompt, and from 0.5 to {longest:.1} s",
            options.prompts.len(),
            options.seconds
        )));
    }
    let of_bundle = bundle.manifest().graphs.decoder.keys().copied();
    // `Precision` is ordered from the most exact.
    let Some(reference) = of_bundle.clone().next() else {
        return Err(GenerateError::Recipe("the bundle has no decoder".to_owned()));
    };
    let others: Vec<Precision> = match options.precisions.as_slice() {
        [] => of_bundle.filter(|&precision| precision != reference).collect(),
        asked => asked.iter().copied().filter(|&precision| precision != reference).collect(),
    };
    let total = options.prompts.len() * (others.len() + 1);
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(done, total);
    };

    let load = |precision, provider| {
        let options = EngineOptions {
            precision: Some(precision),
            provider,
            threads: options.threads,
            background: false,
        };
        Engine::load(bundle, &options)
    };
    let engine = load(reference, Provider::Cpu)?;
    let mut pieces = Vec::new();
    for (seed, prompt) in (0..).zip(&options.prompts) {
        let recipe = Recipe::plain(&engine, prompt, seed, frames);
        let codes = generate(&engine, recipe, &[], cancel, |_| {})?.codes;
        let greedy = most_probable(&engine, prompt, frames, cancel)?;
        let expectations = Expectations::of(&engine, prompt, &codes, cancel)?;
        pieces.push(Piece { prompt: prompt.clone(), codes, greedy, expectations });
        step();
    }
    let codec = trip::there_and_back(&engine, &pieces[0].codes)?;
    let runtime = engine.runtime().version().to_string();
    drop(engine);

    let times = |all: &[&Expectations]| expectations::times(all, &options.positions);
    let mut decoders = vec![Compared {
        precision: reference,
        divergence: None,
        greedy_agreement: None,
        first_difference: None,
        steps: times(&pieces.iter().map(|piece| &piece.expectations).collect::<Vec<_>>()),
        verdict: "the most exact decoder of the bundle: the others are compared with it".to_owned(),
    }];
    let mut refused = Vec::new();
    for precision in others {
        // One after another: each engine's weights leave the memory before the next comes.
        let found = load(precision, options.provider)
            .and_then(|engine| beside(&engine, &pieces, cancel, &options.positions, &mut step));
        match found {
            Ok(found) => decoders.push(found),
            Err(GenerateError::Cancelled) => return Err(GenerateError::Cancelled),
            Err(error) => refused.push(Refused { precision, reason: error.to_string() }),
        }
    }
    Ok(Verification {
        bundle: bundle.manifest().name.clone(),
        reference,
        provider: options.provider,
        runtime,
        pieces: pieces.len(),
        frames: compared,
        decoders,
        refused,
        codec,
    })
}

/// One decoder beside what the reference played.
fn beside(
    engine: &Arc<Engine>,
    pieces: &[Piece],
    cancel: &Cancel,
    positions: &[usize],
    step: &mut dyn FnMut(),
) -> Result<Compared, GenerateError> {
    let mut divergence = Divergence::new(engine.bundle().architecture().codebooks);
    let mut read = Vec::new();
    let (mut alike, mut all, mut first_difference) = (0, 0, None);
    for piece in pieces {
        let expectations = Expectations::of(engine, &piece.prompt, &piece.codes, cancel)?;
        divergence.add(&piece.expectations, &expectations);
        let greedy = most_probable(engine, &piece.prompt, piece.codes.frames(), cancel)?;
        for (row, other) in piece.greedy.rows().iter().zip(greedy.rows()) {
            alike += row.iter().zip(other).filter(|(a, b)| a == b).count();
            all += row.len();
            let first = row.iter().zip(other).position(|(a, b)| a != b);
            first_difference = [first_difference, first].into_iter().flatten().min();
        }
        read.push(expectations);
        step();
    }
    divergence.finish();
    Ok(Compared {
        precision: engine.precision(),
        greedy_agreement: Some(alike as f64 / all as f64),
        first_difference,
        steps: expectations::times(&read.iter().collect::<Vec<_>>(), positions),
        verdict: verdict::of(engine.precision(), &divergence),
        divergence: Some(divergence),
    })
}

/// What a decoder plays if it always takes the most probable token.
fn most_probable(
    engine: &Arc<Engine>,
    prompt: &str,
    frames: usize,
    cancel: &Cancel,
) -> Result<Codes, GenerateError> {
    let recipe = Recipe { sampling: Sampling::GREEDY, ..Recipe::plain(engine, prompt, 0, frames) };
    Ok(generate(engine, recipe, &[], cancel, |_| {})?.codes)
}
