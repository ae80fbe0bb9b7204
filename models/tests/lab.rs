//! `tiller lab` and its library on activations whose directions are known.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use safetensors::Dtype;
use serde_json::Value;
use tempfile::TempDir;
use tiller_models::lab::Activations;
use tiller_models::steering::{Site, Vector};

use common::Checkpoint::Small;
use common::planted::{Planted, cosine, write_tensors};

fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tiller")).arg("lab").args(arguments).output().unwrap()
}

fn succeeded(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder for files by name.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn planted(&self, planted: &Planted) -> String {
        planted.write(&self.path("activations.safetensors"));
        self.name("activations.safetensors")
    }

    /// Everything in it but the activations.
    fn others(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names
            .map(|name| name.into_string().unwrap())
            .filter(|name| !name.starts_with("activations"))
            .collect()
    }
}

#[test]
fn every_method_finds_the_planted_direction_and_the_layer_where_it_is_clearest() {
    let folder = Folder::new();
    for method in ["dim", "mse", "bce", "pca"] {
        let mut planted = Planted::two_classes(48);
        // The others take longer than difference in means.
        planted.places.retain(|(place, _)| method == "dim" || place.ends_with(['2', '3']));
        let index = planted.places.iter().position(|(place, _)| place == "residual.3").unwrap();
        let activations = folder.planted(&planted);
        let out = folder.name(&format!("{method}.safetensors"));
        let arguments =
            ["directions", "--activations", &activations, "--method", method, "--out", &out, "--json"];
        let found = succeeded(&lab(&arguments));
        let summary = &found["summary"];
        assert_eq!((&summary["concept"], &summary["best"]["layer"]), (&"bright".into(), &3.into()));
        assert_eq!(summary["best"]["site"], "residual");

        let vector = Vector::open(Path::new(&out)).unwrap();
        assert_eq!((vector.sites(), vector.recommended_layers()), (&[Site::Residual][..], [3].into()));
        let truth = planted.direction("residual.3");
        let angle = cosine(vector.direction(Site::Residual, 3).unwrap().values(), &truth);
        // A probe's weights fit the noise of these rows as well.
        assert!(angle >= if method == "dim" { 0.98 } else { 0.9 }, "{method}: {angle}");
        for (place, _) in &planted.places {
            let (site, layer) = place.split_once('.').unwrap();
            let site = Site::ALL.into_iter().find(|known| known.name() == site).unwrap();
            assert!(vector.direction(site, layer.parse().unwrap()).is_some());
        }
        let score = &summary["scores"][index];
        assert_eq!((&score["site"], &score["layer"]), (&"residual".into(), &3.into()));
        // Two normal distributions 4 deviations apart, which the tracks' offsets widen by 4 %, overlap by 2.8 %.
        let accuracy = score["accuracy"]["value"].as_f64().unwrap();
        assert!((0.95..0.99).contains(&accuracy), "{method}: {accuracy}");

        // The sides are 2 deviations from the middle, so that readings of -1 and 1 have deviations of half of one.
        let gauge = vector.gauge(Site::Residual, 3).unwrap();
        assert_eq!(gauge.accuracy, accuracy);
        for (side, along, held_out) in [(1.0, 2.0, gauge.plus), (-1.0, -2.0, gauge.minus)] {
            let reading = gauge.reading(along * angle);
            assert!((reading - side).abs() < 0.1, "{method}: {side} is read as {reading}");
            assert!((held_out.mean - side).abs() < 0.2, "{method}: {held_out:?}");
            assert!((0.45..0.65).contains(&held_out.deviation), "{method}: {held_out:?}");
        }
    }
}

