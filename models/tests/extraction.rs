//! From audio to activations: what is read is what generating would have held, and a run that was interrupted goes on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::Value;
use tiller_models::bundle::Precision;
use tiller_models::codes::Codes;
use tiller_models::lab::{
    Activations, ExtractionSettings, LabError, Layout, PieceSettings, Place, Pooling, Prompts, Shard,
    extract, extract_pieces,
};
use tiller_models::musicgen::{
    Cancel, Engine, EngineOptions, GenerateError, Generation, Reading, Recipe, Sampling,
};
use tiller_models::steering::{Site, Vector};

use common::Checkpoint::Small;
use common::planted::normal;
use common::{difference, peak};

const FRAMES: usize = 50;

fn engine() -> Arc<Engine> {
    let options = EngineOptions { precision: Some(Precision::F32), ..EngineOptions::default() };
    Engine::load(Small.bundle(), &options).unwrap()
}

/// What generating a piece held, by position: residual streams and attention outputs; and its codes.
fn generated(engine: &Arc<Engine>, prompt: &str, seed: u64) -> (BTreeMap<usize, [Vec<f32>; 2]>, Codes) {
    let recipe = Recipe { guidance: 1.0, ..Recipe::plain(engine, prompt, seed, FRAMES) };
    let mut generation = Generation::new(engine, recipe, &[], &Cancel::new()).unwrap();
    let delay = *Small.bundle().architecture().delays.iter().max().unwrap();
    let mut held = BTreeMap::new();
    while generation.advance().unwrap().is_some() {
        let position = generation.progress().frames - 1 + delay;
        held.insert(position, Site::ALL.map(|site| generation.activations(site).unwrap().to_vec()));
    }
    (held, generation.codes())
}

#[test]
fn reading_a_take_holds_what_generating_it_held() {
    let engine = engine();
    let prompt = "a bright marimba";
    let (held, codes) = generated(&engine, prompt, 5);

    let mut reading = Reading::new(&engine, prompt, FRAMES, &Cancel::new()).unwrap();
    for (every, expected) in [(1, 50), (7, 8), (50, 1), (80, 1)] {
        let mut positions = Vec::new();
        let read = reading.read(&codes, NonZeroUsize::new(every).unwrap(), |found| {
            positions.push(found.position);
            let Some([residual, attention]) = held.get(&found.position) else { return };
            for (found, held) in [(found.residual, residual), (found.attention, attention)] {
                let difference = difference(found, held);
                assert!(difference < 1e-4 * peak(held).max(1.0), "{every}: {difference}");
            }
        });
        read.unwrap();
        assert_eq!((positions.len(), positions.last()), (expected, Some(&FRAMES)));
    }

    // Another prompt is held otherwise, and music that is too long is refused.
    let mut other = Reading::new(&engine, "", FRAMES, &Cancel::new()).unwrap();
    let mut change = 0.0;
    let last = NonZeroUsize::new(FRAMES).unwrap();
    other.read(&codes, last, |found| change = difference(found.residual, &held[&FRAMES][0])).unwrap();
    assert!(change > 1e-3);
    let Err(error) = Reading::new(&engine, "", 1_000, &Cancel::new()) else { panic!() };
    assert!(error.to_string().contains("at most 1.20 s"), "{error}");
}

fn wav(path: &Path, sample_rate: u32, samples: impl Iterator<Item = f64>) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    samples.for_each(|sample| writer.write_sample(sample as f32).unwrap());
    writer.finalize().unwrap();
}

/// Six tracks of two seconds and a bit a class: tones and noise, one track a class with a silent second.
fn audio(root: &Path) {
    for class in ["noise", "tone"] {
        fs::create_dir(root.join(class)).unwrap();
        for track in 0..6 {
            let mut noise = normal(&format!("{class} {track}"));
            let pitch = 0.1 + 0.02 * f64::from(track);
            let samples = (0..4_500_u32).map(|time| match (track, time, class) {
                (5, 2_000.., _) => 0.0,
                (_, _, "noise") => 0.2 * noise(),
                _ => 0.5 * (pitch * f64::from(time)).sin(),
            });
            wav(&root.join(class).join(format!("{track}.wav")), 2_000, samples);
        }
    }
}

fn lab(arguments: &[&str]) -> Output {
    let mut tiller = Command::new(env!("CARGO_BIN_EXE_tiller"));
    tiller.env("TILLER_BUNDLE", Small.bundle().root()).arg("lab").args(arguments).output().unwrap()
}

