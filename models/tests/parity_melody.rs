//! A melody model against what transformers makes of the same checkpoint, and its melodies against those that transformers
//! hears (`record_melody.py`).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::f64::consts::TAU;
use std::sync::Arc;

use tiller_models::bundle::{Chroma, Precision};
use tiller_models::codes::Codes;
use tiller_models::encodec;
use tiller_models::musicgen::{
    Cancel, ChromaExtractor, Engine, EngineOptions, Generation, Melody, Recipe, Sampling, generate,
};
use tiller_models::steering::{Rows, Scale, Site, Slot, Steering, StrengthCurve, Vector};

use common::{Checkpoint, difference, peak};

const PROMPT: &str = "slow warm strings over a quiet drum loop";
/// Frames of the recorded codes.
const FRAMES: usize = 40;
/// In the order of their files: attention, then residual stream.
const UNSTEERED: [f32; 2] = [0.0, 0.0];

fn engine(checkpoint: Checkpoint, precision: Precision) -> Arc<Engine> {
    let options = EngineOptions { precision: Some(precision), ..EngineOptions::default() };
    Engine::load(checkpoint.bundle(), &options).unwrap()
}

fn vectors(engine: &Engine) -> Vec<Arc<Vector>> {
    let paths = engine.bundle().vectors();
    paths.iter().map(|path| Arc::new(Vector::open(path).unwrap())).collect()
}

fn melody_of(checkpoint: Checkpoint, name: &str) -> Melody {
    let classes = checkpoint.expected().integers(&format!("melody.{name}"));
    Melody::new(classes.into_iter().map(|class| class as u8).collect()).unwrap()
}

fn melody(name: &str) -> Melody {
    melody_of(Checkpoint::Melody, name)
}

fn recipe(engine: &Engine, melody: Option<Melody>, strengths: [f32; 2], scale: Scale, rows: Rows) -> Recipe {
    let slot = |(vector, strength): (&Arc<Vector>, f32)| Slot::new(vector, StrengthCurve::constant(strength));
    let slots =
        vectors(engine).iter().zip(strengths).filter(|(_, strength)| *strength != 0.0).map(slot).collect();
    Recipe {
        sampling: Sampling::GREEDY,
        steering: Steering { scale, rows, slots, ..Steering::default() },
        melody,
        ..Recipe::plain(engine, PROMPT, 1, FRAMES)
    }
}

fn codes(engine: &Arc<Engine>, recipe: Recipe) -> Codes {
    generate(engine, recipe, &vectors(engine), &Cancel::new(), |_| {}).unwrap().codes
}

#[test]
fn greedy_codes_are_those_of_transformers_steered_or_not_and_for_any_melody() {
    let (engine, expected) = (engine(Checkpoint::Melody, Precision::F32), Checkpoint::Melody.expected());
    let same = |name: &str, melody, strengths, scale, rows| {
        let found = codes(&engine, recipe(&engine, melody, strengths, scale, rows));
        assert_eq!(found.rows(), expected.codes(&format!("{name}.codes")), "{name}");
    };
    let short = || Some(melody("short"));
    same("plain", short(), UNSTEERED, Scale::Norm, Rows::Conditional);
    same("residual_norm_conditional", short(), [0.0, 0.5], Scale::Norm, Rows::Conditional);
    same("residual_literal_both", short(), [0.0, 1.5], Scale::Literal, Rows::Both);
    same("attention_norm_conditional", short(), [0.6, 0.0], Scale::Norm, Rows::Conditional);
    same("two_slots", short(), [-0.5, 0.4], Scale::Norm, Rows::Conditional);
    // Longer than the model takes, and none.
    same("long", Some(melody("long")), UNSTEERED, Scale::Norm, Rows::Conditional);
    same("none", None, UNSTEERED, Scale::Norm, Rows::Conditional);
}