#[test]
fn a_vector_that_was_learnt_steers() {
    let folder = Folder::new();
    let activations = folder.planted(&Planted { tracks_per_class: 4, ..Planted::two_classes(128) });
    let (out, plain, steered) = (folder.name("v.safetensors"), folder.name("a.json"), folder.name("b.json"));
    let found =
        lab(&["directions", "--activations", &activations, "--name", "Bright", "--out", &out, "--json"]);
    assert!(String::from_utf8_lossy(&found.stderr).contains("only 4 tracks"));
    assert_eq!(succeeded(&found)["summary"]["concept"], "Bright");
    let generate = |label: &str, steer: &[&str]| {
        let wav = folder.name("a.wav");
        let mut tiller = Command::new(env!("CARGO_BIN_EXE_tiller"));
        tiller.env("TILLER_BUNDLE", Small.bundle().root());
        tiller.args(["generate", "--prompt", "x", "--seconds", "0.5", "--seed", "1", "--json"]);
        succeeded(&tiller.args(["--out", &wav, "--label", label]).args(steer).output().unwrap());
        serde_json::from_slice::<Value>(&std::fs::read(label).unwrap()).unwrap()["codes"].take()
    };
    let steer = format!("{out}:2");
    assert_ne!(generate(&plain, &[]), generate(&steered, &["--steer", &steer]));
}

#[test]
fn shards_merge_to_the_bytes_of_the_single_run() {
    let folder = Folder::new();
    let planted = Planted { tracks_per_class: 12, ..Planted::two_classes(16) };
    let activations = folder.planted(&planted);
    let whole = folder.name("whole.safetensors");
    let common = ["directions", "--activations", &activations, "--method", "mse", "--seed", "3", "--json"];
    let run = |more: &[&str]| lab(&[&common[..], more].concat());
    succeeded(&run(&["--out", &whole]));
    let parts: Vec<String> = (1..=3).map(|shard| folder.name(&format!("{shard}.part"))).collect();
    for (shard, part) in ["1/3", "2/3", "3/3"].iter().zip(&parts) {
        succeeded(&run(&["--shard", shard, "--out", part]));
        assert!(Vector::open(Path::new(part)).is_err(), "a shard is no vector");
    }
    let merged = folder.name("merged.safetensors");
    let merge = |parts: &[&str]| lab(&[&["merge", "--json", "--out", &merged], parts].concat());
    let missing = refused(&merge(&[&parts[2], &parts[0]]));
    assert!(missing.contains("2/3 are missing"), "{missing}");
    assert!(refused(&merge(&[&parts[0], &parts[0]])).contains("twice"));
    assert!(refused(&merge(&[&whole])).contains("whole vector file already"));
    let other = folder.name("other.part");
    succeeded(&run(&["--shard", "2/3", "--folds", "4", "--out", &other]));
    assert!(refused(&merge(&[&parts[0], &other, &parts[2]])).contains("different runs"));
    assert!(!Path::new(&merged).exists());

    succeeded(&merge(&[&parts[2], &parts[0], &parts[1]]));
    assert_eq!(std::fs::read(&merged).unwrap(), std::fs::read(&whole).unwrap());
}

