//! A whole lesson: two folders of synthetic audio, a tiny model, and what it comes to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use tiller_models::steering::Vector;

use common::Checkpoint::Small;
use common::planted::normal;

fn wav(path: &Path, samples: impl Iterator<Item = f64>) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 2_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    samples.for_each(|sample| writer.write_sample(sample as f32).unwrap());
    writer.finalize().unwrap();
}

/// A folder with `tracks` recordings of a second each.
fn recordings(root: &Path, folder: &str, tracks: usize, sample: impl Fn(usize, f64, f64) -> f64) {
    let folder = root.join(folder);
    fs::create_dir(&folder).unwrap();
    for track in 0..tracks {
        let mut noise = normal(&format!("{} {track}", folder.file_name().unwrap().display()));
        wav(
            &folder.join(format!("{track}.wav")),
            (0..2_000_u32).map(|time| sample(track, f64::from(time), noise())),
        );
    }
}

fn tone(track: usize, time: f64, noise: f64) -> f64 {
    0.5 * (1.5 * time + track as f64).sin() + 0.01 * noise
}

fn hum(track: usize, time: f64, noise: f64) -> f64 {
    0.9 * (0.05 * time + track as f64).sin().signum() + 0.01 * noise
}

fn hiss(_: usize, _: f64, noise: f64) -> f64 {
    0.2 * noise
}

fn learn(root: &TempDir, plus: &str, minus: &str, more: &[&str]) -> Output {
    let mut tiller = Command::new(env!("CARGO_BIN_EXE_tiller"));
    tiller.env("TILLER_BUNDLE", Small.bundle().root()).current_dir(root.path());
    tiller.args(["learn", "--plus", plus, "--minus", minus, "--seconds", "0.4", "--seeds", "8"]).args(more);
    tiller.output().unwrap()
}

fn succeeded(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn two_folders_become_a_vector_and_a_page_that_say_whether_it_works() {
    let root = tempfile::tempdir().unwrap();
    recordings(root.path(), "tones", 8, tone);
    recordings(root.path(), "hum", 8, hum);
    fs::write(root.path().join("tones/broken.wav"), b"RIFF").unwrap();
    wav(&root.path().join("hum/silent.wav"), (0..2_000).map(|_| 0.0));
    let found = succeeded(&learn(&root, "tones", "hum", &["--name", "Pure <tones>", "--json"]));
    let learnt = &found["learnt"];
    assert_eq!(learnt["segments"], 32);
    assert_eq!(learnt["skipped"].as_array().unwrap().len(), 2);
    // Four of each are learnt from.
    assert_eq!(learnt["doubts"].as_array().unwrap().len(), 2);
    // One is called as the vector is, the other as its folder.
    let doubts = learnt["doubts"].to_string();
    assert!(
        ["4 recordings of Pure <tones>", "4 recordings of hum"].iter().all(|of| doubts.contains(of)),
        "{doubts}"
    );
    let vector = Vector::open(&root.path().join("pure--tones-.safetensors")).unwrap();
    assert_eq!(vector.concept(), "Pure <tones>");
    let evidence: Value = serde_json::from_str(&vector.metadata()["evidence"]).unwrap();
    assert_eq!(evidence["verdict"], learnt["found"]["verdict"]);
    assert!(evidence["heard by"].as_str().unwrap().contains("that the direction was not learnt from"));
    assert_eq!(vector.recommended_strength().is_some(), learnt["works"] == true);

    let page = fs::read_to_string(root.path().join("pure--tones-.html")).unwrap();
    assert!(page.contains("<h1>Pure &lt;tones&gt;</h1>") && !page.contains("<tones>"));
    assert!(page.contains("<p>What Pure &lt;tones&gt; has and hum has not,"));
    assert!(page.contains("32 segments of Pure &lt;tones&gt; and hum"));
    assert!(page.contains("broken.wav") && page.contains("silent.wav"));
    let count = |what: &str| page.matches(what).count();
    let pictures = ["<svg", "data:image/png;base64,", "data:audio/wav;base64,"].map(count);
    assert_eq!(pictures, [4, 3, 3]);
    assert!(!page.contains("NaN") && !page.contains("src=\"http"));
    assert!(!root.path().join("pure--tones-.safetensors.lesson").exists());
}

#[test]
fn folders_of_the_same_cannot_be_told_apart_and_nothing_is_tried() {
    let root = tempfile::tempdir().unwrap();
    recordings(root.path(), "one", 10, hiss);
    recordings(root.path(), "other", 10, hiss);
    let run =
        || learn(&root, "one", "other", &["--name", "nothing", "--json", "--keep", "--out", "n.safetensors"]);
    let found = succeeded(&run());
    assert!(
        found["learnt"]["verdict"].as_str().unwrap().contains("nothing and other cannot be told apart"),
        "{found}"
    );
    assert!(found["learnt"]["found"].is_null());
    let vector = Vector::open(&root.path().join("n.safetensors")).unwrap();
    assert!(vector.recommended_strength().is_none() && !vector.metadata().contains_key("dose"));
    let page = fs::read(root.path().join("n.html")).unwrap();
    // What was read is kept, and the same comes of it.
    assert!(root.path().join("n.safetensors.lesson/activations.safetensors").is_file());
    succeeded(&run());
    assert_eq!(fs::read(root.path().join("n.html")).unwrap(), page);
}

#[test]
fn folders_that_nothing_can_be_learnt_from_are_refused_in_a_sentence() {
    let root = tempfile::tempdir().unwrap();
    recordings(root.path(), "few", 3, tone);
    recordings(root.path(), "hiss", 4, hiss);
    fs::create_dir(root.path().join("empty")).unwrap();
    let refuse = |plus: &str, minus: &str| refused(&learn(&root, plus, minus, &["--name", "x"]));
    assert!(refuse("empty", "hiss").contains("empty holds no audio file"));
    assert!(refuse("hiss", "./hiss").contains("is named twice"));
    assert!(refuse("few", "hiss").contains("few has 3 usable recordings"));
    assert!(refuse("nowhere", "hiss").contains("cannot read"));
    fs::copy(root.path().join("few/1.wav"), root.path().join("hiss/copy.wav")).unwrap();
    assert!(refuse("few", "hiss").contains("is the same recording as one of the class"));
    assert!(refused(&learn(&root, "few", "hiss", &["--name", " "])).contains("has no name"));
    assert!(
        !fs::read_dir(root.path())
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().ends_with(".safetensors") })
    );
}
