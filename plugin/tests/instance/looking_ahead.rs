//! With a look-ahead, the strength at a place of the song acts on the audio of that place in the same pass.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tiller::state::{Position, Slot, Take};

use super::host::Host;
use super::tones::{FRAME, RATE, level};

/// Samples of the take: four seconds, two hundred frames.
const LENGTH: usize = 128_000;
/// Samples at the take's end that fade.
const FADE: usize = 256;
/// One second, the shortest look-ahead.
const LATENCY: usize = RATE as usize;

/// An offline host with a take of four seconds, seed 5, at the song's start, that one slot steers.
fn looking_ahead() -> Host {
    let mut host = Host::offline();
    host.edit(|project| {
        project.prompt = "tone".into();
        project.slots[0] = Some(Slot { name: "flute".into(), ..Slot::default() });
        project.settings.position = Position::Beats(0.0);
        project.settings.look_ahead_seconds = 1.0;
    });
    host.set(5, 4.0);
    host.generate();
    host.shown();
    host
}

/// A strength that rises by steps of ten frames from frame 35 on, and is 0 again from frame 150 on.
fn drawn(frame: usize) -> f32 {
    if (35..150).contains(&frame) { (frame / 10) as f32 / 20.0 } else { 0.0 }
}

/// Plays from `from` to `to` as a host does that sends each change at its sample, in blocks of up to `size`.
fn pass(host: &mut Host, [from, to]: [usize; 2], size: usize, drawn: impl Fn(usize) -> f32) -> Vec<f32> {
    host.position = from as i64;
    let mut heard = Vec::new();
    while (host.position as usize) < to {
        let at = host.position as usize;
        let next_frame = (at / FRAME + 1) * FRAME;
        host.strengths[0] = drawn(at / FRAME);
        let same = |frame: usize| drawn(frame) == drawn(at / FRAME);
        let end = (next_frame / FRAME..).take_while(|&frame| same(frame)).take(40).last();
        let end = end.map_or(next_frame, |frame| (frame + 1) * FRAME);
        heard.extend(host.block(size.min(end.min(to) - at)));
    }
    heard
}

fn sounds(frame: usize, strength: f32) -> f32 {
    (level(5, frame, strength) * 10_000.0).round() / 10_000.0
}

/// The song with these strengths, from its start.
fn song(samples: usize, drawn: impl Fn(usize) -> f32) -> Vec<f32> {
    let sample = |at: usize| if at < LENGTH { sounds(at / FRAME, drawn(at / FRAME)) } else { 0.0 };
    (0..samples).map(sample).collect()
}

/// Where two passes differ first.
fn difference(a: &[f32], b: &[f32]) -> Option<usize> {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).position(|(a, b)| a != b)
}

fn take(host: &Host) -> Arc<Take> {
    host.instance.store().project().takes[0].clone()
}

#[test]
fn automation_is_heard_in_the_pass_that_plays_it_in_blocks_of_any_size() {
    for size in [37, 512, 8_192] {
        let mut host = looking_ahead();
        assert_eq!(host.player.latency() as usize, LATENCY);
        let heard = pass(&mut host, [0, LENGTH + LATENCY], size, drawn);
        assert!(heard[..LATENCY].iter().all(|&sample| sample == 0.0), "nothing is heard before its time");
        let whole = LENGTH - FADE;
        let in_time = &heard[LATENCY..LATENCY + whole];
        assert_eq!(difference(in_time, &song(whole, drawn)), None, "blocks of {size}");
        assert_eq!(host.instance.misses.samples(), 0);
        assert_eq!(host.instance.outdated.load(Ordering::Relaxed), 0, "what is heard is not outdated");
        assert_eq!(host.log.resumed.load(Ordering::SeqCst), 1, "the take was made again more than once");
        host.settle();
        let strengths: Vec<f32> =
            (0..200).map(|frame| take(&host).recipe.steering[0].curve.at(frame)).collect();
        assert_eq!(strengths, (0..200).map(drawn).collect::<Vec<_>>());
        assert!(take(&host).wanted.is_none());
        let again = pass(&mut host, [0, LENGTH + LATENCY], 512, drawn);
        assert_eq!(difference(&again[LATENCY..], &heard[LATENCY..]), None, "the second bounce");
        assert_eq!(host.log.resumed.load(Ordering::SeqCst), 1, "the same automation changes nothing");
    }
}

#[test]
fn frames_are_made_no_sooner_than_their_strengths_are_known() {
    let mut host = looking_ahead();
    pass(&mut host, [0, 80_000], 512, |frame| if frame < 50 { 0.0 } else { 1.0 });
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(take(&host).wanted.is_some());
    let made = host.log.frames.load(Ordering::SeqCst);
    assert!((100..=130).contains(&made), "{made} frames are made when 125 have passed");
    host.playing = false;
    host.block(64);
    host.settle();
    let strengths: Vec<f32> = (0..200).map(|frame| take(&host).recipe.steering[0].curve.at(frame)).collect();
    assert_eq!(strengths, [vec![0.0; 50], vec![1.0; 75], vec![0.0; 75]].concat(), "the rest keeps its own");
}

#[test]
fn what_was_under_way_when_the_transport_jumped_is_heard_before_what_it_jumped_to() {
    let mut host = looking_ahead();
    let first = pass(&mut host, [0, 96_000], 512, drawn);
    let second = pass(&mut host, [32_000, 96_000], 512, drawn);
    let heard = [first, second].concat();
    let whole = song(LENGTH, drawn);
    let expected = [&vec![0.0; LATENCY][..], &whole[..96_000], &whole[32_000..64_000]].concat();
    assert_eq!(difference(&heard, &expected), None);
    assert_eq!(host.instance.misses.samples(), 0);
}

#[test]
fn a_take_that_is_frozen_while_the_transport_passes_is_made_to_its_end() {
    let mut host = looking_ahead();
    pass(&mut host, [0, 64_000], 512, drawn);
    host.edit(|project| project.settings.freeze = true);
    host.settle();
    assert!(take(&host).wanted.is_none());
    let heard = pass(&mut host, [64_000, LENGTH + LATENCY], 512, |_| 1.5);
    assert_eq!(heard[..LATENCY], song(64_000, drawn)[64_000 - LATENCY..], "what was sent before");
    assert_eq!(host.instance.misses.samples(), 0);
}

#[test]
fn a_look_ahead_that_is_switched_on_or_off_is_told_and_holds_from_the_next_block_on() {
    let mut host = looking_ahead();
    let plain = |_| 0.0;
    pass(&mut host, [0, 10_000], 512, plain);
    host.edit(|project| project.settings.look_ahead_seconds = 0.0);
    let heard = pass(&mut host, [10_000, 20_000], 512, plain);
    assert_eq!((host.player.latency(), difference(&heard, &song(20_000, plain)[10_000..])), (0, None));
    host.edit(|project| project.settings.look_ahead_seconds = 2.0);
    let heard = pass(&mut host, [20_000, 20_000 + 3 * LATENCY], 512, plain);
    assert_eq!(host.player.latency() as usize, 2 * LATENCY);
    assert!(heard[..2 * LATENCY].iter().all(|&sample| sample == 0.0));
    assert_eq!(heard[2 * LATENCY..], song(20_000 + LATENCY, plain)[20_000..]);
}
