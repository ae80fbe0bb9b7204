//! An instance that makes music with ONNX Runtime, as a host bounces it: with small random models, imported for it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nice_plug::prelude::Params;
use tiller::audio::{Block, Player};
use tiller::instance::{Instance, Press};
use tiller::params::SLOTS;
use tiller::renderer::{Models, Renderer, Status, Studio, continued};
use tiller::state::{Anchor, Place, Project, Recipe, Take};
use tiller::timeline::Landing;
use tiller_models::bundle::{Bundle, Precision};
use tiller_models::encodec::encode;
use tiller_models::import::{ImportOptions, import};
use tiller_models::lab::sound_of;
use tiller_models::musicgen::{Engine, EngineOptions};

const RATE: u32 = 16_000;
/// Seconds that are bounced: longer than any take here.
const SECONDS: usize = 2;

/// Small random checkpoints of `tiller-models`.
const CHECKPOINTS: [&str; 2] = ["stereo", "small"];

/// The bundle of a checkpoint, imported at the first call.
fn bundle(checkpoint: &str) -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    static BUNDLES: [OnceLock<PathBuf>; 2] = [const { OnceLock::new() }; 2];
    let index = CHECKPOINTS.iter().position(|known| *known == checkpoint).unwrap();
    BUNDLES[index].get_or_init(|| {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/data");
        let folder = FOLDER.get_or_init(|| tempfile::tempdir().unwrap()).path().join(checkpoint);
        let options = ImportOptions { precisions: vec![Precision::F32], ..ImportOptions::default() };
        import(&data.join(checkpoint).join("checkpoint"), &folder, &options, &mut |_| {}).unwrap();
        folder
    })
}

/// An instance whose host renders offline.
struct Bounce {
    instance: Arc<Instance>,
    player: Player,
    renderer: Arc<Renderer>,
}

impl Bounce {
    fn new() -> Self {
        let renderer = Renderer::with(|| -> Box<dyn Studio> { Box::new(Models::default()) });
        let (instance, ends) = Instance::new();
        let (weak, waker) = (Arc::downgrade(&instance), renderer.waker());
        instance.store().on_change(move || {
            if weak.strong_count() > 0 {
                waker.wake();
            }
        });
        let mut player = Player::new(instance.clone(), ends);
        player.activate(RATE as f32, 512, true);
        renderer.attach(&instance);
        Self { instance, player, renderer }
    }

    /// With a take of a second at the song's start.
    fn of(checkpoint: &str) -> Self {
        let bounce = Self::new();
        let place = Place { beats: 0.0, seconds: 0.0, tempo: None, anchor: Anchor::Beats };
        let recipe = Recipe { prompt: "slow strings".into(), seed: 3, seconds: 1.0, ..Recipe::default() };
        bounce.instance.store().edit(|project: &mut Project| {
            project.settings.bundle = bundle(checkpoint).to_str().unwrap().into();
            project.prompt = "a bright piano".into();
            project.takes.push(Arc::new(Take::new(place, recipe)));
        });
        bounce
    }

    /// The song from its start, left and right.
    fn heard(&mut self, size: usize) -> [Vec<f32>; 2] {
        let mut heard = [Vec::new(), Vec::new()];
        while heard[0].len() < SECONDS * RATE as usize {
            let at = heard[0].len();
            let (mut left, mut right) = (vec![9.0; size], vec![9.0; size]);
            let seconds = at as f64 / f64::from(RATE);
            let host = Landing {
                playing: true,
                seconds: Some(seconds),
                beats: Some(seconds * 2.0),
                tempo: Some(120.0),
                bar_length: Some(4.0),
                ..Landing::default()
            };
            let strengths = [0.0; SLOTS];
            let block = Block { position: i64::try_from(at).ok(), host, offline: true, strengths };
            let waker = self.renderer.waker();
            self.player.process(&block, &mut [].into_iter(), &mut left, &mut right, || waker.wake());
            heard[0].extend(left);
            heard[1].extend(right);
        }
        assert_eq!(self.instance.misses.samples(), 0, "{:?}", self.instance.view());
        heard.map(|side| side[..SECONDS * RATE as usize].to_vec())
    }
}

#[test]
fn a_stereo_model_sounds_in_stereo_and_bounces_the_same_wherever_blocks_are_cut_and_after_restoring() {
    let mut bounce = Bounce::of("stereo");
    let first = bounce.heard(512);
    let differs = first[0].iter().zip(&first[1]).filter(|(left, right)| left != right).count();
    assert!(differs > RATE as usize / 2, "left and right are the same but for {differs} samples");
    assert!(bounce.heard(333) == first);
    let mut restored = Bounce::new();
    restored.instance.store().deserialize_fields(&bounce.instance.store().serialize_fields());
    assert!(restored.heard(4_096) == first);
}