fn refused(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn folders_of_audio_become_activations_that_a_direction_is_learnt_from() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, out, vector) = (name("data"), name("a.safetensors"), name("v.safetensors"));
    fs::create_dir(&data).unwrap();
    audio(data.as_ref());
    let tone = Path::new(&data).join("tone");
    wav(&tone.join("short.wav"), 2_000, (0..100).map(|_| 0.5));
    // At another rate: one segment more.
    wav(&tone.join("fast.wav"), 44_100, (0..44_100).map(|time| 0.5 * (f64::from(time) / 20.0).sin()));
    fs::write(tone.join("broken.wav"), b"RIFF").unwrap();
    fs::write(tone.join("notes.txt"), b"no audio").unwrap();

    let output = lab(&["activations", "--data", &data, "--seconds", "1", "--out", &out, "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["segments"], &found["resumed"]), (&23.into(), &0.into()));
    let skipped = found["skipped"].to_string();
    assert_eq!(found["skipped"].as_array().unwrap().len(), 4, "{skipped}");
    for reason in ["shorter than one segment", "broken.wav", "1 of its segments are silent"] {
        assert!(skipped.contains(reason), "{skipped}");
    }
    let activations = Activations::open(&[out.clone().into()]).unwrap();
    assert_eq!(activations.samples().classes(), ["noise", "tone"]);
    assert_eq!(activations.samples().tracks().len(), 13);
    assert_eq!(activations.places().len(), 10);
    assert_eq!(activations.model(), Some(Small.bundle().manifest().source.sha256.as_str()));

    let learnt = lab(&["directions", "--activations", &out, "--plus", "tone", "--out", &vector]);
    assert!(learnt.status.success(), "{}", String::from_utf8_lossy(&learnt.stderr));
    let vector = Vector::open(vector.as_ref()).unwrap();
    assert!(vector.check(Small.bundle().architecture()).is_ok() && vector.warning(Small.bundle()).is_none());

    // Each tenth position is a row.
    let each = ["--pool", "each", "--every", "10", "--seconds", "1", "--json"];
    assert!(lab(&[&["activations", "--data", &data, "--out", &out][..], &each].concat()).status.success());
    assert_eq!(Activations::open(&[out.clone().into()]).unwrap().samples().rows(), 23 * 5);

    // Two recordings of each class: two seconds of each, but for what is skipped.
    let drawn = ["--per-class", "2", "--seed", "3", "--seconds", "1", "--json"];
    assert!(lab(&[&["activations", "--data", &data, "--out", &out][..], &drawn].concat()).status.success());
    assert!(Activations::open(&[out.clone().into()]).unwrap().samples().tracks().len() <= 4);

    let mut files: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["a.safetensors", "data", "v.safetensors"]);
}

#[test]
fn an_interrupted_run_goes_on_and_ends_in_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    audio(folder.path());
    let listed = Layout::Folders.list(folder.path()).unwrap();
    let settings = ExtractionSettings {
        prompt: String::new(),
        frames: FRAMES,
        pooling: vec![Pooling::Mean],
        every: NonZeroUsize::new(20).unwrap(),
        heads: false,
        shard: Shard::WHOLE,
    };
    let engine = engine();
    let partial = folder.path().join(".partial");
    let run = |stop_at: Option<usize>| {
        let cancel = Cancel::new();
        extract(&engine, &listed, &settings, &partial, &cancel, |done| {
            if stop_at == Some(done) {
                cancel.cancel();
            }
        })
    };
    let bytes = |stopped: bool| {
        let found = run(None).unwrap();
        assert_eq!(found.resumed() > 0, stopped);
        assert_eq!(found.segments(), 22);
        let mut bytes = Vec::new();
        found.write(0, &mut bytes).unwrap();
        found.finish().unwrap();
        bytes
    };
    let whole = bytes(false);
    assert!(!partial.exists());

    let error = run(Some(7)).unwrap_err();
    assert!(matches!(error, LabError::Model(GenerateError::Cancelled)), "{error}");
    fs::OpenOptions::new().append(true).open(&partial).unwrap().write_all(b"half a record").unwrap();
    let changed = ExtractionSettings { prompt: "music".to_owned(), ..settings.clone() };
    let other = extract(&engine, &listed, &changed, &partial, &Cancel::new(), |_| {}).unwrap_err();
    assert!(other.to_string().contains("another extraction"), "{other}");
    assert_eq!(bytes(true), whole);
}

