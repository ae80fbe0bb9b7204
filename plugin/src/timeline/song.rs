//! From places in the song to samples.
//!
//! A host says of each block where it is, in seconds and in quarter notes, and its tempo there; it never says what its
//! tempo was before. So quarter notes become seconds in one case only: where both positions of the block say that the
//! whole song up to it has the present tempo, and the take's place says the same of the song it was put into. Then a
//! take keeps its bar when the tempo of the whole song is changed. In every other song a take keeps its seconds, which
//! were right for its bar when it was put there: a take that sounds neither drifts nor jumps while the tempo ramps.
//!
//! What this cannot do: after the tempo track of a song with several tempos was redrawn, takes behind the change stay
//! at their seconds, and are moved by hand. And a song of one tempo which, while a take sounds, speeds up *and* slows
//! down so that tempo and mean tempo meet again looks for that moment like a song that was changed as a whole.

use crate::state::{Anchor, Place};

/// Seconds by which a host's beats and seconds may disagree and still mean one tempo from the start. Hosts round: some
/// to ticks of a quarter note's 1,920th part.
const STEADY: f64 = 1e-3;
/// As [`STEADY`], for each second from the start: tempos are rounded, too.
const STEADY_RATE: f64 = 1e-6;

/// Whether a position in quarter notes and one in seconds are the same at one tempo from the start, within `slack`
/// times what hosts round.
fn agree(beats: f64, seconds: f64, tempo: f64, slack: f64) -> bool {
    (beats * 60.0 / tempo - seconds).abs() <= slack * (STEADY + seconds.abs() * STEADY_RATE)
}

/// What the host's transport says of the song at this moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Song {
    /// Samples a second.
    pub sample_rate: f64,
    /// Quarter notes a minute, if the whole song up to here has this tempo: places in beats can be computed from it.
    pub steady_tempo: Option<f64>,
}

impl Song {
    /// A song as a host describes it at one position. `seconds` and `beats` are that position, `tempo` is in quarter
    /// notes a minute; what the host does not say is `None`.
    #[must_use]
    pub fn new(sample_rate: f64, tempo: Option<f64>, seconds: Option<f64>, beats: Option<f64>) -> Self {
        let tempo = tempo.filter(|tempo| tempo.is_finite() && *tempo > 0.0);
        let steady_tempo = match (tempo, seconds, beats) {
            (Some(tempo), Some(seconds), Some(beats)) if agree(beats, seconds, tempo, 1.0) => Some(tempo),
            _ => None,
        };
        Self { sample_rate, steady_tempo }
    }

    /// The sample of the song at which a place lies.
    #[must_use]
    pub fn start_of(&self, place: &Place) -> i64 {
        (self.seconds_of(place) * self.sample_rate).round() as i64
    }

    /// The second of the song at which a place lies.
    #[must_use]
    pub fn seconds_of(&self, place: &Place) -> f64 {
        match self.tempo_of(place) {
            // A ramp that has only begun still counts as steady, with a tempo that is a little off already; twice the
            // slack covers it, so that a take which sounds into a ramp stays where it is to the sample.
            Some(tempo) if !agree(place.beats, place.seconds, tempo, 2.0) => place.beats * 60.0 / tempo,
            _ => place.seconds,
        }
    }

    /// The tempo that a place follows: that of the whole song, if the place keeps its bar and the song had one tempo when
    /// the take was put there.
    #[must_use]
    pub fn tempo_of(&self, place: &Place) -> Option<f64> {
        let was_steady = || place.tempo.is_none_or(|then| agree(place.beats, place.seconds, then, 1.0));
        self.steady_tempo.filter(|_| place.anchor == Anchor::Beats && was_steady())
    }
}

/// A run of samples that a block and a take share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First sample in the block.
    pub in_block: usize,
    /// First sample in the take.
    pub in_take: usize,
    /// Samples.
    pub length: usize,
}

