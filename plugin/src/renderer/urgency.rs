//! What sounds soonest.
//!
//! A take is due when the song reaches the first sample that is not there yet. Where the song loops, what lies in the
//! loop is due when it comes round again, and what lies after it may never be. What is behind or beyond sounds after
//! everything else, what is muted last of all.

use std::cmp::Ordering;

use crate::instance::Clock;
use crate::state::Take;
use crate::timeline::Song;

/// Seconds by which decoding is ahead of generating: it is quick, and music that was there is missed most.
const DECODING_AHEAD: f64 = 10.0;
/// Added to what the song reaches only if someone moves it, seconds.
const OUT_OF_THE_WAY: f64 = 1e6;
/// When something sounds that is muted everywhere, seconds.
pub(super) const SILENT: f64 = 1e9;

/// Which piece is to be worked on, and how soon it is needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Urgency {
    index: usize,
    generates: bool,
    due: f64,
}

impl Urgency {
    /// Of the piece at `index`, which sounds in `due` seconds.
    pub fn new(index: usize, generates: bool, due: f64) -> Self {
        Self { index, generates, due: if generates { due } else { (due - DECODING_AHEAD).max(0.0) } }
    }

    pub fn index(&self) -> usize {
        self.index
    }

    /// The more urgent first.
    pub fn order(&self, other: &Self) -> Ordering {
        self.due.total_cmp(&other.due).then(self.generates.cmp(&other.generates))
    }
}

/// Seconds until a take of which the first `ready` seconds are there needs more.
pub(super) fn due(clock: &Clock, take: &Take, ready: f64) -> f64 {
    let host = &clock.host;
    let song = Song::new(f64::from(clock.sample_rate), host.tempo, host.seconds, host.beats);
    let start = song.seconds_of(&take.place);
    let now = host.seconds.filter(|now| now.is_finite()).unwrap_or(0.0);
    until(now, host.looped, start + ready, start + take.seconds())
}

/// Seconds until a song at `now`, looping between two seconds, sounds something of the stretch from `from` to `to`.
fn until(now: f64, looped: Option<(f64, f64)>, from: f64, to: f64) -> f64 {
    if (from..to).contains(&now) {
        return 0.0;
    }
    // A song that has left its loop does not come round to it.
    let looped = looped.filter(|&(start, end)| start < end && now < end);
    let ahead = from >= now && looped.is_none_or(|(_, end)| from < end);
    if ahead {
        return from - now;
    }
    match looped {
        Some((start, end)) if from < end && to > start => (end - now) + (from - start).max(0.0),
        _ => OUT_OF_THE_WAY + from.abs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_song_comes_to_what_is_ahead_and_not_to_what_is_behind() {
        assert_eq!(until(5.0, None, 8.0, 9.0), 3.0);
        assert_eq!(until(5.0, None, 4.0, 6.0), 0.0);
        assert!(until(5.0, None, 1.0, 2.0) > until(5.0, None, 3_600.0, 3_601.0));
    }

    #[test]
    fn a_loop_comes_round_to_its_start_and_never_past_its_end() {
        let looped = Some((4.0, 12.0));
        assert_eq!(until(10.0, looped, 11.0, 20.0), 1.0);
        assert_eq!(until(10.0, looped, 5.0, 6.0), 3.0);
        assert_eq!(until(10.0, looped, 2.0, 5.0), 2.0);
        assert_eq!(until(1.0, looped, 2.0, 3.0), 1.0, "before the loop");
        assert!(until(10.0, looped, 12.0, 13.0) > 1e5, "past its end");
        assert!(until(10.0, looped, 2.0, 3.0) > 1e5, "before its start");
        assert_eq!(until(13.0, looped, 14.0, 15.0), 1.0, "a song past its loop goes on");
        assert_eq!(until(1.0, Some((4.0, 4.0)), 5.0, 6.0), 4.0, "an empty loop is none");
    }

    #[test]
    fn decoding_goes_first_unless_it_has_time() {
        let generating = Urgency::new(0, true, 4.0);
        assert!(Urgency::new(1, false, 8.0).order(&generating).is_lt());
        assert!(Urgency::new(1, false, 60.0).order(&generating).is_gt());
        let starving = Urgency::new(0, true, 0.0);
        assert!(Urgency::new(1, false, 0.0).order(&starving).is_lt());
    }
}
