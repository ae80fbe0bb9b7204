//! The command `tiller`, run as people run it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use common::Checkpoint::{Melody, Small};

fn tiller(arguments: &[&str]) -> Output {
    let bundle = Small.bundle().root();
    Command::new(env!("CARGO_BIN_EXE_tiller")).args(arguments).env("TILLER_BUNDLE", bundle).output().unwrap()
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let output = tiller(arguments);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

fn samples(path: &Path) -> Vec<f32> {
    hound::WavReader::open(path).unwrap().samples::<f32>().map(Result::unwrap).collect()
}

#[test]
fn a_take_is_generated_with_its_label_and_replayed_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("curve.csv"), "seconds,residual\n0,0\n0.5,1\n").unwrap();
    let (wav, label, again) = (path("a.wav"), path("a.json"), path("b.wav"));
    let output = tiller(&[
        "generate",
        "--prompt",
        "a bright marimba",
        "--seconds",
        "1",
        "--seed",
        "5",
        "--temperature",
        "0.9",
        "--top-k",
        "50",
        "--top-p",
        "0.9",
        "--guidance",
        "2",
        "--negative",
        "drums",
        "--precision",
        "f32",
        "--provider",
        "cpu",
        "--threads",
        "1",
        "--steer",
        "residual",
        "--steer",
        "attention:-0.5",
        "--steer-scale",
        "literal",
        "--steer-rows",
        "both",
        "--steer-layers",
        "all",
        "--curve",
        &path("curve.csv"),
        "--out",
        &wav,
        "--label",
        &label,
        "--json",
    ]);
    let result: Value = serde_json::from_str(&succeeded(&output)).unwrap();
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&label).unwrap()).unwrap();
    assert_eq!(result["id"], written["id"]);
    assert_eq!(written["recipe"]["steering"]["slots"][0]["curve"][1], 0.04);
    assert_eq!(written["codes"].as_array().unwrap().len(), Small.bundle().architecture().codebooks);
    for key in ["frame_rate", "sample_rate", "recipe", "provider", "runtime"] {
        assert!(!written[key].is_null(), "{key}");
    }
    succeeded(&tiller(&["replay", &label, "--out", &again, "--quiet"]));
    // The take was made with another number of threads than it is replayed with.
    let (first, second) = (samples(Path::new(&wav)), samples(Path::new(&again)));
    assert_eq!(first.len(), written["sample_rate"].as_u64().unwrap() as usize);
    assert!(
        first.iter().zip(&second).all(|(a, b)| a.to_bits() == b.to_bits()) && first.len() == second.len()
    );
}

#[test]
fn several_takes_go_to_folders_and_each_is_the_one_of_its_seed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let generate = |more: &[&str]| {
        let always = ["generate", "--prompt", "bells", "--seconds", "0.4", "--quiet"];
        succeeded(&tiller(&[always.as_slice(), more].concat()));
    };
    let (many, alone) = (path("many"), path("alone.wav"));
    let many_name = many.to_str().unwrap();
    generate(&["--seed", "7", "--count", "2", "--out", many_name, "--label", many_name]);
    generate(&["--seed", "8", "--out", alone.to_str().unwrap()]);
    assert_eq!(samples(&many.join("8.wav")), samples(&alone));
    assert_ne!(samples(&many.join("7.wav")), samples(&alone));
    let label = std::fs::read_to_string(many.join("7.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&label).unwrap()["recipe"]["seed"], 7);
}

#[test]
fn audio_becomes_tokens_and_tokens_the_audio_that_a_take_of_them_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (wav, label) = (path("a.wav"), path("a.json"));
    let generate = ["generate", "--prompt", "x", "--seconds", "0.5", "--seed", "1", "--quiet"];
    succeeded(&tiller(&[generate.as_slice(), &["--out", &wav, "--label", &label]].concat()));
    succeeded(&tiller(&["decode", &label, "--out", &path("decoded"), "--quiet"]));
    assert_eq!(samples(Path::new(&path("decoded/a.wav"))), samples(Path::new(&wav)));

    succeeded(&tiller(&["encode", &wav, "--out", &path("codes"), "--quiet"]));
    let tokens = std::fs::read_to_string(path("codes/a.json")).unwrap();
    let codes = serde_json::from_str::<Value>(&tokens).unwrap()["codes"].clone();
    let architecture = Small.bundle().architecture();
    assert_eq!(codes.as_array().unwrap().len(), architecture.codebooks);
    let expected = samples(Path::new(&wav)).len() / architecture.codec.samples_per_frame;
    assert!(codes.as_array().unwrap().iter().all(|row| row.as_array().unwrap().len() == expected));
    let decoded = tiller(&["decode", &path("codes/a.json"), "--out", &path("again"), "--json"]);
    assert!(succeeded(&decoded).contains("a.wav"));
    assert_eq!(samples(Path::new(&path("again/a.wav"))).len(), samples(Path::new(&wav)).len());
}