impl Span {
    /// What the block of `block_length` samples at `position` shares with the `length` samples from `start`.
    #[must_use]
    pub fn between(start: i64, length: usize, position: i64, block_length: usize) -> Option<Self> {
        let end = start.saturating_add_unsigned(length as u64);
        let block_end = position.saturating_add_unsigned(block_length as u64);
        let first = start.max(position);
        let last = end.min(block_end);
        (first < last).then(|| Self {
            in_block: first.abs_diff(position) as usize,
            in_take: first.abs_diff(start) as usize,
            length: last.abs_diff(first) as usize,
        })
    }
}

#[cfg(test)]
mod tests {
    // Sample counts of tests are small.
    #![allow(clippy::cast_possible_wrap)]

    use proptest::prelude::*;

    use super::*;

    const PLACE: Place = Place { beats: 8.0, seconds: 4.0, tempo: Some(120.0), anchor: Anchor::Beats };

    #[test]
    fn a_take_keeps_its_bar_when_the_whole_song_changes_tempo() {
        let slower = Song::new(48_000.0, Some(60.0), Some(2.0), Some(2.0));
        assert_eq!(slower.start_of(&PLACE), 8 * 48_000);
        let fixed = Place { anchor: Anchor::Seconds, ..PLACE };
        assert_eq!(slower.start_of(&fixed), 4 * 48_000);
    }

    #[test]
    fn a_take_keeps_its_time_when_the_song_changes_tempo_on_the_way() {
        let ramp = Song::new(48_000.0, Some(60.0), Some(2.0), Some(3.7));
        assert_eq!(ramp.start_of(&PLACE), 4 * 48_000);
    }

    #[test]
    fn a_take_put_behind_a_change_of_tempo_keeps_its_time_where_tempo_and_mean_tempo_meet() {
        let behind = Place { tempo: Some(90.0), ..PLACE };
        let meeting = Song::new(48_000.0, Some(100.0), Some(6.0), Some(10.0));
        assert_eq!(meeting.steady_tempo, Some(100.0));
        assert_eq!(meeting.start_of(&behind), 4 * 48_000);
        assert_eq!(meeting.start_of(&Place { tempo: None, ..PLACE }), 8 * 60 * 480);
    }

    #[test]
    fn a_take_that_sounds_does_not_drift_while_a_ramp_begins() {
        // 120 up to the take's second bar, then up by 6 a second: at first hardly a change at all.
        for block in 0..5_000 {
            let since = f64::from(block) * 64.0 / 48_000.0;
            let (tempo, seconds) = (120.0 + 6.0 * since, 6.0 + since);
            let beats = 12.0 + since * (120.0 + tempo) / 2.0 / 60.0;
            let song = Song::new(48_000.0, Some(tempo), Some(seconds), Some(beats));
            assert_eq!(song.start_of(&PLACE), 4 * 48_000, "{since} s into the ramp");
        }
    }

    #[test]
    fn a_tempo_that_is_no_number_is_no_tempo() {
        for tempo in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            assert_eq!(Song::new(48_000.0, Some(tempo), Some(0.0), Some(0.0)).steady_tempo, None);
        }
    }

    proptest! {
        #[test]
        fn any_partition_into_blocks_sounds_the_same_samples(
            start in -5_000_i64..5_000,
            length in 0_usize..4_000,
            from in -6_000_i64..6_000,
            blocks in prop::collection::vec(0_usize..700, 0..40),
        ) {
            let mut position = from;
            let mut heard = Vec::new();
            for block in blocks {
                if let Some(span) = Span::between(start, length, position, block) {
                    for i in 0..span.length {
                        heard.push((position + (span.in_block + i) as i64, span.in_take + i));
                    }
                }
                position += block as i64;
            }
            let expected: Vec<_> = (from..position)
                .filter(|sample| (start..start + length as i64).contains(sample))
                .map(|sample| (sample, (sample - start) as usize))
                .collect();
            prop_assert_eq!(heard, expected);
        }

        #[test]
        fn no_position_overflows(start in any::<i64>(), length in any::<u32>(), position in any::<i64>(), block in 0_usize..9_000) {
            if let Some(span) = Span::between(start, length as usize, position, block) {
                prop_assert!(span.in_block + span.length <= block);
                prop_assert!(span.in_take + span.length <= length as usize);
            }
        }
    }
}
