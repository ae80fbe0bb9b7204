//! Decoded audio on disk: it changes how soon a project sounds, never how.

use crate::{LIMIT, RENDER};
use std::path::PathBuf;
use tiller_tests::scene::Scene;
use tiller_tests::{Audio, AudioSettings, PluginFile, State, fixture, isolated};

fn scene() -> Scene {
    Scene { seconds: 1.0, ..Scene::default() }
}

/// A project with one take, as it sounded when it was made.
fn made(plugin: &PluginFile) -> (State, Audio) {
    let mut instance = scene().open(plugin, AudioSettings::default()).unwrap();
    scene().generate(&mut instance, RENDER).unwrap();
    let pass = scene().pass(&instance);
    let audio = instance.play(&pass).unwrap();
    assert!(audio.peak() > 0.0);
    (instance.state().unwrap(), audio)
}

fn bounced(plugin: &PluginFile, state: &State) -> Audio {
    let mut instance = plugin.instantiate().unwrap();
    instance.restore(state).unwrap();
    instance.activate(AudioSettings::default()).unwrap();
    instance.set_offline(true).unwrap();
    let pass = scene().pass(&instance);
    instance.play(&pass).unwrap()
}

/// The cache's only entry.
fn entry() -> PathBuf {
    let folder = PathBuf::from(std::env::var_os("TILLER_CACHE").unwrap()).join("audio");
    let entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|found| found.unwrap().path()).collect();
    let [entry] = &entries[..] else { panic!("{entries:?} where one entry should be") };
    entry.clone()
}

#[test]
fn a_bounce_is_the_same_with_a_warm_a_cold_and_a_damaged_cache() {
    isolated::run(LIMIT, &[], || {
        let plugin = fixture::plugin().unwrap();
        let (state, original) = made(&plugin);
        let kept = std::fs::read(entry()).unwrap();
        assert_eq!(original.first_difference(&bounced(&plugin, &state)), None, "warm");

        std::fs::remove_dir_all(entry().parent().unwrap()).unwrap();
        assert_eq!(original.first_difference(&bounced(&plugin, &state)), None, "cold");
        assert!(std::fs::read(entry()).unwrap() == kept, "decoding gives other samples than generating");

        std::fs::write(entry(), &kept[..kept.len() / 2]).unwrap();
        assert_eq!(original.first_difference(&bounced(&plugin, &state)), None, "damaged");
        assert!(std::fs::read(entry()).unwrap() == kept, "the damaged entry is not mended");
    });
}

#[test]
fn without_a_place_for_the_cache_everything_sounds_all_the_same() {
    isolated::run(LIMIT, &[("TILLER_CACHE", "/dev/null/nowhere")], || {
        let plugin = fixture::plugin().unwrap();
        let (state, original) = made(&plugin);
        assert_eq!(original.first_difference(&bounced(&plugin, &state)), None);
    });
}
