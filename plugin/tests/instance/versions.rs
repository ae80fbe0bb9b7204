//! Automation that passes over a take becomes its curve: a new version, from the first changed frame on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nice_plug::prelude::Params;
use tiller::renderer::Status;
use tiller::state::{Position, Recipe, Slot, Take, curve};
use tiller_models::steering::StrengthCurve;

use super::host::Host;
use super::tones::{FRAME, level};

/// Samples of the take: two seconds, a hundred frames.
const LENGTH: usize = 64_000;

/// A host with a take of two seconds, seed 5, at the song's start, that one slot steers.
pub fn with_take(prompt: &str) -> Host {
    let mut host = Host::new();
    host.edit(|project| {
        project.prompt = prompt.into();
        project.slots[0] = Some(Slot { name: "flute".into(), ..Slot::default() });
        project.settings.position = Position::Beats(0.0);
    });
    host.set(5, 2.0);
    host.generate();
    host.shown();
    host
}

/// Plays the song from `from` to `to` with a strength of 0 before `rises` and `strength` after, and stops; samples.
pub fn pass(host: &mut Host, [from, rises, to]: [usize; 3], strength: f32, size: usize) -> Vec<f32> {
    let mut heard = Vec::new();
    host.position = from as i64;
    while (host.position as usize) < to {
        let at = host.position as usize;
        host.strengths[0] = if at < rises { 0.0 } else { strength };
        // A host that sends events splits its blocks at them.
        let end = if at < rises { rises.min(to) } else { to };
        heard.extend(host.block(size.min(end - at)));
    }
    heard
}

/// Waits until all takes have followed what passed, and what sounds is what they became.
pub fn followed(host: &mut Host) {
    host.shown();
    host.settle();
    host.shown();
}

pub fn take(host: &Host) -> Arc<Take> {
    host.instance.store().project().takes[0].clone()
}

pub fn strengths(host: &Host) -> Vec<f32> {
    (0..100).map(|frame| take(host).recipe.steering[0].curve.at(frame)).collect()
}

/// Asks for another version of the take.
fn want(host: &Host, change: impl FnOnce(&mut Recipe)) {
    host.edit(|project| {
        let take = Arc::make_mut(&mut project.takes[0]);
        let mut recipe = take.recipe.clone();
        change(&mut recipe);
        take.wanted = Some(Arc::new(recipe));
    });
}

/// 0 up to a frame, 1.5 from there on.
fn rising(frame: usize) -> StrengthCurve {
    curve::compact([vec![0.0; frame], vec![1.5; 100 - frame]].concat())
}

fn expected(frame: usize, strength: f32) -> f32 {
    (level(5, frame, strength) * 10_000.0).round() / 10_000.0
}

#[test]
fn what_passed_is_made_from_the_first_changed_frame_on_and_the_rest_is_kept_to_the_bit() {
    let mut host = with_take("tone");
    let before = take(&host);
    let old = pass(&mut host, [0, 32_000, LENGTH + 100], 1.5, 512);
    followed(&mut host);
    let after = take(&host);
    assert_eq!(host.log.resumed_at.load(Ordering::SeqCst), 50);
    assert_eq!(strengths(&host), [vec![0.0; 50], vec![1.5; 50]].concat());
    let codes = |take: &Take| take.codes.as_ref().unwrap().codes().rows()[0].clone();
    assert_eq!(codes(&after)[..50], codes(&before)[..50]);
    let new = host.play_from(0, LENGTH, 512);
    assert!(new[..32_000] == old[..32_000], "what did not change does not sound the same");
    assert_eq!((old[32_000], new[32_000]), (expected(50, 0.0), expected(50, 1.5)));
    assert_eq!(after.history.earlier[0].codes, before.codes.clone().unwrap());
    assert_eq!(host.instance.misses.samples(), 0);
}

#[test]
fn nothing_is_made_before_the_transport_has_left_the_take() {
    let mut host = with_take("tone");
    pass(&mut host, [0, 16_000, 48_000], 1.0, 512);
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!((take(&host).wanted.clone(), host.log.resumed.load(Ordering::SeqCst)), (None, 0));
    host.playing = false;
    host.block(64);
    followed(&mut host);
    assert_eq!(host.log.resumed.load(Ordering::SeqCst), 1);
}

