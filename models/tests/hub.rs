//! Checkpoints by name: from a hub on this machine that speaks the real one's protocol, with what goes wrong on the way.
//!
//! What is served is what transformers' `save_pretrained` wrote (see `record_parity.py`): the names of files and tensors
//! are those of the published checkpoints, the widths are small.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tiller_models::bundle::{Bundle, Precision};
use tiller_models::hub::{Hub, HubError};
use tiller_models::import::{ImportOptions, import};

use common::Checkpoint::{Gated, Small};
use common::hub::{COMMIT, Fault, Request, Server};

const ID: &str = "somebody/musicgen-tiny";
const WEIGHTS: &str = "model.safetensors";

/// A hub that has the small checkpoint, and an empty cache.
struct Scene {
    server: Server,
    cache: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self::with(Server::new(ID, &Small.folder(), |_| {}))
    }

    fn with(server: Server) -> Self {
        Self { server, cache: tempfile::tempdir().unwrap() }
    }

    fn fetch(&self) -> Result<PathBuf, HubError> {
        let hub = Hub::new(&self.server.url(), self.cache.path(), Some("secret".into()));
        hub.fetch_all(&hub.repository(ID, "main")?, &mut |_| {})
    }

    /// Where the cache keeps the bytes of the weights, or their part.
    fn kept(&self, extension: &str) -> PathBuf {
        let hash = self.hash();
        let blobs = self.cache.path().join("models--somebody--musicgen-tiny/blobs");
        fs::create_dir_all(&blobs).unwrap();
        blobs.join(hash).with_extension(extension)
    }

    fn hash(&self) -> String {
        use sha2::Digest;
        let digest = sha2::Sha256::digest(self.server.file(WEIGHTS));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The fetched weights are those that were served.
    #[track_caller]
    fn is_whole(&self, folder: &Path) {
        assert!(fs::read(folder.join(WEIGHTS)).unwrap() == self.server.file(WEIGHTS));
    }

    /// First bytes that the store of large files was asked for, in order.
    fn ranges(&self) -> Vec<Option<usize>> {
        let requests = self.server.requests();
        requests
            .iter()
            .filter(|request| request.path.starts_with("/cdn/"))
            .map(|request| request.from)
            .collect()
    }

    /// `tiller import` with this hub, `HF_HOME` and the data folder in one place, and no terminal.
    fn tiller(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tiller"))
            .arg("import")
            .args(arguments)
            .env("HF_ENDPOINT", self.server.url())
            .env("HF_HOME", self.cache.path())
            .env("TILLER_DATA", self.cache.path())
            .env_remove("HF_TOKEN")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

fn error_of(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_name_becomes_a_bundle_that_the_plugin_finds() {
    let scene = Scene::new();
    let output = scene.tiller(&[ID, "--accept-licence", "--json", "--precisions", "f32"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cc-by-nc-4.0"));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let place = scene.cache.path().join("bundles/musicgen-tiny");
    assert_eq!(printed["bundle"], place.to_str().unwrap());
    let bundle = Bundle::open(&place).unwrap();
    let manifest = bundle.manifest();
    assert_eq!((&*manifest.name, &*manifest.licence), ("musicgen-tiny", "cc-by-nc-4.0"));
    assert_eq!(manifest.source.checkpoint, format!("{ID}@{COMMIT}"));

    // The same graphs as from the folder.
    let folder = tempfile::tempdir().unwrap();
    let options = ImportOptions { precisions: vec![Precision::F32], ..ImportOptions::default() };
    let from_disk = import(&Small.folder(), &folder.path().join("b"), &options, &mut |_| {}).unwrap();
    for (name, file) in from_disk.manifest().files.iter().filter(|(name, _)| name.contains(".onnx")) {
        assert_eq!(manifest.files.get(name), Some(file), "{name}");
    }
}

#[test]
fn a_licence_that_is_not_accepted_fetches_nothing() {
    let scene = Scene::new();
    let error = error_of(&scene.tiller(&[ID]));
    assert!(error.contains("cc-by-nc-4.0") && error.contains("--accept-licence"), "{error}");
    let paths: Vec<_> = scene.server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, [format!("/api/models/{ID}/revision/main?blobs=true")]);
    assert!(!scene.cache.path().join("bundles").exists());
}

#[test]
fn what_is_in_the_cache_is_not_fetched_again() {
    let scene = Scene::new();
    let first = scene.fetch().unwrap();
    scene.is_whole(&first);
    assert!(first.ends_with(format!("snapshots/{COMMIT}")));
    let files = scene.server.requests().len();
    assert!(files > 4, "{files}");
    assert_eq!(scene.fetch().unwrap(), first);
    assert_eq!(scene.server.requests().len(), 1, "only the listing");
    // As crate hf-hub and Python's huggingface_hub find it.
    let found = hf_hub::Cache::new(scene.cache.path().into()).model(ID.into()).get(WEIGHTS);
    assert_eq!(found, Some(first.join(WEIGHTS)));
}

#[test]
fn a_file_that_was_changed_in_the_cache_is_fetched_again() {
    let scene = Scene::new();
    let folder = scene.fetch().unwrap();
    let mut bytes = scene.server.file(WEIGHTS).to_vec();
    bytes[5_000] ^= 1;
    fs::write(scene.kept(""), bytes).unwrap();
    scene.fetch().unwrap();
    scene.is_whole(&folder);
}

#[test]
fn the_token_is_for_the_hub_alone() {
    let scene = Scene::new();
    scene.fetch().unwrap();
    let (store, hub): (Vec<Request>, Vec<Request>) =
        scene.server.requests().into_iter().partition(|request| request.path.starts_with("/cdn/"));
    assert_eq!(store.len(), 1);
    assert_eq!(store[0].authorization, None);
    assert!(hub.iter().all(|request| request.authorization.as_deref() == Some("Bearer secret")));
}

#[test]
fn the_token_of_the_hubs_own_login_is_found() {
    let scene = Scene::new();
    fs::write(scene.cache.path().join("token"), "kept\n").unwrap();
    scene.tiller(&[ID]);
    assert_eq!(scene.server.requests()[0].authorization.as_deref(), Some("Bearer kept"));
}

#[test]
fn a_broken_connection_is_taken_up_where_it_broke() {
    let scene = Scene::new();
    scene.server.fail(Fault::BreakOnce(30_000));
    scene.is_whole(&scene.fetch().unwrap());
    assert_eq!(scene.ranges(), [None, Some(30_000)]);
}

#[test]
fn a_download_that_was_killed_goes_on() {
    let scene = Scene::new();
    fs::write(scene.kept("part"), &scene.server.file(WEIGHTS)[..12_345]).unwrap();
    scene.is_whole(&scene.fetch().unwrap());
    assert_eq!(scene.ranges(), [Some(12_345)]);
    assert!(!scene.kept("part").exists());

    // Killed between the last byte and the check.
    let scene = Scene::new();
    fs::write(scene.kept("part"), scene.server.file(WEIGHTS)).unwrap();
    scene.is_whole(&scene.fetch().unwrap());
    assert_eq!(scene.ranges(), []);
}

#[test]
fn a_part_of_something_else_is_thrown_away() {
    let size = Small.folder().join(WEIGHTS).metadata().unwrap().len() as usize;
    for (part, ranges) in [
        (vec![7; 12_345], vec![Some(12_345), None]),
        (vec![7; size], vec![None]),
        (vec![7; size + 1], vec![None]),
    ] {
        let scene = Scene::new();
        fs::write(scene.kept("part"), part).unwrap();
        scene.is_whole(&scene.fetch().unwrap());
        assert_eq!(scene.ranges(), ranges);
    }
}

#[test]
fn a_server_that_knows_no_ranges_sends_the_file_anew() {
    let scene = Scene::new();
    fs::write(scene.kept("part"), &scene.server.file(WEIGHTS)[..12_345]).unwrap();
    scene.server.fail(Fault::IgnoreRange);
    scene.is_whole(&scene.fetch().unwrap());
}

#[test]
fn bytes_that_are_not_those_the_hub_states_are_not_kept() {
    let scene = Scene::new();
    scene.server.fail(Fault::Corrupt);
    let error = scene.fetch().unwrap_err();
    assert!(matches!(&error, HubError::Damaged { file } if file == WEIGHTS), "{error}");
    assert!(!scene.kept("").exists() && !scene.kept("part").exists());
}

#[test]
fn a_file_that_another_program_fetches_is_waited_for_by_the_user() {
    let scene = Scene::new();
    let lock = fs::File::create(scene.kept("lock")).unwrap();
    lock.lock().unwrap();
    let error = scene.fetch().unwrap_err().to_string();
    assert!(error.contains("another program is fetching model.safetensors"), "{error}");
}

#[test]
fn shards_and_their_index_are_fetched_and_imported() {
    let scene = Scene::with(Server::new(ID, &Gated.folder(), |_| {}));
    let folder = scene.fetch().unwrap();
    for name in [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
    ] {
        assert!(fs::read(folder.join(name)).unwrap() == scene.server.file(name), "{name}");
    }
    let options = ImportOptions { precisions: vec![Precision::F32], ..ImportOptions::default() };
    import(&folder, &scene.cache.path().join("bundle"), &options, &mut |_| {}).unwrap();
}

#[test]
fn refusals_say_what_to_do() {
    for (status, because) in
        [(401, "HF_TOKEN"), (403, "ask for access"), (404, "revision main"), (500, "try again")]
    {
        let scene = Scene::new();
        scene.server.fail(Fault::Status(status));
        let error = scene.fetch().unwrap_err().to_string();
        assert!(error.contains(because), "{status}: {error}");
    }
    let nowhere = Hub::new("http://127.0.0.1:9", Path::new("unused"), None);
    let error = nowhere.repository(ID, "main").unwrap_err().to_string();
    assert!(error.contains("cannot reach http://127.0.0.1:9/api"), "{error}");
}

#[test]
fn a_disk_that_is_too_full_is_found_before_anything_is_fetched() {
    let scene = Scene::new();
    scene.server.fail(Fault::Claim(1 << 50));
    let error = scene.fetch().unwrap_err().to_string();
    assert!(error.contains("GB free and the download needs 1125899.9"), "{error}");
    assert_eq!(scene.server.requests().len(), 1, "only the listing");
}

#[test]
fn a_model_that_cannot_be_imported_is_refused_before_its_weights_are_fetched() {
    let scene = Scene::with(Server::new(ID, &Small.folder(), |files| {
        files.insert("config.json".into(), br#"{"model_type": "bark"}"#.to_vec());
    }));
    let error = error_of(&scene.tiller(&[ID, "--accept-licence"]));
    assert!(error.contains("its model_type is \"bark\""), "{error}");
    assert_eq!(scene.ranges(), []);

    let scene = Scene::with(Server::new(ID, &Small.folder(), |files| {
        let weights = files.remove(WEIGHTS).unwrap();
        files.insert("pytorch_model.bin".into(), weights);
    }));
    let error = error_of(&scene.tiller(&[ID, "--accept-licence"]));
    assert!(error.contains("pytorch_model.bin only") && error.contains("--revision refs/pr/1"), "{error}");
}

#[test]
fn a_pull_request_is_a_revision() {
    let scene = Scene::new();
    scene.tiller(&[ID, "--revision", "refs/pr/3"]);
    assert_eq!(
        scene.server.requests()[0].path,
        format!("/api/models/{ID}/revision/refs%2Fpr%2F3?blobs=true")
    );
}

#[test]
fn a_name_that_is_none_is_told_from_a_folder() {
    let scene = Scene::new();
    let error = error_of(&scene.tiller(&["no/such/folder"]));
    assert!(
        error.contains("neither a folder nor the name of a model") && error.contains("stereo-melody"),
        "{error}"
    );
}
