//! What rounding costs, found on the user's machine.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::Command;

use common::Checkpoint::Small;
use tiller_models::bundle::Precision;
use tiller_models::import::{ImportOptions, import};
use tiller_models::musicgen::Cancel;
use tiller_models::verify::{Verification, VerifyOptions, verify};

/// Short, since the checkpoint is random: what it plays says nothing.
fn short() -> VerifyOptions {
    VerifyOptions { seconds: 0.8, positions: vec![3, 1_000], ..VerifyOptions::default() }
}

fn verified(options: &VerifyOptions) -> Verification {
    verify(Small.bundle(), options, &Cancel::new(), &mut |_, _| {}).unwrap()
}

#[test]
fn every_precision_is_compared_with_the_most_exact_and_the_coarser_is_further_off() {
    let mut pieces = Vec::new();
    let found =
        verify(Small.bundle(), &short(), &Cancel::new(), &mut |done, total| pieces.push((done, total)));
    let found = found.unwrap();
    assert_eq!(pieces, (1..=8).map(|done| (done, 8)).collect::<Vec<_>>());
    assert_eq!((found.reference, found.pieces, found.refused.len()), (Precision::F32, 2, 0));
    let precisions: Vec<_> = found.decoders.iter().map(|decoder| decoder.precision).collect();
    assert_eq!(precisions, [Precision::F32, Precision::F16, Precision::Int8, Precision::Int4]);
    assert!(found.decoders[0].divergence.is_none());
    let divergences: Vec<_> =
        found.decoders.iter().filter_map(|decoder| decoder.divergence.as_ref()).collect();
    for pair in divergences.windows(2) {
        assert!(pair[0].rms < pair[1].rms && pair[0].mean_kl < pair[1].mean_kl, "{pair:?}");
    }
    assert!(divergences[0].agreement() > 0.95, "{:?}", divergences[0]);
    assert!(divergences[2].rms < divergences[2].rms_of_reference, "{:?}", divergences[2]);
    for decoder in &found.decoders {
        // The other position lies beyond the pieces.
        assert!(matches!(decoder.steps[..], [step] if step.position == 3 && step.milliseconds > 0.0));
    }
    assert!((0.0..=1.0).contains(&found.codec.codes));

    // What is expected of the same music is the same again.
    let again = verified(&VerifyOptions { precisions: vec![Precision::Int4], ..short() });
    assert_eq!(again.decoders.len(), 2);
    let int4 = again.decoders[1].divergence.as_ref().unwrap();
    assert_eq!((int4.rms, int4.mean_kl), (divergences[2].rms, divergences[2].mean_kl));
}

#[test]
fn a_bundle_of_one_precision_is_its_own_reference_and_others_are_refused_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let options = ImportOptions { precisions: vec![Precision::Int8], ..ImportOptions::default() };
    let bundle = import(&Small.folder(), &folder.path().join("bundle"), &options, &mut |_| {}).unwrap();
    let asked = VerifyOptions { precisions: vec![Precision::F32, Precision::Int8], ..short() };
    let found = verify(&bundle, &asked, &Cancel::new(), &mut |_, _| {}).unwrap();
    assert_eq!((found.reference, found.decoders.len()), (Precision::Int8, 1));
    let [refused] = found.refused.as_slice() else { panic!("{found:?}") };
    assert_eq!(refused.precision, Precision::F32);
    assert!(refused.reason.contains("f32"), "{}", refused.reason);
}

#[test]
fn what_cannot_be_compared_is_refused_with_what_can() {
    let refused = |options: VerifyOptions| {
        verify(Small.bundle(), &options, &Cancel::new(), &mut |_, _| {}).unwrap_err().to_string()
    };
    for options in [
        VerifyOptions { prompts: Vec::new(), ..short() },
        VerifyOptions { seconds: 0.02, ..short() },
        VerifyOptions { seconds: 200.0, ..short() },
    ] {
        assert!(refused(options).contains("give at least one prompt"));
    }
    let cancel = Cancel::new();
    cancel.cancel();
    let error = verify(Small.bundle(), &short(), &cancel, &mut |_, _| {}).unwrap_err();
    assert_eq!(error.to_string(), "cancelled");
}

#[test]
fn the_command_prints_a_table_or_json_and_fails_for_a_precision_that_does_not_run() {
    let bundle = Small.bundle().root().to_str().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiller"));
        command.args(["verify", bundle, "--seconds", "0.8", "--prompt", "a piano"]).args(arguments);
        command.output().unwrap()
    };
    let output = run(&["--precisions", "int8,int4"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    for words in
        ["compared with f32 on cpu", "int4: top-1 by codebook", "codec, there and back", "int8 plays"]
    {
        assert!(table.contains(words), "{table}");
    }
    let output = run(&["--json", "--precisions", "int8"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["reference"], &json["pieces"]), (&"f32".into(), &1.into()));
    assert!(json["decoders"][1]["divergence"]["mean_kl"].as_f64().unwrap() > 0.0);

    let cuda = ["--provider", "cuda", "--precisions", "int8"];
    let output = run(&cuda);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("cuda"));
}