#[test]
fn shares_of_the_rows_add_up_to_what_the_single_run_learns() {
    let folder = Folder::new();
    let part = |name: &str, seed: &'static [&'static str]| {
        Planted { classes: seed, tracks_per_class: 12, ..Planted::two_classes(16) }.write(&folder.path(name));
        folder.name(name)
    };
    let whole =
        [part("activations-1.safetensors", &["a", "b"]), part("activations-2.safetensors", &["a", "b"])];
    let data = ["--activations", &whole[0], &whole[1], "--seed", "3", "--json"];
    let run = |command: &str, more: &[&str]| lab(&[&[command][..], &data, more].concat());
    let out = |name: &str| folder.name(&format!("{name}.safetensors"));
    let shares: Vec<String> = (1..=3).map(|share| folder.name(&format!("share-{share}"))).collect();
    for method in ["mse", "pca", "dim"] {
        // Gram matrices are there for difference in means, too.
        if method == "mse" {
            for (index, share) in shares.iter().enumerate() {
                let shard = format!("{}/3", index + 1);
                succeeded(&run("statistics", &["--method", "mse", "--shard", &shard, "--out", share]));
            }
        }
        let (single, merged) = (out("single"), out("merged"));
        let options = ["--method", method, "--out"];
        succeeded(&run("directions", &[&options[..], &[&single]].concat()));
        let statistics = ["--statistics", &shares[2], &shares[0], &shares[1]];
        succeeded(&run("directions", &[&options[..], &[&merged], &statistics].concat()));
        let [single, merged] = [single, merged].map(|path| Vector::open(Path::new(&path)).unwrap());
        assert_eq!(single.places().count(), 10);
        for (site, layer) in single.places() {
            let direction = |vector: &Vector| vector.direction(site, layer).unwrap().clone();
            let (single, merged) = (direction(&single), direction(&merged));
            assert!(common::difference(single.values(), merged.values()) < 1e-6, "{method} {site} {layer}");
        }
        assert_eq!(single.metadata()["probe_accuracy"], merged.metadata()["probe_accuracy"]);
        assert_eq!(single.metadata()["reason"], merged.metadata()["reason"]);
    }

    let other = out("other");
    let learn = |more: &[&str]| refused(&run("directions", &[&["--out", &other][..], more].concat()));
    let missing = learn(&["--statistics", &shares[0], &shares[2]]);
    assert!(missing.contains("2/3 are missing"), "{missing}");
    assert!(learn(&["--statistics", &shares[0], &shares[0], &shares[1], &shares[2]]).contains("twice"));
    let all = ["--statistics", &shares[0], &shares[1], &shares[2]];
    assert!(learn(&[&all[..], &["--folds", "4"]].concat()).contains("other data, classes, folds or seed"));
    assert!(learn(&[&all[..], &["--method", "bce"]].concat()).contains("no sufficient statistics"));
    assert!(learn(&["--statistics", &whole[0]]).contains("no statistics of rows"));
    succeeded(&run("statistics", &["--shard", "1/1", "--out", &shares[0]]));
    assert!(learn(&["--method", "mse", "--statistics", &shares[0]]).contains("no Gram matrices"));
    assert!(!Path::new(&other).exists());
}