#[test]
fn left_and_right_follow_a_melody_as_in_transformers() {
    let expected = Checkpoint::StereoMelody.expected();
    let engine = engine(Checkpoint::StereoMelody, Precision::F32);
    let short = || Some(melody_of(Checkpoint::StereoMelody, "short"));
    for (name, melody, strengths) in [
        ("plain", short(), UNSTEERED),
        ("none", None, UNSTEERED),
        ("residual_norm_conditional", short(), [0.0, 0.5]),
    ] {
        let found = codes(&engine, recipe(&engine, melody, strengths, Scale::Norm, Rows::Conditional));
        assert_eq!(found.rows(), expected.codes(&format!("{name}.codes")), "{name}");
    }
}

/// What the layers hold at the first frame.
fn held(precision: Precision, melody: Option<Melody>) -> Vec<f32> {
    let engine = engine(Checkpoint::Melody, precision);
    let recipe = recipe(&engine, melody, UNSTEERED, Scale::Norm, Rows::Conditional);
    let mut generation = Generation::new(&engine, recipe, &vectors(&engine), &Cancel::new()).unwrap();
    generation.advance().unwrap();
    generation.activations(Site::Residual).unwrap().to_vec()
}

#[test]
fn every_precision_hears_the_same_melody() {
    let exact = held(Precision::F32, Some(melody("short")));
    for precision in [Precision::Int8, Precision::Int4] {
        let heard = held(precision, Some(melody("short")));
        let [near, far] = [exact.clone(), held(precision, None)].map(|other| difference(&heard, &other));
        assert!(near < far, "{precision}: {near} from single precision, {far} from no melody");
    }
}

#[test]
fn audio_of_codes_is_that_of_transformers() {
    let (engine, expected) = (engine(Checkpoint::Melody, Precision::F32), Checkpoint::Melody.expected());
    let codes = Codes::try_from(expected.codes("plain.codes")).unwrap();
    let (found, recorded) = (encodec::decode(&engine, &codes).unwrap(), expected.floats("audio"));
    let off = difference(&found, &recorded) / peak(&recorded);
    assert!(off < 1e-4, "off by {off} of the peak");
}

/// `tones` of `record_melody.py`.
fn tones(rate: u32, samples: usize) -> Vec<f32> {
    let mut noise = 1_u64;
    let sample = |sample: usize| {
        let time = sample as f64 / f64::from(rate);
        let note = 45 + (7 * (2.0 * time + 0.2 * time * time) as i64) % 31;
        let phase = TAU * time * 440.0 * 2_f64.powf((note - 69) as f64 / 12.0);
        noise = (noise * 1_103_515_245 + 12_345) % (1 << 31);
        let hiss = noise as f64 / f64::from(1_u32 << 31) - 0.5;
        (0.4 * phase.sin() + 0.2 * (2.0 * phase).sin() + 0.1 * (3.0 * phase).sin() + 0.02 * hiss) as f32
    };
    (0..samples).map(sample).collect()
}

#[test]
fn melodies_are_heard_as_transformers_hears_them() {
    let expected = Checkpoint::Melody.expected();
    let published = Chroma { classes: 12, frames: 235, sample_rate: 32_000, window: 16_384, hop: 4_096 };
    let small = Checkpoint::Melody.bundle().architecture().chroma.clone().unwrap();
    for (name, chroma, samples) in
        [("published", &published, 31 * 32_000 + 777), ("short", &published, 9_001), ("small", &small, 3_000)]
    {
        let (extractor, audio) = (ChromaExtractor::new(chroma), tones(chroma.sample_rate, samples));
        let profiles: Vec<f32> =
            extractor.profiles(&audio).into_iter().flatten().map(|value| value as f32).collect();
        let off = difference(&profiles, &expected.floats(&format!("chroma.{name}.profiles")));
        assert!(off < 1e-4, "{name}: profiles are off by {off}");
        let melody = extractor.melody(&audio).unwrap();
        let classes: Vec<i64> = melody.classes().iter().map(|&class| class.into()).collect();
        assert_eq!(classes, expected.integers(&format!("chroma.{name}.classes")), "{name}");
    }
}
