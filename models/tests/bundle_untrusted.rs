//! Bundles that are damaged, tampered with or malicious are refused with a sentence, before ONNX Runtime reads them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tiller_models::bundle::manifest::Manifest;
use tiller_models::bundle::{Bundle, BundleError, Precision, writer};

use common::{Checkpoint, copy_folder};
use proptest::prelude::*;

/// A copy of a good bundle to do harm to.
struct Victim(TempDir);

impl Victim {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(Checkpoint::Banded.bundle().root(), folder.path());
        Self(folder)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// Changes the manifest as JSON, hashes and sizes left as they are.
    fn edit(&self, change: impl FnOnce(&mut Value)) {
        let path = self.path("bundle.json");
        let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut manifest);
        fs::write(path, manifest.to_string()).unwrap();
    }

    /// Replaces bytes of a file.
    fn replace(&self, name: &str, from: &str, to: &str) {
        assert_eq!(from.len(), to.len(), "protobuf stores lengths");
        let bytes = fs::read(self.path(name)).unwrap();
        let (from, to) = (from.as_bytes(), to.as_bytes());
        let mut changed = Vec::new();
        let mut rest = bytes.as_slice();
        while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
            changed.extend_from_slice(&rest[..at]);
            changed.extend_from_slice(to);
            rest = &rest[at + from.len()..];
        }
        changed.extend_from_slice(rest);
        assert_ne!(changed, bytes, "{name} does not hold the text");
        fs::write(self.path(name), changed).unwrap();
    }

    /// Makes sizes and hashes right again, as a forger would.
    fn reseal(&self) {
        let manifest: Manifest =
            serde_json::from_slice(&fs::read(self.path("bundle.json")).unwrap()).unwrap();
        writer::write(self.0.path(), manifest).unwrap();
    }

    #[track_caller]
    fn is_refused(&self, because: &str) {
        let error = Bundle::open(self.0.path()).unwrap_err().to_string();
        assert!(error.contains(because), "expected {because:?} in: {error}");
    }
}

#[test]
fn a_good_bundle_opens_and_keeps_its_id() {
    let victim = Victim::new();
    let bundle = Bundle::open(victim.0.path()).unwrap();
    assert_eq!(bundle.id(), Checkpoint::Banded.bundle().id());
    assert_eq!(bundle.id().len(), 64);
    assert!(bundle.tokenizer().is_file() && bundle.condition().is_file());
    assert_eq!(bundle.vectors().len(), 2);
}

#[test]
fn a_folder_without_manifest_is_no_bundle() {
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(Bundle::open(empty.path()), Err(BundleError::NotABundle(_))));
    assert!(matches!(Bundle::open(&empty.path().join("missing")), Err(BundleError::NotABundle(_))));
}

