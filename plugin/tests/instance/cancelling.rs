use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tiller::renderer::Status;
use tiller::state::Project;

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
    busy_with("forever", 4)
}

/// A host whose renderer is in the middle of a step that lasts until someone ends it, as loading a model may.
fn in_a_long_step() -> Host {
    busy_with("hard", 1)
}

fn busy_with(prompt: &str, steps: usize) -> Host {
    let mut host = Host::new();
    host.edit(|project| project.prompt = prompt.into());
    host.press_generate();
    host.block(64);
    let log = host.log.clone();
    until("it does not begin", || log.steps.load(Ordering::SeqCst) >= steps);
    host
}

/// Changes the project as the window and hosts do, who tell the renderer.
fn change(host: &Host, change: impl FnOnce(&mut Project)) {
    host.edit(change);
    host.renderer.attach(&host.instance);
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

#[test]
fn a_long_step_ends_when_its_take_is_taken_away() {
    let host = in_a_long_step();
    change(&host, |project| project.takes.clear());
    until("the step goes on", || host.log.dropped.load(Ordering::SeqCst) == 1);
    until("the window shows it still", || !host.instance.view().busy());
    assert!(host.instance.view().takes.is_empty(), "a cancel is no failure");
}

#[test]
fn a_long_step_ends_when_its_instance_goes_and_others_are_served() {
    let dropped = in_a_long_step();
    let mut other = Host::joining(dropped.renderer.clone(), dropped.log.clone());
    dropped.renderer.detach(&dropped.instance);
    until("the step goes on", || other.log.dropped.load(Ordering::SeqCst) == 1);
    drop(dropped);
    other.generate();
    assert_eq!(other.instance.view().takes[0].status, Status::Ready);
}

#[test]
fn the_last_one_to_leave_ends_a_long_step() {
    let host = in_a_long_step();
    let (log, started) = (host.log.clone(), Instant::now());
    drop(host);
    assert_eq!(log.dropped.load(Ordering::SeqCst), 1);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_long_step_ends_when_the_sample_rate_changes_and_begins_anew() {
    let mut host = in_a_long_step();
    host.rate = 48_000;
    host.activate();
    until("it is not made for the new rate", || host.log.generated.load(Ordering::SeqCst) == 2);
    assert_eq!(host.log.dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn a_change_elsewhere_ends_nothing() {
    let host = in_a_long_step();
    change(&host, |project| project.prompt = "something else".into());
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!((host.log.dropped.load(Ordering::SeqCst), host.log.generated.load(Ordering::SeqCst)), (0, 1));
}

#[test]
fn a_take_that_comes_back_is_made_after_all() {
    let host = in_a_long_step();
    let takes = host.instance.store().project().takes.clone();
    change(&host, |project| project.takes.clear());
    change(&host, |project| project.takes = takes);
    until("it is not made again", || host.log.generated.load(Ordering::SeqCst) == 2);
}

#[test]
fn how_long_it_takes_is_told_while_it_is_made() {
    let host = busy_with("slow", 20);
    until("nothing is told", || host.instance.view().takes[0].seconds_left.is_some());
    host.settle();
    assert_eq!(host.instance.view().takes[0].seconds_left, None);
}