#[test]
fn twins_that_a_table_names_stay_together() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let data = name("data");
    fs::create_dir(&data).unwrap();
    audio(data.as_ref());
    let rows = (0..5).map(|track| format!("noise/{track}.wav,{track}\ntone/{track}.wav,{track}\n"));
    fs::write(Path::new(&data).join("info.csv"), format!("file,pair\n{}", rows.collect::<String>())).unwrap();
    let read = |more: &[&str]| {
        let always = ["activations", "--data", &data, "--seconds", "1"];
        let output = lab(&[&always, more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let [whole, first, second] = ["a.safetensors", "b.safetensors", "c.safetensors"].map(name);
    read(&["--out", &whole]);
    // Twins may be in different shares of the work.
    read(&["--out", &first, "--shard", "1/2"]);
    read(&["--out", &second, "--shard", "2/2"]);
    for files in [vec![whole.clone()], vec![first.clone(), second]] {
        let files: Vec<_> = files.into_iter().map(Into::into).collect();
        let activations = Activations::open(&files).unwrap();
        let mut groups: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for track in activations.samples().tracks() {
            groups.entry(track.group).or_default().push(track.class);
        }
        let mut classes: Vec<_> = groups.into_values().collect();
        classes.iter_mut().for_each(|classes| classes.sort_unstable());
        classes.sort();
        let pairs = std::iter::repeat_n(vec![0, 1], 5);
        let expected: Vec<_> = std::iter::once(vec![0]).chain(pairs).chain([vec![1]]).collect();
        assert_eq!(classes, expected);
    }
    fs::remove_file(Path::new(&data).join("info.csv")).unwrap();
    let other = name("d.safetensors");
    read(&["--out", &other]);
    let error = Activations::open(&[whole.into(), other.into()]).unwrap_err().to_string();
    assert!(error.contains("the other does not"), "{error}");
}

#[test]
fn audio_that_cannot_be_learnt_from_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("a.safetensors"));
    let run = |seconds: &str| {
        let paths = [data.to_str().unwrap(), out.to_str().unwrap()];
        refused(&lab(&["activations", "--data", paths[0], "--out", paths[1], "--seconds", seconds]))
    };
    assert!(run("1").contains("cannot read"));
    fs::create_dir_all(data.join("one")).unwrap();
    assert!(run("1").contains("make one for each of two classes"));
    fs::create_dir(data.join("two")).unwrap();
    assert!(run("1").contains("holds no audio file"));
    wav(&data.join("one/a.wav"), 2_000, (0..2_000).map(|time| f64::from(time % 20) / 20.0));
    wav(&data.join("two/b.wav"), 2_000, (0..2_000).map(|_| 0.0));
    assert!(run("1").contains("nothing in the class two can be used"));
    assert!(run("5").contains("at most 1.20 s"));
    fs::copy(data.join("one/a.wav"), data.join("two/b.wav")).unwrap();
    fs::remove_file(folder.path().join("a.safetensors.partial")).unwrap();
    assert!(run("1").contains("the same recording as one of the class one"));
    assert!(!out.exists());
}

/// For each track the sum of all that its rows hold at the first place.
fn sums(activations: &Activations) -> Vec<f64> {
    let samples = activations.samples();
    let rows: Vec<usize> = (0..samples.rows()).collect();
    let mut sums = vec![0.0; samples.tracks().len()];
    let read = activations.read(activations.places()[0], &rows, |numbers, values| {
        for (&row, values) in numbers.iter().zip(values.outer_iter()) {
            sums[samples.track_of(row)] += values.sum();
        }
        Ok(())
    });
    read.unwrap();
    sums
}

/// A tensor's bytes in an activation file.
fn tensor(path: &Path, name: &str) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    safetensors::SafeTensors::deserialize(&bytes).unwrap().tensor(name).unwrap().data().to_vec()
}

