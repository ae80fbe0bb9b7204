//! The song a host plays: one tempo, one time signature, perhaps a loop.

use clack_host::events::event_types::{TransportEvent, TransportFlags};
use clack_host::events::{EventFlags, EventHeader};
use clack_host::utils::{BeatTime, SecondsTime};

/// A loop region, in beats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loop {
    /// First beat of the region.
    pub start: f64,
    /// First beat after the region.
    pub end: f64,
}

/// A song with a fixed tempo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Song {
    /// Quarter notes per minute.
    pub tempo: f64,
    /// Time signature: beats per bar and the note that counts as one.
    pub signature: (u16, u16),
    /// The loop region the host shows, if looping is on.
    pub looped: Option<Loop>,
}

impl Default for Song {
    /// 120 quarter notes per minute in 4/4: a bar lasts two seconds.
    fn default() -> Self {
        Self { tempo: 120.0, signature: (4, 4), looped: None }
    }
}

impl Song {
    /// The song position in beats (quarter notes) at `seconds`.
    pub fn beats(&self, seconds: f64) -> f64 {
        seconds * self.tempo / 60.0
    }

    /// What a host tells the plugin at the start of a block that begins at `seconds`.
    pub(crate) fn at(&self, seconds: f64, playing: bool) -> TransportEvent {
        let beats = self.beats(seconds);
        let bar_beats = f64::from(self.signature.0) * 4.0 / f64::from(self.signature.1);
        let bar = (beats / bar_beats).floor();
        let mut flags = TransportFlags::HAS_TEMPO
            | TransportFlags::HAS_BEATS_TIMELINE
            | TransportFlags::HAS_SECONDS_TIMELINE
            | TransportFlags::HAS_TIME_SIGNATURE;
        flags.set(TransportFlags::IS_PLAYING, playing);
        flags.set(TransportFlags::IS_LOOP_ACTIVE, self.looped.is_some());
        let region = self.looped.unwrap_or(Loop { start: 0.0, end: 0.0 });
        let in_seconds = |beats: f64| SecondsTime::from_float(beats * 60.0 / self.tempo);
        TransportEvent {
            header: EventHeader::new_core(0, EventFlags::empty()),
            flags,
            song_pos_beats: BeatTime::from_float(beats),
            song_pos_seconds: SecondsTime::from_float(seconds),
            tempo: self.tempo,
            tempo_inc: 0.0,
            loop_start_beats: BeatTime::from_float(region.start),
            loop_end_beats: BeatTime::from_float(region.end),
            loop_start_seconds: in_seconds(region.start),
            loop_end_seconds: in_seconds(region.end),
            bar_start: BeatTime::from_float(bar * bar_beats),
            bar_number: bar as i32,
            time_signature_numerator: self.signature.0,
            time_signature_denominator: self.signature.1,
        }
    }
}
