//! Where and how strongly to steer: searches with a tiny model, and judges whose rules are known.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU64;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;
use tiller_models::bundle::Precision;
use tiller_models::lab::ear::{Ear, Judged};
use tiller_models::lab::judge::Judge;
use tiller_models::lab::strength::{Found, Search, Verdict, search};
use tiller_models::lab::{LabError, Stage};
use tiller_models::musicgen::{Cancel, Engine, EngineOptions, GenerateError};
use tiller_models::steering::Vector;

use common::Checkpoint::Small;

fn engine() -> Arc<Engine> {
    let options = EngineOptions { precision: Some(Precision::F32), ..EngineOptions::default() };
    Engine::load(Small.bundle(), &options).unwrap()
}

fn vector() -> Vector {
    Vector::open(&Small.folder().join("vectors/residual.safetensors")).unwrap()
}

fn settings() -> Search {
    Search { prompts: vec!["x".to_owned()], seeds: NonZeroU64::new(8).unwrap(), seed: 5, ..Search::new(25) }
}

/// Hears clips by a rule of the test's.
struct Rule<F>(F, [String; 2]);

impl<F: Fn(&[f32]) -> f64 + Send + Sync> Judge for Rule<F> {
    fn identity(&self) -> &str {
        "rule"
    }

    fn labels(&self) -> &[String] {
        &self.1
    }

    fn hear(&self, audio: &[f32], _: u32) -> Result<Vec<f64>, LabError> {
        let target = (self.0)(audio);
        Ok(vec![1.0 - target, target])
    }
}

fn ear(rule: impl Fn(&[f32]) -> f64 + Send + Sync + 'static) -> Ear {
    let rule = Rule(rule, ["flute", "drums"].map(str::to_owned));
    Ear::Judge(Judged::new(Box::new(rule), "flute", "drums").unwrap())
}

/// Nothing that a vector has to do with, but another number for every clip.
fn whim(audio: &[f32]) -> f64 {
    let sum: f64 = audio.iter().map(|sample| f64::from(*sample) * 1e4).sum();
    sum.rem_euclid(1.0)
}

fn run(ear: &mut Ear, folder: &Path, stop_in: Option<Stage>) -> Result<Found, LabError> {
    run_with(ear, folder, stop_in, 8)
}

fn run_with(ear: &mut Ear, folder: &Path, stop_in: Option<Stage>, seeds: u64) -> Result<Found, LabError> {
    let cancel = Cancel::new();
    let settings = Search { seeds: NonZeroU64::new(seeds).unwrap(), ..settings() };
    search(&engine(), &vector(), ear, &settings, folder, &cancel, &mut |progress| {
        assert!(progress.done <= progress.total, "{progress:?}");
        if stop_in == Some(progress.stage) && progress.done > 0 {
            cancel.cancel();
        }
    })
}

fn clips(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder.join("clips")).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect()
}

#[test]
fn an_interrupted_search_goes_on_and_a_whim_is_no_evidence() {
    let folder = tempfile::tempdir().unwrap();
    for stage in [Stage::Scouting, Stage::Refining, Stage::Confirming] {
        let error = run(&mut ear(whim), folder.path(), Some(stage)).unwrap_err();
        assert!(matches!(error, LabError::Model(GenerateError::Cancelled)), "{error}");
        assert!(!folder.path().join("strength.json").exists());
    }
    let found = run(&mut ear(whim), folder.path(), None).unwrap();
    let figures = fs::read(folder.path().join("strength.json")).unwrap();
    let made = clips(folder.path());
    let again = run(&mut ear(whim), folder.path(), None).unwrap();
    assert_eq!(fs::read(folder.path().join("strength.json")).unwrap(), figures);
    assert_eq!(clips(folder.path()), made);
    assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&found).unwrap());

    // What was chosen is the most within the bound, and was heard anew on seeds that chose nothing.
    assert_ne!(found.verdict, Verdict::Works, "{}", found.sentence("whim"));
    let within = || found.tried.iter().filter(|tried| tried.within);
    let most = within().map(|tried| tried.gain).fold(f64::NEG_INFINITY, f64::max);
    let chosen = found
        .tried
        .iter()
        .find(|tried| tried.region == found.region && tried.strength == found.strength)
        .unwrap();
    assert_eq!(chosen.gain, most);
    let search = settings();
    assert_eq!(search.choosing().end, search.confirming().start);
    assert_eq!((search.choosing().count(), search.confirming().count(), found.pairs), (4, 8, 8));
    let dose = found.dose.iter().find(|dose| dose.strength == found.strength).unwrap();
    assert_eq!((dose.gain, dose.random), (found.gain, found.random));
    assert!((found.over_random.value - (found.gain.value - found.random.value)).abs() < 1e-9);
    // 256 signs of eight pairs.
    assert_eq!((found.p * 256.0).fract(), 0.0);

    // The file has the curve in any case, and recommends only what works.
    let file = Vector::from_bytes(&found.file(&vector()).unwrap(), "x").unwrap();
    assert_eq!(file.recommended_strength(), None);
    assert_eq!(file.recommended_layers(), vector().recommended_layers());
    let dose: Value = serde_json::from_str(&file.metadata()["dose"]).unwrap();
    assert_eq!(dose.as_array().unwrap().len(), found.dose.len());
    let evidence: Value = serde_json::from_str(&file.metadata()["evidence"]).unwrap();
    assert_eq!(evidence["p"], found.p);
}

