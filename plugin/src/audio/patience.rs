//! Waiting for something to be done, and when to give up.

use std::time::Duration;

use super::Watch;

/// For how long one block may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowance {
    /// Not at all: it is heard live.
    Nothing,
    /// Until this moment, however things go: the host is not known to be offline, but has this much in store.
    Until(Duration),
    /// As long as something moves: nobody listens.
    WhileItMoves,
}

/// How long waiting goes on while nothing moves, and where it was given up.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// Progress at which waiting was last given up: until it moves, nothing is waited for again.
    exhausted: Option<u64>,
}

impl Patience {
    /// Waits until `done` or `stopped`, looking at `progress` meanwhile: any change of it is a move, and after `limit`
    /// without one waiting is over. Returns whether it is done.
    pub fn wait(
        &mut self,
        allowance: Allowance,
        limit: Duration,
        watch: &dyn Watch,
        progress: impl Fn() -> u64,
        stopped: impl Fn() -> bool,
        mut done: impl FnMut() -> bool,
    ) -> bool {
        if allowance == Allowance::Nothing || done() {
            return done();
        }
        let mut last = progress();
        if self.exhausted == Some(last) {
            return false;
        }
        let mut since = watch.now();
        while !done() {
            let (now, moved) = (watch.now(), progress());
            if moved != last {
                (last, since) = (moved, now);
            } else if now.saturating_sub(since) >= limit {
                self.exhausted = Some(last);
                return false;
            }
            if stopped() || matches!(allowance, Allowance::Until(end) if now >= end) {
                return done();
            }
            watch.pause();
        }
        true
    }
}
