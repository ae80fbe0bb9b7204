//! Where the song was while the renderer had not yet answered a change of the project.
//!
//! A take that is restored or placed where the song is rolling is due before anyone has told the audio thread of it. Those
//! stretches are remembered here, and what they should have held is counted as missed when it is known.

use super::Misses;
use crate::timeline::{Song, Timeline};

/// Stretches told apart. A transport that jumps more often while the renderer is silent gets one that spans the rest.
const STRETCHES: usize = 16;

#[derive(Debug, Clone, Copy, Default)]
struct Stretch {
    start: i64,
    end: i64,
    /// The project's version that sounded there; 0 where nothing could.
    version: u64,
}

/// Stretches of the song that were played from an outdated timeline.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    stretches: [Stretch; STRETCHES],
    used: usize,
}

impl Unanswered {
    /// The song passes `length` samples from `position` with what `version` of the project holds. Wait-free.
    pub fn note(&mut self, position: i64, length: usize, version: u64) {
        if length == 0 {
            return;
        }
        let end = position.saturating_add_unsigned(length as u64);
        if let Some(last) = self.stretches[..self.used].last_mut() {
            if last.version == version && last.end == position {
                last.end = end;
                return;
            }
            if self.used == STRETCHES {
                last.start = last.start.min(position);
                last.end = last.end.max(end);
                last.version = last.version.min(version);
                return;
            }
        }
        self.stretches[self.used] = Stretch { start: position, end, version };
        self.used += 1;
    }

    /// The renderer has answered: takes that were not on the timeline then were missed. Wait-free.
    pub fn settle(&mut self, timeline: &Timeline, song: &Song, misses: &Misses) {
        for stretch in &self.stretches[..std::mem::take(&mut self.used)] {
            let length = usize::try_from(stretch.end.abs_diff(stretch.start)).unwrap_or(usize::MAX);
            for entry in timeline.entries.iter().filter(|entry| entry.since > stretch.version) {
                if let Some(span) = entry.span(song, stretch.start, length) {
                    let position = stretch.start.saturating_add_unsigned(span.in_block as u64);
                    misses.add(Some(position), span.length, timeline.sample_rate);
                }
            }
        }
    }
}