#[test]
fn a_take_goes_on_from_a_recording_and_keeps_what_it_heard() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hum.wav");
    std::fs::write(&file, wav(2_000, 1_000)).unwrap();
    let mut bounce = Bounce::of("small");
    bounce.instance.store().edit(|project: &mut Project| project.takes.clear());
    let press = Press { seconds: 1.0, ..Press::now(&bounce.instance.params, Landing::default()) };
    bounce.instance.recordings.push((press, file.clone()));
    bounce.renderer.attach(&bounce.instance);
    until(|| bounce.instance.store().project().takes.first().is_some_and(|take| take.codes.is_some()));
    let first = bounce.heard(512);

    let options = EngineOptions { precision: Some(Precision::F32), ..EngineOptions::default() };
    let engine = Engine::load(&Bundle::open(bundle("small")).unwrap(), &options).unwrap();
    let heard = encode(&engine, &sound_of(&file, engine.bundle()).unwrap()).unwrap();
    let take = bounce.instance.store().project().takes[0].clone();
    assert_eq!((heard.frames(), take.recipe.seconds), (25, 1.5));
    assert_eq!(take.recipe.opening.as_ref().map(|opening| opening.codes()), Some(&heard));
    let codes = take.codes.as_ref().unwrap().codes();
    assert_eq!((codes.frames(), codes.first_difference(&heard)), (75, None));

    drop(folder);
    let mut restored = Bounce::new();
    restored.instance.store().deserialize_fields(&bounce.instance.store().serialize_fields());
    assert!(restored.heard(333) == first);
}

#[test]
fn a_recording_that_is_none_is_named_with_what_is_wrong() {
    let bounce = Bounce::of("small");
    let press = Press { seconds: 1.0, ..Press::now(&bounce.instance.params, Landing::default()) };
    bounce.instance.recordings.push((press, "/nowhere/hum.wav".into()));
    bounce.renderer.attach(&bounce.instance);
    let said = || match bounce.instance.view().takes.get(1).map(|take| take.status.clone()) {
        Some(Status::Failed(sentence)) => Some(sentence),
        _ => None,
    };
    until(|| said().is_some());
    assert!(said().unwrap().contains("/nowhere/hum.wav"), "{:?}", said());
}

/// Waits for the renderer.
fn until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "the renderer does not come to an end");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A file of 16-bit samples of one channel that rise and fall.
fn wav(rate: u32, samples: u32) -> Vec<u8> {
    let mut file = b"RIFF".to_vec();
    file.extend((36 + 2 * samples).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(rate.to_le_bytes());
    file.extend((2 * rate).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend((2 * samples).to_le_bytes());
    let wave = |at: u32| (f64::from(at * (1 + at / 300)) * 0.1).sin() * 12_000.0;
    file.extend((0..samples).flat_map(|at| (wave(at) as i16).to_le_bytes()));
    file
}

#[test]
fn a_mono_model_sounds_the_same_on_both_sides() {
    let [left, right] = Bounce::of("small").heard(512);
    assert!(left.iter().any(|&sample| sample != 0.0));
    assert!(left == right);
}

#[test]
fn a_continued_take_is_the_music_it_goes_on_from_and_what_the_model_plays_behind_it() {
    for checkpoint in CHECKPOINTS {
        let mut bounce = Bounce::of(checkpoint);
        let before = bounce.heard(512);
        let take = bounce.instance.store().project().takes[0].clone();
        let codes = take.codes.as_ref().unwrap().codes();
        let half = codes.frames() / 2;
        let press = Press { seconds: 1.0, ..Press::now(&bounce.instance.params, Landing::default()) };
        bounce.instance.store().edit(|project: &mut Project| {
            let next = continued(&take, half, &press, project).unwrap();
            Arc::make_mut(&mut project.takes[0]).muted = true;
            project.takes.push(Arc::new(next));
        });
        let after = bounce.heard(512);
        let longer = bounce.instance.store().project().takes[1].clone();
        let longer = longer.codes.as_ref().unwrap().codes();
        assert_eq!(longer.first_difference(codes), Some(half), "{checkpoint}: another prompt and seed");
        // The codec and the resampler look ahead, far in music of 600 samples a second.
        let off = |side: usize, from: usize, to: usize| {
            (from..to).map(|at| (after[side][at] - before[side][at]).abs()).fold(0.0, f32::max)
        };
        for side in 0..2 {
            let (kept, new) = (off(side, 0, RATE as usize / 5), off(side, RATE as usize / 2, RATE as usize));
            assert!(kept < 1e-3 && new > 1e-2, "{checkpoint}: {kept} before the change, {new} after it");
        }
    }
}
