//! Automation of a steering strength becomes the take's curve.

use crate::{LIMIT, RENDER};
use serde_json::json;
use tiller_tests::scene::{Scene, curve, newest_take};
use tiller_tests::{AudioSettings, Instance, fixture, isolated};

/// Frames of a curve per second.
const CURVE_RATE: f64 = 50.0;

fn steered() -> Scene {
    Scene {
        seconds: 4.0,
        concept: Some(fixture::vector("drums").unwrap().concept().to_owned()),
        ..Scene::default()
    }
}

/// 0 for two seconds, then rising to 2 within one.
fn rising(seconds: f64) -> f64 {
    ((seconds - 2.0) * 2.0).clamp(0.0, 2.0)
}

fn render(strength: impl Fn(f64) -> f64) -> (Instance, tiller_tests::Audio) {
    let scene = steered();
    let mut instance = scene.open(&fixture::plugin().unwrap(), AudioSettings::default()).unwrap();
    scene.rehearse(&mut instance, &strength).unwrap();
    scene.generate(&mut instance, RENDER).unwrap();
    let pass = scene.steered(&mut instance, &strength).unwrap();
    let audio = instance.play(&pass).unwrap();
    (instance, audio)
}

#[test]
fn the_take_is_rendered_with_the_automation_that_passed() {
    isolated::run(LIMIT, &[], || {
        let (mut instance, _) = render(rising);
        let curve = curve(&newest_take(&mut instance).unwrap()).unwrap();
        let at = |frame: usize| curve.get(frame).or(curve.last()).copied().unwrap();
        for frame in 0..200 {
            let wanted = rising((frame as f64 + 0.5) / CURVE_RATE);
            assert!(
                (at(frame) - wanted).abs() < 0.05,
                "frame {frame}: {} where {wanted} was played",
                at(frame)
            );
        }
    });
}

#[test]
fn a_modulator_on_a_strength_is_recorded_as_automation_is() {
    isolated::run(LIMIT, &[], || {
        let scene = steered();
        let mut instance = scene.open(&fixture::plugin().unwrap(), AudioSettings::default()).unwrap();
        instance.set("steer1", "0.5").unwrap();
        let units = instance.typed("steer1", "1").unwrap() - instance.typed("steer1", "0").unwrap();
        let rate = instance.settings().sample_rate;
        let song = scene.pass(&instance).modulate("steer1", rate, |seconds| rising(seconds) / 2.0 * units);
        instance.play(&song).unwrap();
        scene.generate(&mut instance, RENDER).unwrap();
        let curve = curve(&newest_take(&mut instance).unwrap()).unwrap();
        for (frame, strength) in curve.iter().enumerate() {
            let wanted = 0.5 + rising((frame as f64 + 0.5) / CURVE_RATE) / 2.0;
            assert!((strength - wanted).abs() < 0.05, "frame {frame}: {strength} where {wanted} was played");
        }
        assert!(curve.len() > 100, "the strength never moved: {curve:?}");
    });
}

#[test]
fn audio_is_the_same_to_the_bit_until_the_strength_leaves_zero_and_differs_after() {
    isolated::run(LIMIT, &[], || {
        let (_, steered) = render(rising);
        let (_, plain) = render(|_| 0.0);
        let first =
            steered.first_difference(&plain).expect("steering changed nothing") as f64 / plain.sample_rate;
        // The codec looks ahead of a changed frame by its context, at most ten frames in any published checkpoint.
        assert!(first > 2.0 - 10.0 / CURVE_RATE, "the takes differ from {first} s on");
        assert_ne!(steered.between(3.0, 4.0), plain.between(3.0, 4.0));
    });
}

#[test]
fn automation_drawn_later_gives_what_rendering_the_take_with_it_gives() {
    isolated::run(LIMIT, &[], || {
        let (scene, (mut instance, plain)) = (steered(), render(|_| 0.0));
        let song = scene.steered(&mut instance, rising).unwrap();
        let first = instance.play(&song).unwrap();
        assert_eq!(first.first_difference(&plain), None, "the pass that records it sounds as before");
        let renewed = |instance: &mut Instance| {
            let take = newest_take(instance)?;
            Ok(take["wanted"].is_null() && !take["history"].is_null())
        };
        instance.run_until(RENDER, renewed).unwrap();
        let second = instance.play(&song).unwrap();
        let (_, whole) = render(rising);
        assert_eq!(second.first_difference(&whole), None, "joined to what was kept, it is another take");
        assert_eq!(instance.play(&song).unwrap().first_difference(&second), None, "the third bounce");
        let history = newest_take(&mut instance).unwrap()["history"]["earlier"].clone();
        assert_eq!(history.as_array().map(Vec::len), Some(1));

        let state = instance.state().unwrap();
        let mut other = fixture::plugin().unwrap().instantiate().unwrap();
        other.restore(&state).unwrap();
        other.activate(AudioSettings::default()).unwrap();
        other.set_offline(true).unwrap();
        let song = scene.steered(&mut other, rising).unwrap();
        assert_eq!(other.play(&song).unwrap().first_difference(&second), None, "opened again");
    });
}

#[test]
fn with_a_look_ahead_automation_is_heard_in_the_pass_that_plays_it() {
    isolated::run(LIMIT, &[], || {
        let (_, whole) = render(rising);
        let (scene, (mut instance, _)) = (steered(), render(|_| 0.0));
        let looking = instance.state().unwrap().with_project(|project| {
            project["settings"]["look_ahead_seconds"] = json!(1.25);
        });
        instance.restore(&looking.unwrap()).unwrap();
        // It asks to be activated anew, and says then that its latency is another.
        instance.play(&scene.pass(&instance).part(0, 512)).unwrap();
        instance.play(&scene.pass(&instance).part(0, 512)).unwrap();
        assert_eq!(instance.times_latency_changed(), 1);
        let latency = u64::from(instance.latency().unwrap());
        assert_eq!(latency, 60_000);
        let song = scene.steered(&mut instance, rising).unwrap();
        let song = tiller_tests::Pass { frames: song.frames + latency, ..song };
        for bounce in ["first", "second"] {
            let heard = instance.play(&song).unwrap();
            let end = (latency + scene.frames(&instance)) as f64;
            let heard = heard.between(latency as f64 / heard.sample_rate, end / heard.sample_rate);
            assert_eq!(heard.first_difference(&whole), None, "the {bounce} bounce");
        }
    });
}

#[test]
fn a_strength_of_zero_is_no_steering_at_all() {
    isolated::run(LIMIT, &[], || {
        let (_, zero) = render(|_| 0.0);
        let scene = Scene { concept: None, ..steered() };
        let mut instance = scene.open(&fixture::plugin().unwrap(), AudioSettings::default()).unwrap();
        scene.generate(&mut instance, RENDER).unwrap();
        let pass = scene.pass(&instance);
        let without = instance.play(&pass).unwrap();
        assert_eq!(zero.first_difference(&without), None);
    });
}
