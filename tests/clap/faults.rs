//! Missing parts, and a host that must stay as it was.

use crate::{LIMIT, RENDER};
use std::time::Duration;
use tiller_tests::scene::{Scene, newest_take};
use tiller_tests::{AudioSettings, Event, Pass, State, fixture, isolated};

/// Generates with something missing: nothing may crash, hang or be lost, and the song plays on in silence.
fn generates_nothing() {
    let scene = Scene { seconds: 0.5, ..Scene::default() };
    let mut instance = scene.open(&fixture::plugin().unwrap(), AudioSettings::default()).unwrap();
    scene.press(&mut instance).unwrap();
    let pass = scene.pass(&instance);
    assert_eq!(instance.play(&pass).unwrap().peak(), 0.0);
    assert_eq!(instance.state().unwrap().project().unwrap()["prompt"], scene.prompt);
}

#[test]
fn without_onnx_runtime_nothing_sounds_and_nothing_breaks() {
    isolated::run(LIMIT, &[("TILLER_ONNXRUNTIME", "/nowhere/libonnxruntime.so")], || {
        generates_nothing();
    });
}

#[test]
fn a_library_that_is_not_onnx_runtime_breaks_nothing() {
    isolated::run(LIMIT, &[("TILLER_ONNXRUNTIME", "/proc/self/exe")], || {
        generates_nothing();
    });
}

#[test]
fn without_a_bundle_nothing_sounds_and_nothing_breaks() {
    isolated::run(LIMIT, &[("TILLER_BUNDLE", "/nowhere")], || {
        generates_nothing();
    });
}

#[test]
fn tokens_survive_being_opened_and_saved_without_the_model() {
    isolated::run(LIMIT, &[], || {
        let plugin = fixture::plugin().unwrap();
        let scene = Scene { seconds: 0.5, ..Scene::default() };
        let mut instance = scene.open(&plugin, AudioSettings::default()).unwrap();
        scene.generate(&mut instance, RENDER).unwrap();
        let codes = newest_take(&mut instance).unwrap()["codes"].clone();
        // The project asks for a bundle that is gone.
        let state = instance
            .state()
            .unwrap()
            .with_project(|project| project["settings"]["bundle"] = "/nowhere/gone".into())
            .unwrap();
        let mut second = plugin.instantiate().unwrap();
        second.restore(&state).unwrap();
        second.activate(AudioSettings::default()).unwrap();
        second.play(&Pass::over(0, 24_000)).unwrap();
        assert_eq!(newest_take(&mut second).unwrap()["codes"], codes);
    });
}

#[test]
fn an_offline_render_gives_up_when_nothing_progresses() {
    isolated::run(Duration::from_secs(30), &[("TILLER_BUNDLE", "/nowhere")], || {
        let mut instance = fixture::plugin().unwrap().instantiate().unwrap();
        let take = serde_json::json!({
            "place": { "beats": 0.0, "seconds": 0.0 },
            "recipe": { "prompt": "never", "seconds": 1.0 },
        });
        let state: State = instance
            .state()
            .unwrap()
            .with_project(|project| project["takes"] = serde_json::json!([take]))
            .unwrap();
        instance.restore(&state).unwrap();
        instance.activate(AudioSettings::default()).unwrap();
        instance.set_offline(true).unwrap();
        assert_eq!(instance.play(&Pass::over(0, 48_000)).unwrap().peak(), 0.0);
    });
}

#[test]
fn ten_thousand_automation_events_in_one_block_change_no_sample() {
    isolated::run(LIMIT, &[], || {
        let plugin = fixture::plugin().unwrap();
        let scene = Scene { seconds: 0.5, ..Scene::default() };
        let settings = AudioSettings { max_block: 24_000, ..AudioSettings::default() };
        let mut instance = scene.open(&plugin, settings).unwrap();
        scene.generate(&mut instance, RENDER).unwrap();
        let pass = scene.pass(&instance);
        let quiet = instance.play(&pass).unwrap();
        let value = |event: u64| Event::Parameter("steer2", event as f64 / 10_000.0);
        let events = (0..10_000).map(|event| (event * 2, value(event))).collect();
        let busy = instance.play(&Pass { events, ..pass }).unwrap();
        assert!(quiet.peak() > 0.0);
        assert_eq!(quiet.first_difference(&busy), None);
    });
}

#[test]
fn a_host_that_ends_while_a_bounce_waits_ends() {
    isolated::run(Duration::from_secs(60), &[], || {
        let plugin = fixture::plugin().unwrap();
        let scene = Scene { seconds: 300.0, ..Scene::default() };
        let mut instance = scene.open(&plugin, AudioSettings::default()).unwrap();
        scene.press(&mut instance).unwrap();
        // The end of the take is minutes away, and the host's audio thread waits for it.
        let late = Pass::over(290 * 48_000, 512);
        let asked = std::time::Instant::now();
        let _ = instance.play_while(&late, |_| {
            if asked.elapsed() > Duration::from_millis(500) {
                std::process::exit(0);
            }
            Ok(())
        });
        panic!("the bounce did not wait");
    });
}

#[test]
fn a_bounce_lets_go_when_its_take_is_taken_away() {
    isolated::run(Duration::from_secs(60), &[], || {
        let plugin = fixture::plugin().unwrap();
        let scene = Scene { seconds: 300.0, ..Scene::default() };
        let mut instance = scene.open(&plugin, AudioSettings::default()).unwrap();
        let empty = instance.state().unwrap();
        scene.press(&mut instance).unwrap();
        let late = Pass::over(290 * 48_000, 512);
        let asked = std::time::Instant::now();
        let mut saved = None;
        // The project is saved, and then an older one restored, while the bounce waits.
        let audio = instance
            .play_while(&late, |instance| {
                if saved.is_none() && asked.elapsed() > Duration::from_millis(500) {
                    saved = Some(instance.state()?);
                    instance.restore(&empty)?;
                }
                Ok(())
            })
            .unwrap();
        assert_eq!(audio.peak(), 0.0);
        assert_eq!(saved.expect("the bounce did not wait").project().unwrap()["takes"][0]["muted"], false);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn the_host_is_as_it_was_afterwards() {
    isolated::run(LIMIT, &[], || {
        let before = host();
        let plugin = fixture::plugin().unwrap();
        let scene = Scene { seconds: 0.5, ..Scene::default() };
        let mut instance = scene.open(&plugin, AudioSettings::default()).unwrap();
        scene.generate(&mut instance, RENDER).unwrap();
        drop(instance);
        assert_eq!(before, host());
    });
}

/// What a plugin could change in its host: working folder, environment, which signals are ignored or caught, and how
/// this thread rounds and traps.
#[cfg(target_os = "linux")]
fn host() -> Vec<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let signals = status.lines().filter(|line| line.starts_with("SigIgn") || line.starts_with("SigCgt"));
    let mut facts: Vec<String> = signals.map(str::to_owned).collect();
    facts.push(std::env::current_dir().unwrap().display().to_string());
    facts.extend(std::env::vars().map(|(name, value)| format!("{name}={value}")));
    // Subnormal numbers are flushed to zero only if someone changed this thread's floating-point mode.
    facts.push(format!("{:e}", std::hint::black_box(f32::MIN_POSITIVE) / std::hint::black_box(2.0)));
    facts
}
