//! What the engine promises of takes that begin with codes of a recording or of another take.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use tiller_models::bundle::Precision;
use tiller_models::codes::Codes;
use tiller_models::musicgen::{Cancel, Engine, Generation, Recipe, generate};
use tiller_models::steering::Site;

use common::takes::{changed_at, engine, engine_in, recipe, steered, vectors};
use common::{difference, peak};

fn run(engine: &Arc<Engine>, recipe: Recipe) -> Codes {
    generate(engine, recipe, &vectors(), &Cancel::new(), |_| {}).unwrap().codes
}

/// The first `frames` frames of a take as the beginning of another.
fn opening(codes: &Codes, frames: usize) -> Option<Codes> {
    let mut opening = codes.clone();
    opening.truncate(frames);
    Some(opening)
}

#[test]
fn a_take_that_begins_with_anothers_codes_goes_on_as_that_one_did() {
    let exact = engine_in(Precision::F32);
    let run = |recipe| run(&exact, recipe);
    let start = Recipe { precision: Precision::F32, steering: steered(vec![0.4]), ..recipe(150) };
    let whole = run(start.clone());
    // In the first window, at its end and beyond, and in the last one.
    for frames in [1, 25, 59, 60, 61, 100, 149] {
        let continued = Recipe { opening: opening(&whole, frames), ..start.clone() };
        assert_ne!(continued.id(), start.id());
        assert_eq!(whole.first_difference(&run(continued)), None, "goes on at {frames}");
    }
    let other = run(Recipe { opening: opening(&run(Recipe { seed: 3, ..start.clone() }), 25), ..start });
    assert!(whole.first_difference(&other).unwrap() < 25);
}

#[test]
fn a_beginning_read_in_one_run_leaves_what_single_steps_leave_but_for_rounding() {
    // With 8-bit products, sums that round otherwise end in other integers: such takes part after some frames.
    for (precision, most) in [(Precision::F32, 1e-5), (Precision::Int8, 0.05)] {
        let engine = engine_in(precision);
        let held = |recipe| {
            let mut generation = Generation::new(&engine, recipe, &[], &Cancel::new()).unwrap();
            for _ in 0..=25 {
                generation.advance().unwrap();
            }
            (generation.codes(), generation.activations(Site::Residual).unwrap().to_vec())
        };
        let start = Recipe { precision, ..recipe(50) };
        let (codes, stepped) = held(start.clone());
        let (again, at_once) = held(Recipe { opening: opening(&codes, 25), ..start });
        assert_eq!(codes, again, "{precision}");
        let off = difference(&stepped, &at_once) / peak(&stepped);
        assert!(off < most, "{precision}: off by {off} of the peak");
    }
}

#[test]
fn a_beginning_is_handed_out_before_it_is_read() {
    let engine = engine();
    let begun = opening(&run(&engine, recipe(100)), 80);
    let start = Recipe { opening: begun, ..recipe(150) };
    let mut generation = Generation::new(&engine, start, &[], &Cancel::new()).unwrap();
    for _ in 0..80 {
        assert_eq!(generation.behind(), 0);
        generation.advance().unwrap();
    }
    // The second window begins at frame 36.
    assert_eq!(generation.behind(), 44);
    generation.advance().unwrap();
    assert_eq!(generation.behind(), 0);
}

#[test]
fn a_continued_take_can_be_gone_back_in_and_resumed() {
    let (engine, vectors) = (engine(), vectors());
    let begun = opening(&run(&engine, recipe(100)), 80);
    let start = Recipe { steering: steered(vec![0.4]), opening: begun, ..recipe(150) };
    let mut generation = Generation::new(&engine, start.clone(), &vectors, &Cancel::new()).unwrap();
    // Past where it goes on, to there, into the beginning, and into the beginning of an earlier window.
    for frame in [120, 80, 79, 10] {
        while generation.advance().unwrap().is_some() {}
        let steering = changed_at(frame);
        generation.rewind(frame, steering.clone(), &vectors).unwrap();
        let kept = generation.codes();
        while generation.advance().unwrap().is_some() {}
        let recipe = Recipe { steering, ..start.clone() };
        let whole = run(&engine, recipe.clone());
        assert_eq!(generation.codes().first_difference(&whole), None, "went back to {frame}");
        let mut resumed =
            Generation::resume(&engine, recipe, &vectors, &kept, frame, &Cancel::new()).unwrap();
        while resumed.advance().unwrap().is_some() {}
        assert_eq!(resumed.codes().first_difference(&whole), None, "resumed at {frame}");
    }
}

#[test]
fn a_beginning_that_does_not_fit_is_refused_by_name() {
    let refused = |opening: Codes, frames: usize| {
        let recipe = Recipe { opening: Some(opening), ..recipe(frames) };
        Generation::new(&engine(), recipe, &[], &Cancel::new()).err().unwrap().to_string()
    };
    let codes = run(&engine(), recipe(10));
    assert!(refused(codes.clone(), 10).contains("ask for a longer take"));
    assert!(refused(Codes::try_from(vec![vec![0; 4]; 2]).unwrap(), 10).contains("2 codebooks"));
    let strange = Codes::try_from(vec![vec![60_000; 4]; codes.codebooks()]).unwrap();
    assert!(refused(strange, 10).contains("code 60000"));
}