#[test]
fn a_take_goes_on_from_another_or_from_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let codes = |name: &str| {
        let label = std::fs::read_to_string(path(name)).unwrap();
        serde_json::from_str::<Value>(&label).unwrap()["codes"].clone()
    };
    let (wav, label) = (path("a.wav"), path("a.json"));
    let make = |seconds: &str, name: &str, more: &[&str]| {
        let (wav, label) = (path(&format!("{name}.wav")), path(&format!("{name}.json")));
        // In single precision, where one run over the beginning leaves what its steps left.
        let fixed = ["generate", "--prompt", "x", "--seed", "1", "--quiet", "--precision", "f32"];
        tiller(&[&fixed[..], &["--seconds", seconds, "--out", &wav, "--label", &label], more].concat())
    };
    succeeded(&make("1", "a", &[]));
    // With the same seed it goes on as the whole take did.
    succeeded(&make("1", "same", &["--continue", &label, "--from", "0.4"]));
    assert_eq!(codes("same.json"), codes("a.json"));
    succeeded(&make("1.5", "longer", &["--continue", &wav]));
    succeeded(&tiller(&["encode", &wav, "--out", &path("codes"), "--quiet"]));
    let (longer, known) = (codes("longer.json"), codes("codes/a.json"));
    for (row, known) in longer.as_array().unwrap().iter().zip(known.as_array().unwrap()) {
        let (row, known) = (row.as_array().unwrap(), known.as_array().unwrap());
        assert!(row.len() > known.len() && row.starts_with(known));
    }
    let said = |output: Output| {
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(make("9", "b", &["--continue", &wav, "--from", "5"])).contains("beyond its end"));
    assert!(said(make("0.5", "b", &["--continue", &wav])).contains("ask for a longer take"));
    assert!(said(make("1", "b", &["--continue", &path("none.wav")])).contains("none.wav"));
    assert!(!Path::new(&path("b.wav")).exists());
}

#[test]
fn a_take_follows_the_melody_of_a_recording_and_its_label_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (tune, out, label) = (path("tune.wav"), path("a.wav"), path("a.json"));
    let make = ["generate", "--prompt", "x", "--seed", "1", "--quiet"];
    succeeded(&tiller(&[&make[..], &["--seconds", "1", "--out", &tune]].concat()));
    let bundle = Melody.bundle().root().to_str().unwrap();
    let follow = |file: &str, bundle: &str| {
        let told = ["--seconds", "0.5", "--melody", file, "--bundle", bundle];
        tiller(&[&make[..], &told, &["--out", &out, "--label", &label]].concat())
    };
    succeeded(&follow(&tune, bundle));
    let made: Value = serde_json::from_str(&std::fs::read_to_string(&label).unwrap()).unwrap();
    let heard = made["recipe"]["melody"].as_str().unwrap();
    // A second at 2 kHz, a frame each 64 samples.
    assert!(heard.len() == 32 && heard.chars().all(|class| class.is_digit(12)), "{heard}");
    let again = path("again.wav");
    succeeded(&tiller(&["replay", &label, "--out", &again, "--bundle", bundle, "--quiet"]));
    assert_eq!(samples(Path::new(&again)), samples(Path::new(&out)));
    assert!(succeeded(&tiller(&["info", bundle])).contains("12 pitch classes"));

    let said = |output: Output| {
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(follow(&path("none.wav"), bundle)).contains("none.wav"));
    assert!(said(follow(&tune, Small.bundle().root().to_str().unwrap())).contains("hears no melodies"));
}