#[test]
fn frames_that_were_not_passed_keep_their_strengths() {
    let mut host = with_take("tone");
    pass(&mut host, [16_000, 0, 32_000], 0.75, 100);
    followed(&mut host);
    assert_eq!(strengths(&host), [vec![0.0; 25], vec![0.75; 25], vec![0.0; 50]].concat());
}

#[test]
fn the_same_automation_changes_nothing_wherever_and_however_it_is_passed() {
    let mut host = with_take("tone");
    pass(&mut host, [0, 20_001, LENGTH + 1], 1.0, 512);
    followed(&mut host);
    let state = host.instance.store().serialize_fields();
    for (from, to, size) in
        [(0, LENGTH + 1, 64), (0, LENGTH + 1, 8_192), (13_333, 50_001, 999), (30_000, 70_000, 1)]
    {
        pass(&mut host, [from, 20_001, to], 1.0, size);
        followed(&mut host);
        assert_eq!(host.instance.store().serialize_fields(), state, "{from} to {to} in blocks of {size}");
    }
}

#[test]
fn frozen_takes_and_projects_never_change() {
    for freeze in [
        |host: &Host| host.edit(|project| Arc::make_mut(&mut project.takes[0]).frozen = true),
        |host: &Host| host.edit(|project| project.settings.freeze = true),
        |host: &Host| host.edit(|project| project.settings.follow_automation = false),
        |host: &Host| host.edit(|project| Arc::make_mut(&mut project.takes[0]).muted = true),
    ] {
        let mut host = with_take("tone");
        freeze(&host);
        host.shown();
        let before = take(&host);
        pass(&mut host, [0, 32_000, LENGTH + 100], 1.5, 512);
        followed(&mut host);
        assert_eq!(take(&host), before);
    }
}

#[test]
fn going_back_and_forth_is_heard_at_once_and_lasts() {
    let mut host = with_take("tone");
    pass(&mut host, [0, 32_000, LENGTH + 100], 1.5, 512);
    followed(&mut host);
    let steps = host.log.steps.load(Ordering::SeqCst);
    host.edit(|project| Arc::make_mut(&mut project.takes[0]).undo());
    host.shown();
    let heard = pass(&mut host, [0, 32_000, LENGTH + 100], 1.5, 512);
    assert_eq!(heard[32_000], expected(50, 0.0));
    followed(&mut host);
    assert_eq!(strengths(&host), vec![0.0; 100], "automation that is still there undid the undo");
    host.edit(|project| Arc::make_mut(&mut project.takes[0]).redo());
    host.shown();
    assert_eq!(host.play_from(32_000, 10, 10)[0], expected(50, 1.5));
    assert_eq!(host.log.steps.load(Ordering::SeqCst), steps, "something was made again");
}

#[test]
fn automation_that_comes_back_recalls_the_version_it_made() {
    let mut host = with_take("tone");
    pass(&mut host, [0, 32_000, LENGTH + 100], 1.5, 512);
    followed(&mut host);
    pass(&mut host, [0, 32_000, LENGTH + 100], 0.0, 512);
    followed(&mut host);
    assert_eq!(strengths(&host), vec![0.0; 100]);
    assert_eq!(host.log.resumed.load(Ordering::SeqCst), 1);
    assert_eq!(host.play_from(32_000, 10, 10)[0], expected(50, 0.0));
}

