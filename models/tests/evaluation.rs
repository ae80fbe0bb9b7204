//! Does a vector steer: experiments with a tiny model, a planted direction and a tiny judge.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;
use tiller_models::bundle::Precision;
use tiller_models::import::import_clap;
use tiller_models::lab::evaluate::{Clip, Condition, Experiment, Report, Sites, Spot, evaluate};
use tiller_models::lab::judge::{Classifier, Judge};
use tiller_models::lab::{ClipSettings, LabError};
use tiller_models::musicgen::{Cancel, Engine, EngineOptions, GenerateError, Take};
use tiller_models::steering::{self, Vector};

use common::Checkpoint::Small;
use common::readable;

fn engine() -> Arc<Engine> {
    let options = EngineOptions { precision: Some(Precision::F32), ..EngineOptions::default() };
    Engine::load(Small.bundle(), &options).unwrap()
}

fn vector_file() -> PathBuf {
    Small.folder().join("vectors/residual.safetensors")
}

fn judge_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/judge/mel.json")
}

fn experiment() -> Experiment {
    Experiment {
        prompts: vec!["x".to_owned()],
        target_prompts: vec!["y".to_owned()],
        source: "flute".to_owned(),
        target: "drums".to_owned(),
        seed: 3,
        seeds: NonZeroU64::new(3).unwrap(),
        spots: vec![Spot::default()],
        strengths: vec![0.5, 4.0],
        randoms: NonZeroUsize::MIN,
        monitor: Vec::new(),
        clips: ClipSettings::new(25),
    }
}

fn run(
    judge: &dyn Judge,
    experiment: &Experiment,
    folder: &Path,
    stop_at: Option<usize>,
) -> Result<Report, LabError> {
    let vector = Arc::new(Vector::open(&vector_file()).unwrap());
    let cancel = Cancel::new();
    evaluate(&engine(), &vector, judge, experiment, folder, &cancel, |done| {
        if stop_at == Some(done) {
            cancel.cancel();
        }
    })
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for part in ["", "clips"] {
        for entry in fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                found.insert(
                    path.strip_prefix(folder).unwrap().display().to_string(),
                    fs::read(&path).unwrap(),
                );
            }
        }
    }
    found
}

#[test]
fn an_interrupted_experiment_goes_on_and_ends_in_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    let judge = Classifier::open(&judge_file()).unwrap();
    run(&judge, &experiment(), &whole, None).unwrap();
    let expected = files(&whole);
    // Six conditions of three seeds, and two results.
    assert_eq!(expected.len(), 20);

    let error = run(&judge, &experiment(), &broken, Some(8)).unwrap_err();
    assert!(matches!(error, LabError::Model(GenerateError::Cancelled)), "{error}");
    assert_eq!(fs::read_dir(broken.join("clips")).unwrap().count(), 8);
    assert!(!broken.join("results.json").exists() && !broken.join("table.md").exists());
    run(&judge, &experiment(), &broken, None).unwrap();
    assert!(files(&broken) == expected);

    // Tables come from the codes that were kept: whatever was in their place is replaced, and other codes say otherwise.
    fs::write(broken.join("table.md"), "").unwrap();
    fs::copy(broken.join("clips/prompt-3.json"), folder.path().join("kept")).unwrap();
    let mut clip: Value =
        serde_json::from_slice(&fs::read(broken.join("clips/prompt-3.json")).unwrap()).unwrap();
    for code in clip["codes"].as_array_mut().unwrap().iter_mut().flat_map(|row| row.as_array_mut().unwrap()) {
        *code = 0.into();
    }
    fs::write(broken.join("clips/prompt-3.json"), clip.to_string()).unwrap();
    run(&judge, &experiment(), &broken, None).unwrap();
    assert_ne!(files(&broken)["results.json"], expected["results.json"]);
    fs::copy(folder.path().join("kept"), broken.join("clips/prompt-3.json")).unwrap();
    run(&judge, &experiment(), &broken, None).unwrap();
    assert!(files(&broken) == expected);
}

