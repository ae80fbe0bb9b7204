//! A small host: it has a song, plays blocks of it, and can press Generate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tiller::audio::{Block, Note, Player, Watch};
use tiller::instance::{AudioEnds, Instance};
use tiller::params::SLOTS;
use tiller::renderer::{Renderer, Status};
use tiller::state::{Project, Wait};
use tiller::timeline::Landing;

use super::realtime;
use super::tempo::TempoTrack;
use super::tones::{Log, RATE, Tones};

pub struct Host {
    pub instance: Arc<Instance>,
    pub player: Player,
    pub renderer: Arc<Renderer>,
    pub log: Arc<Log>,
    pub rate: u32,
    /// The longest block it announces.
    pub longest: u32,
    pub tempo: f64,
    /// Quarter notes in a bar.
    pub bar_length: f64,
    /// Takes the place of `tempo` in songs with several.
    pub track: Option<TempoTrack>,
    pub offline: bool,
    pub playing: bool,
    pub transport: bool,
    pub position: i64,
    pub strengths: [f32; SLOTS],
    pub notes: Vec<Note>,
    /// What comes into the sidechain: a sine of concert pitch, this loud.
    pub incoming: f32,
    /// Samples of it that have come.
    arrived: usize,
    /// Whether its time is a test's, which may make blocks wait that no host says are offline.
    timed: bool,
}

impl Host {
    /// A host at the tones' own rate, 120 quarter notes a minute, playing live.
    pub fn new() -> Self {
        let log = Arc::new(Log::default());
        let for_studio = log.clone();
        Self::joining(Renderer::with(move || Box::new(Tones(for_studio.clone()))), log)
    }

    /// A host whose time goes as `watch` says.
    pub fn timed(watch: impl Watch + 'static) -> Self {
        let log = Arc::new(Log::default());
        let for_studio = log.clone();
        let renderer = Renderer::with(move || Box::new(Tones(for_studio.clone())));
        let player = |instance, ends| Player::with_watch(instance, ends, Box::new(watch));
        Self { timed: true, ..Self::assemble(renderer, log, player) }
    }

    /// Another instance in the same process.
    pub fn joining(renderer: Arc<Renderer>, log: Arc<Log>) -> Self {
        Self::assemble(renderer, log, Player::new)
    }

    fn assemble(
        renderer: Arc<Renderer>,
        log: Arc<Log>,
        player: impl FnOnce(Arc<Instance>, AudioEnds) -> Player,
    ) -> Self {
        let (instance, ends) = Instance::new();
        let (weak, waker) = (Arc::downgrade(&instance), renderer.waker());
        instance.store().on_change(move || {
            if weak.strong_count() > 0 {
                waker.wake();
            }
        });
        let player = player(instance.clone(), ends);
        let mut host = Self {
            instance,
            player,
            renderer,
            log,
            rate: RATE,
            longest: 8_192,
            tempo: 120.0,
            bar_length: 4.0,
            track: None,
            offline: false,
            playing: true,
            transport: true,
            position: 0,
            strengths: [0.0; SLOTS],
            notes: Vec::new(),
            incoming: 0.0,
            arrived: 0,
            timed: false,
        };
        host.activate();
        host
    }

    pub fn offline() -> Self {
        let mut host = Self::new();
        host.offline = true;
        host.activate();
        host
    }

    pub fn activate(&mut self) {
        self.player.activate(self.rate as f32, self.longest, self.offline);
        self.renderer.attach(&self.instance);
    }

    pub fn edit(&self, change: impl FnOnce(&mut Project)) {
        self.instance.store().edit(change);
    }

    pub fn press_generate(&self) {
        self.instance.store().generate.rise();
    }

    /// Sets seed and length as a host's parameter changes do.
    pub fn set(&self, seed: i32, seconds: f64) {
        use nice_plug::prelude::Param;
        let params = &self.instance.params;
        // SAFETY: in this test the test is the framework.
        unsafe {
            use nice_plug::params::InternalParamMut as _;
            params.seed._internal_set_normalized_value(params.seed.preview_normalized(seed));
            params.seconds._internal_set_normalized_value(params.seconds.preview_normalized(seconds as f32));
        }
    }

