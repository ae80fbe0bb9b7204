//! Audio that was due and not there is counted and located.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tiller::state::{Place, Take};

use super::host::Host;
use super::offline::wanted;
use super::tones::RATE;

/// A take of a second that starts at this second of the song.
fn at(seconds: f64, prompt: &str) -> Arc<Take> {
    let mut take = wanted(prompt, 1.0);
    Arc::make_mut(&mut take).place = Place { beats: seconds * 2.0, seconds, ..take.place };
    take
}

/// A host whose take will never be ready, and which knows of it.
fn hopeless() -> Host {
    let mut host = Host::new();
    host.edit(|project| project.takes.push(wanted("forever", 4.0)));
    host.known();
    host
}

#[test]
fn what_a_live_set_missed_is_counted_and_located() {
    let mut host = hopeless();
    host.play_from(1_000, 2_000, 500);
    host.play_from(64_000, 320, 64);
    host.play_from(1_000, 500, 500);
    assert_eq!(host.instance.misses.samples(), 2_820, "each time it was due");
    let rate = f64::from(RATE);
    let places = [1_000.0 / rate..3_000.0 / rate, 2.0..64_320.0 / rate];
    assert_eq!(host.instance.misses.places(), (places.to_vec(), false));
}

#[test]
fn a_take_that_grows_under_the_playhead_is_missed_from_where_it_ends() {
    let mut host = Host::new();
    host.edit(|project| project.takes.push(wanted("slow", 1.0)));
    host.known();
    let mut heard = Vec::new();
    // A block that catches the writer at work, or has all or nothing: the account is right in any case.
    for _ in 0..40 {
        heard.extend(host.play_from(0, 32_000, 32_000));
    }
    let silent = heard.iter().filter(|&&sample| sample == 0.0).count();
    assert_eq!(host.instance.misses.samples(), silent as u64);
}

#[test]
fn a_take_restored_under_the_playhead_is_missed_before_anyone_was_told_of_it() {
    let mut host = Host::new();
    host.generate();
    host.log.hold.store(true, Ordering::SeqCst);
    let steps = host.log.steps.load(Ordering::SeqCst);
    host.edit(|project| project.takes.push(at(1_000.0, "held")));
    host.known();
    while host.log.steps.load(Ordering::SeqCst) == steps {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    // The renderer is busy. What was there before sounds on; of the new take nobody knows yet.
    host.edit(|project| project.takes.push(at(0.5, "new")));
    assert!(host.play_from(8_000, 12_000, 500).iter().all(|&sample| sample > 0.0));
    assert_eq!(host.instance.misses.samples(), 0);
    host.log.hold.store(false, Ordering::SeqCst);
    host.settle();
    host.known();
    host.play_from(0, 64, 64);
    assert_eq!(host.instance.misses.places().0, [0.5..0.625]);
    assert_eq!(host.instance.misses.samples(), 4_000);
}

#[test]
fn a_transport_that_jumps_every_block_loses_no_miss() {
    let mut host = hopeless();
    for jump in 0..200_i64 {
        host.play_from(jump * 7_919 % 120_000, 64, 64);
    }
    assert_eq!(host.instance.misses.samples(), 200 * 64);
    let (places, _) = host.instance.misses.places();
    assert!(places.len() <= 64 && places.iter().all(|place| place.end <= 4.0));
}
