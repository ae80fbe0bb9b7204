//! Where a take lands when Generate is pressed.

use crate::state::{Anchor, Place, Position};

/// How near to a bar's start, in quarter notes, counts as on it. Hosts round.
const ON_THE_BAR: f64 = 1e-3;

/// What the host's transport says at the moment of Generate.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Landing {
    /// Whether the song plays.
    pub playing: bool,
    /// Position in seconds.
    pub seconds: Option<f64>,
    /// Position in quarter notes.
    pub beats: Option<f64>,
    /// Quarter notes a minute.
    pub tempo: Option<f64>,
    /// Start of the present bar in quarter notes.
    pub bar_start: Option<f64>,
    /// Quarter notes in a bar.
    pub bar_length: Option<f64>,
    /// The loop the song is in, if it loops: its first second and the one after its last.
    pub looped: Option<(f64, f64)>,
}

/// Tempo assumed where a host names none.
const DEFAULT_TEMPO: f64 = 120.0;
/// Quarter notes in a bar where a host names no time signature.
const DEFAULT_BAR: f64 = 4.0;

impl Landing {
    /// Quarter notes a minute, if the host names a number that can be one.
    #[must_use]
    pub fn named_tempo(&self) -> Option<f64> {
        self.tempo.filter(|tempo| tempo.is_finite() && *tempo > 0.0)
    }

    /// Quarter notes a minute, the usual 120 where the host names none.
    #[must_use]
    pub fn tempo(&self) -> f64 {
        self.named_tempo().unwrap_or(DEFAULT_TEMPO)
    }

    /// Quarter notes in a bar, the usual 4 where the host names no time signature.
    #[must_use]
    pub fn bar_length(&self) -> f64 {
        self.bar_length.filter(|bar| bar.is_finite() && *bar > 0.0).unwrap_or(DEFAULT_BAR)
    }

    /// The second at which a position in quarter notes lies, at the tempo of this moment.
    #[must_use]
    pub fn seconds_at(&self, beats: f64) -> f64 {
        let (seconds, here) = self.here();
        seconds + (beats - here) * 60.0 / self.tempo()
    }

    /// This moment in seconds and in quarter notes, 0 where the host says neither.
    fn here(&self) -> (f64, f64) {
        let per_beat = 60.0 / self.tempo();
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        let beats = finite(self.beats);
        let seconds = finite(self.seconds).or(beats.map(|beats| beats * per_beat)).unwrap_or(0.0);
        (seconds, beats.unwrap_or(seconds / per_beat))
    }

    /// Seconds that `bars` bars last.
    #[must_use]
    pub fn seconds_of_bars(&self, bars: u32) -> f64 {
        f64::from(bars) * self.bar_length() * 60.0 / self.tempo()
    }
}

/// The place a new take gets.
#[must_use]
pub fn land(position: Position, host: &Landing) -> Place {
    let per_beat = 60.0 / host.tempo();
    let tempo = host.named_tempo();
    // Beats and seconds of one moment, to convert by the tempo around it.
    let (seconds, beats) = host.here();
    let at_beats = |target: f64| Place {
        beats: target,
        seconds: host.seconds_at(target).max(0.0),
        tempo,
        anchor: Anchor::Beats,
    };
    match position {
        Position::Beats(target) => at_beats(target.max(0.0)),
        Position::Seconds(target) => Place {
            beats: (beats + (target.max(0.0) - seconds) / per_beat).max(0.0),
            seconds: target.max(0.0),
            tempo,
            anchor: Anchor::Seconds,
        },
        Position::Playhead => {
            let bar = host.bar_length();
            let start = host
                .bar_start
                .filter(|start| (beats - bar..=beats + ON_THE_BAR).contains(start))
                .unwrap_or((beats / bar).floor() * bar);
            let late = host.playing && beats - start > ON_THE_BAR;
            at_beats((if late { start + bar } else { start }).max(0.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(beats: f64, playing: bool) -> Landing {
        Landing {
            playing,
            seconds: Some(beats * 0.5),
            beats: Some(beats),
            tempo: Some(120.0),
            bar_start: None,
            bar_length: Some(4.0),
            looped: None,
        }
    }

    #[test]
    fn a_playing_song_gets_the_take_at_the_next_bar() {
        assert_eq!(land(Position::Playhead, &at(9.5, true)).beats, 12.0);
        assert_eq!(land(Position::Playhead, &at(8.0, true)).beats, 8.0);
        assert_eq!(land(Position::Playhead, &at(8.0005, true)).beats, 8.0);
    }

    #[test]
    fn a_standing_song_gets_it_at_the_present_bar() {
        let place = land(Position::Playhead, &at(9.5, false));
        assert_eq!((place.beats, place.seconds), (8.0, 4.0));
    }

    #[test]
    fn a_song_that_changed_its_tempo_gets_both_positions_right() {
        let host = Landing { seconds: Some(10.0), ..at(8.0, false) };
        let place = land(Position::Beats(10.0), &host);
        assert_eq!((place.beats, place.seconds), (10.0, 11.0));
    }

    #[test]
    fn a_host_that_says_nothing_gets_the_start() {
        let place = land(Position::Playhead, &Landing::default());
        assert_eq!((place.beats, place.seconds), (0.0, 0.0));
        assert_eq!(Landing::default().seconds_of_bars(4), 8.0);
    }

    #[test]
    fn a_place_is_a_number_whatever_a_host_says() {
        let broken = Landing {
            playing: true,
            seconds: Some(f64::NAN),
            beats: Some(f64::INFINITY),
            tempo: Some(f64::NAN),
            bar_start: Some(f64::NAN),
            bar_length: Some(0.0),
            looped: Some((f64::NAN, f64::NAN)),
        };
        for position in [Position::Playhead, Position::Beats(3.0), Position::Seconds(2.0)] {
            let place = land(position, &broken);
            assert!(place.beats.is_finite() && place.seconds.is_finite());
        }
    }
}