    /// What the transport says.
    pub fn landing(&self) -> Landing {
        let seconds = self.position as f64 / f64::from(self.rate);
        let steady = (seconds * self.tempo / 60.0, self.tempo);
        let (beats, tempo) = self.track.as_ref().map_or(steady, |track| track.at(seconds));
        Landing {
            playing: self.playing && self.transport,
            seconds: self.transport.then_some(seconds),
            beats: self.transport.then_some(beats),
            tempo: self.transport.then_some(tempo),
            bar_start: None,
            bar_length: self.transport.then_some(self.bar_length),
            looped: None,
        }
    }

    pub fn block(&mut self, length: usize) -> Vec<f32> {
        let (mut left, mut right) = (vec![9.0; length], vec![9.0; length]);
        let block = Block {
            position: self.transport.then_some(self.position),
            host: self.landing(),
            offline: self.offline,
            strengths: self.strengths,
        };
        let incoming = self.arrive(length);
        let waker = self.renderer.waker();
        let notes = std::mem::take(&mut self.notes);
        let mut notes = notes.into_iter();
        let settings = &self.instance.store().project().settings;
        let live = !self.offline && !self.timed && settings.wait != Wait::Always;
        realtime::block(live, || {
            self.player.hear(&block, [&incoming; 2], length, || waker.wake());
            self.player.process(&block, &mut notes, &mut left, &mut right, || waker.wake());
        });
        if self.playing {
            self.position += length as i64;
        }
        assert_eq!(left, right);
        left
    }

    fn arrive(&mut self, length: usize) -> Vec<f32> {
        let phase = std::f64::consts::TAU * 440.0 / f64::from(self.rate);
        let sample = |index: usize| self.incoming * (index as f64 * phase).sin() as f32;
        let samples = (self.arrived..self.arrived + length).map(sample).collect();
        self.arrived += length;
        samples
    }

    /// Plays `length` samples in blocks of `size`.
    pub fn play(&mut self, length: usize, size: usize) -> Vec<f32> {
        let mut heard = Vec::new();
        while heard.len() < length {
            heard.extend(self.block(size.min(length - heard.len())));
        }
        heard
    }

    /// Plays `length` samples from `position` of the song.
    pub fn play_from(&mut self, position: i64, length: usize, size: usize) -> Vec<f32> {
        self.position = position;
        self.play(length, size)
    }

    /// Waits until what sounds is the project as it is now, as an offline render does.
    pub fn shown(&mut self) {
        let (offline, playing) = (self.offline, self.playing);
        (self.offline, self.playing) = (true, false);
        self.block(1);
        (self.offline, self.playing) = (offline, playing);
    }

    /// Waits until the project has this many takes.
    pub fn until_takes(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.instance.store().project().takes.len() < count {
            assert!(Instant::now() < deadline, "the press was not answered");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the audio thread can see the project as it is.
    pub fn known(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.player.is_current() {
            assert!(Instant::now() < deadline, "the renderer does not answer");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until nothing is being made.
    pub fn settle(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let (view, project) = (self.instance.view(), self.instance.store().project());
            let shown = view.takes.len() == project.takes.len();
            let over = |status: &Status| matches!(status, Status::Ready | Status::Failed(_));
            if shown && view.takes.iter().all(|take| over(&take.status)) {
                return;
            }
            assert!(Instant::now() < deadline, "the renderer does not come to an end: {view:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Generates a take from the project's prompt in a standing song, and waits for it.
    pub fn generate(&mut self) {
        let before = self.instance.store().project().takes.len();
        self.press_generate();
        self.playing = false;
        self.block(64);
        self.playing = true;
        self.until_takes(before + 1);
        self.settle();
    }
}
