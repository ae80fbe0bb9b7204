//! What one instance shares between the host's threads, its window and the renderer.

use std::any::Any;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use nice_plug_egui::RepaintNotifier;
use parking_lot::{Mutex, RwLock};
use triple_buffer::{Input, Output, triple_buffer};

use crate::audio::Misses;
use crate::listening::Listening;
use crate::params::{SLOTS, TillerParams};
use crate::renderer::View;
use crate::state::Store;
use crate::timeline::{Landing, Lane, Passage, Standing, Timeline};

/// Generate presses that may wait for the renderer. More in one moment are a stuck button.
const PRESSES: usize = 64;
/// Passages that may wait for the renderer. More in one moment are a host that jumps about; what is dropped is taken up
/// when it is passed again.
const PASSAGES: usize = 256;

/// Everything of an instance that outlives one call of a host.
pub struct Instance {
    /// Parameters and project.
    pub params: Arc<TillerParams>,
    /// What the steering parameters did over the song.
    pub lane: Lane,
    /// Presses of Generate on their way to the renderer.
    pub presses: Post<Press>,
    /// Recordings that a take is to go on from, each with the press it came with, on their way to the renderer.
    pub recordings: Post<(Press, PathBuf)>,
    /// What is recorded of the sidechain for the next takes to follow.
    pub listening: Listening,
    /// Stretches of the song that the transport has passed, on their way to the renderer.
    pub passages: Post<Passage>,
    /// The song's tempo as it stood last.
    pub standing: Standing,
    /// Counts everything the renderer gets done for anyone, so that waiting has an end when nothing is.
    pub progress: AtomicU64,
    /// Audio that was due and not there.
    pub misses: Misses,
    /// Takes that were rendered offline with strengths other than those that passed. Counted and shown; never silent.
    pub outdated: AtomicU32,
    /// Asks the window to paint again.
    pub repaint: RepaintNotifier,
    /// What the host says from any thread.
    pub told: Arc<Told>,
    kept: OnceLock<Box<dyn Any + Send + Sync>>,
    window_open: AtomicBool,
    retry: AtomicBool,
    born: Instant,
    /// When a block came late last, milliseconds from `born` on; 0 for never.
    strained: AtomicU64,
    timeline: Mutex<Input<Arc<Timeline>>>,
    clock: Mutex<Output<Clock>>,
    view: RwLock<Arc<View>>,
}

/// The audio thread's ends of what an [`Instance`] shares. There is one pair, for the one audio thread.
pub struct AudioEnds {
    /// The newest timeline.
    pub timeline: Output<Arc<Timeline>>,
    /// Where the song is.
    pub clock: Input<Clock>,
}

/// Where the song is and what the parameters say, as of the last block.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Clock {
    /// Sample rate, Hz; 0 before activation.
    pub sample_rate: u32,
    /// The host's transport.
    pub host: Landing,
    /// Whether the host renders offline.
    pub offline: bool,
}

/// One press of Generate, with everything it froze.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Press {
    /// Where the song was.
    pub host: Landing,
    /// The slots' strengths.
    pub strengths: [f32; SLOTS],
    /// Guidance.
    pub guidance: f32,
    /// Temperature.
    pub temperature: f32,
    /// Top-k.
    pub top_k: u32,
    /// Length in bars.
    pub bars: u32,
    /// Length in seconds; 0: bars count.
    pub seconds: f64,
    /// Seed.
    pub seed: u64,
}

impl Press {
    /// The parameters as they are, at this moment of the song. Wait-free.
    #[must_use]
    pub fn now(params: &TillerParams, host: Landing) -> Self {
        Self {
            host,
            strengths: params.strengths(),
            guidance: params.guidance.value(),
            temperature: params.temperature.value(),
            top_k: params.top_k.value().unsigned_abs(),
            bars: params.bars.value().unsigned_abs(),
            // Through the parameter's own step, so that 8 s are 8 s.
            seconds: (f64::from(params.seconds.value()) * 100.0).round() / 100.0,
            seed: u64::from(params.seed.value().unsigned_abs()),
        }
    }
}

/// Messages on their way to the renderer. Wait-free for the audio thread.
pub struct Post<T> {
    queue: ArrayQueue<T>,
    sent: AtomicU64,
}

impl<T> Post<T> {
    fn with_room_for(messages: usize) -> Self {
        Self { queue: ArrayQueue::new(messages), sent: AtomicU64::new(0) }
    }

