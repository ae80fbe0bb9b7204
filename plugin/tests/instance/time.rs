//! Time that goes as a test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tiller::audio::Watch;

/// A clock that stands still unless it is moved, or somebody waits by it. Clones show the same time.
#[derive(Clone)]
pub struct Time(Arc<State>);

struct State {
    nanoseconds: AtomicU64,
    /// How much of its time a pause takes.
    pause: Duration,
    pauses: AtomicUsize,
    meanwhile: Box<dyn Fn() + Send + Sync>,
}

impl Time {
    /// A clock on which a pause takes `pause`, whatever it takes in the real world.
    pub fn with_pauses_of(pause: Duration) -> Self {
        Self::with(pause, || std::thread::sleep(Duration::from_micros(200)))
    }

    /// A clock that does something on the waiting thread with each pause.
    pub fn with(pause: Duration, meanwhile: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(State {
            nanoseconds: AtomicU64::new(0),
            pause,
            pauses: AtomicUsize::new(0),
            meanwhile: Box::new(meanwhile),
        }))
    }

    pub fn pass(&self, seconds: f64) {
        self.0.nanoseconds.fetch_add((seconds * 1e9) as u64, Ordering::SeqCst);
    }

    /// How often somebody has waited.
    pub fn pauses(&self) -> usize {
        self.0.pauses.load(Ordering::SeqCst)
    }
}

impl Watch for Time {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.nanoseconds.load(Ordering::SeqCst))
    }

    fn pause(&self) {
        self.0.pauses.fetch_add(1, Ordering::SeqCst);
        self.pass(self.0.pause.as_secs_f64());
        assert_no_alloc::permit_alloc(|| (self.0.meanwhile)());
    }
}