#[test]
fn a_song_that_plays_what_is_new_switches_when_it_jumps() {
    let mut host = with_take("tone");
    host.position = 20_000;
    host.strengths[0] = 1.5;
    host.block(16);
    want(&host, |recipe| recipe.steering[0].curve = rising(25));
    let deadline = Instant::now() + Duration::from_secs(10);
    while host.instance.view().takes[0].status != Status::Ready
        || host.log.resumed.load(Ordering::SeqCst) == 0
        || host.position < 22_000
    {
        let at = host.position as usize;
        assert_eq!(host.block(16)[0], expected(at / FRAME, 0.0), "it switched at {at}");
        assert!(Instant::now() < deadline && at < 60_000, "the new version is not made");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(take(&host).wanted.is_some(), "it became the new version while that was playing");
    followed(&mut host);
    assert_eq!(host.play_from(20_000, 10, 10)[0], expected(20_000 / FRAME, 1.5));
}

#[test]
fn a_bounce_waits_for_the_version_that_is_being_made() {
    let mut host = with_take("slow");
    pass(&mut host, [0, 32_000, LENGTH + 100], 1.5, 512);
    host.offline = true;
    let bounce = pass(&mut host, [0, 32_000, LENGTH + 100], 1.5, 512);
    assert_eq!((bounce[31_999], bounce[32_000]), (expected(49, 0.0), expected(50, 1.5)));
    assert_eq!(host.instance.outdated.load(Ordering::Relaxed), 0);
}

#[test]
fn what_passed_before_a_reset_is_in_the_first_block_after_it() {
    let mut host = with_take("tone");
    host.offline = true;
    pass(&mut host, [0, 0, 32_000], 1.5, 512);
    host.player.reset();
    assert_eq!(host.play_from(0, 10, 10)[0], expected(0, 1.5));
}

#[test]
fn a_bounce_with_strengths_that_never_passed_says_so_and_the_next_has_them() {
    let mut host = with_take("tone");
    host.offline = true;
    // The last block is the take's last as well.
    let song = [0, 32_000, LENGTH];
    let before = host.play_from(0, LENGTH, 512);
    let first = pass(&mut host, song, 1.5, 512);
    assert!(first == before, "what records it sounds as before to the last sample");
    let second = pass(&mut host, song, 1.5, 512);
    assert_eq!(second[32_000], expected(50, 1.5));
    assert_eq!(host.instance.outdated.load(Ordering::Relaxed), 1);
    for size in [16, 8_192, 1_000] {
        assert!(pass(&mut host, song, 1.5, size) == second, "blocks of {size}");
    }
    assert_eq!(host.instance.outdated.load(Ordering::Relaxed), 1);
}

#[test]
fn a_take_that_was_still_being_made_follows_what_passed_meanwhile() {
    let mut host = Host::new();
    host.edit(|project| {
        project.prompt = "slow".into();
        project.slots[0] = Some(Slot { name: "flute".into(), ..Slot::default() });
        project.settings.position = Position::Beats(0.0);
    });
    host.set(5, 2.0);
    host.press_generate();
    host.playing = false;
    host.block(64);
    host.playing = true;
    host.until_takes(1);
    // Faster than it is made: the frames at the front are made already when these strengths pass.
    std::thread::sleep(Duration::from_millis(60));
    pass(&mut host, [0, 0, LENGTH + 100], 1.0, 2_000);
    followed(&mut host);
    let deadline = Instant::now() + Duration::from_secs(10);
    while strengths(&host) != vec![1.0; 100] {
        assert!(Instant::now() < deadline, "{:?}", strengths(&host));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_version_that_is_no_longer_wanted_is_made_no_further() {
    let mut host = with_take("tone");
    want(&host, |recipe| recipe.prompt = "forever".into());
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !done() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let log = host.log.clone();
    until("it does not begin", &|| log.resumed.load(Ordering::SeqCst) == 1);
    let dropped = log.dropped.load(Ordering::SeqCst);
    host.edit(|project| Arc::make_mut(&mut project.takes[0]).wanted = None);
    until("its work goes on", &|| log.dropped.load(Ordering::SeqCst) == dropped + 1);
    host.shown();
    assert_eq!(host.play_from(0, 10, 10)[0], expected(0, 0.0));
}

#[test]
fn a_version_that_cannot_be_made_leaves_the_take_and_the_bounce_as_they_are() {
    let mut host = with_take("tone");
    want(&host, |recipe| recipe.prompt = "fail".into());
    host.offline = true;
    assert_eq!(host.play_from(0, 10, 10)[0], expected(0, 0.0));
    assert!(matches!(host.instance.view().takes[0].status, Status::Failed(_)));
    assert!(take(&host).wanted.is_some(), "it can be tried again");
}

#[test]
fn a_project_saved_while_a_version_is_made_goes_on_with_it_when_it_is_opened() {
    let host = with_take("tone");
    host.renderer.detach(&host.instance);
    want(&host, |recipe| recipe.steering[0].curve = rising(50));
    let state = host.instance.store().serialize_fields();
    drop(host);
    let mut other = Host::new();
    other.instance.store().deserialize_fields(&state);
    followed(&mut other);
    assert_eq!(strengths(&other), [vec![0.0; 50], vec![1.5; 50]].concat());
    assert_eq!(other.play_from(32_000, 10, 10)[0], expected(50, 1.5));
    assert_eq!(other.log.resumed_at.load(Ordering::SeqCst), 50);
}
