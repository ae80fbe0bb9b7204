//! Waiting for due audio in an offline render.

use std::time::{Duration, Instant};

/// Between two looks. An offline render may sleep; a millisecond costs nothing against a decoding step.
const LOOK: Duration = Duration::from_millis(1);

/// Waits as long as someone makes progress.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
}

impl Patience {
    /// Gives up after `seconds` without progress.
    pub fn of(seconds: f64) -> Self {
        Self { limit: Duration::try_from_secs_f64(seconds).unwrap_or_default() }
    }

    /// Waits until `done`, looking at `progress` meanwhile: any change of it is progress. Returns whether it is done.
    pub fn wait(&self, progress: impl Fn() -> u64, mut done: impl FnMut() -> bool) -> bool {
        let mut last = progress();
        let mut since = Instant::now();
        while !done() {
            let now = progress();
            if now != last {
                (last, since) = (now, Instant::now());
            } else if since.elapsed() >= self.limit {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }
}