#[test]
fn one_reading_serves_several_choices_of_positions_and_shares_of_it_are_read_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let data = name("data");
    fs::create_dir(&data).unwrap();
    audio(data.as_ref());
    let read = |more: &[&str]| {
        let common = ["activations", "--data", &data, "--seconds", "1", "--every", "20", "--json"];
        let output = lab(&[&common[..], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let all = read(&["--pool", "mean,last,each", "--out", &name("a.safetensors")]);
    assert_eq!(all["out"].as_array().unwrap().len(), 3);
    for pool in ["mean", "last", "each"] {
        let alone = name("alone.safetensors");
        read(&["--pool", pool, "--out", &alone]);
        let together = name(&format!("a-{pool}.safetensors"));
        for (site, layer) in [("residual", 0), ("attention", 4)] {
            let floats = |file: &str| -> Vec<f32> {
                let bytes = tensor(file.as_ref(), &format!("{site}.{layer}"));
                bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
            };
            let (alone, together) = (floats(&alone), floats(&together));
            // The last position alone is read in one block, and rounds otherwise.
            assert!(difference(&alone, &together) < 1e-4 * peak(&alone).max(1.0), "{pool}");
        }
        let opened = Activations::open(&[together.into()]).unwrap();
        assert_eq!(opened.samples().rows(), if pool == "each" { 66 } else { 22 });
        assert!(opened.positions().unwrap().contains(if pool == "last" { "last" } else { "every 20th" }));
    }

    let shares: Vec<String> = (1..=3)
        .map(|share| {
            let out = name(&format!("share-{share}.safetensors"));
            read(&["--shard", &format!("{share}/3"), "--out", &out]);
            out
        })
        .collect();
    let whole = Activations::open(&[name("a-mean.safetensors").into()]).unwrap();
    let shares = Activations::open(&shares.iter().map(Into::into).collect::<Vec<_>>()).unwrap();
    assert_eq!(shares.samples().tracks(), whole.samples().tracks());
    // The same rows of the same tracks, in another order.
    let (shares, whole) = (sums(&shares), sums(&whole));
    assert!(shares.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-3), "{shares:?} {whole:?}");
}

const PROMPTS: &str = "pad\ta warm pad\npad\ta slow, airy pad\nbell\tbells\nbell\ta bright marimba\n";

#[test]
fn what_the_model_plays_is_read_as_it_was_held_and_goes_on_after_an_interruption() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("prompts.txt");
    fs::write(&list, PROMPTS).unwrap();
    let prompts = Prompts::open(&list).unwrap();
    let engine = engine();
    let pieces =
        PieceSettings { seed: 5, seeds: 2, guidance: 1.0, sampling: Sampling::default(), own_prompt: true };
    let settings = ExtractionSettings {
        prompt: String::new(),
        frames: FRAMES,
        pooling: vec![Pooling::Last],
        every: NonZeroUsize::MIN,
        heads: false,
        shard: Shard::WHOLE,
    };
    let (partial, out) = (folder.path().join(".partial"), folder.path().join("a.safetensors"));
    let run = |pieces: &PieceSettings, stop_at: Option<usize>| {
        let cancel = Cancel::new();
        extract_pieces(&engine, &prompts, pieces, &settings, &partial, &cancel, |done| {
            if stop_at == Some(done) {
                cancel.cancel();
            }
        })
    };
    let bytes = |resumed: usize| {
        let found = run(&pieces, None).unwrap();
        assert_eq!((found.segments(), found.resumed()), (8, resumed));
        let mut bytes = Vec::new();
        found.write(0, &mut bytes).unwrap();
        found.finish().unwrap();
        bytes
    };
    let whole = bytes(0);
    fs::write(&out, &whole).unwrap();
    let activations = Activations::open(std::slice::from_ref(&out)).unwrap();
    let samples = activations.samples();
    assert_eq!((samples.classes(), samples.rows()), (&["bell", "pad"].map(str::to_owned)[..], 8));
    // A prompt is a track: both of its pieces are on one side of every split.
    assert_eq!(samples.tracks().iter().map(|track| track.rows).collect::<Vec<_>>(), [2; 4]);

    // The third piece is the second class-sorted prompt's first: "a bright marimba", seed 5.
    let (held, _) = generated(&engine, "a bright marimba", 5);
    for (site, held) in Site::ALL.into_iter().zip(&held[&FRAMES]) {
        for layer in 0..5 {
            let bytes = tensor(&out, &format!("{site}.{layer}"));
            let values: Vec<f32> =
                bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect();
            let width = values.len() / 8;
            let (found, held) = (&values[2 * width..3 * width], &held[layer * width..(layer + 1) * width]);
            assert!(difference(found, held) < 1e-4 * peak(held).max(1.0), "{site} {layer}");
        }
    }

    let error = run(&pieces, Some(5)).unwrap_err();
    assert!(matches!(error, LabError::Model(GenerateError::Cancelled)), "{error}");
    let other = run(&PieceSettings { guidance: 3.0, ..pieces.clone() }, None).unwrap_err();
    assert!(other.to_string().contains("another extraction"), "{other}");
    assert_eq!(bytes(5), whole);
    let none = run(&PieceSettings { seeds: 0, ..pieces.clone() }, None).unwrap_err();
    assert!(none.to_string().contains("one seed or more"), "{none}");
}

