//! Hosts that do not say that they render to a file.

use std::time::Duration;

use tiller::audio::Watch as _;
use tiller::state::Wait;

use super::host::Host;
use super::offline::wanted;
use super::time::Time;
use super::tones::RATE;

/// A pause that takes next to none of the clock's time, however long the renderer needs on a loaded machine.
const HARDLY: Duration = Duration::from_micros(1);

fn rolling(prompt: &str, pause: Duration) -> (Host, Time) {
    let time = Time::with_pauses_of(pause);
    let mut host = Host::timed(time.clone());
    host.longest = 512;
    host.activate();
    host.edit(|project| project.takes.push(wanted(prompt, 4.0)));
    (host, time)
}

/// Plays in real time, and says how often somebody was kept waiting.
fn live(host: &mut Host, time: &Time, blocks: usize) -> usize {
    let before = time.pauses();
    for _ in 0..blocks {
        host.block(512);
        time.pass(512.0 / f64::from(RATE));
    }
    time.pauses() - before
}

fn zeros(heard: &[f32]) -> u64 {
    heard.iter().filter(|&&sample| sample == 0.0).count() as u64
}

#[test]
fn a_host_that_fetches_faster_than_real_time_is_kept_waiting_and_gets_everything() {
    let (mut host, time) = rolling("slow", HARDLY);
    let heard = host.play(4 * RATE as usize, 512);
    assert!(time.pauses() > 0);
    let known = RATE as usize / 2 + 1_024;
    assert!(heard[known..].iter().all(|&sample| sample > 0.0), "a hole after the host was known");
    assert_eq!(host.instance.misses.samples(), zeros(&heard), "what was missed before is counted");
    let (places, more) = host.instance.misses.places();
    assert!(!more && places.iter().all(|place| place.end <= 0.54), "{places:?}");
    // Now that the audio is there, the next bounce has it all.
    assert_eq!(zeros(&host.play_from(0, 4 * RATE as usize, 512)), 0);
}

#[test]
fn it_is_never_made_slower_than_real_time() {
    let (mut host, time) = rolling("forever", Duration::from_millis(1));
    host.edit(|project| project.settings.patience_seconds = 1e9);
    let heard = host.play(4 * RATE as usize, 512);
    assert!(time.pauses() > 100, "it was not kept waiting at all");
    assert!(time.now() < Duration::from_secs(4), "{:?} for 4 s", time.now());
    assert_eq!(zeros(&heard), heard.len() as u64);
    assert_eq!(host.instance.misses.places().0, [0.0..4.0]);
}

#[test]
fn a_live_set_is_never_kept_waiting_not_even_right_after_a_bounce() {
    let (mut host, time) = rolling("forever", Duration::from_millis(1));
    assert_eq!(live(&mut host, &time, 600), 0, "live from the start");
    // A bounce that nobody announced, then playing on from where it ended after a look at the result.
    host.position = 0;
    host.play(2 * RATE as usize, 512);
    assert!(time.pauses() > 0);
    time.pass(1.5);
    assert_eq!(live(&mut host, &time, 600), 0, "after an unannounced bounce");
    host.position = 0;
    host.play(2 * RATE as usize, 512);
    host.player.reset();
    assert_eq!(live(&mut host, &time, 600), 0, "after a reset");
    // One that was announced.
    host.edit(|project| project.settings.patience_seconds = 0.01);
    host.offline = true;
    host.activate();
    host.play_from(0, 2_048, 512);
    host.offline = false;
    host.activate();
    assert_eq!(live(&mut host, &time, 600), 0, "after an announced bounce");
}

#[test]
fn a_host_that_renders_ahead_or_seeks_often_is_not_taken_for_a_bounce() {
    let (mut host, time) = rolling("forever", Duration::from_millis(1));
    for seek in 0..10 {
        host.position = seek * 7_000;
        // 0.3 s at once, as a host that renders tracks ahead.
        host.play(RATE as usize * 3 / 10, 512);
        live(&mut host, &time, 10);
    }
    assert_eq!(time.pauses(), 0);
}

#[test]
fn told_to_wait_always_it_waits_from_the_first_block_after_opening_a_project() {
    let (mut host, _) = rolling("slow", HARDLY);
    host.edit(|project| project.settings.wait = Wait::Always);
    assert_eq!(zeros(&host.play(4 * RATE as usize, 512)), 0);
    assert_eq!(host.instance.misses.samples(), 0);
}

#[test]
fn told_to_wait_always_it_does_not_hold_up_a_standing_song() {
    let (mut host, time) = rolling("forever", Duration::from_millis(1));
    host.edit(|project| project.settings.wait = Wait::Always);
    host.playing = false;
    host.play(2_048, 512);
    assert_eq!(time.pauses(), 0);
}

#[test]
fn told_never_to_wait_it_does_not_even_where_the_host_is_offline() {
    let (mut host, time) = rolling("forever", Duration::from_millis(1));
    host.edit(|project| project.settings.wait = Wait::Never);
    host.offline = true;
    host.activate();
    host.play(2 * RATE as usize, 512);
    assert_eq!(time.pauses(), 0);
    host.known();
    host.block(512);
    assert_eq!(host.instance.misses.places().0, [0.0..2.016]);
}
