//! The measurement of `cargo xtask bench`, on the embedded model and in a few rounds, so that it cannot rot.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The command line beside the programs of this crate.
fn tiller() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_model-bench"))
        .with_file_name(format!("tiller{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} is not built: test the whole workspace", program.display());
    program
}

fn measure(folder: &Path, plan: &Value) -> Output {
    let path = folder.join("plan.json");
    std::fs::write(&path, plan.to_string()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_model-bench")).arg(path).output().unwrap()
}

/// A program that answers every question alike, and some not at all.
const PEER: &str = r#"
import json, sys
for line in sys.stdin:
    what = json.loads(line)["measure"]
    print(json.dumps({
        "about": {"weight_bytes_per_step": 1000000, "bytes_per_position": 100},
        "step": {"milliseconds": [1000.0]},
        "codec": {"error": "it has no codec"},
        "take": {"seconds": 1.0, "first_audio_seconds": 0.5, "loading_seconds": 0.1},
        "idle": {"processor_seconds": 0.0},
        "memory": {"peak_megabytes": 12.0},
    }[what]), flush=True)
"#;

#[test]
fn programs_take_turns_and_what_was_measured_is_written_in_three_ways() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let worker = [tiller().to_str().unwrap(), "bench", "--worker", "--threads", "1"].map(str::to_owned);
    let output = measure(
        folder.path(),
        &json!({
            "roof": { "name": "memory", "command": worker },
            "roof_megabytes": 8,
            "programs": [
                { "name": "Tiller", "command": worker },
                { "name": "Peer", "command": ["python3", "-c", PEER] },
            ],
            "positions": [4, 12], "takes": [1, 2], "rounds": 2, "steps": 2,
            "codec_seconds": 0.2, "take_seconds": 0.2, "idle_seconds": 0.2,
            "out": out,
        }),
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let results: Value = serde_json::from_slice(&std::fs::read(out.join("bench.json")).unwrap()).unwrap();
    assert_eq!(results["roof_bytes_per_second"].as_array().unwrap().len(), 2);
    let [tiller, peer] = results["programs"].as_array().unwrap().as_slice() else { panic!("{results}") };
    let steps = tiller["steps"].as_array().unwrap();
    let at: Vec<_> = steps.iter().map(|step| (step["position"].as_u64(), step["takes"].as_u64())).collect();
    assert_eq!(at, [(Some(4), Some(1)), (Some(12), Some(1)), (Some(4), Some(2))]);
    for step in steps {
        let times = step["milliseconds"].as_array().unwrap();
        assert_eq!(times.len(), 2 * 2);
        // Less would be frames that are handed out without a step.
        assert!(times.iter().all(|time| time.as_f64().unwrap() > 0.05), "{times:?}");
    }
    assert_eq!(tiller["codec_seconds"].as_array().unwrap().len(), 2);
    assert!(tiller["take"]["first_audio_seconds"].as_f64() <= tiller["take"]["seconds"].as_f64());
    assert!(tiller["process_seconds"].as_f64() > tiller["take"]["seconds"].as_f64());
    assert!(tiller["peak_megabytes"].as_f64().unwrap() > 10.0);
    assert!(tiller["idle_share_of_a_core"].as_f64().unwrap() < 0.5);
    assert_eq!(tiller["not_measured"], json!([]));
    // The embedded model's decoder, without its table of embeddings.
    let weights = tiller["about"]["weight_bytes_per_step"].as_u64().unwrap();
    assert!((5_000_000..12_000_000).contains(&weights), "{weights}");
    // Keys and values of 6 layers 256 wide for two rows, in single precision at most.
    let row = tiller["about"]["bytes_per_position"].as_u64().unwrap();
    assert!((2 * 2 * 6 * 256..=2 * 2 * 6 * 256 * 4).contains(&row), "{row}");
    assert_eq!(peer["not_measured"], json!(["Peer: it has no codec"]));

    let page = std::fs::read_to_string(out.join("bench.md")).unwrap();
    assert!(page.contains("| Peer | 1000.00 (1000.00–1000.00) | 1000.00 (1000.00–1000.00) |"), "{page}");
    assert!(page.contains("Not measured: Peer: it has no codec."), "{page}");
    let picture = std::fs::read_to_string(out.join("bench.svg")).unwrap();
    assert!(picture.contains("Peer") && picture.contains("milliseconds"));
}

#[test]
fn a_plan_or_a_program_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |plan: &Value| {
        let output = measure(folder.path(), plan);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&json!({})).contains("it lists no programs"));
    let mut plan = json!({
        "roof": { "name": "memory", "command": ["no-such-program"] },
        "roof_megabytes": 1,
        "programs": [{ "name": "Nobody", "command": ["no-such-program"] }],
        "positions": [], "takes": [], "rounds": 1, "steps": 1,
        "codec_seconds": 1, "take_seconds": 0, "idle_seconds": 1, "out": folder.path(),
    });
    assert!(refused(&plan).contains("there is nothing to measure"));
    plan["positions"] = json!([1]);
    assert!(refused(&plan).contains("Nobody cannot be started: no-such-program"));
}
