//! A prompt becomes audio at a place in the song.

use crate::{LIMIT, RENDER};
use tiller_tests::scene::{Scene, newest_take, takes};
use tiller_tests::{AudioSettings, Pass, fixture, isolated};

#[test]
fn nothing_sounds_before_anything_was_generated() {
    isolated::run(LIMIT, &[], || {
        let mut instance = fixture::plugin().unwrap().instantiate().unwrap();
        instance.activate(AudioSettings::default()).unwrap();
        let audio = instance.play(&Pass::over(0, 48_000)).unwrap();
        assert_eq!(audio.peak(), 0.0);
    });
}

#[test]
fn a_take_lands_at_its_place_in_the_song_and_nowhere_else() {
    isolated::run(LIMIT, &[], || {
        let scene = Scene { at: 3.0, ..Scene::default() };
        let mut instance = scene.open(&fixture::plugin().unwrap(), AudioSettings::default()).unwrap();
        scene.generate(&mut instance, RENDER).unwrap();
        let song = instance.play(&Pass::over(0, 6 * 48_000)).unwrap();
        assert_eq!(song.between(0.0, 3.0).peak(), 0.0, "before the take");
        assert!(song.level(3.0, 5.0) > 1e-4, "the take is silent");
        assert_eq!(song.between(5.0, 6.0).peak(), 0.0, "after the take");
        assert!(song.peak() <= 4.0);
    });
}

#[test]
fn what_comes_into_the_sidechain_is_not_heard() {
    isolated::run(LIMIT, &[], || {
        let scene = Scene { seconds: 0.5, ..Scene::default() };
        let mut instance = scene.open(&fixture::plugin().unwrap(), AudioSettings::default()).unwrap();
        scene.generate(&mut instance, RENDER).unwrap();
        let pass = scene.pass(&instance);
        let plain = instance.play(&pass).unwrap();
        assert!(plain.peak() > 1e-4, "the take is silent");
        let beside = instance.play(&Pass { incoming: 0.5, ..pass }).unwrap();
        assert_eq!(plain.first_difference(&beside), None);
    });
}

#[test]
fn an_offline_render_waits_for_a_take_that_is_not_finished() {
    isolated::run(LIMIT, &[], || {
        let scene = Scene::default();
        let mut instance = scene.open(&fixture::plugin().unwrap(), AudioSettings::default()).unwrap();
        scene.press(&mut instance).unwrap();
        let pass = scene.pass(&instance);
        let first = instance.play(&pass).unwrap();
        assert!(first.level(0.0, 2.0) > 1e-4, "the bounce did not wait");
        let second = instance.play(&pass).unwrap();
        assert_eq!(first.first_difference(&second), None, "the bounce that waited had a hole");
    });
}

#[test]
fn live_playback_never_waits_for_a_take() {
    isolated::run(LIMIT, &[], || {
        let scene = Scene { seconds: 60.0, ..Scene::default() };
        let mut instance = scene.open(&fixture::plugin().unwrap(), AudioSettings::default()).unwrap();
        instance.set_offline(false).unwrap();
        scene.press(&mut instance).unwrap();
        let live = Pass { frames: 4_800, pace: tiller_tests::Pace::Live, ..scene.pass(&instance) };
        instance.play(&live).unwrap();
        let codes = takes(&mut instance).unwrap().pop().map(|take| take["codes"].clone());
        assert!(
            codes.is_none_or(|codes| codes.is_null()),
            "a minute of music was ready after a tenth of a second"
        );
    });
}

#[test]
fn the_same_seed_gives_the_same_codes_and_another_seed_others() {
    isolated::run(LIMIT, &[], || {
        let plugin = fixture::plugin().unwrap();
        let codes = |seed| {
            let scene = Scene { seed, seconds: 1.0, ..Scene::default() };
            let mut instance = scene.open(&plugin, AudioSettings::default()).unwrap();
            scene.generate(&mut instance, RENDER).unwrap();
            newest_take(&mut instance).unwrap()["codes"].clone()
        };
        let first = codes(7);
        assert_eq!(first, codes(7));
        assert_ne!(first, codes(8));
    });
}

#[test]
fn holding_generate_starts_one_take() {
    isolated::run(LIMIT, &[], || {
        let scene = Scene { seconds: 0.5, ..Scene::default() };
        let mut instance = scene.open(&fixture::plugin().unwrap(), AudioSettings::default()).unwrap();
        let on = instance.typed("generate", "On").unwrap();
        let held = Pass { playing: false, frames: 24_000, ..scene.pass(&instance) }.automate(
            "generate",
            48_000.0,
            |_| on,
        );
        instance.play(&held).unwrap();
        instance.play(&scene.pass(&instance)).unwrap();
        assert_eq!(takes(&mut instance).unwrap().len(), 1);
    });
}
