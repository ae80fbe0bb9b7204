//! An imported CLAP against what transformers makes of the same checkpoint.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use tiller_models::clap::{Clap, LogMel, windows};
use tiller_models::import::import_clap;
use tiller_models::lab::judge::{ClapJudge, Judge};

use common::{Recording, copy_folder, difference};

/// Decibels by which features may differ: transformers rounds each bin to single precision.
const FEATURES: f32 = 1e-4;
/// By which components of embeddings, of length 1, may differ.
const EMBEDDING: f32 = 1e-5;
/// By which probabilities may differ: the cosines' difference times the scale of 20.
const PROBABILITY: f64 = 1e-4;
/// Shorter than the model's window, as long, and longer.
const CLIPS: [&str; 3] = ["short", "whole", "long"];

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/clap")
}

fn expected() -> Recording {
    Recording::open(&data().join("expected.safetensors"))
}

/// The checkpoint, imported at the first call.
fn imported() -> &'static Path {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        import_clap(&data().join("checkpoint"), &folder.path().join("judge")).unwrap();
        folder
    });
    static JUDGE: LazyLock<PathBuf> = LazyLock::new(|| FOLDER.path().join("judge"));
    &JUDGE
}

/// Template and labels that were recorded.
fn labels() -> (String, Vec<String>) {
    let recorded: Value = serde_json::from_slice(&fs::read(data().join("labels.json")).unwrap()).unwrap();
    let labels = recorded["labels"].as_array().unwrap().iter();
    (
        recorded["template"].as_str().unwrap().into(),
        labels.map(|label| label.as_str().unwrap().into()).collect(),
    )
}

#[test]
fn features_are_those_of_the_feature_extractor() {
    let clap = Clap::open(imported()).unwrap();
    let settings = &clap.manifest().features;
    let log_mel = LogMel::new(settings).unwrap();
    let expected = expected();
    for clip in CLIPS {
        let audio = expected.floats(&format!("{clip}.audio"));
        let found: Vec<f32> =
            windows(&audio, settings).iter().flat_map(|window| log_mel.features(window)).collect();
        let difference = difference(&found, &expected.floats(&format!("{clip}.features")));
        assert!(difference < FEATURES, "{clip}: {difference} dB");
    }
}

#[test]
fn embeddings_of_clips_and_texts_are_those_of_transformers() {
    let clap = Clap::open(imported()).unwrap();
    let expected = expected();
    for clip in CLIPS {
        let found = clap.hear(&expected.floats(&format!("{clip}.audio"))).unwrap();
        let difference = difference(&found, &expected.floats(&format!("{clip}.embedding")));
        assert!(difference < EMBEDDING, "{clip}: {difference}");
    }
    let (template, labels) = labels();
    let texts = labels.iter().map(|label| clap.read(&template.replace("{}", label)).unwrap());
    let difference = difference(&texts.flatten().collect::<Vec<_>>(), &expected.floats("text.embeddings"));
    assert!(difference < EMBEDDING, "texts: {difference}");
}

