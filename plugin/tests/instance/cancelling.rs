use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tiller::renderer::Status;

use super::host::Host;

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A host whose take is being made and will never be ready.
fn busy() -> Host {
    let mut host = Host::new();
    host.edit(|project| project.prompt = "forever".into());
    host.press_generate();
    host.block(64);
    let log = host.log.clone();
    until("it does not begin", || log.steps.load(Ordering::SeqCst) > 3);
    host
}

#[test]
fn a_take_that_is_taken_away_is_made_no_further() {
    let host = busy();
    let started = Instant::now();
    host.edit(|project| project.takes.retain(|take| take.codes.is_some()));
    until("its work goes on", || host.log.dropped.load(Ordering::SeqCst) == 1);
    assert!(started.elapsed() < Duration::from_millis(500));
    assert!(!host.instance.view().busy());
}

#[test]
fn a_dropped_instance_takes_its_work_along_and_leaves_the_others_alone() {
    let dropped = busy();
    let mut other = Host::joining(dropped.renderer.clone(), dropped.log.clone());
    dropped.renderer.detach(&dropped.instance);
    drop(dropped);
    until("its work goes on", || other.log.dropped.load(Ordering::SeqCst) == 1);
    other.generate();
    assert_eq!(other.instance.view().takes[0].status, Status::Ready);
}

#[test]
fn the_last_one_to_leave_ends_the_thread_in_the_middle_of_work() {
    let host = busy();
    let (log, started) = (host.log.clone(), Instant::now());
    drop(host);
    assert_eq!(log.dropped.load(Ordering::SeqCst), 1, "work outlives the plugin's code");
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn failures_and_panics_are_shown_and_can_be_tried_again() {
    for (prompt, sentence) in [("fail", "There are no tones today."), ("panic", "the tuning fork broke")] {
        let mut host = Host::new();
        host.edit(|project| project.prompt = prompt.into());
        host.generate();
        let Status::Failed(message) = &host.instance.view().takes[0].status.clone() else {
            panic!("it did not fail")
        };
        assert!(message.contains(sentence), "{message}");
        assert_eq!(host.log.generated.load(Ordering::SeqCst), 1, "what failed is not tried again by itself");
        host.instance.ask_retry();
        host.renderer.waker().wake();
        until("it is not tried again", || host.log.generated.load(Ordering::SeqCst) == 2);
        host.settle();
        // The renderer is as good as new.
        host.edit(|project| {
            let take = Arc::make_mut(&mut project.takes[0]);
            take.recipe.prompt = "fine".into();
        });
        until("it does not recover", || host.instance.view().takes[0].status == Status::Ready);
    }
}