/// Hears clips by a rule of the test's.
struct Rule(fn(&[f32]) -> f64, [String; 2]);

impl Judge for Rule {
    fn identity(&self) -> &str {
        "rule"
    }

    fn labels(&self) -> &[String] {
        &self.1
    }

    fn hear(&self, audio: &[f32], _: u32) -> Result<Vec<f64>, LabError> {
        let target = (self.0)(audio);
        Ok(vec![0.8 * (1.0 - target), 0.8 * target])
    }
}

#[test]
fn figures_are_of_pairs_with_the_same_seed() {
    let folder = tempfile::tempdir().unwrap();
    let loud = |audio: &[f32]| {
        let squares: f32 = audio.iter().map(|sample| sample * sample).sum();
        f64::from((squares / audio.len() as f32).sqrt()).clamp(0.0, 1.0)
    };
    let judge = Rule(loud, ["flute", "drums"].map(str::to_owned));
    let report = run(&judge, &experiment(), folder.path(), None).unwrap();
    let [plain, weak, random, strong, _, prompt] = &report.conditions[..] else { panic!() };
    assert!(plain.lift.is_none() && plain.p.is_none() && random.p.is_none() && prompt.p.is_none());
    for heard in [weak, strong] {
        let by_hand = |others: &[_], of: fn(&Clip) -> f64| {
            let pairs = heard.clips.iter().zip(others);
            pairs.map(|(clip, other)| of(clip) - of(other)).sum::<f64>() / 3.0
        };
        let lift = heard.lift.unwrap();
        assert!(
            (lift.value - by_hand(&plain.clips, |clip| clip.target / (clip.target + clip.source))).abs()
                < 1e-12
        );
        assert!(lift.low <= lift.value && lift.value <= lift.high);
        assert!((heard.source + heard.target - 1.0).abs() < 1e-12);
        // Three pairs have eight signs.
        assert!([0.25, 0.5, 0.75, 1.0].contains(&heard.p.unwrap()));
    }
    let over = weak.over_random.unwrap().value;
    let mean = |clips: &[Clip]| clips.iter().map(|clip| clip.normalised).sum::<f64>() / 3.0;
    assert!((over - (mean(&weak.clips) - mean(&random.clips))).abs() < 1e-12);
    assert!(plain.clips.iter().all(|clip| clip.distance > 0.0));
    // A strong push changes the clip, and random directions are others for each seed.
    assert!(strong.distance.unwrap() > 0.0 && strong.clips[0].distance > 0.0);
    let vectors = |name: &str| {
        let label = fs::read(folder.path().join("clips").join(name)).unwrap();
        let label: Value = serde_json::from_slice(&label).unwrap();
        label["recipe"]["steering"]["slots"][0]["vector"].to_string()
    };
    assert_eq!(vectors("steered-4-3.json"), vectors("steered-4-4.json"));
    assert_eq!(vectors("random-4-3.json"), vectors("random-0.5-3.json"));
    assert_ne!(vectors("random-4-3.json"), vectors("random-4-4.json"));
}