#[test]
fn a_truncated_file_is_refused() {
    let victim = Victim::new();
    let path = victim.path("cross.onnx.data");
    let bytes = fs::read(&path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    victim.is_refused("cross.onnx.data has");
}

#[test]
fn a_changed_byte_is_refused_also_after_the_bundle_was_opened_once() {
    let victim = Victim::new();
    Bundle::open(victim.0.path()).unwrap();
    // Clocks of file systems tick every few milliseconds.
    std::thread::sleep(std::time::Duration::from_millis(30));
    let path = victim.path("decoder.f32.onnx.data");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(path, bytes).unwrap();
    victim.is_refused("the contents of decoder.f32.onnx.data do not match");
}

#[test]
fn a_missing_file_is_refused() {
    let victim = Victim::new();
    fs::remove_file(victim.path("tokenizer.json")).unwrap();
    victim.is_refused("tokenizer.json is missing");
}

#[test]
fn files_and_folders_that_are_not_listed_are_refused() {
    let victim = Victim::new();
    fs::write(victim.path("vectors/extra.safetensors"), b"").unwrap();
    victim.is_refused("vectors/extra.safetensors is not listed");
    let victim = Victim::new();
    fs::create_dir(victim.path("more")).unwrap();
    victim.is_refused("the folder more is not listed");
    let victim = Victim::new();
    fs::write(victim.path(".DS_Store"), b"").unwrap();
    Bundle::open(victim.0.path()).unwrap();
}

#[cfg(unix)]
#[test]
fn symbolic_links_are_refused() {
    let victim = Victim::new();
    let outside = Checkpoint::Banded.bundle().tokenizer();
    fs::remove_file(victim.path("tokenizer.json")).unwrap();
    std::os::unix::fs::symlink(outside, victim.path("tokenizer.json")).unwrap();
    victim.is_refused("tokenizer.json is a symbolic link");
}

#[test]
fn listed_paths_cannot_leave_the_bundle() {
    for name in [
        "../secret",
        "/etc/hosts",
        "a/../../b",
        "a//b",
        "C:x",
        "..\\x",
        "./x",
        ".hidden",
        "x.",
        "bundle.json",
        "",
    ] {
        let victim = Victim::new();
        victim.edit(|manifest| manifest["files"][name] = json!({ "size": 1, "sha256": "00" }));
        let error = Bundle::open(victim.0.path()).unwrap_err().to_string();
        assert!(
            error.contains("does not stay inside") || error.contains("lists itself"),
            "{name:?}: {error}"
        );
    }
}

#[test]
fn graphs_must_be_among_the_listed_files() {
    let victim = Victim::new();
    victim.edit(|manifest| manifest["graphs"]["cross"] = json!("../cross.onnx"));
    victim.is_refused("../cross.onnx is not among its listed files");
}

#[test]
fn oversized_claims_are_refused_without_reading() {
    let victim = Victim::new();
    victim.edit(|manifest| manifest["files"]["cross.onnx"]["size"] = json!(1_u64 << 40));
    victim.is_refused("cross.onnx is listed with");
    let victim = Victim::new();
    victim.edit(|manifest| {
        for number in 0..5_000 {
            manifest["files"][format!("f{number}")] = json!({ "size": 1, "sha256": "00" });
        }
    });
    victim.is_refused("more than 4096");
    let victim = Victim::new();
    fs::write(victim.path("bundle.json"), vec![b' '; 5 << 20]).unwrap();
    victim.is_refused("bundle.json is longer than");
}

#[test]
fn a_manifest_from_the_future_asks_for_a_newer_tiller() {
    let victim = Victim::new();
    victim.edit(|manifest| {
        *manifest = json!({ "schema": 2, "everything": "else" });
    });
    victim.is_refused("update Tiller");
}

#[test]
fn a_manifest_that_is_cut_short_is_refused() {
    let victim = Victim::new();
    let path = victim.path("bundle.json");
    let text = fs::read(&path).unwrap();
    fs::write(path, &text[..text.len() / 2]).unwrap();
    victim.is_refused("cannot be understood");
}

#[test]
fn absurd_numbers_are_refused_by_name() {
    let absurd: [(&str, Value, &str); 9] = [
        ("/architecture/layers", json!(0), "its layers is 0"),
        ("/architecture/width", json!(1_u64 << 60), "its width is"),
        ("/architecture/heads", json!(3), "no multiple of its 3 heads"),
        ("/architecture/vocabulary", json!(70_000), "its vocabulary is 70000"),
        ("/architecture/delays", json!([0]), "its delays [0]"),
        ("/architecture/window", json!(1_000_000), "its window is"),
        ("/architecture/codec/sample_rate", json!(0), "its sample_rate is 0"),
        ("/architecture/codec/filter_bank/hop", json!(3), "filter bank's hop"),
        ("/norms/residual", json!([1.0]), "its residual norms"),
    ];
    for (place, value, because) in absurd {
        let victim = Victim::new();
        victim.edit(|manifest| *manifest.pointer_mut(place).unwrap() = value);
        victim.is_refused(because);
    }
}

#[test]
fn external_data_cannot_be_outside_the_bundle_or_at_a_memory_address() {
    for (location, because) in [
        ("../crets.f32.onnx.data", "outside the graph's folder"),
        ("/etc/ts.f32.onnx.data_", "outside the graph's folder"),
        // ONNX Runtime reads this one as a pointer.
        ("*/_ORT_MEM_ADDR_/*.dat", "outside the graph's folder"),
        ("decoder.f33.onnx.data_", "which is not listed"),
    ] {
        let victim = Victim::new();
        let location = &location[..21];
        victim.replace("decoder.f32.onnx", "decoder.f32.onnx.data", location);
        victim.reseal();
        victim.is_refused(because);
    }
}

#[test]
fn external_data_cannot_reach_past_its_file() {
    let victim = Victim::new();
    fs::write(victim.path("decoder.f32.onnx.data"), vec![0; 10_000]).unwrap();
    victim.reseal();
    victim.is_refused("outside its 10000 bytes");
}

#[test]
fn graphs_must_have_the_inputs_and_outputs_of_the_contract() {
    let victim = Victim::new();
    victim.replace("cross.onnx", "text_mask", "text_task");
    victim.reseal();
    victim.is_refused("cross.onnx has no input \"text_mask\"");
    let victim = Victim::new();
    victim.edit(|manifest| {
        manifest["architecture"]["layers"] = json!(1);
        manifest["norms"] = json!({ "residual": [1.0], "attention": [1.0] });
    });
    victim.is_refused("unknown output \"cross_key_1\"");
    let victim = Victim::new();
    victim.edit(|manifest| manifest["architecture"]["text_width"] = json!(23));
    victim.is_refused("in another shape or type");
    let victim = Victim::new();
    victim.edit(|manifest| manifest["graphs"]["encodec_wave"] = json!("encodec_latent.onnx"));
    victim.is_refused("encodec_latent.onnx has no input \"latent\"");
}

#[test]
fn a_graph_that_is_no_protobuf_is_refused() {
    let victim = Victim::new();
    fs::write(victim.path("cross.onnx"), b"\xff\xff\xff\xff not protobuf").unwrap();
    victim.reseal();
    victim.is_refused("cross.onnx is no ONNX file");
}

#[test]
fn a_precision_that_was_not_imported_is_named_with_those_that_were() {
    let victim = Victim::new();
    fs::remove_file(victim.path("decoder.f32.onnx")).unwrap();
    fs::remove_file(victim.path("decoder.f32.onnx.data")).unwrap();
    victim.edit(|manifest| {
        manifest["graphs"]["decoder"].as_object_mut().unwrap().remove("f32");
    });
    victim.reseal();
    let bundle = Bundle::open(victim.0.path()).unwrap();
    let error = bundle.decoder(Precision::F32).unwrap_err().to_string();
    assert!(error.contains("no f32 decoder, only f16, int8"), "{error}");
    assert!(Path::new(&bundle.decoder(Precision::Int8).unwrap()).is_file());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Damage to a graph is refused by its hash; forged hashes at least never make the check panic.
    #[test]
    fn random_damage_to_a_graph_is_refused_and_never_panics(
        file in prop::sample::select(vec!["cross.onnx", "decoder.int8.onnx", "encodec_wave.onnx", "text_encoder.onnx"]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let victim = Victim::new();
        let mut bytes = fs::read(victim.path(file)).unwrap();
        let before = bytes.clone();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assume!(bytes != before);
        fs::write(victim.path(file), bytes).unwrap();
        victim.is_refused("do not match their SHA-256");
        victim.reseal();
        let _ = Bundle::open(victim.0.path());
    }
}
