//! The time by which waiting is measured. A trait, so that tests need not sleep.

use std::time::{Duration, Instant};

/// Between two looks at what is waited for. A millisecond costs nothing against a decoding step.
const LOOK: Duration = Duration::from_millis(1);

/// A clock that only goes forward, and a way to let some of its time pass.
pub trait Watch: Send {
    /// Time since some fixed moment. Wait-free.
    fn now(&self) -> Duration;

    /// Lets a moment pass. Not wait-free: only for a render that may wait.
    fn pause(&self);
}

/// The system's clock.
#[derive(Debug)]
pub(super) struct SystemWatch(Instant);

impl Default for SystemWatch {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Watch for SystemWatch {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn pause(&self) {
        std::thread::sleep(LOOK);
    }
}
