//! What a step costs as a take grows, and what decoding its audio costs: figures to set beside other programs'.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tiller_models::codes::Codes;
use tiller_models::encodec;
use tiller_models::musicgen::{Engine, frames_of};
use tiller_models::steering::Steering;

use super::{Fallible, Outcome, Standing, at_frame};

/// Steps timed at each position in a round. One more comes before them, which finds the caches cold.
const STEPS: usize = 20;
/// Rounds, in which the positions take turns.
const ROUNDS: usize = 5;
/// Seconds of audio that are decoded.
const DECODED: f64 = 10.0;

/// Milliseconds of a guided step at each of `positions`, which all lie in the model's first window.
///
/// # Errors
/// A position beyond the window; whatever the model fails with.
pub(super) fn steps(engine: &Arc<Engine>, positions: &[usize]) -> Fallible<Value> {
    positions.iter().try_for_each(|&position| check(engine, position, STEPS))?;
    let standing =
        positions.iter().map(|&position| at_frame(engine, position, STEPS + 1, Steering::default(), &[]));
    let mut standing = standing.collect::<Fallible<Vec<_>>>()?;
    let mut times = vec![Vec::new(); positions.len()];
    for _ in 0..ROUNDS {
        for (standing, times) in standing.iter_mut().zip(&mut times) {
            round(standing, times)?;
        }
    }
    let entries = positions.iter().zip(times).map(|(position, times)| {
        let [fast, median, slow] = deciles(times);
        json!({ "position": position, "median": median, "tenth": fast, "ninetieth": slow })
    });
    Ok(entries.collect())
}

/// Whether the model's first window has room for `position` and the steps timed there.
///
/// # Errors
/// A position beyond the window.
pub(super) fn check(engine: &Engine, position: usize, steps: usize) -> Outcome {
    let window = engine.bundle().architecture().window;
    if position + steps + 1 > window {
        return Err(format!(
            "position {position} and the {steps} steps timed there are beyond the model's window of {window} frames: \
             choose an earlier one with --positions"
        )
        .into());
    }
    Ok(())
}

fn round(standing: &mut Standing, times: &mut Vec<f64>) -> Fallible<()> {
    standing.generation.advance()?;
    for _ in 0..STEPS {
        let started = Instant::now();
        standing.generation.advance()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    standing.back()?;
    Ok(())
}

/// The first decile, the median and the ninth decile; `times` holds at least one.
pub(super) fn deciles(mut times: Vec<f64>) -> [f64; 3] {
    times.sort_by(f64::total_cmp);
    [1, 5, 9].map(|tenths| times[times.len() * tenths / 10])
}

/// How many times faster than real time [`DECODED`] seconds of codes become audio, once everything is loaded.
///
/// # Errors
/// Whatever the codec fails with.
pub(super) fn codec(engine: &Arc<Engine>) -> Fallible<f64> {
    decode(engine, 1.0)?;
    Ok(DECODED / decode(engine, DECODED)?)
}

/// Seconds in which codes become `audio` seconds of audio.
///
/// # Errors
/// Whatever the codec fails with.
pub(super) fn decode(engine: &Arc<Engine>, audio: f64) -> Fallible<f64> {
    let codes = codes(engine, frames_of(audio, engine.bundle().architecture())?)?;
    let started = Instant::now();
    encodec::decode(engine, &codes)?;
    Ok(started.elapsed().as_secs_f64())
}

/// Any codes: what they are does not change the work.
pub(super) fn codes(engine: &Engine, frames: usize) -> Fallible<Codes> {
    let architecture = engine.bundle().architecture();
    let code = |frame: usize, codebook: usize| (frame * 31 + codebook * 17) % architecture.vocabulary;
    let rows = (0..architecture.codebooks).map(|codebook| {
        (0..frames).map(|frame| u16::try_from(code(frame, codebook))).collect::<Result<Vec<_>, _>>()
    });
    Ok(Codes::try_from(rows.collect::<Result<Vec<_>, _>>()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deciles_are_those_of_the_sorted_times() {
        let times: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!(deciles(times), [10.0, 50.0, 90.0]);
        assert_eq!(deciles(vec![3.0]), [3.0; 3]);
    }
}