#[test]
fn what_the_codec_cannot_take_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path("a.wav"), spec).unwrap();
    (0..100).for_each(|_| writer.write_sample(0_i16).unwrap());
    writer.finalize().unwrap();
    std::fs::write(path("a.json"), "{\"codes\": [[1, 2], [3]]}").unwrap();
    std::fs::write(path("far.json"), "{\"codes\": [[60000], [1], [1], [1]]}").unwrap();
    let out = path("out");
    assert!(refused(&["encode", &path("a.wav"), "--out", &out]).contains("44100 samples a second"));
    assert!(refused(&["encode", &path("b.wav"), "--out", &out]).contains("cannot read"));
    assert!(refused(&["encode", &path("a.wav"), &path("a.wav"), "--out", &out]).contains("rename one"));
    assert!(
        refused(&["decode", &path("a.json"), "--out", &out]).contains("no tokens that can be understood")
    );
    assert!(refused(&["decode", &path("far.json"), "--out", &out]).contains("code 60000"));
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.wav");
    let out = out.to_str().unwrap();
    let generate = |more: &[&str]| {
        let mut arguments = vec!["generate", "--prompt", "x", "--seed", "1"];
        arguments.extend_from_slice(more);
        refused(&arguments)
    };
    assert!(generate(&["--seconds", "1", "--out", "/nowhere/a.wav"]).contains("cannot write /nowhere/a.wav"));
    assert!(
        generate(&["--seconds", "1", "--out", folder.path().to_str().unwrap()]).contains("it is a folder")
    );
    assert!(generate(&["--seconds", "0", "--out", out]).contains("the length is 0 s"));
    assert!(generate(&["--seconds", "-1", "--out", out]).contains("the length is -1 s"));
    assert!(generate(&["--seconds", "1e30", "--out", out]).contains("at most 3600 s"));
    assert!(generate(&["--seconds", "nan", "--out", out]).contains("the length is NaN s"));
    assert!(
        generate(&["--seconds", "1", "--out", out, "--steer", "nobody"])
            .contains("which has attention, residual")
    );
    assert!(generate(&["--seconds", "1", "--out", out, "--temperature", "-1"]).contains("temperature"));
    assert!(generate(&["--seconds", "1", "--out", out, "--bundle", "/nowhere"]).contains("is no bundle"));
    assert!(generate(&["--seconds", "1", "--out", out, "--curve", "/nowhere.csv"]).contains("/nowhere.csv"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_vector_from_elsewhere_that_names_no_model_is_used_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("v.safetensors"), folder.path().join("a.wav"));
    let values: Vec<u8> = (0..128_u8).flat_map(|i| f32::from(i).to_le_bytes()).collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![128], &values).unwrap();
    let metadata =
        [("format", "tiller-vector/1"), ("concept", "warmth")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let bytes = safetensors::serialize([("residual.2", view)], Some(metadata.into())).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let (file, out) = (file.to_str().unwrap(), out.to_str().unwrap());
    let output = tiller(&[
        "generate",
        "--prompt",
        "x",
        "--seconds",
        "0.2",
        "--seed",
        "1",
        "--steer",
        file,
        "--out",
        out,
        "--quiet",
    ]);
    succeeded(&output);
    assert!(String::from_utf8(output.stderr).unwrap().contains("warmth does not say which model"));
}

