//! Takes that are stretched to whole bars: all that holds for others holds for them, at the places where they sound.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nice_plug::prelude::Params;
use tiller::renderer::Status;
use tiller::state::{Fit, Take};

use super::host::Host;
use super::tones::RATE;
use super::versions::{followed, pass, strengths, take, with_take};

/// Makes two seconds, a hundred frames, two and a half: a frame lasts 800 samples.
const FIT: Fit = Fit { beats: 5.0, tempo: 120.0 };
/// Samples of the fitted take.
const LENGTH: usize = 80_000;
/// So far a change is heard ahead of its own frame, samples: as far as the stretcher looks ahead.
const AHEAD: usize = 4_800;

fn edit_take(host: &mut Host, change: impl FnOnce(&mut Take)) {
    host.edit(|project| change(Arc::make_mut(&mut project.takes[0])));
    host.shown();
    host.settle();
}

fn fitted(fit: Fit) -> Host {
    let mut host = with_take("tone");
    edit_take(&mut host, |take| take.fit = Some(fit));
    host
}

/// Stops, stands for a block, and plays again.
fn stand(host: &mut Host) {
    host.playing = false;
    host.block(64);
    host.playing = true;
}

/// Asserts that the song sounds up to a second and is silent from there.
fn assert_sounds_until(host: &mut Host, seconds: f64) {
    let end = (seconds * f64::from(RATE)).round() as i64;
    let before = host.play_from(end - 6_400, 6_000, 512);
    assert!(before.iter().all(|sample| sample.abs() > 0.02), "it ends before {seconds} s");
    assert!(host.play_from(end, 6_400, 512).iter().all(|&sample| sample == 0.0), "it ends after {seconds} s");
}

#[test]
fn a_fitted_take_lasts_its_bars_and_follows_the_songs_tempo_when_that_stands() {
    let mut host = with_take("tone");
    host.offline = true;
    assert_sounds_until(&mut host, 2.0);
    edit_take(&mut host, |take| take.fit = Some(FIT));
    assert_sounds_until(&mut host, 2.5);
    host.tempo = 100.0;
    assert_sounds_until(&mut host, 2.5);
    host.position = 0;
    stand(&mut host);
    assert_sounds_until(&mut host, 3.0);
    assert_eq!(take(&host).fit, Some(Fit { tempo: 100.0, ..FIT }));
    // What is fitted while a song plays at a new tempo is fitted to that.
    host.tempo = 90.0;
    host.play_from(0, 512, 512);
    host.edit(|project| Arc::make_mut(&mut project.takes[0]).fit = Some(Fit { tempo: 80.0, ..FIT }));
    host.play_from(0, 512, 512);
    assert_eq!(take(&host).fit.unwrap().tempo, 80.0);
    host.tempo = 100.0;
    stand(&mut host);
    assert_eq!(take(&host).fit.unwrap().tempo, 100.0);
    host.tempo = 40.0;
    stand(&mut host);
    assert_eq!(take(&host).fit.unwrap().tempo, 100.0, "nothing stretches music so far");
    edit_take(&mut host, |take| take.frozen = true);
    host.tempo = 120.0;
    stand(&mut host);
    assert_eq!(take(&host).fit.unwrap().tempo, 100.0, "what is frozen never changes");
    assert_eq!(host.log.generated.load(Ordering::SeqCst), 1, "the music is the same");
    assert_eq!(host.instance.misses.samples(), 0);
}

#[test]
fn automation_lands_on_the_frames_that_sound_there_and_only_they_are_made_again() {
    let mut host = fitted(FIT);
    let old = pass(&mut host, [0, 40_000, LENGTH + 100], 1.5, 512);
    followed(&mut host);
    assert_eq!(host.log.resumed_at.load(Ordering::SeqCst), 50);
    assert_eq!(strengths(&host), [vec![0.0; 50], vec![1.5; 50]].concat());
    let new = pass(&mut host, [0, 40_000, LENGTH + 100], 1.5, 512);
    let first = old.iter().zip(&new).position(|(old, new)| old != new).unwrap();
    assert!((40_000 - AHEAD..40_800).contains(&first), "it sounds different from {first} on");
    assert!(new[44_000..70_000].iter().zip(&old[44_000..]).all(|(new, old)| new - old > 0.1));

    pass(&mut host, [60_800, 0, 70_000], 0.25, 100);
    followed(&mut host);
    assert_eq!(strengths(&host), [vec![0.0; 50], vec![1.5; 26], vec![0.25; 12], vec![1.5; 12]].concat());
    assert_eq!(take(&host).fit, Some(FIT));
}

