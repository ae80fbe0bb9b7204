//! The codec beside decoders of integers: its LSTM has weights of 8 bits, and keeps what single precision promises.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::sync::Arc;

use serde_json::Value;
use tiller_models::bundle::manifest::Manifest;
use tiller_models::bundle::{Architecture, Bundle, Precision, writer};
use tiller_models::codes::Codes;
use tiller_models::encodec::{StreamDecoder, decode};
use tiller_models::musicgen::{Engine, EngineOptions};
use tiller_models::runtime::Provider;

use common::Checkpoint::{self, Small, Stereo};
use common::copy_folder;

const FRAMES: usize = 70;

fn engine(bundle: &Bundle, precision: Precision) -> Arc<Engine> {
    let options = EngineOptions { precision: Some(precision), ..EngineOptions::default() };
    Engine::load(bundle, &options).unwrap()
}

/// Codes that are different from frame `changed` on.
fn codes(model: &Architecture, changed: usize) -> Codes {
    let code = |k: usize, f: usize| ((f * 37 + k * 11 + usize::from(f >= changed)) % model.vocabulary) as u16;
    let rows = (0..model.codebooks).map(|k| (0..FRAMES).map(|f| code(k, f)).collect());
    Codes::try_from(rows.collect::<Vec<Vec<_>>>()).unwrap()
}

fn decibels(signal: &[f32], other: &[f32]) -> f64 {
    assert_eq!(signal.len(), other.len());
    let power = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>();
    let noise = power(&mut signal.iter().zip(other).map(|(a, b)| a - b));
    10.0 * (power(&mut signal.iter().copied()) / noise).log10()
}

#[test]
fn audio_beside_integers_is_that_of_single_precision_but_for_rounding() {
    for checkpoint in Checkpoint::ALL {
        let bundle = checkpoint.bundle();
        let codes = codes(bundle.architecture(), FRAMES);
        let [exact, int8, int4] = [Precision::F32, Precision::Int8, Precision::Int4]
            .map(|precision| decode(&engine(bundle, precision), &codes).unwrap());
        assert_eq!(int8, int4, "both are decoded by one graph");
        let ratio = decibels(&exact, &int8);
        assert!((40.0..130.0).contains(&ratio), "{checkpoint:?}: {ratio} dB");
    }
}

#[test]
fn later_frames_are_felt_only_within_the_look_ahead_in_each_stream() {
    for checkpoint in [Small, Stereo] {
        let engine = engine(checkpoint.bundle(), Precision::Int8);
        let model = checkpoint.bundle().architecture();
        let whole = decode(&engine, &codes(model, FRAMES)).unwrap();
        for changed in [30, 53, 60] {
            let other = decode(&engine, &codes(model, changed)).unwrap();
            let samples = model.codec.samples_per_frame * model.codec.channels;
            let same = whole.iter().zip(&other).take_while(|(a, b)| a == b).count() / samples;
            let expected = changed - StreamDecoder::look_ahead(&model.codec)..=changed;
            assert!(expected.contains(&same), "changed at {changed}, the same before {same}");
        }
    }
}

#[test]
fn a_bundle_from_before_is_decoded_in_single_precision() {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(Small.bundle().root(), folder.path());
    let path = folder.path().join("bundle.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let graph = manifest["graphs"].as_object_mut().unwrap().remove("encodec_latent_int8").unwrap();
    let graph = folder.path().join(graph.as_str().unwrap());
    fs::remove_file(graph.with_extension("onnx.data")).unwrap();
    fs::remove_file(graph).unwrap();
    let manifest: Manifest = serde_json::from_value(manifest).unwrap();
    writer::write(folder.path(), manifest).unwrap();

    let before = Bundle::open(folder.path()).unwrap();
    let codes = codes(before.architecture(), FRAMES);
    let audio = decode(&engine(&before, Precision::Int8), &codes).unwrap();
    assert_eq!(audio, decode(&engine(Small.bundle(), Precision::F32), &codes).unwrap());
}

#[test]
fn graphics_processors_decode_in_single_precision() {
    let bundle = Small.bundle();
    let graph = |precision, provider| Engine::latent_graph(bundle, precision, provider);
    assert_eq!(Some(graph(Precision::Int4, Provider::Cpu)), bundle.encodec_latent_int8());
    assert_eq!(graph(Precision::F32, Provider::Cpu), bundle.encodec_latent());
    assert_eq!(graph(Precision::F16, Provider::Cuda), bundle.encodec_latent());
    assert_eq!(graph(Precision::Int8, Provider::DirectMl), bundle.encodec_latent());
}