#[test]
fn a_missing_or_foreign_runtime_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("libonnxruntime.so");
    std::fs::write(&foreign, "not a library").unwrap();
    for (library, said) in
        [("/nowhere/libonnxruntime.so", "does not exist"), (foreign.to_str().unwrap(), "does not load")]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_tiller"))
            .args(["doctor", "--bundle", Small.bundle().root().to_str().unwrap()])
            .env("TILLER_ONNXRUNTIME", library)
            .output()
            .unwrap();
        assert!(!output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("TILLER_ONNXRUNTIME") && error.contains(said), "{error}");
    }
}

#[test]
fn bundles_vectors_and_the_machine_are_described() {
    let root = Small.bundle().root().to_str().unwrap();
    assert!(succeeded(&tiller(&["info", root])).contains("5 layers, 128 wide"));
    let info: Value = serde_json::from_str(&succeeded(&tiller(&["info", root, "--json"]))).unwrap();
    assert_eq!(info["id"], Small.bundle().id());
    let doctor: Value = serde_json::from_str(&succeeded(&tiller(&["doctor", "--json"]))).unwrap();
    assert_eq!(doctor["providers"]["cpu"], json!({ "precision": "int8", "error": null }));
    if !cfg!(windows) {
        let reason = doctor["providers"]["directml"]["error"].as_str().unwrap();
        assert!(reason.contains("exists on Windows only"), "{reason}");
    }
    let listed: Value = serde_json::from_str(&succeeded(&tiller(&["vectors", "list", "--json"]))).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let shown: Value =
        serde_json::from_str(&succeeded(&tiller(&["vectors", "show", "residual", "--json"]))).unwrap();
    assert_eq!((&shown["width"], &shown["warning"]), (&128.into(), &Value::Null));
}

/// A control vector recorded by `record_gguf.py`.
fn recorded(name: &str) -> String {
    format!("{}/tests/data/gguf/{name}.gguf", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn vectors_are_combined_compared_and_taken_out_of_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (flute, drums, sum, rest) = (path("flute"), path("drums"), path("sum"), path("rest"));
    succeeded(&tiller(&["vectors", "import", &recorded("repeng"), &flute, "--concept", "flute"]));
    succeeded(&tiller(&["vectors", "import", &recorded("unusual"), &drums, "--concept", "drums"]));

    let line = succeeded(&tiller(&[
        "vectors",
        "combine",
        &format!("{flute}*1.0 + {drums} * -0.5"),
        "--out",
        &sum,
        "--concept",
        "airy",
    ]));
    assert!(line.contains("airy, recommended layers 2"), "{line}");
    let line = succeeded(&tiller(&[
        "vectors",
        "combine",
        "residual*2",
        "residual*-1",
        "--out",
        &path("r"),
        "--json",
    ]));
    let made: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(made["vector"]["concept"], "2 residual - residual");

    // The recorded directions of layer 2 are equal, so that half of one is left.
    let compared = |extra: &[&str]| {
        let arguments = [&["vectors", "similarity", &flute, &drums, &sum][..], extra].concat();
        succeeded(&tiller(&arguments))
    };
    let json: Value = serde_json::from_str(&compared(&["--json"])).unwrap();
    assert!(
        json["matrix"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row.as_array().unwrap())
            .all(|cosine| { (cosine.as_f64().unwrap() - 1.0).abs() < 1e-6 })
    );
    assert_eq!(json["pairs"][0]["places"][0]["layer"], 2);
    let table = compared(&["--layer", "2", "--site", "residual"]);
    assert!(table.contains("airy") && table.matches("1.000").count() == 9, "{table}");
    let table = succeeded(&tiller(&["vectors", "similarity", "residual", "attention"]));
    assert_eq!(table.matches(" -").count(), 2, "{table}");

    let parallel = refused(&["vectors", "project", &flute, "--out-of", &drums, "--out", &rest]);
    assert!(parallel.contains("parallel") && !Path::new(&rest).exists(), "{parallel}");
    let widths = refused(&["vectors", "combine", &flute, "residual", "--out", &rest]);
    assert!(widths.contains("use vectors of one model") && !Path::new(&rest).exists(), "{widths}");
    assert!(refused(&["vectors", "similarity", &flute, &drums, "--layer", "1"]).contains("--site"));
}

#[test]
fn a_vector_leaves_as_gguf_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (gguf, again, twice) = (path("v.gguf"), path("again.safetensors"), path("twice.gguf"));
    succeeded(&tiller(&["vectors", "export", "residual", &gguf]));
    succeeded(&tiller(&["vectors", "import", &gguf, &again]));
    succeeded(&tiller(&["vectors", "export", &again, &twice]));
    assert_eq!(std::fs::read(&gguf).unwrap(), std::fs::read(&twice).unwrap());
    let alike = succeeded(&tiller(&["vectors", "similarity", "residual", &again, "--json"]));
    let alike: Value = serde_json::from_str(&alike).unwrap();
    assert_eq!(alike["matrix"][0][1], alike["matrix"][0][0]);

    assert!(refused(&["vectors", "export", "attention", &path("a.gguf")]).contains("attention output alone"));
    let nameless = refused(&["vectors", "import", &recorded("repeng"), &path("n.safetensors")]);
    assert!(nameless.contains("--concept"), "{nameless}");
    std::fs::write(path("cut.gguf"), &std::fs::read(&gguf).unwrap()[..100]).unwrap();
    let cut = refused(&["vectors", "import", &path("cut.gguf"), &path("n.safetensors")]);
    assert!(cut.contains("ends too early") && !Path::new(&path("n.safetensors")).exists(), "{cut}");
}