#[test]
fn a_list_of_prompts_becomes_an_activation_file() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (list, out) = (name("prompts.csv"), name("a.safetensors"));
    fs::write(&list, "class,prompt\npad,a warm pad\nbell,bells\n").unwrap();
    let common = ["activations", "--prompts", &list, "--seconds", "0.5", "--out", &out, "--json"];
    let output = lab(&[&common[..], &["--seeds", "3", "--guidance", "1"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    // With one prompt of a class, its pieces are tracks.
    assert!(found["tracks_are"].as_str().unwrap().starts_with("pieces are tracks"), "{found}");
    let activations = Activations::open(&[out.clone().into()]).unwrap();
    assert_eq!((activations.samples().rows(), activations.samples().tracks().len()), (6, 6));

    let refused = |more: &[&str]| refused(&lab(&[&common[..], more].concat()));
    assert!(refused(&[]).contains("--seeds"));
    assert!(refused(&["--seeds", "1", "--data", "."]).contains("cannot be used with"));
    assert!(refused(&["--seeds", "1", "--own-prompt", "--prompt", "music"]).contains("one of the two"));
    fs::write(&list, "class,prompt\npad,a warm pad\n").unwrap();
    assert!(refused(&["--seeds", "1"]).contains("1 classes"));
}

#[test]
fn several_columns_of_a_table_are_labels_and_heads_are_places() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, out) = (name("data"), name("a.safetensors"));
    fs::create_dir(&data).unwrap();
    audio(data.as_ref());
    let mut table = "file,kind,pitch\n".to_owned();
    for (class, track) in
        ["noise", "tone"].into_iter().flat_map(|class| (0..5).map(move |track| (class, track)))
    {
        let pitch = ["low", "high"][track % 2];
        table.push_str(&format!("{class}/{track}.wav,{class},{pitch}\n"));
    }
    fs::write(Path::new(&data).join("info.csv"), table).unwrap();
    let table = ["activations", "--data", &data, "--layout", "syntheory", "--class-column", "kind,pitch"];
    let more = ["--seconds", "1", "--heads", "--out", &out, "--json"];
    let output = lab(&[&table[..], &more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let paths = [out.clone().into()];
    let kinds = Activations::open(&paths).unwrap();
    assert_eq!(
        (kinds.label(), kinds.samples().classes()),
        ("kind", &["noise", "tone"].map(str::to_owned)[..])
    );
    let pitches = Activations::open_label(&paths, "pitch").unwrap();
    assert_eq!(pitches.samples().classes(), ["high", "low"]);
    assert_eq!((pitches.samples().rows_of(0), pitches.samples().rows_of(1)), (8, 12));

    // The sites of 5 layers, and the heads of each.
    let architecture = Small.bundle().architecture();
    assert_eq!(kinds.places().len(), 5 * (2 + architecture.heads));
    assert_eq!(kinds.width(), architecture.width);
    let head = Place::of_head(4, architecture.heads - 1);
    assert_eq!(kinds.width_at(head), architecture.head_width());
    let probed = lab(&["probe", "--activations", &out, "--permutations", "5", "--json"]);
    assert!(probed.status.success(), "{}", String::from_utf8_lossy(&probed.stderr));
    let probed: Value = serde_json::from_slice(&probed.stdout).unwrap();
    let heads = probed["places"].as_array().unwrap().iter().filter(|place| place["head"].is_u64());
    assert_eq!(heads.count(), 5 * architecture.heads);
    let vector = name("v.safetensors");
    let learnt = lab(&["directions", "--activations", &out, "--out", &vector]);
    assert!(learnt.status.success(), "{}", String::from_utf8_lossy(&learnt.stderr));
    // Steering acts on sites.
    assert_eq!(Vector::open(vector.as_ref()).unwrap().places().count(), 10);
}

/// The output projection of a layer, `[D, D]`, as the importer reads it from the checkpoint.
fn output_projection(layer: usize, width: usize) -> Vec<f32> {
    let bytes = fs::read(Small.folder().join("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let name = format!("decoder.model.decoder.layers.{layer}.self_attn.out_proj.weight");
    let tensor = tensors.tensor(&name).unwrap();
    assert_eq!((tensor.shape(), tensor.dtype()), (&[width, width][..], safetensors::Dtype::F16));
    tensor.data().as_chunks().0.iter().map(|value| half::f16::from_le_bytes(*value).to_f32()).collect()
}

#[test]
fn heads_projected_together_are_the_attention_output() {
    let engine = engine();
    let (_, codes) = generated(&engine, "bells", 3);
    let every = NonZeroUsize::new(20).unwrap();
    let width = Small.bundle().architecture().width;
    let mut plain = Vec::new();
    let mut reading = Reading::new(&engine, "", FRAMES, &Cancel::new()).unwrap();
    let read = reading.read(&codes, every, |held| {
        assert!(held.heads.is_empty());
        plain.push(held.attention.to_vec());
    });
    read.unwrap();
    let mut reading = Reading::with_heads(&engine, "", FRAMES, &Cancel::new()).unwrap();
    let mut stops = 0;
    let read = reading.read(&codes, every, |held| {
        // The graph with one output more holds the same.
        assert_eq!(held.attention, plain[stops]);
        stops += 1;
        for layer in 0..5 {
            let of_layer = layer * width..(layer + 1) * width;
            let (mixed, attention) = (&held.heads[of_layer.clone()], &held.attention[of_layer]);
            let weights = output_projection(layer, width);
            let projected: Vec<f32> = weights
                .chunks_exact(width)
                .map(|row| row.iter().zip(mixed).map(|(weight, value)| weight * value).sum())
                .collect();
            let difference = difference(&projected, attention);
            assert!(difference < 1e-4 * peak(attention).max(1.0), "{layer}: {difference}");
        }
    });
    read.unwrap();
    assert_eq!(stops, plain.len());
}

/// Writes the files of each class's folder as rows of a Parquet file, in two row groups.
fn parquet(data: &Path, path: &Path) {
    let schema =
        "message schema { optional group audio { optional binary bytes; } optional binary genre (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    for half in 0..2 {
        let rows: Vec<(&str, Vec<u8>)> = ["tone", "noise"]
            .into_iter()
            .flat_map(|class| (half * 3..half * 3 + 3).map(move |track| (class, track)))
            .map(|(class, track)| (class, fs::read(data.join(class).join(format!("{track}.wav"))).unwrap()))
            .collect();
        let columns: [(i16, Vec<ByteArray>); 2] = [
            (2, rows.iter().map(|(_, bytes)| ByteArray::from(bytes.clone())).collect()),
            (1, rows.iter().map(|(class, _)| ByteArray::from(*class)).collect()),
        ];
        let mut group = writer.next_row_group().unwrap();
        for (level, values) in columns {
            let mut column = group.next_column().unwrap().unwrap();
            let levels = vec![level; values.len()];
            column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn audio_in_parquet_is_read_as_in_folders() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let data = name("data");
    fs::create_dir(&data).unwrap();
    audio(data.as_ref());
    parquet(data.as_ref(), &folder.path().join("train-00000.parquet"));
    let read = |data: &str, layout: &str, out: &str| {
        let paths = ["activations", "--data", data, "--layout", layout, "--out", out];
        let output = lab(&[&paths[..], &["--seconds", "1", "--json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(found["decoder_seconds"].as_f64().unwrap() > 0.0);
        (Activations::open(&[out.into()]).unwrap(), found)
    };
    let (files, _) = read(&data, "folders", &name("files.safetensors"));
    let (rows, found) = read(&name(""), "parquet", &name("rows.safetensors"));
    assert_eq!(rows.samples().classes(), ["noise", "tone"]);
    assert_eq!(rows.samples().tracks(), files.samples().tracks());
    let (rows, files) = (sums(&rows), sums(&files));
    assert!(rows.iter().zip(&files).all(|(a, b)| (a - b).abs() < 1e-3), "{rows:?} {files:?}");
    // Two rows have a silent second.
    assert!(
        found["skipped"][0]["reason"].as_str().unwrap().starts_with("row 8: 1 of its segments"),
        "{found}"
    );
}