#[test]
fn places_prompts_and_random_directions_are_swept_and_clips_of_one_of_each_are_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let judge = Rule(|audio| f64::from(audio[0].abs() * 1e4).fract(), ["flute", "drums"].map(str::to_owned));
    run(&judge, &experiment(), folder.path(), None).unwrap();
    let one = files(folder.path());
    let swept = Experiment {
        prompts: ["x", "z"].map(str::to_owned).to_vec(),
        target_prompts: Vec::new(),
        spots: ["recommended", "0", "all"]
            .map(|layers| Spot { sites: Sites::Recommended, layers: layers.parse().unwrap() })
            .into_iter()
            .chain([Spot { sites: Sites::Residual, layers: "all".parse().unwrap() }])
            .collect(),
        strengths: vec![4.0],
        randoms: NonZeroUsize::new(3).unwrap(),
        ..experiment()
    };
    // Two prompts, three seeds; an unsteered clip, and at four places a steered one and three with random directions.
    assert_eq!(swept.clips(), 2 * 3 * (1 + 4 * 4));
    let report = run(&judge, &swept, folder.path(), None).unwrap();
    let all = files(folder.path());
    for (name, bytes) in one.iter().filter(|(name, _)| name.starts_with("clips")) {
        assert_eq!(all.get(name), Some(bytes), "{name} was made again");
    }
    assert_eq!(report.conditions.len(), 9);
    let label =
        |name: &str| -> Value { serde_json::from_slice(&all[&format!("clips/{name}.json")]).unwrap() };
    let codes = |name: &str| label(name)["codes"].clone();
    // The same direction elsewhere, and another one at the same place.
    for (a, b) in [
        ("steered-4@recommended.0-3", "steered-4@recommended.all-3"),
        ("random-4-3", "random-4+1-3"),
        ("random-4+1-3", "random-4+2-3"),
    ] {
        assert_ne!(codes(a), codes(b), "{a} and {b}");
    }
    assert_eq!(codes("steered-4@residual.all-3"), codes("steered-4@recommended.all-3"));
    assert_eq!(
        ["steered-4-3", "p2-steered-4-3"].map(|name| label(name)["recipe"]["prompt"].clone()),
        ["x", "z"]
    );

    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let by_pair = |clips: &[Clip], size: usize| -> Vec<Vec<f64>> {
        clips.chunks(size).map(|clips| clips.iter().map(|clip| clip.normalised).collect()).collect()
    };
    for pair in report.conditions[1..].chunks(2) {
        let [steered, random] = pair else { panic!() };
        assert!(matches!(steered.condition, Condition::Steered { .. }));
        assert_eq!((steered.clips.len(), random.clips.len()), (6, 18));
        assert!(random.clips.iter().enumerate().all(|(at, clip)| clip.direction == at % 3
            && clip.prompt == at / 9
            && clip.seed == 3 + (at / 3 % 3) as u64));
        let randoms = by_pair(&random.clips, 3);
        let over: Vec<f64> =
            steered.clips.iter().zip(&randoms).map(|(clip, others)| clip.normalised - mean(others)).collect();
        assert!((steered.over_random.unwrap().value - mean(&over)).abs() < 1e-12);
        let variance =
            |values: &Vec<f64>| values.iter().map(|value| (value - mean(values)).powi(2)).sum::<f64>() / 2.0;
        let spread = mean(&randoms.iter().map(variance).collect::<Vec<_>>()).sqrt();
        assert!((random.spread.unwrap() - spread).abs() < 1e-12 && spread > 0.0);
        assert!(steered.spread.is_none() && steered.in_key.is_some_and(|share| (0.5..=1.0).contains(&share)));
    }
    let table = fs::read_to_string(folder.path().join("table.md")).unwrap();
    for row in ["strength 4, layer 0 |", "3 random directions, strength 4, residual stream, all layers |"] {
        assert!(table.contains(row), "{table}");
    }
}