#[test]
fn a_described_classifier_hears_files_of_any_format() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let judge = data.join("judge/mel.json").display().to_string();
    let clips = ["flac", "ogg"].map(|end| data.join(format!("audio/tone.{end}")).display().to_string());
    let heard = |more: &[&str]| -> Value {
        let arguments = [&["lab", "judge", &judge, &clips[0], &clips[1], "--json"], more].concat();
        serde_json::from_str(&succeeded(&tiller(&arguments))).unwrap()
    };
    let all = heard(&[]);
    assert_eq!(all["clips"][0]["probabilities"].as_object().unwrap().len(), 3);
    // Vorbis loses next to nothing of a tone.
    for label in ["flute", "drums", "pad"] {
        let [flac, ogg] = [0, 1].map(|clip| all["clips"][clip]["probabilities"][label].as_f64().unwrap());
        assert!((flac - ogg).abs() < 0.05 && flac > 0.0, "{all}");
    }
    let one = heard(&["--labels", "Drums"]);
    assert_eq!(one["clips"][1]["probabilities"].as_object().unwrap().len(), 1);
    assert_eq!(one["clips"][1]["probabilities"]["drums"], all["clips"][1]["probabilities"]["drums"]);
    assert!(refused(&["lab", "judge", &judge, &clips[0], "--labels", "oboe"]).contains("no label \"oboe\""));
}

