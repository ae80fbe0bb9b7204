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

/// How a run is steered: strengths of vectors, which are sorted by name.
type Case<'a> = (&'a str, &'a [(usize, f32)], Scale, Rows);

const ATTENTION: usize = 0;
const RESIDUAL: usize = 1;

fn greedy(checkpoint: Checkpoint, opening: Option<Codes>, case: Case) -> Codes {
    let (engine, (_, strengths, scale, rows)) = (engine(checkpoint), case);
    let bundle = engine.bundle();
    let vectors: Vec<Arc<Vector>> =
        bundle.vectors().iter().map(|path| Arc::new(Vector::open(path).unwrap())).collect();
    let slots = strengths
        .iter()
        .map(|&(vector, strength)| Slot::new(&vectors[vector], StrengthCurve::constant(strength)))
        .collect();
    let recipe = Recipe {
        sampling: Sampling::GREEDY,
        steering: Steering { scale, rows, layers: Layers::All, period: 1, slots },
        opening,
        ..Recipe::plain(&engine, "slow warm strings over a quiet drum loop", 1, 40)
    };
    generate(&engine, recipe, &vectors, &Cancel::new(), |_| {}).unwrap().codes
}

#[test]
fn greedy_codes_are_those_of_transformers_steered_or_not() {
    use Rows::{Both, Conditional};
    use Scale::{Literal, Norm};
    let cases: [Case; 8] = [
        ("plain", &[], Norm, Conditional),
        ("residual_norm_conditional", &[(RESIDUAL, 0.5)], Norm, Conditional),
        ("residual_norm_both", &[(RESIDUAL, -0.7)], Norm, Both),
        ("residual_literal_conditional", &[(RESIDUAL, 2.0)], Literal, Conditional),
        ("residual_literal_both", &[(RESIDUAL, 1.5)], Literal, Both),
        ("attention_norm_conditional", &[(ATTENTION, 0.6)], Norm, Conditional),
        ("attention_literal_both", &[(ATTENTION, 1.5)], Literal, Both),
        ("two_slots", &[(RESIDUAL, 0.4), (ATTENTION, -0.5)], Norm, Conditional),
    ];
    for checkpoint in Checkpoint::ALL {
        let expected = checkpoint.expected();
        for case in cases {
            let found = greedy(checkpoint, None, case);
            assert_eq!(
                found.rows(),
                expected.codes(&format!("{}.codes", case.0)),
                "{checkpoint:?} {}",
                case.0
            );
        }
    }
}

#[test]
fn music_goes_on_from_audio_as_in_transformers_steered_or_not() {
    let cases: [Case; 3] = [
        ("plain", &[], Scale::Norm, Rows::Conditional),
        ("residual_literal_both", &[(RESIDUAL, 1.5)], Scale::Literal, Rows::Both),
        ("two_slots", &[(RESIDUAL, 0.4), (ATTENTION, -0.5)], Scale::Norm, Rows::Conditional),
    ];
    for checkpoint in Checkpoint::ALL {
        let (known, expected) = (checkpoint.expected(), checkpoint.continued());
        let channels = checkpoint.bundle().architecture().codec.channels;
        // Fewer frames than there are delays, and more.
        for frames in [2, 12] {
            let audio = interleaved(&known.floats(&format!("encode.{frames}.audio")), channels);
            let opening = encodec::encode(&engine(checkpoint), &audio).unwrap();
            for case in cases {
                let found = greedy(checkpoint, Some(opening.clone()), case);
                let recorded = expected.codes(&format!("{}.{frames}.codes", case.0));
                assert_eq!(found.rows(), recorded, "{checkpoint:?} {frames} {}", case.0);
            }
        }
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
