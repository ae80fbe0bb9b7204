//! What a step costs as a take grows, and what decoding its audio costs: figures to set beside other programs'.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tiller_models::codes::Codes;
use tiller_models::encodec;
use tiller_models::musicgen::Engine;
use tiller_models::steering::Steering;

use super::{Fallible, Standing, at_frame};

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
    let window = engine.bundle().architecture().window;
    if let Some(beyond) = positions.iter().find(|&&position| position + STEPS + 1 > window) {
        return Err(format!(
            "position {beyond} and the {STEPS} steps timed there are beyond the model's window of {window} frames: \
             choose an earlier one with --positions"
        )
        .into());
    }
    let standing = positions.iter().map(|&position| at_frame(engine, position, Steering::default(), &[]));
    let mut standing = standing.collect::<Result<Vec<_>, _>>()?;
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

fn round(standing: &mut Standing, times: &mut Vec<f64>) -> Fallible<()> {
    standing.generation.advance()?;
    for _ in 0..STEPS {
        let started = Instant::now();
        standing.generation.advance()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    standing.generation.rewind(standing.frame, standing.steering.clone(), &standing.vectors)?;
    Ok(())
}

/// The first decile, the median and the ninth decile; `times` holds at least one.
fn deciles(mut times: Vec<f64>) -> [f64; 3] {
    times.sort_by(f64::total_cmp);
    [1, 5, 9].map(|tenths| times[times.len() * tenths / 10])
}

/// How many times faster than real time [`DECODED`] seconds of codes become audio, once everything is loaded.
///
/// # Errors
/// Whatever the codec fails with.
pub(super) fn codec(engine: &Arc<Engine>) -> Fallible<f64> {
    let architecture = engine.bundle().architecture();
    let frames = (DECODED * architecture.frame_rate()).round() as usize;
    // Any codes: what they are does not change the work.
    let code = |frame: usize, codebook: usize| (frame * 31 + codebook * 17) % architecture.vocabulary;
    let rows = (0..architecture.codebooks).map(|codebook| {
        (0..frames).map(|frame| u16::try_from(code(frame, codebook))).collect::<Result<Vec<_>, _>>()
    });
    let codes = Codes::try_from(rows.collect::<Result<Vec<_>, _>>()?)?;
    encodec::decode(engine, &codes)?;
    let started = Instant::now();
    encodec::decode(engine, &codes)?;
    Ok(DECODED / started.elapsed().as_secs_f64())
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
