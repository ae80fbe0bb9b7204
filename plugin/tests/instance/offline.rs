use std::time::{Duration, Instant};

use tiller::state::{Anchor, Place, Position, Recipe, Take};

use super::host::Host;
use super::tones::level;

pub fn wanted(prompt: &str, seconds: f64) -> std::sync::Arc<Take> {
    std::sync::Arc::new(Take::new(
        Place { beats: 0.0, seconds: 0.0, tempo: None, anchor: Anchor::Beats },
        Recipe { prompt: prompt.into(), seed: 5, seconds, ..Recipe::default() },
    ))
}

#[test]
fn a_bounce_waits_for_a_take_that_was_just_asked_for() {
    let mut host = Host::offline();
    host.edit(|project| {
        project.prompt = "slow".into();
        project.settings.position = Position::Beats(0.0);
    });
    host.press_generate();
    let heard = host.play(32_000, 512);
    assert!(heard.iter().all(|&sample| sample > 0.0), "a hole in the bounce");
    assert_eq!(host.instance.misses.samples(), 0);
}

#[test]
fn two_bounces_are_equal_at_any_block_size() {
    let mut host = Host::offline();
    host.edit(|project| project.takes.push(wanted("slow", 1.0)));
    let first = host.play_from(0, 40_000, 512);
    assert!(first[..32_000].iter().all(|&sample| sample > 0.0));
    for size in [16, 8_192, 40_000] {
        assert!(host.play_from(0, 40_000, size) == first, "{size}");
    }
}

#[test]
fn a_bounce_right_after_restoring_waits_for_the_restored_takes() {
    let mut host = Host::offline();
    for seed in [3, 4] {
        host.edit(|project| {
            let mut take = wanted("slow", 0.2);
            std::sync::Arc::make_mut(&mut take).recipe.seed = seed;
            project.takes = vec![take];
        });
        assert!((host.play_from(0, 64, 64)[0] - level(seed, 0, 0.0)).abs() < 1e-4);
    }
}

#[test]
fn a_bounce_right_after_activation_waits_for_what_was_restored_before_it() {
    for _ in 0..20 {
        let mut host = Host::new();
        // The host has named no rate yet when it restores the project, as when it opens a song.
        (host.rate, host.offline) = (0, true);
        host.activate();
        host.edit(|project| project.takes.push(wanted("", 0.1)));
        host.known();
        host.rate = super::tones::RATE;
        host.activate();
        assert!(host.block(64).iter().all(|&sample| sample > 0.0));
    }
}

#[test]
fn a_bounce_goes_on_when_a_take_fails() {
    for prompt in ["fail", "panic"] {
        let mut host = Host::offline();
        host.edit(|project| project.takes.push(wanted(prompt, 1.0)));
        let started = Instant::now();
        let heard = host.play(32_000, 512);
        assert!(heard.iter().all(|&sample| sample == 0.0));
        assert_eq!(host.instance.misses.samples(), 32_000, "silence is said to be one");
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn state_is_saved_and_restored_while_a_bounce_waits() {
    use nice_plug::prelude::Params;

    let mut host = Host::offline();
    host.edit(|project| project.takes.push(wanted("slow", 2.0)));
    let instance = host.instance.clone();
    let saving = std::thread::spawn(move || {
        let started = Instant::now();
        for _ in 0..50 {
            let state = instance.store().serialize_fields();
            instance.store().deserialize_fields(&state);
            std::thread::sleep(Duration::from_millis(1));
        }
        started.elapsed()
    });
    let heard = host.play(64_000, 512);
    assert!(heard.iter().all(|&sample| sample > 0.0));
    assert!(saving.join().unwrap() < Duration::from_secs(5));
}
