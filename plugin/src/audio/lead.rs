//! Whether a host that does not say so renders faster than real time, and for how long it may then be kept waiting.
//!
//! Imagine a sound card that starts with the first block of a roll and plays, in real time, all that the host fetches.
//! What it has not played yet is the *lead*:
//!
//! ```text
//! lead = max(0, lead - wall time since the last block) + length of the last block
//! ```
//!
//! A live host plays no earlier than this card, so it always has at least the lead in store: waiting for less than the
//! lead cannot make it late. And its lead never grows beyond its own buffers, which are a few blocks, or some tenths of
//! a second where a host renders tracks ahead. A host whose lead exceeds both bounds is rendering to a file.
//!
//! A jump, a stop or a pause of the host ends the roll, and with it the lead: what was fetched before may be thrown away.

use std::time::Duration;

/// A lead beyond this, in seconds, is no live host's. REAPER renders 0.2 s ahead.
const LIVE_SECONDS: f64 = 0.5;
/// A lead beyond this many of the longest blocks is no live host's. Sound cards have two or three buffers.
const LIVE_BLOCKS: f64 = 3.0;
/// Lead that waiting leaves to the host, seconds: other plugins and the host itself take time too.
const RESERVE: f64 = 0.1;
/// A host that fetches nothing for this long, in seconds, has paused: a person was there, not a render loop.
const PAUSE: f64 = 1.0;
/// Sound cards and system clocks disagree, by parts in ten thousand at most. Over hours that must not become a lead.
const DRIFT: f64 = 1e-3;
/// Seconds by which positions that hosts derive from beats may be off and still follow each other.
const ROUNDING: f64 = 1e-3;

/// How far ahead of real time the host is.
#[derive(Debug, Default)]
pub(super) struct Lead {
    ahead: f64,
    /// The host's longest block, seconds.
    longest: f64,
    /// Position that follows the last block's; `None` while the song stands.
    next: Option<i64>,
    /// When the last block was asked for.
    asked: Duration,
    /// When the last block was handed over.
    left: Duration,
    /// Whether this roll is known to be no live one.
    sure: bool,
}

impl Lead {
    /// The longest block the host has announced, in seconds.
    pub fn announce(&mut self, longest: f64) {
        *self = Self { longest, ..Self::default() };
    }

    /// Forgets the roll. Wait-free.
    pub fn forget(&mut self) {
        self.announce(self.longest);
    }

    /// The host asks at `now` for `length` samples from `position`, which is `None` while the song stands. Returns for
    /// how long this block may wait: not at all, unless the host is sure to be rendering ahead. Wait-free.
    pub fn ask(&mut self, now: Duration, position: Option<i64>, length: usize, sample_rate: u32) -> Duration {
        let rate = f64::from(sample_rate.max(1));
        let length_seconds = length as f64 / rate;
        let Some(position) = position else {
            self.forget();
            return Duration::ZERO;
        };
        let slack = (rate * ROUNDING) as u64;
        let follows = self.next.is_some_and(|next| next.abs_diff(position) <= slack);
        let paused = now.saturating_sub(self.left).as_secs_f64() > PAUSE;
        if follows && !paused {
            let passed = now.saturating_sub(self.asked).as_secs_f64();
            self.ahead = (self.ahead - passed * (1.0 + DRIFT)).max(0.0);
        } else {
            (self.ahead, self.sure) = (0.0, false);
        }
        // A host that has fallen back to real time may be live after all.
        self.sure =
            self.ahead > LIVE_SECONDS.max(self.longest * LIVE_BLOCKS) || self.sure && self.ahead > 0.0;
        let may_wait = if self.sure { (self.ahead - RESERVE).max(0.0) } else { 0.0 };
        self.longest = self.longest.max(length_seconds);
        self.ahead += length_seconds;
        self.next = Some(position.saturating_add_unsigned(length as u64));
        (self.asked, self.left) = (now, now);
        Duration::try_from_secs_f64(may_wait).unwrap_or_default()
    }

    /// The block asked for last is handed over at `now`, after waiting.
    pub fn leave(&mut self, now: Duration) {
        self.left = now;
    }
}

#[cfg(test)]
mod tests {
    // Sample counts of tests are small.
    #![allow(clippy::cast_possible_wrap)]

    use proptest::prelude::*;

    use super::*;

    const RATE: u32 = 48_000;

