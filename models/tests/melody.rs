//! Takes that follow a melody: in windows, gone on with, and refused where a model hears none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use tiller_models::bundle::Precision;
use tiller_models::codes::Codes;
use tiller_models::musicgen::{Cancel, Engine, EngineOptions, GenerateError, Generation, Recipe, generate};

use common::Checkpoint;

/// More than two of the model's windows.
const FRAMES: usize = 140;

fn engine(checkpoint: Checkpoint) -> Arc<Engine> {
    let options = EngineOptions { precision: Some(Precision::F32), ..EngineOptions::default() };
    Engine::load(checkpoint.bundle(), &options).unwrap()
}

fn recipe(engine: &Engine, melody: &str) -> Recipe {
    let melody = (!melody.is_empty()).then(|| melody.parse().unwrap());
    Recipe { melody, ..Recipe::plain(engine, "slow strings", 5, FRAMES) }
}

fn codes(engine: &Arc<Engine>, recipe: Recipe) -> Codes {
    generate(engine, recipe, &[], &Cancel::new(), |_| {}).unwrap().codes
}

#[test]
fn a_take_is_of_its_melody() {
    let engine = engine(Checkpoint::Melody);
    let scale = codes(&engine, recipe(&engine, "024579b"));
    assert_eq!(scale, codes(&engine, recipe(&engine, "024579b")));
    assert_ne!(scale, codes(&engine, recipe(&engine, "b975420")));
    assert_ne!(scale, codes(&engine, recipe(&engine, "")));
}

#[test]
fn a_melody_goes_on_in_the_windows_after_the_first() {
    let engine = engine(Checkpoint::Melody);
    let architecture = engine.bundle().architecture();
    let chroma = architecture.chroma.as_ref().unwrap();
    // Different only where the first window does not hear it.
    let heard = "0".repeat(chroma.frames);
    let [a, b] =
        ["49", "7b"].map(|end| codes(&engine, recipe(&engine, &format!("{heard}{}", end.repeat(40)))));
    let rows = a.rows().iter().zip(b.rows());
    let first =
        rows.map(|(a, b)| a.iter().zip(b).position(|(a, b)| a != b)).min_by_key(|at| at.unwrap_or(FRAMES));
    let first = first.flatten().unwrap();
    assert!(first >= architecture.window, "they differ from frame {first}, in the first window");
}

#[test]
fn going_on_gives_the_whole_take() {
    let engine = engine(Checkpoint::Melody);
    let recipe = recipe(&engine, "02457");
    let whole = codes(&engine, recipe.clone());
    for frame in [130, 61, 7] {
        let resumed = Generation::resume(&engine, recipe.clone(), &[], &whole, frame, &Cancel::new());
        let mut resumed = resumed.unwrap();
        while resumed.advance().unwrap().is_some() {}
        assert_eq!(resumed.codes(), whole, "resumed at {frame}");
    }
    let mut generation = Generation::new(&engine, recipe.clone(), &[], &Cancel::new()).unwrap();
    while generation.advance().unwrap().is_some() {}
    for frame in [130, 61, 7] {
        generation.rewind(frame, recipe.steering.clone(), &[]).unwrap();
        while generation.advance().unwrap().is_some() {}
        assert_eq!(generation.codes(), whole, "gone back to {frame}");
    }
}

#[test]
fn a_melody_that_a_model_cannot_hear_is_refused() {
    let refusal = |checkpoint, melody| {
        let engine = engine(checkpoint);
        let refused = Generation::new(&engine, recipe(&engine, melody), &[], &Cancel::new());
        match refused.err().unwrap() {
            GenerateError::Recipe(reason) => reason,
            other => panic!("{other}"),
        }
    };
    let reason = refusal(Checkpoint::Small, "024");
    assert!(reason.contains("hears no melodies") && reason.contains("leave the melody out"), "{reason}");
    let reason = refusal(Checkpoint::Melody, "02c");
    assert!(reason.contains("pitch class 12"), "{reason}");
}

#[test]
fn a_melody_is_in_the_recipe_and_in_the_takes_id() {
    let engine = engine(Checkpoint::Melody);
    let [none, some] = ["", "024b"].map(|melody| recipe(&engine, melody));
    assert_ne!(none.id(), some.id());
    let json = serde_json::to_string(&some).unwrap();
    assert!(json.contains("\"melody\":\"024b\""), "{json}");
    assert_eq!(serde_json::from_str::<Recipe>(&json).unwrap(), some);
    assert!(!serde_json::to_string(&none).unwrap().contains("melody"));
    let spoilt = json.replace("024b", "02 b");
    assert!(serde_json::from_str::<Recipe>(&spoilt).is_err());
}