#[test]
fn a_clap_checkpoint_becomes_a_judge_that_hears_files_and_another_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let judge = folder.path().join("judge").display().to_string();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let checkpoint = data.join("clap/checkpoint").display().to_string();
    let made = succeeded(&tiller(&["lab", "judge-import", &checkpoint, &judge, "--json"]));
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["checkpoint"], "checkpoint");

    let clip = folder.path().join("clip.wav").display().to_string();
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&clip, spec).unwrap();
    (0..8_000_i16).for_each(|time| writer.write_sample(time % 50 * 300).unwrap());
    writer.finalize().unwrap();
    let heard = succeeded(&tiller(&["lab", "judge", &judge, &clip, "--labels", "rock,pop", "--json"]));
    let heard: Value = serde_json::from_str(&heard).unwrap();
    let [rock, pop] =
        ["rock", "pop"].map(|label| heard["clips"][0]["probabilities"][label].as_f64().unwrap());
    assert!((rock + pop - 1.0).abs() < 1e-9 && rock != pop, "{heard}");
    let shown = succeeded(&tiller(&["lab", "judge", &judge, &clip, "--labels", "rock,pop"]));
    let (likely, other) = if rock > pop { ("rock", "pop") } else { ("pop", "rock") };
    assert!(shown.find(&format!("{likely} 0.")) < shown.find(&format!("{other} 0.")), "{shown}");
    assert!(refused(&["lab", "judge", &judge, &clip, "--labels", "rock"]).contains("two labels"));
    assert!(refused(&["lab", "judge", &judge, &clip]).contains("two labels"));
    assert!(refused(&["lab", "judge", &judge, &judge, "--labels", "rock,pop"]).contains("cannot read"));

    let musicgen = data.join("small/checkpoint").display().to_string();
    assert!(refused(&["lab", "judge-import", &musicgen, &judge]).contains("\"musicgen\""));
}

#[test]
fn a_profile_names_every_operator_of_the_graphs() {
    let output = tiller(&["bench", "--profile", "--precision", "f32", "--positions", "4"]);
    let profile: Value = serde_json::from_str(&succeeded(&output)).unwrap();
    let step = &profile["steps"][0];
    assert_eq!(step["position"], 4);
    assert!(step["graph_milliseconds"].as_f64().unwrap() > 0.0);
    let layers = Small.bundle().architecture().layers;
    let attention = "GroupQueryAttention";
    let operators = step["operators"].as_array().unwrap();
    let found = operators.iter().find(|one| one["operator"] == attention).unwrap();
    assert_eq!(found["nodes"], layers);
    assert!(found["milliseconds"].as_f64().unwrap() > 0.0);
    for (graph, operator) in [("codec_latent", "LSTM"), ("codec_wave", "ConvTranspose")] {
        let operators = profile[graph].as_array().unwrap();
        assert!(operators.iter().any(|one| one["operator"] == operator), "{operators:?}");
    }
    let refused = refused(&["bench", "--profile", "--precision", "f32", "--positions", "100000"]);
    assert!(refused.contains("choose an earlier one with --positions"), "{refused}");
}

#[test]
fn a_worker_answers_each_question_in_its_line_and_goes_on_after_what_it_cannot_answer() {
    use std::io::Write;
    use std::process::Stdio;

    let mut worker = Command::new(env!("CARGO_BIN_EXE_tiller"))
        .args(["bench", "--worker", "--precision", "f32"])
        .env("TILLER_BUNDLE", Small.bundle().root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let questions = [
        json!({ "measure": "tea" }),
        json!({ "measure": "step", "position": 100_000, "takes": 1, "steps": 1 }),
        json!({ "measure": "step", "position": 3, "takes": 0, "steps": 1 }),
        json!({ "measure": "step", "position": 3, "takes": 2, "steps": 4 }),
        json!({ "measure": "step", "position": 3, "takes": 1, "steps": 4 }),
    ];
    let mut input = worker.stdin.take().unwrap();
    questions.iter().for_each(|question| writeln!(input, "{question}").unwrap());
    drop(input);
    let output = worker.wait_with_output().unwrap();
    let answers: Vec<Value> =
        succeeded(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), questions.len());
    for (answer, reason) in
        answers.iter().zip(["unknown variant `tea`", "beyond the model's window", "at least"])
    {
        assert!(answer["error"].as_str().unwrap().contains(reason), "{answer}");
    }
    for answer in &answers[3..] {
        assert_eq!(answer["milliseconds"].as_array().unwrap().len(), 4, "{answer}");
    }
}
