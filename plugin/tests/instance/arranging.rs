//! Takes on the song as a producer handles them, and songs as producers have them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use tiller::state::{Anchor, Fades, Place, Position, Take};
use tiller::timeline::{Envelope, Snap, Song, behind, moved};

use super::host::Host;
use super::tempo::TempoTrack;
use super::tones::{FRAME, RATE};

/// One bar of two seconds.
const BAR: i64 = 64_000;

/// What a take with this seed sounds like, sample by sample, its end included.
fn tone(seed: u64, seconds: f64) -> Vec<f32> {
    let length = (seconds * f64::from(RATE)).round() as usize;
    let level = |frame: usize| (super::tones::level(seed, frame, 0.0) * 10_000.0).round() / 10_000.0;
    (0..length).map(|at| level(at / FRAME) * ((length - at) as f32 / 256.0).min(1.0)).collect()
}

/// A host with takes of these seeds, places in quarter notes and seconds, all made.
fn with_takes(takes: &[(u64, f64, f64)]) -> Host {
    let mut host = Host::new();
    for &(seed, beats, seconds) in takes {
        host.edit(|project| {
            project.settings.position = Position::Beats(beats);
            project.prompt = "tone".into();
        });
        host.set(seed as i32, seconds);
        host.generate();
    }
    host
}

fn edit_take(host: &mut Host, index: usize, change: impl FnOnce(&mut Take)) {
    host.edit(|project| change(Arc::make_mut(&mut project.takes[index])));
    host.shown();
}

#[test]
fn a_loop_sounds_the_same_every_round_wherever_its_blocks_are_cut() {
    let mut host = with_takes(&[(5, 4.0, 2.0)]);
    let (start, end) = (BAR - 1_000, BAR + 20_000);
    let expected: Vec<f32> = std::iter::repeat_n(0.0, 1_000).chain(tone(5, 2.0)).take(21_000).collect();
    for size in [333, 1_024, 8_192] {
        host.position = start;
        for round in 0..3 {
            let mut heard = Vec::new();
            while host.position < end {
                heard.extend(host.block(size.min((end - host.position) as usize)));
            }
            assert!(heard == expected, "round {round} in blocks of {size}");
            host.position = start;
        }
    }
}

#[test]
fn a_count_in_is_silent_and_the_song_begins_on_its_first_sample() {
    let mut host = with_takes(&[(5, 0.0, 2.0)]);
    host.strengths[0] = 1.0;
    let heard = host.play_from(-BAR, 2 * BAR as usize, 500);
    assert!(heard[..BAR as usize].iter().all(|&sample| sample == 0.0));
    assert!(heard[BAR as usize..] == tone(5, 2.0));
    assert_eq!(host.instance.lane.at(0, 0.0), Some(1.0));
    assert_eq!(host.instance.misses.samples(), 0);
}

#[test]
fn a_punch_in_on_any_sample_of_a_take_begins_there() {
    let mut host = with_takes(&[(5, 4.0, 2.0)]);
    let tone = tone(5, 2.0);
    for at in [1, 639, 640, 31_111, 63_999] {
        host.playing = false;
        host.play_from(BAR + at, 512, 512);
        host.playing = true;
        let rest = (BAR - at) as usize;
        assert!(host.play_from(BAR + at, rest, 700) == tone[at as usize..], "at {at}");
    }
}

#[test]
fn a_take_keeps_its_bar_when_the_whole_song_changes_tempo() {
    let mut host = with_takes(&[(5, 4.0, 2.0)]);
    for tempo in [60.0, 119.0, 120.5, 200.0] {
        host.tempo = tempo;
        let start = (4.0 * 60.0 / tempo * f64::from(RATE)).round() as i64;
        let heard = host.play_from(start - 100, 1_000, 64);
        assert!(heard[..100].iter().all(|&sample| sample == 0.0), "{tempo}");
        assert!(heard[100..] == tone(5, 2.0)[..900], "{tempo}");
    }
    edit_take(&mut host, 0, |take| take.place.anchor = Anchor::Seconds);
    assert!(host.play_from(BAR, 900, 64) == tone(5, 2.0)[..900], "anchored to its second");
}

#[test]
fn takes_land_on_the_bars_of_the_songs_signature() {
    for (bar, beats, expected) in [(3.0, 7.5, 9.0), (3.5, 7.5, 10.5), (4.0, 7.5, 8.0), (6.0, 7.5, 12.0)] {
        let mut host = Host::new();
        host.bar_length = bar;
        host.position = (beats * 0.5 * f64::from(RATE)) as i64;
        host.press_generate();
        host.block(64);
        host.until_takes(1);
        assert_eq!(host.instance.store().project().takes[0].place.beats, expected, "{bar} quarters a bar");
    }
}

#[test]
fn takes_that_overlap_add_up() {
    let mut host = with_takes(&[(5, 4.0, 2.0), (9, 6.0, 2.0)]);
    let (one, other) = (tone(5, 2.0), tone(9, 2.0));
    let half = BAR as usize / 2;
    let expected: Vec<f32> = (0..3 * half)
        .map(|at| one.get(at).copied().unwrap_or(0.0) + at.checked_sub(half).map_or(0.0, |at| other[at]))
        .collect();
    for size in [64, 999] {
        assert!(host.play_from(BAR, expected.len(), size) == expected, "{size}");
    }
}