    /// Sends a message; one too many is dropped and not counted.
    pub fn push(&self, message: T) {
        if self.queue.push(message).is_ok() {
            self.sent.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Takes the oldest.
    pub fn pop(&self) -> Option<T> {
        self.queue.pop()
    }

    /// How many there have been.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }
}

/// What a host says of an instance at any time and from any thread, also while a block waits for audio.
#[derive(Debug, Default)]
pub struct Told {
    stopped: AtomicBool,
    /// Offline as of the latest setup and block; `SILENT` in formats that say so at activation only.
    setup: AtomicU8,
    block: AtomicBool,
}

/// The host has not said how it renders.
const SILENT: u8 = 0;

impl Told {
    /// The host stops or drops the instance, or starts it again. While it is stopped, no block waits for audio.
    pub fn stopped(&self, stopped: bool) {
        self.stopped.store(stopped, Ordering::Release);
    }

    /// Whether the host has stopped it. Wait-free.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// The host sets up rendering.
    pub fn setup(&self, offline: bool) {
        self.setup.store(1 + u8::from(offline), Ordering::Release);
        self.block(false);
    }

    /// A block comes with its own mode. Wait-free.
    pub fn block(&self, offline: bool) {
        self.block.store(offline, Ordering::Release);
    }

    /// Whether the host renders offline, as its setup or its latest block says; `None` where neither says anything.
    /// Wait-free.
    #[must_use]
    pub fn offline(&self) -> Option<bool> {
        let setup = self.setup.load(Ordering::Acquire);
        (setup != SILENT).then(|| setup == 1 + u8::from(true) || self.block.load(Ordering::Acquire))
    }
}

impl Instance {
    /// A fresh instance and the audio thread's ends of it. Cheap: hosts make instances to look at them.
    #[must_use]
    pub fn new() -> (Arc<Self>, AudioEnds) {
        let (timeline, timeline_out) = triple_buffer(&Arc::new(Timeline::default()));
        let (clock_in, clock) = triple_buffer(&Clock::default());
        let instance = Arc::new(Self {
            params: Arc::new(TillerParams::new(Arc::new(Store::default()))),
            lane: Lane::default(),
            presses: Post::with_room_for(PRESSES),
            recordings: Post::with_room_for(PRESSES),
            listening: Listening::default(),
            passages: Post::with_room_for(PASSAGES),
            standing: Standing::default(),
            outdated: AtomicU32::new(0),
            progress: AtomicU64::new(0),
            misses: Misses::default(),
            repaint: RepaintNotifier::new(),
            window_open: AtomicBool::new(false),
            told: Arc::default(),
            kept: OnceLock::new(),
            retry: AtomicBool::new(false),
            born: Instant::now(),
            strained: AtomicU64::new(0),
            timeline: Mutex::new(timeline),
            clock: Mutex::new(clock),
            view: RwLock::default(),
        });
        (instance, AudioEnds { timeline: timeline_out, clock: clock_in })
    }

    /// The project and its store.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.params.project
    }

    /// Where the song is. Not for the audio thread.
    #[must_use]
    pub fn clock(&self) -> Clock {
        *self.clock.lock().read()
    }

    /// Hands a timeline to the audio thread. What the audio thread no longer reads is dropped here.
    pub fn publish(&self, timeline: Timeline) {
        self.timeline.lock().write(Arc::new(timeline));
        self.advanced();
    }

    /// The window opens or closes. Only an open one needs to know the model before there is work.
    pub fn set_window_open(&self, open: bool) {
        self.window_open.store(open, Ordering::Release);
    }

    /// Whether the window is open.
    #[must_use]
    pub fn window_is_open(&self) -> bool {
        self.window_open.load(Ordering::Acquire)
    }

    /// Keeps something as long as the instance lives. There is one thing to keep: the first.
    ///
    /// # Panics
    /// If something of another type is kept already.
    pub(crate) fn keep<T: Any + Send + Sync>(&self, thing: T) -> &T {
        let kept = self.kept.get_or_init(|| Box::new(thing));
        kept.downcast_ref().expect("one thing is kept")
    }

    /// Asks the renderer to try again what failed, and to look again for the model.
    pub fn ask_retry(&self) {
        self.retry.store(true, Ordering::Release);
    }

    /// Whether that was asked since the last call.
    pub fn take_retry(&self) -> bool {
        self.retry.swap(false, Ordering::AcqRel)
    }

    /// The host's audio came late at `now`. Wait-free.
    pub fn note_strain(&self, now: Instant) {
        let since = now.saturating_duration_since(self.born).as_millis() as u64;
        self.strained.store(since.max(1), Ordering::Relaxed);
    }

    /// How long ago at `now` the host's audio came late last; `None` if it never did.
    #[must_use]
    pub fn strained_for(&self, now: Instant) -> Option<Duration> {
        let at = self.strained.load(Ordering::Relaxed);
        let since = || now.saturating_duration_since(self.born).saturating_sub(Duration::from_millis(at));
        (at > 0).then(since)
    }

    /// Notes that something got done.
    pub fn advanced(&self) {
        self.progress.fetch_add(1, Ordering::Release);
    }

    /// What the window shows of the renderer's work.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.view.read().clone()
    }

    /// Shows something else.
    pub fn show(&self, view: View) {
        let view = Arc::new(view);
        let before = std::mem::replace(&mut *self.view.write(), view.clone());
        if before != view {
            self.repaint.request_repaint();
        }
    }
}
