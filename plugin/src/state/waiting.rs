//! How the audio thread is to wait and to look ahead, readable by it without a lock.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use super::{Settings, Wait};

/// The project's settings of time. They hold from the moment a project is restored, before the renderer has seen it.
#[derive(Debug)]
pub struct Waiting {
    wait: AtomicU8,
    patience: AtomicU64,
    look_ahead: AtomicU64,
}

impl Default for Waiting {
    fn default() -> Self {
        let waiting =
            Self { wait: AtomicU8::new(0), patience: AtomicU64::new(0), look_ahead: AtomicU64::new(0) };
        waiting.set(&Settings::default());
        waiting
    }
}

impl Waiting {
    pub(super) fn set(&self, settings: &Settings) {
        self.wait.store(settings.wait as u8, Ordering::Relaxed);
        self.patience.store(settings.patience_seconds.to_bits(), Ordering::Relaxed);
        self.look_ahead.store(settings.look_ahead().to_bits(), Ordering::Relaxed);
    }

    /// Whether to wait. Wait-free.
    #[must_use]
    pub fn wait(&self) -> Wait {
        match self.wait.load(Ordering::Relaxed) {
            wait if wait == Wait::Always as u8 => Wait::Always,
            wait if wait == Wait::Never as u8 => Wait::Never,
            _ => Wait::Automatic,
        }
    }

    /// For how long while nothing makes progress. Wait-free.
    #[must_use]
    pub fn patience(&self) -> Duration {
        // A script may write any number.
        Duration::try_from_secs_f64(f64::from_bits(self.patience.load(Ordering::Relaxed))).unwrap_or_default()
    }

    /// How far to look ahead, seconds; 0 for not at all. Wait-free.
    #[must_use]
    pub fn look_ahead(&self) -> f64 {
        f64::from_bits(self.look_ahead.load(Ordering::Relaxed))
    }
}