/// Mean power in a few bands of 2 kHz audio, in bels.
fn bands(audio: &[f32]) -> Vec<f64> {
    let of_band = |band: u32| {
        let turn = std::f64::consts::PI * (f64::from(band) + 0.5) / 16.0;
        let parts = audio.chunks(64).map(|part| {
            let sum = |phase: fn(f64) -> f64| -> f64 {
                part.iter()
                    .zip(0..)
                    .map(|(sample, time)| f64::from(*sample) * phase(turn * f64::from(time)))
                    .sum()
            };
            sum(f64::cos).powi(2) + sum(f64::sin).powi(2)
        });
        (parts.sum::<f64>() + 1e-9).log10()
    };
    (0..16).map(of_band).collect()
}

#[test]
fn a_direction_that_does_what_is_listened_for_works_and_its_file_says_how_strongly() {
    // What the vector does forwards and not backwards, on seeds of no panel, is what is listened for.
    let folder = tempfile::tempdir().unwrap();
    let mut sums = [vec![0.0; 16], vec![0.0; 16]];
    for (at, strength) in [-0.6, 0.6].into_iter().enumerate() {
        for seed in 100..108 {
            let wav = folder.path().join("a.wav");
            let mut tiller = Command::new(env!("CARGO_BIN_EXE_tiller"));
            tiller.env("TILLER_BUNDLE", Small.bundle().root()).args([
                "generate",
                "--prompt",
                "x",
                "--seconds",
                "0.5",
            ]);
            tiller.args([
                "--seed",
                &seed.to_string(),
                "--precision",
                "f32",
                "--steer-layers",
                "all",
                "--quiet",
            ]);
            let file = Small.folder().join("vectors/residual.safetensors");
            tiller.args(["--steer", &format!("{}:{strength}", file.display()), "--out"]).arg(&wav);
            assert!(tiller.status().unwrap().success());
            let samples = tiller_models::wav::samples(hound::WavReader::open(&wav).unwrap()).unwrap();
            for (sum, band) in sums[at].iter_mut().zip(bands(&samples)) {
                *sum += band / 8.0;
            }
        }
    }
    let [back, forth] = sums;
    let way: Vec<f64> = forth.iter().zip(&back).map(|(a, b)| a - b).collect();
    let length: f64 = way.iter().map(|value| value * value).sum();
    let listens = move |audio: &[f32]| {
        let bands = bands(audio);
        let along: f64 =
            bands.iter().zip(&back).zip(&way).map(|((band, back), way)| (band - back) * way).sum();
        (along / length / 2.0 + 0.25).clamp(0.0, 1.0)
    };
    let found = run_with(&mut ear(listens), folder.path(), None, 12).unwrap();
    assert_eq!(found.verdict, Verdict::Works, "{}", found.sentence("it"));
    assert!(found.sentence("it").starts_with("it works: "));
    let file = Vector::from_bytes(&found.file(&vector()).unwrap(), "x").unwrap();
    assert_eq!(file.recommended_strength(), Some(found.strength));
    assert_eq!(file.recommended_layers(), found.region.layers(&vector()));
    assert_eq!(file.sites(), found.region.sites);
}

fn command(folder: &Path, more: &[&str]) -> Output {
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/judge/mel.json");
    let mut tiller = Command::new(env!("CARGO_BIN_EXE_tiller"));
    tiller.env("TILLER_BUNDLE", Small.bundle().root()).args(["lab", "strength", "--vector"]);
    tiller.arg(Small.folder().join("vectors/attention.safetensors"));
    tiller.arg("--out").arg(folder.join("v.safetensors")).args(["--seconds", "0.3"]);
    if more.contains(&"--source") {
        tiller.arg("--judge").arg(judge);
    }
    tiller.args(more).output().unwrap()
}

#[test]
fn the_command_writes_the_vector_and_refuses_what_makes_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let labels = ["--source", "flute", "--target", "drums"];
    let run = |more: &[&str]| command(folder.path(), &[&labels[..], more].concat());
    let output = run(&["--seeds", "4", "--prompt", "x", "--prompt", "y", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["found"]["pairs"], &found["found"]["search"]["seeds"]), (&8.into(), &4.into()));
    assert!(found["found"]["ear"].as_str().unwrap().ends_with(": drums over flute"));
    let written = Vector::open(&folder.path().join("v.safetensors")).unwrap();
    assert!(written.metadata().contains_key("dose"));
    assert!(folder.path().join("v.safetensors.strength/strength.json").is_file());

    let refused = |output: Output| {
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(run(&["--seeds", "3"])).contains("3 clips cannot tell a direction from chance"));
    assert!(refused(run(&["--seeds", "8", "--prompt", "x", "--prompt", "x"])).contains("there twice"));
    assert!(refused(command(folder.path(), &[])).contains("--activations"));
    let same = command(folder.path(), &["--source", "flute", "--target", "flute"]);
    assert!(refused(same).contains("the same label"));
}