#[test]
fn files_are_read_as_one_and_each_class_gets_a_vector() {
    let folder = Folder::new();
    let planted = |classes, name: &str| {
        let planted = Planted { classes, tracks_per_class: 12, ..Planted::two_classes(8) };
        planted.write(&folder.path(name));
        folder.name(name)
    };
    let three = planted(&["rock", "hip hop", "folk"], "activations.safetensors");
    let out = folder.name("v.safetensors");
    let found = succeeded(&lab(&["directions", "--activations", &three, "--out", &out, "--json"]));
    assert_eq!(found.as_array().unwrap().len(), 3);
    for (class, labels) in [("rock", r#"["rock","rest"]"#), ("hip-hop", r#"["hip hop","rest"]"#)] {
        let vector = Vector::open(&folder.path(&format!("v-{class}.safetensors"))).unwrap();
        assert_eq!(vector.metadata()["labels"], labels);
    }
    let pair = ["directions", "--plus", "folk", "--minus", "rock", "--out", &out, "--json", "--activations"];
    succeeded(&lab(&[&pair[..], &[&three]].concat()));
    let alone = Vector::open(Path::new(&out)).unwrap();
    // The same rows twice have the same means.
    succeeded(&lab(&[&pair[..], &[&three, &three]].concat()));
    let twice = Vector::open(Path::new(&out)).unwrap();
    let direction = |vector: &Vector| vector.direction(Site::Attention, 2).unwrap().clone();
    assert!(common::difference(direction(&alone).values(), direction(&twice).values()) < 1e-6);
    assert!(twice.metadata()["data"].contains("120 rows from 12 tracks of folk"));

    let other = planted(&["rock", "folk"], "activations-2.safetensors");
    let message = refused(&lab(&[&pair[..], &[&three, &other]].concat()));
    assert!(message.contains("other classes"), "{message}");
}

/// Tracks that are told apart with ease, in two classes that cannot be: whoever let a track be on both sides of a split
/// would find an accuracy near 1.
#[test]
fn rows_are_not_recognised_by_their_tracks() {
    let folder = Folder::new();
    let planted = Planted {
        places: vec![("residual.0".to_owned(), 0.0)],
        track_spread: 5.0,
        tracks_per_class: 40,
        rows_per_track: 10,
        ..Planted::two_classes(64)
    };
    let activations = folder.planted(&planted);
    let out = folder.name("v.safetensors");
    for method in ["dim", "mse"] {
        let arguments =
            ["directions", "--activations", &activations, "--method", method, "--out", &out, "--json"];
        let summary = succeeded(&lab(&arguments))["summary"].take();
        let accuracy = &summary["scores"][0]["accuracy"];
        assert!(accuracy["low"].as_f64().unwrap() <= 0.5, "{method}: {accuracy}");
        assert!(summary["reason"].as_str().unwrap().contains("chance"), "{summary}");
    }
}

#[test]
fn probes_find_the_layer_and_labels_at_random_are_the_baseline() {
    let folder = Folder::new();
    let planted = Planted::two_classes(48);
    let none = ("residual.5".to_owned(), 0.0);
    let places = [planted.places.clone(), vec![none]].concat();
    let activations = folder.planted(&Planted { places, ..planted });
    let plot = folder.name("probe.svg");
    let found = succeeded(&lab(&["probe", "--activations", &activations, "--plot", &plot, "--json"]));
    let svg = std::fs::read_to_string(&plot).unwrap();
    // White ground, a cell for all classes and one for each of both in 11 places, and a frame.
    assert_eq!(svg.matches("<rect").count(), 1 + 3 * 11 + 1);
    for text in ["R2 on held-out tracks: residual, by layer", "all classes", "plain", "bright"] {
        assert!(svg.contains(text), "{text}");
    }
    let recommended = &found["recommended"];
    assert_eq!((&recommended["site"], &recommended["layer"]), (&"residual".into(), &3.into()));
    assert_eq!(recommended["method"], "dim");
    assert!(recommended["reason"].as_str().unwrap().contains("layer 3"));
    assert_eq!((&found["chance"], &found["data"]["rows"]), (&0.5.into(), &1_000.into()));
    let number = |value: &Value| value.as_f64().unwrap();
    for place in found["places"].as_array().unwrap() {
        for figure in ["accuracy", "auc", "r2", "means"] {
            let figure = &place[figure];
            assert!(number(&figure["low"]) <= number(&figure["value"]));
            assert!(number(&figure["value"]) <= number(&figure["high"]));
        }
        assert!((number(&place["baseline"]["mean"]) - 0.5).abs() < 0.03, "{place}");
        let (p, accuracy) = (number(&place["baseline"]["p"]), number(&place["accuracy"]["value"]));
        match (place["site"].as_str().unwrap(), place["layer"].as_u64().unwrap()) {
            ("residual", 3) => {
                assert!(p < 0.01 && (0.95..0.99).contains(&accuracy), "{place}");
                // A share d^2 / (d^2 + 4 (1 + .09)) of the variance, d = 4, is the classes'.
                assert!((number(&place["r2"]["value"]) - 0.78).abs() < 0.05, "{place}");
                // Of two classes, what is not of one is of the other.
                for (label, class) in place["classes"].as_array().unwrap().iter().enumerate() {
                    assert_eq!(class["label"], label);
                    for figure in ["auc", "r2"] {
                        assert!((number(&class[figure]) - number(&place[figure]["value"])).abs() < 1e-9);
                    }
                    assert!((number(&class["accuracy"]) - accuracy).abs() < 0.02, "{place}");
                }
            }
            ("residual", 5) => assert!(p > 0.02 && number(&place["accuracy"]["low"]) < 0.5, "{place}"),
            _ => {}
        }
    }
}

#[test]
fn the_positions_that_hold_the_classes_best_are_recommended() {
    let folder = Folder::new();
    let reading = |name: &str, strength: f64, pooling: &str| {
        let planted = Planted {
            places: vec![("residual.0".to_owned(), 0.5), ("residual.1".to_owned(), strength)],
            tracks_per_class: 40,
            ..Planted::two_classes(16)
        };
        let reading = serde_json::json!({ "pooling": pooling, "every": 25 }).to_string();
        planted.write_with(&folder.path(name), &[("reading", &reading)]);
        folder.name(name)
    };
    let last = reading("activations-last.safetensors", 1.0, "last");
    let mean = reading("activations-mean.safetensors", 4.0, "mean");
    let found = succeeded(&lab(&["probe", "--activations", &last, "--against", &mean, "--json"]));
    let positions = &found["positions"];
    assert_eq!((&positions["best"], &positions["readings"][1]["layer"]), (&1.into(), &1.into()));
    let reason = positions["reason"].as_str().unwrap();
    assert!(reason.starts_with("learn from the mean over every 25th position"), "{reason}");
    assert!(reason.contains("of the last position") && reason.ends_with("beyond the interval"), "{reason}");
    let alone = succeeded(&lab(&["probe", "--activations", &last, "--json"]));
    assert_eq!(alone["positions"], Value::Null);
    assert_eq!(alone["places"], found["places"]);

    let fewer = Planted { tracks_per_class: 30, ..Planted::two_classes(16) };
    fewer.write(&folder.path("activations-other.safetensors"));
    let other = folder.name("activations-other.safetensors");
    let message = refused(&lab(&["probe", "--activations", &last, "--against", &other]));
    assert!(message.contains("other tracks or classes"), "{message}");
}

#[test]
fn separated_clusters_are_found_and_matched_with_their_classes() {
    let folder = Folder::new();
    let planted = Planted {
        classes: &["a", "b", "c", "d"],
        tracks_per_class: 10,
        places: vec![
            ("residual.0".to_owned(), 1.0),
            ("residual.1".to_owned(), 60.0),
            ("attention.0".to_owned(), 6.0),
        ],
        ..Planted::two_classes(24)
    };
    let activations = folder.planted(&planted);
    let plot = folder.name("cluster.svg");
    let found = succeeded(&lab(&["cluster", "--activations", &activations, "--plot", &plot, "--json"]));
    let svg = std::fs::read_to_string(&plot).unwrap();
    // White ground, two indices at three places, a matrix for each site, and a frame.
    assert_eq!(svg.matches("<rect").count(), 1 + 2 * 3 + 2 * 16 + 1);
    for place in ["residual stream of layer 1", "attention output of layer 0"] {
        assert!(svg.contains(&format!("Jaccard index of clusters and classes at the {place}")), "{place}");
    }
    let refusal = refused(&lab(&["cluster", "--activations", &activations, "--plot", "a.png"]));
    assert!(refusal.contains("ends in .svg"), "{refusal}");
    assert_eq!((&found["best"]["site"], &found["best"]["layer"]), (&"residual".into(), &1.into()));
    let ari = |index: usize| found["places"][index]["ari"].as_f64().unwrap();
    assert!((found["places"][1]["nmi"].as_f64().unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(ari(1), 1.0);
    assert!(ari(0) < 0.1 && (0.1..0.9).contains(&ari(2)), "{found}");
    let identity = serde_json::json!([
        [1.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 1.0]
    ]);
    assert_eq!(found["jaccard"]["matrix"], identity);
    assert_eq!(found["jaccard"]["classes"], serde_json::json!(["a", "b", "c", "d"]));

    let more = succeeded(&lab(&["cluster", "--activations", &activations, "--clusters", "6", "--json"]));
    assert_eq!(more["jaccard"]["matrix"].as_array().unwrap().len(), 6);
    let too_many = refused(&lab(&["cluster", "--activations", &activations, "--clusters", "201"]));
    assert!(too_many.contains("1 to 200"), "{too_many}");
}

#[test]
fn a_long_file_is_read_in_chunks_of_a_few_megabytes() {
    let folder = Folder::new();
    let planted = Planted {
        tracks_per_class: 1_000,
        places: vec![("residual.0".to_owned(), 1.0)],
        ..Planted::two_classes(256)
    };
    let activations = Activations::open(&[PathBuf::from(folder.planted(&planted))]).unwrap();
    let rows: Vec<usize> = (0..activations.samples().rows()).filter(|row| row % 3 > 0).collect();
    let (mut seen, mut chunks) = (Vec::new(), 0);
    let read = activations.read(activations.places()[0], &rows, |numbers, values| {
        assert_eq!(values.dim(), (numbers.len(), 256));
        assert!(values.len() * size_of::<f64>() <= 8 << 20);
        seen.extend_from_slice(numbers);
        chunks += 1;
        Ok(())
    });
    read.unwrap();
    assert_eq!(seen, rows);
    assert!(chunks > 1);
}

/// A sound file of 4 rows, 2 wide, with one thing changed.
fn broken(path: &Path, change: impl Fn(&mut Vec<(String, Dtype, Vec<usize>, Vec<u8>)>)) {
    let whole = |values: [i64; 4]| values.map(i64::to_le_bytes).concat();
    let floats = |values: [f32; 8]| values.map(f32::to_le_bytes).concat();
    let values = floats([1.0, 2.0, 3.0, 4.0, 2.0, 3.0, 4.0, 5.0]);
    let mut tensors = vec![
        ("label".to_owned(), Dtype::I64, vec![4], whole([0, 0, 1, 1])),
        ("track".to_owned(), Dtype::I64, vec![4], whole([0, 1, 2, 3])),
        ("residual.0".to_owned(), Dtype::F32, vec![4, 2], values),
    ];
    change(&mut tensors);
    let metadata = HashMap::from([("classes".to_owned(), r#"["a","b"]"#.to_owned())]);
    write_tensors(path, &tensors, metadata);
}

#[test]
fn whatever_is_off_is_said_in_a_sentence_and_leaves_no_file() {
    let whole = |values: [i64; 4]| values.map(i64::to_le_bytes).concat();
    type Tensors = Vec<(String, Dtype, Vec<usize>, Vec<u8>)>;
    type Change<'a> = &'a dyn Fn(&mut Tensors);
    let cases: [(&str, Change<'_>); 13] = [
        ("\"label\" is missing", &|tensors| drop(tensors.remove(0))),
        ("\"track\" is missing", &|tensors| drop(tensors.remove(1))),
        ("no activations", &|tensors| drop(tensors.remove(2))),
        ("4 labels and 2 tracks", &|tensors| {
            tensors[1].2 = vec![2];
            tensors[1].3.truncate(16);
        }),
        ("F32 with 4 rows", &|tensors| tensors[2].2 = vec![2, 4]),
        ("should be I64", &|tensors| tensors[0].1 = Dtype::F64),
        ("names no layer", &|tensors| tensors[2].0 = "residual.x".to_owned()),
        ("names no layer", &|tensors| tensors[2].0 = "residual.99999999".to_owned()),
        ("row 2 of \"residual.0\" holds NaN", &|tensors| {
            tensors[2].3[16..20].copy_from_slice(&f32::NAN.to_le_bytes());
        }),
        ("row 3 of \"residual.0\" holds inf", &|tensors| {
            tensors[2].3[28..32].copy_from_slice(&f32::INFINITY.to_le_bytes());
        }),
        ("of the class b;", &|tensors| tensors[0].3 = whole([1, 1, 1, 1])),
        ("labels here go from 0 to 1", &|tensors| tensors[0].3 = whole([0, 0, 1, 2])),
        ("track 1 has rows of class 0 and of class 1", &|tensors| tensors[1].3 = whole([0, 1, 1, 3])),
    ];
    let folder = Folder::new();
    let (file, out) = (folder.path("activations.safetensors"), folder.name("v.safetensors"));
    let directions = |more: &[&str]| {
        let common = ["directions", "--activations", file.to_str().unwrap(), "--out", &out, "--json"];
        lab(&[&common[..], more].concat())
    };
    for (expected, change) in cases {
        broken(&file, change);
        let message = refused(&directions(&[]));
        assert!(message.contains(expected), "{expected}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        assert_eq!(folder.others(), [""; 0]);
    }
    broken(&file, |tensors| tensors[1].3 = whole([0, 0, 2, 3]));
    assert!(refused(&directions(&[])).contains("the class a has a single track"));
    broken(&file, |_| {});
    for (expected, options) in [
        ("no examples of a class called \"c\"; the classes here are a, b", ["--plus", "c"]),
        ("name the class to go to", ["--minus", "a"]),
        ("0 or more", ["--ridge=-1", "--method=mse"]),
        ("above 0", ["--c", "0"]),
        ("two folds", ["--folds", "1"]),
        ("counted from 1", ["--shard", "0/2"]),
        ("no method", ["--method", "svm"]),
    ] {
        let message = refused(&directions(&options));
        assert!(message.contains(expected), "{expected}: {message}");
    }
    std::fs::write(&file, b"not a file of tensors").unwrap();
    assert!(refused(&directions(&[])).contains("no safetensors file"));
    std::fs::remove_file(&file).unwrap();
    assert!(refused(&directions(&[])).contains("cannot read"));
    assert_eq!(folder.others(), [""; 0]);

    broken(&file, |_| {});
    succeeded(&directions(&[]));
    assert_eq!(folder.others(), ["v.safetensors"]);
}

/// 40 tracks of a row each, with two concepts that have nothing to do with each other, along two axes.
fn two_concepts(path: &Path, labels: &[(&str, Vec<usize>, Vec<i64>)], metadata: &[(&str, &str)]) {
    let mut normal = common::planted::normal("two concepts");
    let values: Vec<u8> = (0..40_u8)
        .flat_map(|row| {
            let [loud, fast] = [row % 2, (row / 2) % 2].map(|side| 6.0 * (f64::from(side) - 0.5));
            [loud + normal(), fast + normal(), normal()]
        })
        .flat_map(|value| (value as f32).to_le_bytes())
        .collect();
    let tracks: Vec<u8> = (0..40_i64).flat_map(i64::to_le_bytes).collect();
    let mut tensors = vec![
        ("track".to_owned(), Dtype::I64, vec![40], tracks),
        ("residual.0".to_owned(), Dtype::F32, vec![40, 3], values),
    ];
    for (name, shape, numbers) in labels {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        tensors.push(((*name).to_owned(), Dtype::I64, shape.clone(), bytes));
    }
    let metadata = metadata.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    write_tensors(path, &tensors, metadata);
}

#[test]
fn each_of_several_labels_is_probed_and_learnt() {
    let folder = Folder::new();
    let both: Vec<i64> = (0..40).flat_map(|row| [row % 2, (row / 2) % 2]).collect();
    let file = folder.path("activations.safetensors");
    two_concepts(&file, &[("label", vec![40, 2], both.clone())], &[("classes", r#"["loud","fast"]"#)]);
    let data = ["--activations", file.to_str().unwrap()];
    let run = |command: &str, more: &[&str]| lab(&[&[command][..], &data, more].concat());
    let axis = |name: &str| {
        let vector = Vector::open(&folder.path(name)).unwrap();
        vector.direction(Site::Residual, 0).unwrap().values().to_vec()
    };

    // Columns of 0 and 1: a row may be of both classes, and each is a label of its own.
    let probed = succeeded(&run("probe", &["--json"]));
    for (label, name) in probed["labels"].as_array().unwrap().iter().zip(["loud", "fast"]) {
        assert_eq!(label["data"]["label"], name);
        let accuracy = label["places"][0]["accuracy"]["value"].as_f64().unwrap();
        assert!(accuracy > 0.95, "{name}: {accuracy}");
    }
    for method in ["mse", "bce"] {
        let out = folder.name("v.safetensors");
        let learnt = succeeded(&run("directions", &["--method", method, "--out", &out, "--json"]));
        assert_eq!(learnt.as_array().unwrap().len(), 2);
        for (name, along) in [("loud", [1.0, 0.0, 0.0]), ("fast", [0.0, 1.0, 0.0])] {
            let found = axis(&format!("v-{name}.safetensors"));
            assert!(cosine(&found, &along) > 0.95, "{method} {name}: {found:?}");
            let vector = Vector::open(&folder.path(&format!("v-{name}.safetensors"))).unwrap();
            assert_eq!(vector.metadata()["labels"], format!(r#"["{name}","not {name}"]"#));
        }
    }
    let clusters = succeeded(&run("cluster", &["--label", "fast", "--json"]));
    assert_eq!(clusters["data"]["label"], "fast");
    let error = refused(&run("statistics", &["--shard", "1/2", "--out", &folder.name("sums")]));
    assert!(error.contains("choose the label to ask about: loud, fast"), "{error}");
    assert!(refused(&run("probe", &["--label", "slow"])).contains("no label called \"slow\""));

    // Labels in tensors of their own: the first is asked about unless one is named.
    let column = |at: usize| both.iter().copied().skip(at).step_by(2).collect::<Vec<_>>();
    let labels = [("label", vec![40], column(0)), ("label.speed", vec![40], column(1))];
    let names =
        [("classes", r#"["soft","loud"]"#), ("label_name", "level"), ("classes.speed", r#"["slow","fast"]"#)];
    two_concepts(&file, &labels, &names);
    let alone = succeeded(&run("probe", &["--json"]));
    assert_eq!(
        (&alone["data"]["label"], &alone["data"]["classes"][1]["name"]),
        (&"level".into(), &"loud".into())
    );
    let out = folder.name("fast.safetensors");
    succeeded(&run("directions", &["--label", "speed", "--plus", "fast", "--out", &out, "--json"]));
    assert!(cosine(&axis("fast.safetensors"), &[0.0, 1.0, 0.0]) > 0.95);
    let plot = folder.name("both.svg");
    let both_labels = succeeded(&run("probe", &["--label", "level,speed", "--plot", &plot, "--json"]));
    assert_eq!(both_labels["labels"].as_array().unwrap().len(), 2);
    let svg = std::fs::read_to_string(&plot).unwrap();
    assert!(svg.contains("R2 of level on held-out") && svg.contains("R2 of speed on held-out"));

    let wrong = |labels: &[(&str, Vec<usize>, Vec<i64>)], names: &[(&str, &str)]| {
        two_concepts(&file, labels, names);
        refused(&run("probe", &[]))
    };
    let three = [("classes", r#"["a","b","c"]"#)];
    assert!(wrong(&[("label", vec![40, 2], both.clone())], &three).contains("2 columns"));
    let twos = both.iter().map(|value| value * 2).collect();
    assert!(wrong(&[("label", vec![40, 2], twos)], &[]).contains("from 0 to 1"));
    let short = [("label", vec![40], column(0)), ("label.speed", vec![20, 2], both.clone()[..40].to_vec())];
    assert!(wrong(&short, &[]).contains("\"label.speed\" should be I64 with one axis"));
}
