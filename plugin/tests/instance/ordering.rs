use std::sync::Arc;
use std::time::{Duration, Instant};

use tiller::renderer::Status;
use tiller::state::{PackedCodes, Project, Take};
use tiller_models::codes::Codes;

use super::host::Host;

/// A take of a second that is to be made.
fn take(prompt: &str, seed: u64, at: f64) -> Arc<Take> {
    let text = format!(
        r#"{{"place":{{"beats":{},"seconds":{at}}},"recipe":{{"prompt":"{prompt}","seed":{seed},"seconds":1.0}}}}"#,
        at * 2.0
    );
    Arc::new(serde_json::from_str(&text).unwrap())
}

/// The seeds of a project's takes in the order in which they are made, with the song at second 30.
fn order(change: impl FnOnce(&mut Project)) -> Vec<u64> {
    let mut host = Host::new();
    host.position = 30 * i64::from(host.rate);
    host.block(64);
    host.edit(change);
    host.settle();
    host.log.whole.lock().unwrap().clone()
}

#[test]
fn what_sounds_soonest_is_made_first_and_what_is_muted_last() {
    let order = order(|project| {
        let mut muted = take("a", 1, 30.0);
        Arc::make_mut(&mut muted).muted = true;
        project.takes =
            vec![muted, take("b", 2, 90.0), take("c", 3, 5.0), take("d", 4, 40.0), take("e", 5, 29.5)];
    });
    assert_eq!(order, [5, 4, 2, 3, 1]);
}

#[test]
fn tokens_that_sound_soon_are_decoded_before_anything_is_generated() {
    let order = order(|project| {
        let decoded = |seed, at| {
            let mut take = take("decoded", seed, at);
            let codes = Codes::try_from(vec![vec![1; 50]]).unwrap();
            Arc::make_mut(&mut take).codes = Some(Arc::new(PackedCodes::from(codes)));
            take
        };
        project.takes = vec![take("generated", 1, 30.0), decoded(2, 36.0), decoded(3, 90.0)];
    });
    assert_eq!(order, [2, 1, 3]);
}

#[test]
fn an_instance_whose_take_sounds_sooner_goes_before_one_that_is_busy_already() {
    let mut busy = Host::new();
    busy.block(64);
    busy.edit(|project| project.takes = vec![take("forever", 1, 600.0)]);
    busy.renderer.attach(&busy.instance);
    let mut other = Host::joining(busy.renderer.clone(), busy.log.clone());
    other.block(64);
    other.edit(|project| project.takes = vec![take("soon", 2, 1.0)]);
    let deadline = Instant::now() + Duration::from_secs(10);
    while other.instance.view().takes.first().is_none_or(|take| take.status != Status::Ready) {
        assert!(Instant::now() < deadline, "the busy one keeps the renderer to itself");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(busy.log.whole.lock().unwrap()[..], [2]);
}