#[test]
fn a_moved_take_sounds_at_its_new_place_without_being_made_again() {
    let mut host = with_takes(&[(5, 4.0, 2.0)]);
    let steps = host.log.steps.load(Ordering::SeqCst);
    let landing = host.landing();
    let song = Song::new(f64::from(RATE), landing.tempo, landing.seconds, landing.beats);
    edit_take(&mut host, 0, |take| take.place = moved(&take.place, 1.9, Snap::Bar, &song, &landing));
    assert!(host.play_from(BAR, BAR as usize, 512).iter().all(|&sample| sample == 0.0));
    assert!(host.play_from(2 * BAR, BAR as usize, 512) == tone(5, 2.0));
    assert_eq!(host.log.steps.load(Ordering::SeqCst), steps);
}

#[test]
fn a_duplicate_follows_without_a_gap_and_shares_the_audio() {
    let mut host = with_takes(&[(5, 4.0, 2.0)]);
    let (steps, landing) = (host.log.steps.load(Ordering::SeqCst), host.landing());
    let song = Song::new(f64::from(RATE), landing.tempo, landing.seconds, landing.beats);
    host.edit(|project| {
        let mut copy = (*project.takes[0]).clone();
        copy.place = behind(&copy.place, copy.seconds(), &song, &landing);
        project.takes.push(Arc::new(copy));
    });
    host.shown();
    let heard = host.play_from(BAR, 2 * BAR as usize, 512);
    assert!(heard == [tone(5, 2.0), tone(5, 2.0)].concat());
    assert_eq!(host.log.steps.load(Ordering::SeqCst), steps);
}

#[test]
fn a_removed_take_that_is_put_back_sounds_again_from_its_tokens() {
    let mut host = with_takes(&[(5, 4.0, 2.0)]);
    let removed = host.instance.store().project().takes[0].clone();
    host.edit(|project| project.takes.clear());
    host.shown();
    assert!(host.play_from(BAR, 1_000, 64).iter().all(|&sample| sample == 0.0));
    host.edit(|project| project.takes.insert(0, removed));
    host.shown();
    host.settle();
    assert!(host.play_from(BAR, BAR as usize, 512) == tone(5, 2.0));
    assert_eq!(host.log.generated.load(Ordering::SeqCst), 1, "it was made once");
}

#[test]
fn a_note_plays_a_take_with_its_gain_and_fades() {
    let mut host = with_takes(&[(5, 4.0, 1.0)]);
    let fades = Fades { rise: 0.1, fall: 0.2 };
    edit_take(&mut host, 0, |take| (take.gain, take.fades) = (0.5, fades));
    host.playing = false;
    host.notes = vec![tiller::audio::Note::On { at: 0, id: 60, velocity: 0.5 }];
    let heard = host.play(32_000, 300);
    let envelope = Envelope::new(0.5, fades, 32_000, RATE);
    let tone = tone(5, 1.0);
    assert!((0..32_000).all(|at| heard[at] == tone[at] * (0.5 * envelope.at(at))));
}

/// A tempo track whose every section lasts at least a second.
fn tempo_track() -> impl Strategy<Value = TempoTrack> {
    prop::collection::vec((1.0_f64..4.0, 50.0_f64..220.0, any::<bool>()), 1..6).prop_map(|sections| {
        let mut points = vec![(0.0, 120.0)];
        for (length, tempo, sudden) in sections {
            let (before, then) = *points.last().unwrap();
            if sudden {
                points.push((before + length - 1e-9, then));
            }
            points.push((before + length, tempo));
        }
        TempoTrack(points)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn gain_and_fades_sound_the_same_in_any_blocks(
        gain in 0.0_f32..4.0,
        rise in 0.0_f64..1.5,
        fall in 0.0_f64..1.5,
        blocks in prop::collection::vec((-2_000_i64..34_000, 1_usize..9_000), 1..12),
    ) {
        let mut host = with_takes(&[(5, 0.0, 1.0)]);
        let fades = Fades { rise, fall };
        edit_take(&mut host, 0, |take| (take.gain, take.fades) = (gain, fades));
        let (tone, envelope) = (tone(5, 1.0), Envelope::new(gain, fades, 32_000, RATE));
        for (from, length) in blocks {
            let heard = host.play_from(from, length, length);
            for (at, heard) in (from..).zip(heard) {
                let expected = usize::try_from(at).ok().and_then(|at| Some(tone.get(at)? * envelope.at(at)));
                prop_assert_eq!(heard, expected.unwrap_or(0.0));
            }
        }
    }

    /// Whatever the tempo does before and while a take sounds, every sample of the song has its sample of the take.
    #[test]
    fn a_take_neither_drifts_nor_jumps_while_the_tempo_changes(
        track in tempo_track(),
        at in 0.5_f64..12.0,
        sizes in prop::collection::vec(16_usize..3_000, 8..40),
    ) {
        let mut host = with_takes(&[(5, 0.0, 2.0)]);
        let (beats, tempo) = track.at(at);
        let place = Place { beats, seconds: at, tempo: Some(tempo), anchor: Anchor::Beats };
        // In a song of one tempo up to the take, the take is at its bar; behind a change, at its second. Which of the
        // two is the same here, unless tempo and mean tempo meet again while it sounds, which nobody can tell apart.
        let steady = (beats * 60.0 / tempo - at).abs() < 2e-3;
        prop_assume!(!steady || track.0.len() <= 2);
        edit_take(&mut host, 0, |take| take.place = place);
        host.track = Some(track);
        let start = (at * f64::from(RATE)).round() as i64;
        let expected = tone(5, 2.0);
        host.position = start - 5_000;
        for size in sizes.into_iter().cycle().take_while({
            let mut left = 75_000_i64;
            move |&size| { left -= size as i64; left > 0 }
        }) {
            let from = host.position;
            for (at, heard) in (from..).zip(host.block(size)) {
                let sample = usize::try_from(at - start).ok().and_then(|at| expected.get(at));
                prop_assert_eq!(heard, sample.copied().unwrap_or(0.0), "at {}", at - start);
            }
        }
    }
}