#[test]
fn a_vector_that_lets_go_is_compared_with_one_that_pulls_all_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let rule = Rule(|audio| f64::from(audio[0].abs() * 1e4).fract(), ["flute", "drums"].map(str::to_owned));
    let monitored = Experiment {
        strengths: vec![0.5],
        monitor: vec![steering::Rule::Fade, steering::Rule::Smitin],
        ..experiment()
    };
    let vector = Vector::from_bytes(&readable::file("residual", 3, &readable::gauge(-1.0, 1.0)), "warmth");
    let vector = Arc::new(vector.unwrap());
    let run =
        |vector, out: &Path| evaluate(&engine(), vector, &rule, &monitored, out, &Cancel::new(), |_| {});
    let report = run(&vector, folder.path()).unwrap();
    let [plain, steered, lets_go, smitin, random, prompt] = &report.conditions[..] else { panic!() };
    assert!(matches!(lets_go.condition, Condition::Monitored { strength: 0.5, .. }));
    assert_eq!(
        [plain, steered, random, prompt].map(|heard| heard.steered),
        [None, Some(1.0), Some(1.0), None]
    );
    assert!(smitin.steered.unwrap() <= 1.0 && matches!(smitin.condition, Condition::Monitored { .. }));
    let over = lets_go.over_random.unwrap().value;
    assert!((over - (lets_go.target - random.target)).abs() < 1e-12, "beside the same random directions");
    let mut let_through = 0.0;
    for clip in &lets_go.clips {
        let label = fs::read_to_string(folder.path().join(format!("clips/fade-0.5-{}.json", clip.seed)));
        let take = Take::from_json(&label.unwrap()).unwrap();
        assert_eq!((clip.steered, take.let_through[0].len()), (take.share_steered(0), 25));
        let_through += clip.steered.unwrap() / 3.0;
    }
    assert!((lets_go.steered.unwrap() - let_through).abs() < 1e-12 && let_through < 1.0, "{let_through}");
    let table = fs::read_to_string(folder.path().join("table.md")).unwrap();
    let row = table.lines().rfind(|line| line.contains("strength 0.5, fade |")).unwrap();
    assert!(row.ends_with(&format!(" {let_through:.2} |")), "{row}");
    // What was made is taken over, and a vector that cannot be read is refused before anything is made.
    assert_eq!(run(&vector, folder.path()).unwrap().tables(), table);
    let (out, unread) = (folder.path().join("unread"), Arc::new(Vector::open(&vector_file()).unwrap()));
    let error = run(&unread, &out).unwrap_err().to_string();
    assert!(error.contains("does not say how its concept is read") && !out.join("clips").exists(), "{error}");
}

fn command(out: &Path, more: &[&str]) -> Output {
    heard_by(&judge_file(), out, more)
}

fn heard_by(judge: &Path, out: &Path, more: &[&str]) -> Output {
    let mut tiller = Command::new(env!("CARGO_BIN_EXE_tiller"));
    tiller
        .env("TILLER_BUNDLE", Small.bundle().root())
        .args(["lab", "evaluate", "--vector"])
        .arg(vector_file());
    tiller.arg("--judge").arg(judge).arg("--out").arg(out);
    tiller.args(["--prompt", "x", "--seeds", "2", "--seconds", "0.5"]).args(more).output().unwrap()
}

#[test]
fn the_command_prints_the_papers_table_and_refuses_what_makes_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let labels = ["--source", "flute", "--target", "drums"];
    let run = |more: &[&str]| command(folder.path(), &[&labels[..], more].concat());
    let output = run(&["--strengths", "0.5,-0.5", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["report"]["conditions"].as_array().unwrap().len(), 5);
    let table = fs::read_to_string(folder.path().join("table.md")).unwrap();
    for row in
        ["| | flute | drums |", "| flute to drums, strength 0.5 |", "| random direction, strength -0.5 |"]
    {
        assert!(table.contains(row), "{table}");
    }

    let refused = |output: Output| {
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(run(&["--guidance", "2"])).contains("another experiment"));
    assert!(refused(run(&["--strengths", "0"])).contains("not 0"));
    assert!(refused(run(&["--strengths", "1,1"])).contains("twice"));
    let unknown = command(folder.path(), &["--source", "flute", "--target", "oboe"]);
    assert!(refused(unknown).contains("no label \"oboe\""));
    let same = command(folder.path(), &["--source", "flute", "--target", "flute"]);
    assert!(refused(same).contains("the same label"));
    fs::write(folder.path().join("clips/unsteered-1.json"), "{").unwrap();
    assert!(refused(run(&[])).contains("unsteered-1.json cannot be used"));
}

