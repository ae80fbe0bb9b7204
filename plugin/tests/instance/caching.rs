use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nice_plug::prelude::Params;
use tiller::renderer::{Cache, Kept, Renderer};
use tiller::state::Fit;

use super::host::Host;
use super::tones::{Log, Tones};

/// A host in a process of its own, as far as the renderer goes, with its cache in `folder`.
fn host(folder: &Path) -> Host {
    let (log, folder) = (Arc::new(Log::default()), folder.to_owned());
    let for_studio = log.clone();
    let studio = move || -> Box<dyn tiller::renderer::Studio> {
        Box::new(Kept::new(Tones(for_studio.clone()), Cache::at(&folder, 1 << 30)))
    };
    let mut host = Host::joining(Renderer::with(studio), log);
    (host.rate, host.offline) = (44_100, true);
    host.activate();
    host
}

/// A project with one take, and what it sounds like.
fn project(folder: &Path) -> (BTreeMap<String, String>, Vec<f32>) {
    let mut host = host(folder);
    host.generate();
    let heard = host.play_from(0, 400_000, 512);
    assert!(heard.iter().any(|&sample| sample > 0.0));
    (host.instance.store().serialize_fields(), heard)
}

/// What a project sounds like when it is opened and bounced, and how many steps of decoding that took.
fn opened(folder: &Path, state: &BTreeMap<String, String>) -> (Vec<f32>, usize) {
    let mut host = host(folder);
    host.instance.store().deserialize_fields(state);
    let heard = host.play_from(0, 400_000, 512);
    host.settle();
    (heard, host.log.steps.load(Ordering::SeqCst))
}

fn entry(folder: &Path) -> PathBuf {
    let entries: Vec<_> = fs::read_dir(folder).unwrap().map(|found| found.unwrap().path()).collect();
    let [entry] = &entries[..] else { panic!("{entries:?} where one entry should be") };
    entry.clone()
}

#[test]
fn a_bounce_is_the_same_with_a_warm_and_with_a_cold_cache() {
    let [warm, cold] = [0, 1].map(|_| tempfile::tempdir().unwrap());
    let (state, original) = project(warm.path());
    let (heard, steps) = opened(warm.path(), &state);
    assert!(heard == original);
    assert_eq!(steps, 0, "what was generated here is decoded again");

    let (heard, steps) = opened(cold.path(), &state);
    assert!(heard == original);
    assert!(steps > 0, "it came out of nowhere");
    let (heard, steps) = opened(cold.path(), &state);
    assert!(heard == original);
    assert_eq!(steps, 0, "what was decoded here is decoded again");
}

#[test]
fn a_fitted_take_is_kept_as_it_was_made_and_stretched_again() {
    let [warm, cold] = [0, 1].map(|_| tempfile::tempdir().unwrap());
    let mut host = host(warm.path());
    host.set(5, 1.0);
    host.generate();
    let plain = host.instance.store().serialize_fields();
    let fit = Fit { beats: 2.5, tempo: 120.0 };
    host.edit(|project| Arc::make_mut(&mut project.takes[0]).fit = Some(fit));
    let (fitted, heard) = (host.instance.store().serialize_fields(), host.play_from(0, 400_000, 512));
    for folder in [&warm, &cold] {
        assert!(opened(folder.path(), &fitted).0 == heard);
        assert!(opened(folder.path(), &plain).0 != heard);
        entry(folder.path());
    }
}

#[test]
fn a_damaged_entry_is_decoded_again_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let (state, original) = project(folder.path());
    let path = entry(folder.path());
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() / 2], &[]] {
        fs::write(&path, damaged).unwrap();
        let (heard, steps) = opened(folder.path(), &state);
        assert!(heard == original && steps > 0);
        assert!(fs::read(entry(folder.path())).unwrap() == whole, "it is not mended");
    }
}

#[test]
fn a_project_opens_without_a_cache() {
    let folder = tempfile::tempdir().unwrap();
    let (state, original) = project(folder.path());
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let (heard, steps) = opened(&file, &state);
    assert!(heard == original && steps > 0);
}

#[test]
fn a_cancelled_take_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path());
    host.edit(|project| project.prompt = "forever".into());
    host.press_generate();
    let mut host = host;
    host.offline = false;
    host.activate();
    host.block(64);
    while host.log.steps.load(Ordering::SeqCst) < 3 {
        std::thread::yield_now();
    }
    drop(host);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn renderers_that_share_a_folder_give_each_what_it_asked_for() {
    let [one, other, shared] = [0, 1, 2].map(|_| tempfile::tempdir().unwrap());
    let (state, original) = project(one.path());
    let (same_state, _) = project(other.path());
    assert_eq!(state, same_state, "the tones play by the book");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert!(opened(shared.path(), &state).0 == original));
        }
    });
    entry(shared.path());
}
