//! Several instances, and instances that go away.

use crate::{LIMIT, RENDER};
use std::time::Duration;
use tiller_tests::scene::{Scene, newest_take};
use tiller_tests::{AudioSettings, fixture, isolated};

#[test]
fn two_instances_render_their_own_takes_at_once() {
    isolated::run(LIMIT, &[], || {
        let plugin = fixture::plugin().unwrap();
        let scenes = [1, 2].map(|seed| Scene { seed, ..Scene::default() });
        let mut instances =
            scenes.each_ref().map(|scene| scene.open(&plugin, AudioSettings::default()).unwrap());
        for (scene, instance) in scenes.iter().zip(&mut instances) {
            scene.press(instance).unwrap();
        }
        let [first, second] = [0, 1].map(|index| {
            let pass = scenes[index].pass(&instances[index]);
            instances[index].play(&pass).unwrap()
        });
        assert!(first.level(0.0, 2.0) > 1e-4 && second.level(0.0, 2.0) > 1e-4);
        assert!(first.first_difference(&second).is_some(), "both play the same take");
    });
}

#[test]
fn an_instance_dropped_while_its_take_renders_leaves_the_other_in_peace() {
    isolated::run(LIMIT, &[], || {
        let plugin = fixture::plugin().unwrap();
        let long = Scene { seconds: 120.0, ..Scene::default() };
        let mut doomed = long.open(&plugin, AudioSettings::default()).unwrap();
        let short = Scene { seconds: 1.0, ..Scene::default() };
        let mut other = short.open(&plugin, AudioSettings::default()).unwrap();
        long.press(&mut doomed).unwrap();
        drop(doomed);
        short.generate(&mut other, RENDER).unwrap();
        assert!(!newest_take(&mut other).unwrap()["codes"].is_null());
    });
}

#[test]
fn instances_come_and_go_without_a_model() {
    isolated::run(
        Duration::from_secs(30),
        &[("TILLER_BUNDLE", "/nowhere"), ("TILLER_ONNXRUNTIME", "/nowhere")],
        || {
            let plugin = fixture::plugin().unwrap();
            for _ in 0..50 {
                let mut instance = plugin.instantiate().unwrap();
                instance.activate(AudioSettings::default()).unwrap();
            }
        },
    );
}

#[test]
fn the_last_instance_can_go_while_its_take_renders() {
    isolated::run(LIMIT, &[], || {
        let plugin = fixture::plugin().unwrap();
        for _ in 0..3 {
            let long = Scene { seconds: 120.0, ..Scene::default() };
            let mut instance = long.open(&plugin, AudioSettings::default()).unwrap();
            long.press(&mut instance).unwrap();
            std::thread::sleep(Duration::from_millis(200));
        }
    });
}
