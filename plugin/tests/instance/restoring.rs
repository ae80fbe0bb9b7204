use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use nice_plug::prelude::Params;

use super::host::Host;

#[test]
fn takes_come_back_from_their_tokens_sample_for_sample() {
    let mut host = Host::new();
    host.generate();
    let original = host.play_from(0, 300_000, 512);
    let state = host.instance.store().serialize_fields();

    let mut other = Host::offline();
    other.instance.store().deserialize_fields(&state);
    assert!(other.play_from(0, 300_000, 512) == original);
    assert_eq!(
        (other.log.generated.load(Ordering::SeqCst), other.log.decoded.load(Ordering::SeqCst)),
        (0, 1)
    );
    assert_eq!(other.instance.store().serialize_fields(), state, "saving it again changes nothing");
}

#[test]
fn restoring_the_same_state_starts_no_work() {
    let mut host = Host::new();
    host.generate();
    let state = host.instance.store().serialize_fields();
    let steps = host.log.steps.load(Ordering::SeqCst);
    for _ in 0..5 {
        host.instance.store().deserialize_fields(&state);
    }
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(host.log.steps.load(Ordering::SeqCst), steps);
}

#[test]
fn a_take_written_without_tokens_is_rendered() {
    let host = Host::new();
    let project = r#"{"schema":1,"takes":[{"place":{"beats":0,"seconds":0},
        "recipe":{"prompt":"x","seconds":0.5,"seed":7}}]}"#;
    host.instance.store().deserialize_fields(&BTreeMap::from([("project".into(), project.into())]));
    host.settle();
    assert_eq!(host.log.generated.load(Ordering::SeqCst), 1);
    assert!(host.instance.store().project().takes[0].codes.is_some());
}

#[test]
fn a_button_that_was_saved_pressed_presses_nothing_when_restored() {
    let mut host = Host::new();
    host.press_generate();
    host.instance.store().deserialize_fields(&BTreeMap::new());
    host.block(64);
    std::thread::sleep(std::time::Duration::from_millis(30));
    assert!(host.instance.store().project().takes.is_empty());
}
