//! Projects: saved, restored, and everything that is no project.

use crate::{LIMIT, RENDER};
use serde_json::{Value, json};
use tiller_tests::scene::{Scene, finish, takes};
use tiller_tests::{AudioSettings, Instance, PluginFile, State, fixture, isolated};

fn finished(plugin: &PluginFile) -> (Scene, Instance) {
    let scene = Scene { seconds: 1.0, ..Scene::default() };
    let mut instance = scene.open(plugin, AudioSettings::default()).unwrap();
    scene.generate(&mut instance, RENDER).unwrap();
    (scene, instance)
}

fn reopened(plugin: &PluginFile, state: &State) -> Instance {
    let mut instance = plugin.instantiate().unwrap();
    instance.restore(state).unwrap();
    instance.activate(AudioSettings::default()).unwrap();
    instance.set_offline(true).unwrap();
    instance
}

#[test]
fn a_second_instance_bounces_the_restored_project_to_the_same_bytes() {
    isolated::run(LIMIT, &[], || {
        let plugin = fixture::plugin().unwrap();
        let (scene, mut first) = finished(&plugin);
        let pass = scene.pass(&first);
        let original = first.play(&pass).unwrap();
        let state = first.state().unwrap();
        drop(first);
        let mut second = reopened(&plugin, &state);
        assert_eq!(original.first_difference(&second.play(&pass).unwrap()), None);
    });
}

#[test]
fn a_restored_state_saves_as_the_same_state() {
    isolated::run(LIMIT, &[], || {
        let plugin = fixture::plugin().unwrap();
        let (_, mut instance) = finished(&plugin);
        let state = instance.state().unwrap();
        let again = reopened(&plugin, &state).state().unwrap();
        assert_eq!(state.project().unwrap(), again.project().unwrap());
        assert_eq!(state.json().unwrap()["params"], again.json().unwrap()["params"]);
    });
}

#[test]
fn a_script_can_write_a_take_that_has_only_a_recipe() {
    isolated::run(LIMIT, &[], || {
        let mut instance = fixture::plugin().unwrap().instantiate().unwrap();
        let recipe = json!({ "prompt": "a calm piano melody", "seed": 3, "seconds": 1.0 });
        let take = json!({ "place": { "beats": 0.0, "seconds": 0.0 }, "recipe": recipe });
        let state =
            instance.state().unwrap().with_project(|project| project["takes"] = json!([take])).unwrap();
        instance.restore(&state).unwrap();
        instance.activate(AudioSettings::default()).unwrap();
        instance.set_offline(true).unwrap();
        let audio = instance.play(&tiller_tests::Pass::over(0, 48_000)).unwrap();
        assert!(audio.level(0.0, 1.0) > 1e-4);
        finish(&mut instance, RENDER).unwrap();
    });
}

#[test]
fn a_project_may_be_saved_and_restored_while_it_plays() {
    isolated::run(LIMIT, &[], || {
        let plugin = fixture::plugin().unwrap();
        let (scene, mut instance) = finished(&plugin);
        let pass = scene.pass(&instance);
        let quiet = instance.play(&pass).unwrap();
        let slow = tiller_tests::Pass { pace: tiller_tests::Pace::Live, ..pass };
        let mut times = 0;
        let busy = instance
            .play_while(&slow, |instance| {
                let state = instance.state()?;
                times += 1;
                instance.restore(&state)
            })
            .unwrap();
        assert!(times > 3);
        assert_eq!(quiet.first_difference(&busy), None);
    });
}

#[test]
fn states_that_are_none_are_refused_and_the_project_is_kept() {
    isolated::run(LIMIT, &[], || {
        let plugin = fixture::plugin().unwrap();
        let (scene, mut instance) = finished(&plugin);
        let before = instance.state().unwrap();
        let bytes = before.bytes();
        let mut endless = before.clone().bytes().to_vec();
        endless[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        let broken = [
            ("nothing", Vec::new()),
            ("half a length field", bytes[..4].to_vec()),
            ("cut short", bytes[..bytes.len() / 2].to_vec()),
            ("endless", endless),
            ("noise", (0..4_096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
            ("other JSON", State::from_json(&json!([1, 2, 3])).bytes().to_vec()),
        ];
        for (what, bytes) in broken {
            assert!(instance.restore(&State::from_bytes(bytes)).is_err(), "{what} was accepted");
            assert_eq!(
                instance.state().unwrap().project().unwrap(),
                before.project().unwrap(),
                "after {what}"
            );
        }
        let pass = scene.pass(&instance);
        assert!(instance.play(&pass).unwrap().level(0.0, 1.0) > 1e-4);
    });
}

#[test]
fn a_project_from_a_newer_tiller_is_kept_as_it_is() {
    isolated::run(LIMIT, &[], || {
        let plugin = fixture::plugin().unwrap();
        let (_, mut instance) = finished(&plugin);
        let newer = instance
            .state()
            .unwrap()
            .with_project(|project| {
                project["schema"] = json!(9_999);
                project["invented_later"] = json!("keep me");
            })
            .unwrap();
        let mut second = plugin.instantiate().unwrap();
        if second.restore(&newer).is_ok() {
            // Accepted: then saving again must not lose what this version does not understand.
            assert_eq!(second.state().unwrap().project().unwrap(), newer.project().unwrap());
        }
        second.activate(AudioSettings::default()).unwrap();
        second.play(&tiller_tests::Pass::over(0, 4_800)).unwrap();
    });
}

#[test]
fn prompts_of_any_length_and_script_survive() {
    isolated::run(LIMIT, &[], || {
        let plugin = fixture::plugin().unwrap();
        for prompt in ["", "größer ♪ 低音 🎹\u{202e}\u{0}x", &"deep bass ".repeat(1_000)] {
            let scene = Scene { prompt: prompt.into(), seconds: 0.2, ..Scene::default() };
            let mut instance = scene.open(&plugin, AudioSettings::default()).unwrap();
            let undescribed = |project: &mut Value| project["settings"]["describe_song"] = json!(false);
            let state = instance.state().unwrap().with_project(undescribed).unwrap();
            instance.restore(&state).unwrap();
            scene.generate(&mut instance, RENDER).unwrap();
            assert_eq!(takes(&mut instance).unwrap()[0]["recipe"]["prompt"], json!(prompt));
        }
    });
}
