//! What ends a wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use nice_plug::prelude::Params as _;
use tiller::instance::Instance;
use tiller::renderer::{Renderer, Waker};

use super::host::Host;
use super::offline::wanted;
use super::time::Time;
use super::tones::Tones;

/// Longest anything may take that should happen at once, on a loaded machine.
const SOON: Duration = Duration::from_secs(10);

/// A bounce that waits for what will never come, on a thread of its own, and its instance.
fn waiting() -> (thread::JoinHandle<Host>, Arc<Instance>) {
    let waits = Arc::new(AtomicBool::new(false));
    let flag = waits.clone();
    let mut host = Host::timed(Time::with(Duration::ZERO, move || {
        flag.store(true, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(1));
    }));
    host.offline = true;
    host.activate();
    host.edit(|project| project.takes.push(wanted("forever", 4.0)));
    host.known();
    let instance = host.instance.clone();
    let bounce = thread::spawn(move || {
        host.block(512);
        host
    });
    let deadline = Instant::now() + SOON;
    while !waits.load(Ordering::SeqCst) {
        assert!(Instant::now() < deadline, "it does not wait");
        thread::sleep(Duration::from_millis(1));
    }
    (bounce, instance)
}

fn soon<T>(bounce: thread::JoinHandle<T>) -> T {
    let deadline = Instant::now() + SOON;
    while !bounce.is_finished() {
        assert!(Instant::now() < deadline, "it waits on");
        thread::sleep(Duration::from_millis(1));
    }
    bounce.join().unwrap()
}

#[test]
fn an_instance_that_its_host_stops_lets_go_of_the_host_at_once() {
    let (bounce, instance) = waiting();
    instance.told.stopped(true);
    let mut host = soon(bounce);
    assert_eq!(host.instance.misses.samples(), 512);
    // Started again, it waits again.
    instance.told.stopped(false);
    host.edit(|project| project.takes = vec![wanted("slow", 1.0)]);
    assert!(host.play_from(0, 32_000, 512).iter().all(|&sample| sample > 0.0));
}

#[test]
fn an_instance_that_is_killed_while_it_waits_lets_go_of_the_host_and_of_its_work() {
    let (bounce, instance) = waiting();
    // As the plugin does when it is dropped.
    instance.told.stopped(true);
    drop(instance);
    let host = soon(bounce);
    let log = host.log.clone();
    host.renderer.detach(&host.instance);
    drop(host);
    assert_eq!(log.dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn a_cancelled_take_is_waited_for_no_longer() {
    let (bounce, instance) = waiting();
    instance.store().edit(|project| project.takes.clear());
    soon(bounce);
}

#[test]
fn a_bounce_gives_up_once_when_nothing_moves_and_waits_again_when_something_does() {
    let time = Time::with_pauses_of(Duration::from_millis(100));
    let mut host = Host::timed(time.clone());
    host.offline = true;
    host.activate();
    host.edit(|project| project.settings.patience_seconds = 5.0);
    host.known();
    // Nobody serves this instance any more.
    host.renderer.detach(&host.instance);
    host.edit(|project| project.takes.push(wanted("slow", 1.0)));
    host.play(5_120, 512);
    assert!((49..=52).contains(&time.pauses()), "{} pauses of 0.1 s", time.pauses());
    host.renderer.attach(&host.instance);
    host.settle();
    assert!(host.play_from(0, 32_000, 512).iter().all(|&sample| sample > 0.0));
    assert_eq!(host.instance.misses.samples(), 5_120);
}

#[test]
fn state_may_be_saved_and_restored_by_the_very_thread_that_waits() {
    let own: Arc<OnceLock<Arc<Instance>>> = Arc::default();
    let (for_pause, saved) = (own.clone(), Arc::new(AtomicBool::new(false)));
    let done = saved.clone();
    let mut host = Host::timed(Time::with(Duration::ZERO, move || {
        if let Some(instance) = for_pause.get() {
            let state = instance.store().serialize_fields();
            instance.store().deserialize_fields(&state);
            done.store(true, Ordering::SeqCst);
        }
        thread::sleep(Duration::from_micros(200));
    }));
    assert!(own.set(host.instance.clone()).is_ok());
    host.offline = true;
    host.activate();
    host.edit(|project| project.takes.push(wanted("slow", 1.0)));
    let heard = host.play(32_000, 512);
    assert!(saved.load(Ordering::SeqCst), "nothing was waited for");
    assert!(heard.iter().all(|&sample| sample > 0.0));
}

#[test]
fn the_renderers_thread_is_told_from_others() {
    let asked = Arc::new(OnceLock::<bool>::new());
    let (waker, answer) = (Arc::new(OnceLock::<Waker>::new()), asked.clone());
    let known = waker.clone();
    let renderer = Renderer::with(move || {
        answer.get_or_init(|| known.get().unwrap().is_asked_by_the_renderer());
        Box::new(Tones(Arc::default()))
    });
    waker.get_or_init(|| renderer.waker());
    let (instance, _ends) = Instance::new();
    renderer.attach_on_change(&instance);
    assert!(!renderer.waker().is_asked_by_the_renderer());
    // A change on another thread starts the renderer's.
    instance.store().edit(|project| project.prompt = "bells".into());
    let deadline = Instant::now() + SOON;
    while asked.get().is_none() {
        assert!(Instant::now() < deadline, "its thread does not start");
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(asked.get(), Some(&true));
}
