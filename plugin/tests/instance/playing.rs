use proptest::prelude::*;
use tiller::audio::Note;
use tiller::instance::Press;
use tiller::renderer::Renderer;
use tiller::state::Position;

use super::host::Host;
use super::tones::{FRAME, level};

/// One bar of two seconds.
const BAR: usize = 64_000;

/// A host with a take of one bar, seed 5, at the song's second bar.
fn with_take_at_bar_two() -> Host {
    let mut host = Host::new();
    host.edit(|project| project.settings.position = Position::Beats(4.0));
    set(&host, 5, 1);
    host.generate();
    host
}

/// Sets seed and bars as a host's parameter change does.
fn set(host: &Host, seed: i32, bars: i32) {
    use nice_plug::prelude::Param;
    let params = &host.instance.params;
    // SAFETY: in this test the test is the framework.
    unsafe {
        use nice_plug::params::InternalParamMut as _;
        params.seed._internal_set_normalized_value(params.seed.preview_normalized(seed));
        params.bars._internal_set_normalized_value(params.bars.preview_normalized(bars));
    }
}

/// What bars one to three sound like with that take.
fn expected() -> Vec<f32> {
    let take = (0..BAR).map(|sample| {
        // As the tones store it: in ten-thousandths.
        let level = (level(5, sample / FRAME, 0.0) * 10_000.0).round() / 10_000.0;
        // The last 256 samples fade out.
        level * ((BAR - sample) as f32 / 256.0).min(1.0)
    });
    std::iter::repeat_n(0.0, BAR).chain(take).chain(std::iter::repeat_n(0.0, BAR)).collect()
}

#[test]
fn a_take_sounds_where_it_was_placed_in_blocks_of_any_size() {
    let mut host = with_take_at_bar_two();
    for size in [1, 16, 64, 511, 8_192] {
        assert!(host.play_from(0, 3 * BAR, size) == expected(), "blocks of {size}");
    }
}

#[test]
fn seeks_loops_and_repeated_ranges_sound_the_same() {
    let mut host = with_take_at_bar_two();
    let expected = expected();
    for from in [100_000, 63_999, 64_001, 0, 100_000, 127_999] {
        assert!(
            host.play_from(from, 3_000, 256) == expected[from as usize..from as usize + 3_000],
            "from {from}"
        );
    }
    host.playing = false;
    assert!(
        host.play_from(70_000, 3_000, 256).iter().all(|&sample| sample == 0.0),
        "a standing song is silent"
    );
}

#[test]
fn a_song_before_its_start_and_far_past_its_end_is_silent() {
    let mut host = with_take_at_bar_two();
    for from in [i64::MIN / 2, -5_000, 1 << 40, i64::MAX - 10_000] {
        assert!(host.play_from(from, 1_000, 256).iter().all(|&sample| sample == 0.0));
    }
}

#[test]
fn another_sample_rate_moves_nothing() {
    let mut host = with_take_at_bar_two();
    for rate in [44_100, 48_000, 96_000, 192_000] {
        host.rate = rate;
        host.offline = true;
        host.activate();
        let heard = host.play_from(0, 6 * rate as usize, 4_096);
        let at = |seconds: f64| heard[(seconds * f64::from(rate)) as usize];
        assert!(at(1.95).abs() < 1e-3 && at(4.05).abs() < 1e-3, "{rate}");
        for seconds in [2.5, 3.0, 3.5] {
            let frame = ((seconds - 2.0) * 50.0) as usize;
            assert!((at(seconds) - level(5, frame, 0.0)).abs() < 1e-3, "{rate} at {seconds}");
        }
    }
}

#[test]
fn generating_again_at_the_same_place_silences_the_older_take() {
    let mut host = with_take_at_bar_two();
    set(&host, 9, 1);
    host.generate();
    let project = host.instance.store().project();
    assert_eq!(project.takes.iter().map(|take| take.muted).collect::<Vec<_>>(), [true, false]);
    let heard = host.play_from(BAR as i64, 10, 10);
    assert!((heard[0] - level(9, 0, 0.0)).abs() < 1e-4);
}

#[test]
fn pressing_twice_while_a_take_is_made_makes_one() {
    let mut host = Host::new();
    host.edit(|project| project.prompt = "slow".into());
    set(&host, 5, 1);
    host.playing = false;
    for _ in 0..3 {
        host.press_generate();
        host.block(64);
    }
    while host.instance.store().project().takes.is_empty() {
        std::thread::yield_now();
    }
    host.settle();
    assert_eq!(host.instance.store().project().takes.len(), 1);
}