#[test]
fn a_take_that_ends_between_two_samples_is_left_with_the_last_of_them() {
    let mut host = fitted(FIT);
    // 81,841.4 samples.
    host.tempo = 117.3;
    host.shown();
    assert_eq!(take(&host).fit.unwrap().tempo, 117.3);
    pass(&mut host, [0, 0, 81_841], 1.0, 512);
    let deadline = Instant::now() + Duration::from_secs(20);
    while host.log.resumed.load(Ordering::SeqCst) == 0 {
        assert!(Instant::now() < deadline, "the take does not follow");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn going_back_and_forth_and_freezing_keep_the_fit() {
    let mut host = fitted(FIT);
    let old = pass(&mut host, [0, 40_000, LENGTH], 1.5, 512);
    followed(&mut host);
    let new = pass(&mut host, [0, 40_000, LENGTH], 1.5, 512);
    let steps = host.log.steps.load(Ordering::SeqCst);
    host.edit(|project| Arc::make_mut(&mut project.takes[0]).undo());
    host.shown();
    assert_eq!((take(&host).fit, take(&host).frozen), (Some(FIT), true));
    assert!(host.play_from(0, LENGTH, 512) == old);
    host.edit(|project| Arc::make_mut(&mut project.takes[0]).redo());
    host.shown();
    assert!(host.play_from(0, LENGTH, 512) == new);
    assert_eq!(host.log.steps.load(Ordering::SeqCst), steps, "something was made again");
}

#[test]
fn a_fitted_take_bounces_to_the_same_samples_in_any_blocks_and_after_it_was_opened_again() {
    let mut host = fitted(FIT);
    (host.rate, host.offline) = (44_100, true);
    host.activate();
    let length = 112_000;
    let first = host.play_from(0, length, 512);
    assert!(first.iter().any(|&sample| sample != 0.0));
    for size in [512, 16, 64, 8_192, 1_000] {
        assert!(host.play_from(0, length, size) == first, "blocks of {size}");
    }
    let state = host.instance.store().serialize_fields();
    let mut other = Host::new();
    (other.rate, other.offline) = (44_100, true);
    other.activate();
    other.instance.store().deserialize_fields(&state);
    assert!(other.play_from(0, length, 4_096) == first);
    assert_eq!(other.instance.store().serialize_fields(), state);
    assert_eq!((host.instance.misses.samples(), other.instance.misses.samples()), (0, 0));
}

#[test]
fn loops_and_seeks_over_a_fitted_take_sound_as_it_does_from_its_start() {
    let mut host = fitted(FIT);
    let linear = host.play_from(0, LENGTH + 1_000, 512);
    for round in 0..3 {
        assert!(host.play_from(30_000, 20_000, 333) == linear[30_000..50_000], "round {round}");
    }
    let mut random = 1_u64;
    for _ in 0..200 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (from, length) = ((random >> 33) as usize % LENGTH, 1 + (random >> 20) as usize % 900);
        assert!(
            host.play_from(from as i64, length, length) == linear[from..from + length],
            "{length} from {from}"
        );
    }
}

#[test]
fn a_fit_that_is_taken_away_leaves_the_project_as_it_was() {
    let mut host = with_take("tone");
    let (state, sound) = (host.instance.store().serialize_fields(), host.play_from(0, LENGTH, 512));
    assert!(!state["project"].contains("fit"), "a project without a fit says nothing of one");
    edit_take(&mut host, |take| take.fit = Some(FIT));
    assert!(host.play_from(0, LENGTH, 512) != sound);
    edit_take(&mut host, |take| take.fit = None);
    assert!(host.play_from(0, LENGTH, 512) == sound);
    assert_eq!(host.instance.store().serialize_fields(), state);
}

#[test]
fn a_fitted_duplicate_and_its_original_are_heard_each_in_its_own_length() {
    let mut host = with_take("tone");
    let plain = host.play_from(0, 64_000, 512);
    host.edit(|project| {
        let mut copy = Take::clone(&project.takes[0]);
        copy.place.beats = 8.0;
        copy.place.seconds = 4.0;
        copy.fit = Some(FIT);
        project.takes.push(Arc::new(copy));
    });
    host.shown();
    host.settle();
    assert!(host.play_from(0, 128_000, 512)[..64_000] == plain);
    let copy = host.play_from(128_000, LENGTH, 512);
    assert!(fitted(FIT).play_from(0, LENGTH, 512) == copy);
    assert_eq!(host.log.generated.load(Ordering::SeqCst), 1);
}

#[test]
fn a_fitted_take_follows_at_once_where_the_look_ahead_is_long_enough_and_later_where_not() {
    for (look_ahead, outdated) in [(2.0, 0), (1.0, 1)] {
        let mut host = fitted(FIT);
        host.edit(|project| project.settings.look_ahead_seconds = look_ahead);
        host.offline = true;
        host.activate();
        let latency = (look_ahead * f64::from(RATE)) as usize;
        let song = [0, 40_000, LENGTH + latency];
        let first = pass(&mut host, song, 1.5, 512);
        let second = pass(&mut host, song, 1.5, 512);
        assert_eq!(first[latency..] == second[latency..], outdated == 0, "{look_ahead} s");
        assert_eq!(host.instance.outdated.load(Ordering::Relaxed), outdated);
        followed(&mut host);
        assert_eq!(strengths(&host), [vec![0.0; 50], vec![1.5; 50]].concat());
        assert_eq!((host.log.resumed.load(Ordering::SeqCst), host.instance.misses.samples()), (1, 0));
    }
}

#[test]
fn a_rate_that_cannot_be_stretched_to_is_explained() {
    let mut host = fitted(FIT);
    host.rate = 22_050;
    host.activate();
    host.shown();
    host.settle();
    let Status::Failed(message) = host.instance.view().takes[0].status.clone() else {
        panic!("it did not fail")
    };
    assert!(message.contains("22050 Hz"), "{message}");
}
