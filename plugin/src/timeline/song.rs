//! From places in the song to samples.

use crate::state::{Anchor, Place};

/// Seconds by which a host's beats and seconds may disagree and still mean one tempo from the start.
const STEADY: f64 = 1e-3;

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
            (Some(tempo), Some(seconds), Some(beats))
                if (beats * 60.0 / tempo - seconds).abs() <= STEADY + seconds.abs() * 1e-6 =>
            {
                Some(tempo)
            }
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
        match (place.anchor, self.steady_tempo) {
            (Anchor::Beats, Some(tempo)) => place.beats * 60.0 / tempo,
            _ => place.seconds,
        }
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

    const PLACE: Place = Place { beats: 8.0, seconds: 4.0, anchor: Anchor::Beats };

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