#[test]
fn clap_hears_any_words_in_clips_that_another_judge_had_made() {
    let folder = tempfile::tempdir().unwrap();
    let (clap, out) = (folder.path().join("clap"), folder.path().join("out"));
    let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/clap/checkpoint");
    import_clap(&checkpoint, &clap).unwrap();
    assert!(command(&out, &["--source", "flute", "--target", "drums"]).status.success());
    let made = files(&out);

    let hear = |more: &[&str]| -> Value {
        let words = ["--source", "a rock song", "--target", "a pop song", "--json"];
        let output = heard_by(&clap, &out, &[&words[..], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        found["report"].clone()
    };
    let report = hear(&[]);
    assert!(report["judge"].as_str().unwrap().starts_with("clap "), "{report}");
    let clips: Vec<&Value> = report["conditions"].as_array().unwrap().iter().collect();
    let clips = clips.iter().flat_map(|heard| heard["clips"].as_array().unwrap());
    let targets: Vec<f64> = clips
        .map(|clip| {
            let figures = ["source", "target", "normalised"].map(|name| clip[name].as_f64().unwrap());
            let [source, target, normalised] = figures;
            assert!((source + target - 1.0).abs() < 1e-9 && (normalised - target).abs() < 1e-9, "{clip}");
            target
        })
        .collect();
    // Five conditions of two seeds, which are not all the same to it.
    assert!(targets.len() == 10 && targets.iter().any(|target| *target != targets[0]));
    for (name, bytes) in files(&out).iter().filter(|(name, _)| name.starts_with("clips")) {
        assert_eq!(Some(bytes), made.get(name), "{name} was made again");
    }
    assert!(fs::read_to_string(out.join("table.md")).unwrap().contains("| | a rock song | a pop song |"));
    assert_ne!(hear(&["--template", "{}"])["conditions"], report["conditions"]);
}

#[test]
fn a_folder_says_itself_what_it_was_made_by() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let judge = folder.path().join("judge");
    fs::create_dir(&judge).unwrap();
    for file in fs::read_dir(judge_file().parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, judge.join(file.file_name().unwrap())).unwrap();
    }
    let asked =
        ["--source", "flute", "--target", "drums", "--layers", "0,0-1", "--random", "2", "--strengths=-1"];
    assert!(heard_by(&judge.join("mel.json"), &out, &asked).status.success());
    let made = files(&out);
    let from = |more: &[&str]| {
        let mut tiller = Command::new(env!("CARGO_BIN_EXE_tiller"));
        tiller.env("TILLER_BUNDLE", Small.bundle().root()).args(["lab", "evaluate", "--from"]).arg(&out);
        tiller.args(more).output().unwrap()
    };
    let refused = |output: Output| {
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    // Tables, results and a clip that went missing come back, to the byte.
    for name in ["table.md", "results.json", "clips/random-1@recommended.0+1-2.json"] {
        let name = name.replace("random-1@", "random--1@");
        fs::remove_file(out.join(&name)).unwrap();
    }
    let again = from(&[]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(files(&out) == made);
    assert!(refused(from(&["--seeds", "4"])).contains("cannot be used with"));

    // A refused command leaves the record of the finished one as it is.
    let other = heard_by(&judge.join("mel.json"), &out, &[&asked[..], &["--guidance", "2"]].concat());
    assert!(refused(other).contains("another experiment"));
    assert!(files(&out) == made);

    fs::write(
        out.join("vector.safetensors"),
        fs::read(Small.folder().join("vectors/attention.safetensors")).unwrap(),
    )
    .unwrap();
    assert!(refused(from(&[])).contains("not the vector that was evaluated"));
    fs::write(out.join("experiment.json"), "{}").unwrap();
    assert!(refused(from(&[])).contains("experiment.json cannot be used"));
    fs::remove_file(out.join("experiment.json")).unwrap();
    assert!(refused(from(&[])).contains("--out"));
}
