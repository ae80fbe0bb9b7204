//! Generation and codec of the engine against what transformers makes of the same checkpoints.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use tiller_models::bundle::Precision;
use tiller_models::codes::Codes;
use tiller_models::encodec;
use tiller_models::musicgen::{Cancel, Engine, EngineOptions, Recipe, Sampling, generate};
use tiller_models::steering::{Layers, Rows, Scale, Slot, Steering, StrengthCurve, Vector};

use common::{Checkpoint, difference, interleaved, peak};

fn engine(checkpoint: Checkpoint) -> Arc<Engine> {
    let options = EngineOptions { precision: Some(Precision::F32), ..EngineOptions::default() };
    Engine::load(checkpoint.bundle(), &options).unwrap()
}

fn greedy(checkpoint: Checkpoint, strengths: &[(usize, f32)], scale: Scale, rows: Rows) -> Codes {
    let engine = engine(checkpoint);
    let bundle = engine.bundle();
    let vectors: Vec<Arc<Vector>> =
        bundle.vectors().iter().map(|path| Arc::new(Vector::open(path).unwrap())).collect();
    let slots = strengths
        .iter()
        .map(|&(vector, strength)| Slot::new(&vectors[vector], StrengthCurve::constant(strength)))
        .collect();
    let recipe = Recipe {
        bundle: bundle.id().to_owned(),
        bundle_name: bundle.manifest().name.clone(),
        precision: Precision::F32,
        prompt: "slow warm strings over a quiet drum loop".into(),
        negative: String::new(),
        seed: 1,
        sampling: Sampling::GREEDY,
        guidance: 3.0,
        frames: 40,
        steering: Steering { scale, rows, layers: Layers::All, period: 1, slots },
        opening: None,
    };
    generate(&engine, recipe, &vectors, &Cancel::new(), |_| {}).unwrap().codes
}

#[test]
fn greedy_codes_are_those_of_transformers_steered_or_not() {
    // Vector files are sorted by name.
    let (attention, residual) = (0, 1);
    for checkpoint in Checkpoint::ALL {
        let expected = checkpoint.expected();
        let same = |name: &str, strengths: &[(usize, f32)], scale, rows| {
            let found = greedy(checkpoint, strengths, scale, rows);
            assert_eq!(found.rows(), expected.codes(&format!("{name}.codes")), "{checkpoint:?} {name}");
        };
        use Rows::{Both, Conditional};
        use Scale::{Literal, Norm};
        same("plain", &[], Norm, Conditional);
        same("residual_norm_conditional", &[(residual, 0.5)], Norm, Conditional);
        same("residual_norm_both", &[(residual, -0.7)], Norm, Both);
        same("residual_literal_conditional", &[(residual, 2.0)], Literal, Conditional);
        same("residual_literal_both", &[(residual, 1.5)], Literal, Both);
        same("attention_norm_conditional", &[(attention, 0.6)], Norm, Conditional);
        same("attention_literal_both", &[(attention, 1.5)], Literal, Both);
        same("two_slots", &[(residual, 0.4), (attention, -0.5)], Norm, Conditional);
    }
}

#[test]
fn codes_of_audio_are_those_of_transformers_also_for_single_frames() {
    for checkpoint in Checkpoint::ALL {
        let (engine, expected) = (engine(checkpoint), checkpoint.expected());
        for frames in [1, 2, 3, 12] {
            let channels = engine.bundle().architecture().codec.channels;
            let audio = interleaved(&expected.floats(&format!("encode.{frames}.audio")), channels);
            let codes = encodec::encode(&engine, &audio).unwrap();
            assert_eq!(
                codes.rows(),
                expected.codes(&format!("encode.{frames}.codes")),
                "{checkpoint:?} {frames}"
            );
        }
    }
}

#[test]
fn audio_of_codes_is_that_of_transformers_also_across_chunks() {
    for checkpoint in Checkpoint::ALL {
        let (engine, expected) = (engine(checkpoint), checkpoint.expected());
        for frames in [8, 60] {
            let codes = Codes::try_from(expected.codes(&format!("decode.{frames}.codes"))).unwrap();
            let found = encodec::decode(&engine, &codes).unwrap();
            let channels = engine.bundle().architecture().codec.channels;
            let recorded = interleaved(&expected.floats(&format!("decode.{frames}.audio")), channels);
            let off = difference(&found, &recorded) / peak(&recorded);
            assert!(off < 1e-4, "{checkpoint:?} {frames}: off by {off} of the peak");
        }
    }
}
