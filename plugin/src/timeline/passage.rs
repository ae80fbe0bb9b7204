//! Which stretches of the song the transport passed without a gap, and when it had left them.

use super::Lane;

/// A stretch of the song that the transport passed without a gap. Seconds of the song.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Passage {
    /// Where it began.
    pub from: f64,
    /// Where it has come.
    pub to: f64,
    /// Whether it ended there, because the transport stopped or jumped.
    pub over: bool,
    /// Whether it was rendered offline.
    pub offline: bool,
}

impl Passage {
    /// Whether it passed a part of what lies from `start` to `end`.
    #[must_use]
    pub fn touches(&self, start: f64, end: f64) -> bool {
        self.from < end && self.to > start
    }

    /// Whether it passed a part of what lies from `start` to `end` and has left that.
    #[must_use]
    pub fn has_left(&self, start: f64, end: f64) -> bool {
        self.touches(start, end) && (self.over || self.to >= end)
    }

    /// Whether the strength for a second of the song was recorded in it.
    #[must_use]
    pub fn recorded(&self, seconds: f64) -> bool {
        let sampled = Lane::sampled_at(seconds);
        // Seconds are samples divided by a rate: equal moments may differ by a rounding.
        sampled > self.from - 1e-9 && sampled < self.to - 1e-9
    }
}

/// The audio thread's notes of the present passage.
#[derive(Debug, Default)]
pub struct Passing {
    current: Option<Stretch>,
}

/// Samples of the song.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    from: i64,
    to: i64,
    offline: bool,
}

impl Stretch {
    fn passage(self, sample_rate: u32, over: bool) -> Passage {
        let seconds = |sample: i64| sample as f64 / f64::from(sample_rate.max(1));
        Passage { from: seconds(self.from), to: seconds(self.to), over, offline: self.offline }
    }
}

impl Passing {
    /// The transport passes `length` samples from `position`. Returns the passage that ended if it jumped there.
    /// Wait-free.
    pub fn pass(&mut self, sample_rate: u32, position: i64, length: usize, offline: bool) -> Option<Passage> {
        let to = position.saturating_add_unsigned(length as u64);
        match &mut self.current {
            Some(current) if current.to == position && current.offline == offline => {
                current.to = to;
                None
            }
            _ => {
                let ended = self.stop(sample_rate);
                self.current = Some(Stretch { from: position, to, offline });
                ended
            }
        }
    }

    /// The transport stands. Returns the passage that ended thereby. Wait-free.
    pub fn stop(&mut self, sample_rate: u32) -> Option<Passage> {
        self.current.take().map(|stretch| stretch.passage(sample_rate, true))
    }

    /// The present passage, as far as it has come. Wait-free.
    #[must_use]
    pub fn so_far(&self, sample_rate: u32) -> Option<Passage> {
        self.current.map(|stretch| stretch.passage(sample_rate, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 1_000;

    fn passage(from: f64, to: f64, over: bool) -> Passage {
        Passage { from, to, over, offline: false }
    }

    #[test]
    fn blocks_that_follow_each_other_are_one_passage_until_the_transport_jumps_or_stops() {
        let mut passing = Passing::default();
        assert_eq!(passing.stop(RATE), None);
        assert_eq!(passing.pass(RATE, 500, 100, false), None);
        assert_eq!(passing.pass(RATE, 600, 400, false), None);
        assert_eq!(passing.so_far(RATE), Some(passage(0.5, 1.0, false)));
        assert_eq!(passing.pass(RATE, 200, 100, false), Some(passage(0.5, 1.0, true)));
        assert_eq!(passing.stop(RATE), Some(passage(0.2, 0.3, true)));
        assert_eq!(passing.stop(RATE), None);
    }

    #[test]
    fn what_is_live_and_what_is_offline_are_two_passages() {
        let mut passing = Passing::default();
        passing.pass(RATE, 0, 100, false);
        assert_eq!(passing.pass(RATE, 100, 100, true), Some(passage(0.0, 0.1, true)));
        assert!(passing.stop(RATE).unwrap().offline);
    }

    #[test]
    fn a_take_is_left_when_its_end_was_passed_or_the_passage_is_over() {
        assert!(!passage(0.0, 3.0, false).has_left(2.0, 4.0));
        assert!(passage(0.0, 3.0, true).has_left(2.0, 4.0));
        assert!(passage(3.0, 4.0, false).has_left(2.0, 4.0));
        assert!(!passage(0.0, 2.0, true).has_left(2.0, 4.0));
        assert!(!passage(4.0, 9.0, true).has_left(2.0, 4.0));
    }

    #[test]
    fn only_what_was_sampled_in_it_is_recorded() {
        let late = passage(1.005, 2.0, true);
        assert!(!late.recorded(1.008), "sampled at 1.00");
        assert!(late.recorded(1.01) && late.recorded(1.999) && !late.recorded(2.0));
    }

    #[test]
    fn wild_positions_do_no_harm() {
        let mut passing = Passing::default();
        for position in [i64::MIN, -1, i64::MAX - 1, i64::MAX] {
            passing.pass(0, position, usize::MAX, false);
        }
        assert!(passing.stop(0).is_some());
    }
}
