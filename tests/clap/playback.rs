//! What sounds is a function of the song's position: seeks, loops, stops and notes need no history.

use crate::{LIMIT, RENDER};
use tiller_tests::scene::Scene;
use tiller_tests::{AudioSettings, Event, Instance, Pass, Position, fixture, isolated};

fn finished() -> Instance {
    let scene = Scene::default();
    let mut instance = scene.open(&fixture::plugin().unwrap(), AudioSettings::default()).unwrap();
    scene.generate(&mut instance, RENDER).unwrap();
    instance
}

#[test]
fn a_seek_into_a_take_plays_what_the_whole_pass_plays_there() {
    isolated::run(LIMIT, &[], || {
        let mut instance = finished();
        let whole = instance.play(&Pass::over(0, 96_000)).unwrap();
        for start in [48_000, 12_345, 95_000, 0] {
            let part = instance.play(&Pass::over(start, 1_000)).unwrap();
            let at = start as usize;
            let expected = [0, 1].map(|channel| whole.channels[channel][at..at + 1_000].to_vec());
            assert_eq!(part.channels, expected, "from frame {start}");
        }
    });
}

#[test]
fn a_stopped_transport_is_silent() {
    isolated::run(LIMIT, &[], || {
        let mut instance = finished();
        let stopped = instance.play(&Pass { playing: false, ..Pass::over(24_000, 24_000) }).unwrap();
        assert_eq!(stopped.peak(), 0.0);
    });
}

#[test]
fn a_note_plays_the_newest_take_from_its_start_at_its_sample() {
    isolated::run(LIMIT, &[], || {
        let mut instance = finished();
        let on_timeline = instance.play(&Pass::over(0, 48_000)).unwrap();
        let pass =
            Pass { playing: false, events: vec![(1_000, Event::NoteOn(60, 1.0))], ..Pass::over(0, 49_000) };
        let played = instance.play(&pass).unwrap();
        assert_eq!(played.between(0.0, 1_000.0 / 48_000.0).peak(), 0.0, "it sounded before the note");
        let expected = on_timeline.level(0.0, 1.0);
        let level = played.between(1_000.0 / 48_000.0, 2.0).level(0.0, 1.0);
        assert!(level > 0.25 * expected, "the note plays at {level}, the timeline at {expected}");
    });
}

#[test]
fn a_host_without_transport_can_play_takes_by_notes() {
    isolated::run(LIMIT, &[], || {
        let mut instance = finished();
        let pass = Pass {
            position: Position::Unknown,
            events: vec![(0, Event::NoteOn(60, 1.0))],
            ..Pass::over(0, 48_000)
        };
        assert!(instance.play(&pass).unwrap().level(0.0, 1.0) > 1e-4);
    });
}
