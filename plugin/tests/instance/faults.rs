//! Hosts that do what they should not.

use std::time::Duration;

use nice_plug::prelude::Params as _;
use tiller::audio::Block;
use tiller::timeline::Landing;

use super::host::Host;
use super::offline::wanted;
use super::time::Time;
use super::tones::{FRAME, RATE, level};

/// What the first second of a take with seed 5 sounds like.
fn expected() -> Vec<f32> {
    let take = (0..RATE as usize).map(|sample| (level(5, sample / FRAME, 0.0) * 10_000.0).round() / 10_000.0);
    take.enumerate().map(|(i, level)| level * ((RATE as usize - i) as f32 / 256.0).min(1.0)).collect()
}

fn offline() -> Host {
    let host = Host::offline();
    host.edit(|project| project.takes.push(wanted("slow", 1.0)));
    host
}

#[test]
fn a_mode_switched_while_active_holds_from_the_next_block() {
    let time = Time::with_pauses_of(Duration::from_millis(1));
    let mut host = Host::timed(time.clone());
    host.edit(|project| project.takes.push(wanted("slow", 1.0)));
    // No activation: VST3 brings the mode with each block.
    host.offline = true;
    assert!(host.play_from(0, 32_000, 512) == expected());
    host.offline = false;
    host.edit(|project| project.takes = vec![wanted("forever", 1.0)]);
    let pauses = time.pauses();
    host.block(512);
    assert_eq!(time.pauses(), pauses);
}

#[test]
fn a_bounce_that_runs_backwards_and_over_the_same_range_again_has_no_holes() {
    let mut host = offline();
    let expected = expected();
    for from in [31_000, 16_000, 8_000, 8_000, 0, 15_999, 0] {
        assert!(host.play_from(from, 1_000, 256) == expected[from as usize..from as usize + 1_000], "{from}");
    }
    assert_eq!(host.instance.misses.samples(), 0);
}

#[test]
fn a_project_saved_at_one_rate_starts_its_takes_at_the_exact_sample_at_another() {
    let mut host = Host::new();
    host.generate();
    host.edit(|project| {
        let take = std::sync::Arc::make_mut(&mut project.takes[0]);
        (take.place.beats, take.place.seconds) = (3.0, 1.5);
    });
    let state = host.instance.store().serialize_fields();
    for rate in [44_100_u32, 48_000, 88_200, 96_000, 192_000] {
        let mut other = Host::new();
        (other.rate, other.offline) = (rate, true);
        other.activate();
        other.instance.store().deserialize_fields(&state);
        let start = i64::from(rate) * 3 / 2;
        let heard = other.play_from(start - 100, 200, 64);
        assert!(heard[..100].iter().all(|&sample| sample == 0.0), "{rate}: early");
        assert!(heard[100] != 0.0, "{rate}: late");
        assert_eq!(other.instance.misses.samples(), 0);
    }
}

#[test]
fn blocks_longer_than_announced_and_blocks_of_nothing_play_the_song_all_the_same() {
    let mut host = offline();
    host.longest = 64;
    host.activate();
    let mut heard = Vec::new();
    for length in [0, 20_000, 0, 0, 10_000, 2_000, 0] {
        heard.extend(host.block(length));
    }
    assert!(heard == expected());
}

#[test]
fn a_transport_of_no_numbers_moves_no_take_and_breaks_nothing() {
    let mut host = offline();
    host.play_from(0, 64, 64);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -120.0, f64::MIN_POSITIVE, f64::MAX] {
        for position in [Some(0), Some(i64::MIN), Some(i64::MAX), None] {
            let landing = Landing {
                playing: true,
                seconds: Some(bad),
                beats: Some(bad),
                tempo: Some(bad),
                bar_start: Some(bad),
                bar_length: Some(bad),
                looped: None,
            };
            let block = Block { position, host: landing, offline: true, strengths: [f32::NAN; 4] };
            let (mut left, mut right) = (vec![9.0; 512], vec![9.0; 512]);
            host.player.process(&block, std::iter::empty(), &mut left, &mut right, || {});
            assert!(left.iter().all(|sample| sample.is_finite()));
            if position == Some(0) {
                assert!(left == expected()[..512], "{bad}: the take is not where its seconds say");
            }
        }
    }
    assert!(host.play_from(0, 32_000, 512) == expected());
}

#[test]
fn a_transport_that_jumps_every_block_hears_each_place_as_it_is() {
    let mut host = offline();
    let expected = expected();
    for jump in 0..300_i64 {
        let from = jump * 7_919 % 31_000;
        assert!(host.play_from(from, 100, 100) == expected[from as usize..from as usize + 100]);
    }
}