    /// Asks for blocks of `length`, each `every` seconds, and returns the longest wait allowed.
    fn roll(lead: &mut Lead, from: i64, start: f64, blocks: usize, length: usize, every: f64) -> f64 {
        let waits = (0..blocks).map(|block| {
            let now = Duration::from_secs_f64(start + block as f64 * every);
            let position = from + (block * length) as i64;
            lead.ask(now, Some(position), length, RATE).as_secs_f64()
        });
        waits.fold(0.0, f64::max)
    }

    fn seconds(length: usize) -> f64 {
        length as f64 / f64::from(RATE)
    }

    #[test]
    fn a_host_in_real_time_never_waits_not_even_after_hours_on_a_fast_sound_card() {
        for length in [16, 512, 8_192, 40_000] {
            let mut lead = Lead::default();
            lead.announce(seconds(length));
            let blocks = (3.0 * 3_600.0 / seconds(length)).min(200_000.0) as usize;
            // 500 parts in a million too fast.
            assert_eq!(roll(&mut lead, 0, 0.0, blocks, length, seconds(length) * 0.9995), 0.0, "{length}");
        }
    }

    #[test]
    fn a_host_that_renders_some_blocks_ahead_never_waits() {
        let mut lead = Lead::default();
        lead.announce(seconds(512));
        // REAPER: 0.2 s at once, then in step; after each seek again.
        for seek in 0..20 {
            let (from, start) = (seek * 1_000_000, seek as f64 * 0.5);
            assert_eq!(roll(&mut lead, from, start, 19, 512, 1e-4), 0.0);
            assert_eq!(roll(&mut lead, from + 19 * 512, start + 0.01, 20, 512, seconds(512)), 0.0);
        }
    }

    #[test]
    fn a_bounce_is_known_by_its_lead_and_may_wait_for_no_more_than_that() {
        let mut lead = Lead::default();
        lead.announce(seconds(512));
        let before = roll(&mut lead, 0, 0.0, 47, 512, 0.0);
        assert_eq!(before, 0.0, "half a second is not yet proof");
        let wait = lead.ask(Duration::ZERO, Some(47 * 512), 512, RATE).as_secs_f64();
        assert!((wait - (47.0 * seconds(512) - RESERVE)).abs() < 1e-6, "{wait}");
    }

    #[test]
    fn a_jump_a_stop_and_a_pause_end_the_roll() {
        let sure = || {
            let mut lead = Lead::default();
            assert!(roll(&mut lead, 0, 0.0, 1_000, 512, 0.0) > 9.0);
            (lead, 1_000 * 512)
        };
        let at = Duration::from_secs_f64;
        let (mut lead, next) = sure();
        assert!(lead.ask(at(0.5), Some(next), 512, RATE) > Duration::ZERO);
        let (mut lead, next) = sure();
        assert_eq!(lead.ask(at(0.5), Some(next + 4_800), 512, RATE), Duration::ZERO, "a jump");
        let (mut lead, next) = sure();
        lead.ask(at(0.5), None, 512, RATE);
        assert_eq!(lead.ask(at(0.5), Some(next), 512, RATE), Duration::ZERO, "a stop");
        let (mut lead, next) = sure();
        assert_eq!(lead.ask(at(1.5), Some(next), 512, RATE), Duration::ZERO, "a pause");
        // What looks like a pause was the plugin's own waiting.
        let (mut lead, next) = sure();
        lead.leave(at(1.2));
        assert!(lead.ask(at(1.5), Some(next), 512, RATE) > Duration::ZERO);
    }

    proptest! {
        /// The law: whatever a live host's buffers are, waiting as long as is allowed never makes it late.
        #[test]
        fn no_live_host_is_ever_late(
            ahead in 0.0..4.0_f64,
            length in 16_usize..20_000,
            delays in prop::collection::vec(0.0..0.3_f64, 200),
        ) {
            // The host plays from the moment its first block is there, and renders until it has `ahead` in store.
            let mut lead = Lead::default();
            lead.announce(seconds(length));
            let (mut now, mut delivered, mut started) = (0.0_f64, 0.0, None);
            for (block, delay) in delays.into_iter().enumerate() {
                let started = *started.get_or_insert(now);
                let stored = delivered - (now - started);
                if stored > ahead {
                    now += stored - ahead;
                }
                let position = (block * length) as i64;
                let may = lead.ask(Duration::from_secs_f64(now), Some(position), length, RATE).as_secs_f64();
                let wait = delay.min(may);
                let before = delivered - (now - started);
                prop_assert!(wait == 0.0 || wait < before, "waits {wait} with {before} in store");
                now += wait;
                lead.leave(Duration::from_secs_f64(now));
                delivered += seconds(length);
            }
        }
    }
}
