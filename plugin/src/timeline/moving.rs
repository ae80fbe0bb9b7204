//! Where a take goes when it is dragged or duplicated.

use serde::{Deserialize, Serialize};

use super::{Landing, Song, land};
use crate::state::{Place, Position};

/// How near to a line of the grid, in quarter notes, a duplicate goes onto it: lengths are whole samples, bars are not.
const ON_THE_LINE: f64 = 1e-3;

/// What dragged takes snap to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Snap {
    /// The starts of bars.
    Bar,
    /// Quarter notes.
    #[default]
    Beat,
    /// Nothing.
    Off,
}

impl Snap {
    /// The nearest line of the host's grid to a position, both in quarter notes.
    #[must_use]
    pub fn nearest(self, beats: f64, host: &Landing) -> f64 {
        let step = match self {
            Self::Bar => host.bar_length(),
            Self::Beat => 1.0,
            Self::Off => return beats,
        };
        // Bars are counted from one the host knows: the signature may have changed before it.
        let origin = host.bar_start.filter(|start| start.is_finite()).unwrap_or(0.0);
        ((beats - origin) / step).round() * step + origin
    }
}

/// The place of a take that was dragged by `seconds`; never before the song's start.
#[must_use]
pub fn moved(place: &Place, seconds: f64, snap: Snap, song: &Song, host: &Landing) -> Place {
    let target = song.seconds_of(place) + seconds;
    let free = land(Position::Seconds(target), host);
    let there = match snap {
        Snap::Off => free,
        _ => land(Position::Beats(snap.nearest(free.beats, host)), host),
    };
    Place { anchor: place.anchor, ..there }
}

/// The place of a duplicate: where a take that lasts `seconds` ends.
#[must_use]
pub fn behind(place: &Place, seconds: f64, song: &Song, host: &Landing) -> Place {
    let end = moved(place, seconds, Snap::Off, song, host);
    let line = Snap::Beat.nearest(end.beats, host);
    if (line - end.beats).abs() > ON_THE_LINE {
        return end;
    }
    Place { anchor: place.anchor, ..land(Position::Beats(line), host) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Anchor;

    /// 4/4 at 120 from the song's start; the playhead at the second bar.
    fn host() -> Landing {
        Landing {
            playing: false,
            seconds: Some(2.0),
            beats: Some(4.0),
            tempo: Some(120.0),
            bar_start: Some(4.0),
            bar_length: Some(4.0),
            looped: None,
        }
    }

    fn song(host: &Landing) -> Song {
        Song::new(48_000.0, host.tempo, host.seconds, host.beats)
    }

    fn place(beats: f64, anchor: Anchor) -> Place {
        Place { beats, seconds: beats / 2.0, tempo: Some(120.0), anchor }
    }

    #[test]
    fn a_dragged_take_snaps_to_bars_to_beats_or_to_nothing() {
        let host = host();
        let drag = |snap| moved(&place(8.0, Anchor::Beats), 1.3, snap, &song(&host), &host);
        assert_eq!((drag(Snap::Bar).beats, drag(Snap::Bar).seconds), (12.0, 6.0));
        assert_eq!((drag(Snap::Beat).beats, drag(Snap::Beat).seconds), (11.0, 5.5));
        assert!((drag(Snap::Off).beats - 10.6).abs() < 1e-9);
    }

    #[test]
    fn a_drag_keeps_the_anchor_and_stops_at_the_songs_start() {
        let host = host();
        let dragged = moved(&place(8.0, Anchor::Seconds), -100.0, Snap::Beat, &song(&host), &host);
        assert_eq!((dragged.beats, dragged.seconds, dragged.anchor), (0.0, 0.0, Anchor::Seconds));
    }

    #[test]
    fn bars_are_those_of_the_present_signature() {
        // Two bars of 4/4, then 7/8: bars start at 8, 11.5, 15.
        let host = Landing { bar_start: Some(11.5), bar_length: Some(3.5), ..host() };
        assert_eq!(Snap::Bar.nearest(14.0, &host), 15.0);
        assert_eq!(Snap::Bar.nearest(13.0, &host), 11.5);
    }

    #[test]
    fn a_duplicate_begins_where_the_take_ends_on_the_beat_if_that_is_one() {
        let host = host();
        let after = |seconds| behind(&place(8.0, Anchor::Beats), seconds, &song(&host), &host);
        assert_eq!((after(8.000_02).beats, after(8.000_02).seconds), (24.0, 12.0));
        assert!((after(8.1).beats - 24.2).abs() < 1e-9);
    }
}
