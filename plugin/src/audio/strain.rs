//! Whether the machine keeps up with the host's audio.
//!
//! It does not when a block takes far longer to process than it lasts, which means that the thread was held up: the
//! work itself takes microseconds. Nor when the host comes later and later for its blocks. Hosts whose device buffers
//! hold several blocks come in bursts, and now and then any host pauses; neither is strain.

use std::time::{Duration, Instant};

/// How long the shortest block may be held up: hosts keep some audio in store.
const HELD_UP: Duration = Duration::from_millis(10);
/// By how much the host may be behind, at least.
const SLACK: Duration = Duration::from_millis(100);
/// By how many blocks it may be behind.
const BLOCKS: u32 = 4;
/// A host that does not come for this long has paused.
const PAUSE: Duration = Duration::from_secs(1);

/// The audio thread's look at the clock, at the start and the end of each live block.
#[derive(Debug, Default)]
pub(super) struct Strain {
    /// When the last block began, and how long it lasts.
    last: Option<(Instant, Duration)>,
    behind: Duration,
}

impl Strain {
    /// A block that `lasts` so long was processed from `began` to `ended`. Returns whether that was too late. Wait-free.
    pub fn note(&mut self, began: Instant, ended: Instant, lasts: Duration) -> bool {
        let held_up = ended.saturating_duration_since(began) > lasts.max(HELD_UP);
        if let Some((then, lasted)) = self.last {
            let gap = began.saturating_duration_since(then);
            self.behind =
                if gap > PAUSE { Duration::ZERO } else { (self.behind + gap).saturating_sub(lasted) };
        }
        self.last = Some((began, lasts));
        let late = self.behind > SLACK.max(lasts * BLOCKS);
        if late {
            self.behind = Duration::ZERO;
        }
        // A block of no length says nothing.
        !lasts.is_zero() && (held_up || late)
    }

    /// The host begins anew.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(20);

    /// Plays blocks that last `lasts` milliseconds, each after a gap, and counts those that were too late.
    fn late(lasts: u64, gaps: impl IntoIterator<Item = u64>) -> usize {
        let (mut strain, mut now) = (Strain::default(), Instant::now());
        let gaps = gaps.into_iter();
        gaps.filter(|&gap| {
            now += Duration::from_millis(gap);
            strain.note(now, now + QUICK, Duration::from_millis(lasts))
        })
        .count()
    }

    #[test]
    fn a_host_in_time_is_not_strained_however_it_bundles_its_blocks() {
        assert_eq!(late(10, [10; 500]), 0);
        assert_eq!(late(10, (0..500).map(|block| if block % 8 == 0 { 80 } else { 0 })), 0);
        assert_eq!(late(180, [180; 50]), 0);
        assert_eq!(late(10, (0..500).map(|block| if block % 2 == 0 { 12 } else { 8 })), 0);
    }

    #[test]
    fn a_host_that_falls_behind_is_strained() {
        assert!(late(10, [13; 100]) > 0);
        assert!(late(10, [10, 10, 10, 250, 10]) > 0);
    }

    #[test]
    fn a_pause_is_no_strain() {
        assert_eq!(late(10, [10, 10, 5_000, 10, 10]), 0);
    }

    #[test]
    fn a_block_that_took_longer_than_it_lasts_was_held_up() {
        let (mut strain, now) = (Strain::default(), Instant::now());
        let lasts = Duration::from_millis(20);
        assert!(!strain.note(now, now + Duration::from_millis(19), lasts));
        assert!(strain.note(now + lasts, now + lasts + Duration::from_millis(21), lasts));
        assert!(!strain.note(now + 2 * lasts, now + 4 * lasts, Duration::ZERO));
    }
}
