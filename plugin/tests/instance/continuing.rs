//! Takes that go on from another take.

use std::sync::Arc;

use nice_plug::prelude::Params;
use tiller::renderer::continue_take;
use tiller::state::{Fit, Position, Slot, Take};

use super::host::Host;
use super::tones::{FRAME, level};

/// Samples of the take that others go on from: two seconds, a hundred frames.
const LENGTH: usize = 100 * FRAME;
/// Samples over which a take ends.
const END: usize = 256;

/// A host with a take of two seconds, seed 5, at the song's start, and what it sounds like; the next one has seed 6 and is
/// a second long.
fn with_take() -> (Host, Vec<f32>) {
    let mut host = Host::new();
    host.edit(|project| {
        project.prompt = "tone".into();
        project.settings.position = Position::Beats(0.0);
    });
    host.set(5, 2.0);
    host.generate();
    host.set(6, 1.0);
    host.shown();
    let heard = host.play_from(0, LENGTH, 512);
    host.edit(|project| project.settings.position = Position::Beats(64.0));
    (host, heard)
}

fn take(host: &Host, index: usize) -> Arc<Take> {
    host.instance.store().project().takes[index].clone()
}

fn row(take: &Take) -> Vec<u16> {
    take.codes.as_ref().unwrap().codes().rows()[0].clone()
}

/// Goes on from the first take and waits until that is made.
fn continued(host: &mut Host, frame: usize) -> Arc<Take> {
    assert!(continue_take(&host.instance, &take(host, 0), frame));
    host.settle();
    host.shown();
    take(host, 1)
}

#[test]
fn a_take_goes_on_from_the_end_of_another_in_its_place() {
    let (mut host, before) = with_take();
    let longer = continued(&mut host, 100);
    assert_eq!((row(&longer).len(), &row(&longer)[..100]), (150, &row(&take(&host, 0))[..]));
    assert!(take(&host, 0).muted && !longer.muted);
    let heard = host.play_from(0, LENGTH + 50 * FRAME, 512);
    assert!(heard[..LENGTH - END] == before[..LENGTH - END], "what it begins with sounds otherwise");
    assert!((heard[LENGTH] - level(6, 100, 0.0)).abs() < 1e-4);
    assert!((heard[LENGTH + 49 * FRAME] - level(6, 149, 0.0)).abs() < 1e-4);
}

#[test]
fn from_the_playhead_on_a_take_is_another() {
    let (mut host, before) = with_take();
    let other = continued(&mut host, 30);
    assert_eq!((row(&other).len(), &row(&other)[..30]), (80, &row(&take(&host, 0))[..30]));
    assert_ne!(row(&other)[30], row(&take(&host, 0))[30]);
    let heard = host.play_from(0, LENGTH, 512);
    assert!(heard[..30 * FRAME] == before[..30 * FRAME]);
    assert!((heard[30 * FRAME] - level(6, 30, 0.0)).abs() < 1e-4);
}

#[test]
fn a_project_with_it_bounces_the_same_made_or_still_to_be_made() {
    let (mut host, _) = with_take();
    continued(&mut host, 100);
    let made = host.instance.store().serialize_fields();
    let original = host.play_from(0, 2 * LENGTH, 512);
    host.edit(|project| Arc::make_mut(&mut project.takes[1]).codes = None);
    let unmade = host.instance.store().serialize_fields();
    // What it went on from may be gone.
    host.edit(|project| drop(project.takes.remove(0)));
    let alone = host.instance.store().serialize_fields();
    for (state, size) in [(&made, 333), (&unmade, 512), (&alone, 8_192)] {
        let mut host = Host::offline();
        host.instance.store().deserialize_fields(state);
        assert!(host.play_from(0, 2 * LENGTH, size) == original, "in blocks of {size}");
        assert_eq!(host.instance.misses.samples(), 0);
    }
}

#[test]
fn a_continued_take_follows_automation_behind_what_it_begins_with() {
    let (mut host, _) = with_take();
    host.edit(|project| project.slots[0] = Some(Slot { name: "flute".into(), ..Slot::default() }));
    let before = continued(&mut host, 100);
    host.strengths[0] = 1.5;
    host.play_from(0, 3 * LENGTH, 512);
    host.playing = false;
    host.block(64);
    host.shown();
    host.settle();
    host.shown();
    let after = take(&host, 1);
    assert_eq!(after.recipe.opening, before.recipe.opening);
    assert_eq!(row(&after)[..100], row(&before)[..100]);
    assert_eq!(row(&after)[149], (level(6, 149, 1.5) * 10_000.0).round() as u16);
}

#[test]
fn a_stretched_take_goes_on_as_stretched() {
    let (mut host, _) = with_take();
    host.edit(|project| {
        Arc::make_mut(&mut project.takes[0]).fit = Some(Fit { beats: 5.0, tempo: 120.0 });
    });
    host.shown();
    let longer = continued(&mut host, 100);
    assert!((longer.seconds() - 3.5).abs() < 1e-9, "a second of the song is added to two and a half");
    assert_eq!(longer.stretch_of(&longer.recipe), Some(1.25));
    assert_eq!(row(&longer)[..100], row(&take(&host, 0))[..]);
}