#[test]
fn the_judge_gives_labels_the_probabilities_that_transformers_gives() {
    let (template, labels) = labels();
    let judge = ClapJudge::open(imported(), &labels, &template).unwrap();
    assert_eq!(judge.labels(), labels);
    let expected = expected();
    for clip in CLIPS {
        let found = judge.hear(&expected.floats(&format!("{clip}.audio")), 8_000).unwrap();
        let expected = expected.floats(&format!("{clip}.probabilities"));
        for (found, expected) in found.iter().zip(&expected) {
            let difference = (found - f64::from(*expected)).abs();
            assert!(difference < PROBABILITY, "{clip}: {found} and {expected}");
        }
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}

#[test]
fn a_clip_at_another_rate_is_judged_as_at_the_models_own() {
    let (template, labels) = labels();
    let judge = ClapJudge::open(imported(), &labels, &template).unwrap();
    let tone = |rate: u32| -> Vec<f32> {
        (0..rate)
            .map(|time| (time as f32 / rate as f32 * 440.0 * std::f32::consts::TAU).sin() * 0.5)
            .collect()
    };
    let own = judge.hear(&tone(8_000), 8_000).unwrap();
    let other = judge.hear(&tone(32_000), 32_000).unwrap();
    assert!(own.iter().zip(&other).all(|(own, other)| (own - other).abs() < 0.05), "{own:?} and {other:?}");
}

#[test]
fn clips_and_labels_that_nobody_can_judge_are_refused_in_a_sentence() {
    let (template, labels) = labels();
    let judge = ClapJudge::open(imported(), &labels, &template).unwrap();
    let refusal = |audio: &[f32]| judge.hear(audio, 8_000).unwrap_err().to_string();
    assert!(refusal(&[]).contains("no samples"));
    assert!(refusal(&[0.1, f32::NAN]).contains("no finite numbers"));
    let refusal = |labels: &[String], template: &str| {
        ClapJudge::open(imported(), labels, template).unwrap_err().to_string()
    };
    assert!(refusal(&labels[..1], &template).contains("two labels"));
    assert!(refusal(&["rock".into(), "rock".into()], &template).contains("\"rock\" twice"));
    assert!(refusal(&labels, "a sound").contains("{}"));
    let error = Clap::open(&data()).unwrap_err().to_string();
    assert!(error.contains("it holds no judge.json"), "{error}");
}

/// A copy of the checkpoint after `harm`; its import fails with this in its sentence and leaves nothing behind.
#[track_caller]
fn is_refused(because: &str, harm: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    fs::create_dir(&checkpoint).unwrap();
    copy_folder(&data().join("checkpoint"), &checkpoint);
    harm(&checkpoint);
    let error = import_clap(&checkpoint, &folder.path().join("judge")).unwrap_err().to_string();
    assert!(error.contains(because), "expected {because:?} in: {error}");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["checkpoint"], "something was left behind");
}

fn configure(checkpoint: &Path, file: &str, place: &str, value: Value) {
    let path = checkpoint.join(file);
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    *config.pointer_mut(place).unwrap() = value;
    fs::write(path, config.to_string()).unwrap();
}

#[test]
fn checkpoints_that_are_no_unfused_clap_are_refused_by_name() {
    is_refused("fused CLAP", |folder| {
        configure(folder, "config.json", "/audio_config/enable_fusion", true.into());
    });
    is_refused("\"fusion\"", |folder| {
        configure(folder, "preprocessor_config.json", "/truncation", "fusion".into());
    });
    is_refused("\"musicgen\"", |folder| configure(folder, "config.json", "/model_type", "musicgen".into()));
    is_refused("layer.2.attention.self.query.weight", |folder| {
        configure(folder, "config.json", "/text_config/num_hidden_layers", 3.into());
    });
    is_refused("has shape [12, 1, 4, 4] where config.json calls for [12, 1, 6, 6]", |folder| {
        configure(folder, "config.json", "/audio_config/patch_size", 6.into());
    });
    is_refused("does not divide the grid", |folder| {
        configure(folder, "config.json", "/audio_config/window_size", 3.into());
    });
    is_refused("do not fit 8000", |folder| {
        configure(folder, "preprocessor_config.json", "/frequency_max", 5000.into());
    });
    is_refused("feature frames", |folder| {
        configure(folder, "preprocessor_config.json", "/max_length_s", 2.into());
    });
    is_refused("no tokenizer.json", |folder| fs::remove_file(folder.join("tokenizer.json")).unwrap());
    is_refused("can run code", |folder| {
        fs::rename(folder.join("model.safetensors"), folder.join("pytorch_model.bin")).unwrap();
    });
}

#[test]
fn an_import_replaces_a_clap_judge_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let dest = folder.path().join("judge");
    fs::create_dir(&dest).unwrap();
    fs::write(dest.join("judge.json"), "{\"kind\": \"other\"}").unwrap();
    let error = import_clap(&data().join("checkpoint"), &dest).unwrap_err().to_string();
    assert!(error.contains("choose another destination"), "{error}");
    fs::write(dest.join("judge.json"), "{\"kind\": \"clap\"}").unwrap();
    let clap = import_clap(&data().join("checkpoint"), &dest).unwrap();
    assert_eq!(
        (clap.manifest().source.checkpoint.as_str(), clap.manifest().licence.as_str()),
        ("checkpoint", "cc0-1.0")
    );
}