#[test]
fn a_note_plays_the_newest_take_with_its_velocity() {
    let mut host = with_take_at_bar_two();
    host.playing = false;
    host.notes = vec![Note::On { at: 100, id: 60, velocity: 0.5 }];
    let heard = host.play(2_000, 500);
    assert!(heard[..100].iter().all(|&sample| sample == 0.0));
    assert_eq!(heard[100], level(5, 0, 0.0) * 0.5);
    assert_eq!(heard[100 + FRAME], (level(5, 1, 0.0) * 10_000.0).round() / 10_000.0 * 0.5);
}

#[test]
fn a_released_note_fades_only_if_asked() {
    for release in [false, true] {
        let mut host = with_take_at_bar_two();
        host.edit(|project| project.settings.release_on_note_off = release);
        host.shown();
        host.playing = false;
        host.notes = vec![Note::On { at: 0, id: 60, velocity: 1.0 }, Note::Off { at: 1_000, id: 60 }];
        let heard = host.play(8_000, 8_000);
        assert_eq!(heard[7_999] == 0.0, release);
    }
}

#[test]
fn a_host_without_a_transport_hears_the_take_it_generated_once_and_from_its_start() {
    for presses in [1, 3] {
        let mut host = Host::new();
        host.transport = false;
        host.edit(|project| project.prompt = "slow".into());
        set(&host, 5, 1);
        // The window's button, before the renderer looks.
        for _ in 0..presses {
            host.instance.presses.push(Press::now(&host.instance.params, host.landing()));
        }
        host.renderer.waker().wake();
        let mut heard = Vec::new();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while heard.iter().filter(|&&sample| sample != 0.0).count() < BAR {
            assert!(std::time::Instant::now() < deadline, "it is not heard");
            heard.extend(host.play(640, 64));
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
        let sounding: Vec<f32> = heard.into_iter().filter(|&sample| sample != 0.0).collect();
        assert!(sounding[..BAR] == expected()[BAR..2 * BAR], "{presses} presses");
        let before = host.instance.misses.samples();
        host.play(6_400, 64);
        assert_eq!(host.instance.misses.samples(), before, "what waits to begin or has ended misses nothing");
    }
}

#[test]
fn two_instances_play_their_own_takes() {
    let mut one = with_take_at_bar_two();
    let mut other = Host::joining(one.renderer.clone(), one.log.clone());
    set(&other, 9, 1);
    other.generate();
    assert!((one.play_from(BAR as i64, 10, 10)[0] - level(5, 0, 0.0)).abs() < 1e-4);
    assert!((other.play_from(0, 10, 10)[0] - level(9, 0, 0.0)).abs() < 1e-4);
    drop(one);
    set(&other, 11, 1);
    other.position = 0;
    other.generate();
    assert!((other.play_from(0, 10, 10)[0] - level(11, 0, 0.0)).abs() < 1e-4);
}

#[test]
fn an_instance_that_is_only_looked_at_starts_nothing() {
    let started = std::time::Instant::now();
    for _ in 0..100 {
        let plugin = tiller::Tiller::default();
        drop(plugin);
    }
    assert!(started.elapsed().as_millis() < 1_000, "{:?} for 100 instances", started.elapsed());
    drop(Renderer::shared());
}

#[test]
fn a_host_whose_blocks_come_late_sees_the_renderer_rest() {
    let mut host = Host::new();
    host.edit(|project| project.prompt = "forever".into());
    host.press_generate();
    host.block(64);
    host.instance.note_strain(std::time::Instant::now());
    let steps = || host.log.steps.load(std::sync::atomic::Ordering::SeqCst);
    while steps() == 0 {
        std::thread::yield_now();
    }
    let (began, before) = (std::time::Instant::now(), steps());
    std::thread::sleep(std::time::Duration::from_millis(300));
    // A step takes at least 2 ms and the rest after it 6; the first rest may have been cut short by the press.
    let most = before + began.elapsed().as_millis() as usize / 8 + 3;
    assert!(steps() <= most, "{} steps where {most} would be polite", steps());
}

#[test]
fn late_blocks_are_noticed_in_live_play_only() {
    for offline in [false, true] {
        let mut host = Host::new();
        host.offline = offline;
        host.activate();
        for _ in 0..5 {
            host.block(64);
            // For blocks of two milliseconds.
            std::thread::sleep(std::time::Duration::from_millis(150));
        }
        let strained = host.instance.strained_for(std::time::Instant::now()).is_some();
        assert_eq!(strained, !offline);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_order_of_blocks_sounds_as_the_song_does(
        blocks in prop::collection::vec((0_i64..190_000, 1_usize..9_000), 1..20),
    ) {
        let mut host = with_take_at_bar_two();
        let mut song = expected();
        song.resize(210_000, 0.0);
        for (from, length) in blocks {
            let heard = host.play_from(from, length, length);
            prop_assert!(heard == song[from as usize..from as usize + length]);
        }
    }
}
