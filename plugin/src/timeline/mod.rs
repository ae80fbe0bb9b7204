//! Takes placed on the song: which sample of which take sounds at which sample of the song.
//!
//! Everything here is a function of the host's position. Nothing remembers what was played before, so any order of
//! blocks of any size, repeated or skipped, sounds the same. What overlaps adds up.

mod envelope;
mod grid;
mod lane;
mod moving;
mod passage;
mod song;
mod standing;

pub use envelope::Envelope;
pub use grid::{Landing, land};
pub use lane::{Lane, Recorder};
pub use moving::{Snap, behind, moved};
pub use passage::{Passage, Passing};
pub use song::{Song, Span};
pub use standing::Standing;

use std::sync::Arc;

use crate::audio::Rendition;
use crate::state::{Place, Settings};

/// What the audio thread reads: the finished and growing audio of every take, at one sample rate.
#[derive(Debug)]
pub struct Timeline {
    /// Takes in the project's order, muted ones left out.
    pub entries: Vec<Entry>,
    /// The newest take, for notes; it may be a muted one, which a note still plays.
    pub newest: Option<Entry>,
    /// Sample rate of the audio, Hz; 0 before the host named one.
    pub sample_rate: u32,
    /// How many Generate triggers of the audio thread this timeline answers.
    pub answered: u64,
    /// How many passages of the transport and tempos of a standing song this timeline takes into account.
    pub followed: u64,
    /// Which version of the project this timeline shows.
    pub version: u64,
    /// Whether a take fades when the note that started it ends.
    pub release_on_note_off: bool,
}

/// Nothing yet, from before the renderer's first look at an instance.
impl Default for Timeline {
    fn default() -> Self {
        let Settings { release_on_note_off, .. } = Settings::default();
        Self {
            entries: Vec::new(),
            newest: None,
            sample_rate: 0,
            answered: 0,
            followed: 0,
            version: 0,
            release_on_note_off,
        }
    }
}

/// One take on the timeline.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Names the audio as long as it exists; equal for takes that share it.
    pub key: u64,
    /// Where it starts.
    pub place: Place,
    /// How loud it is at each of its samples.
    pub envelope: Envelope,
    /// The version of the project with which this audio came onto the timeline.
    pub since: u64,
    /// Its audio.
    pub audio: Arc<Rendition>,
    /// Whether a newer version of it is being made.
    pub renewed: bool,
    /// What it becomes while the transport passes over it.
    pub renewal: Option<Renewal>,
}

/// The part of a take that changes while the transport passes over it, so far ahead of what is heard that it is ready
/// when it is due.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// The take's sample from which on this is heard. Before it, both are the same.
    pub from: usize,
    /// Audio of the whole take as it will be.
    pub audio: Arc<Rendition>,
}

impl Entry {
    /// The sample of the song after its last.
    #[must_use]
    pub fn end(&self, song: &Song) -> i64 {
        song.start_of(&self.place).saturating_add_unsigned(self.audio.length() as u64)
    }

    /// The part of this take that sounds in the `length` samples of the song from `position`.
    #[must_use]
    pub fn span(&self, song: &Song, position: i64, length: usize) -> Option<Span> {
        Span::between(song.start_of(&self.place), self.audio.length(), position, length)
    }

    /// A part of this take, cut where its renewal begins, each piece with the audio it is heard from.
    pub fn parts(&self, span: Span) -> impl Iterator<Item = (&Rendition, Span)> {
        let renewed = self.renewal.as_ref();
        let first = renewed.map_or(usize::MAX, |renewal| renewal.from);
        let before = first.clamp(span.in_take, span.in_take + span.length) - span.in_take;
        let after = Span {
            in_block: span.in_block + before,
            in_take: span.in_take + before,
            length: span.length - before,
        };
        let parts = [(&*self.audio, Span { length: before, ..span })].into_iter();
        let parts = parts.chain(renewed.map(|renewal| (&*renewal.audio, after)));
        parts.filter(|(_, part)| part.length > 0)
    }
}
