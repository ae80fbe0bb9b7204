//! Takes started by notes, or by Generate where the host has no transport: one-shots.

use super::Stand;
use crate::timeline::Timeline;

/// One-shots that sound at once; a further one takes the place of the oldest.
const VOICES: usize = 16;
/// How long a released one-shot takes to fade, seconds.
const RELEASE: f32 = 0.05;

#[derive(Debug, Clone, Copy)]
struct Voice {
    key: u64,
    /// The note that started it, if one did.
    note: Option<u16>,
    position: usize,
    /// The note's share of the gain; the take's own comes on top.
    gain: f32,
    /// Gain lost with each sample; 0 until released.
    fading: f32,
    age: u64,
}

/// The sounding one-shots.
#[derive(Debug, Default)]
pub(super) struct Voices {
    voices: [Option<Voice>; VOICES],
    started: u64,
}

/// A place in a take, to ask whether its audio is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub key: u64,
    pub end: usize,
}

impl Voices {
    /// Starts a take. One that Generate started and that has not begun yet is not started again.
    pub fn start(&mut self, key: u64, note: Option<u16>, velocity: f32) {
        let mut waiting = self.voices.iter().flatten().filter(|voice| voice.position == 0);
        if note.is_none() && waiting.any(|voice| voice.key == key && voice.note.is_none()) {
            return;
        }
        self.started += 1;
        let voice = Voice { key, note, position: 0, gain: velocity, fading: 0.0, age: self.started };
        let oldest = self.voices.iter_mut().min_by_key(|slot| slot.map_or(0, |voice| voice.age));
        if let Some(slot) = oldest {
            *slot = Some(voice);
        }
    }

    /// Fades what the note started.
    pub fn release(&mut self, note: u16, sample_rate: f32) {
        for voice in self.voices.iter_mut().flatten().filter(|voice| voice.note == Some(note)) {
            if voice.fading == 0.0 {
                voice.fading = voice.gain / (RELEASE * sample_rate).max(1.0);
            }
        }
    }

    pub fn silence(&mut self) {
        self.voices = [None; VOICES];
    }

    /// Audio needed for the next `length` samples.
    pub fn due(&self, length: usize) -> impl Iterator<Item = Due> {
        self.voices.iter().flatten().map(move |voice| Due { key: voice.key, end: voice.position + length })
    }

    /// Mixes and moves on. A one-shot whose audio is not there yet stands still: it has no place in the song to lose.
    /// Returns the samples that were not there.
    pub fn mix(&mut self, timeline: &Timeline, left: &mut [f32], right: &mut [f32]) -> usize {
        let mut missed = 0;
        for slot in &mut self.voices {
            let Some(voice) = slot else { continue };
            let found = timeline.newest.iter().chain(&timeline.entries).find(|entry| entry.key == voice.key);
            let Some(entry) = found else {
                *slot = None;
                continue;
            };
            let (gain, fading, from) = (voice.gain, voice.fading, voice.position);
            let missing = entry.audio.mix(from, left, right, |i| {
                (gain - fading * i as f32).max(0.0) * entry.envelope.at(from + i)
            });
            let moved = left.len().min(right.len()) - missing;
            // One that has not begun waits for its first sample, unless that will never come.
            if from > 0 || entry.audio.stand() == Stand::Abandoned {
                missed += missing;
            }
            voice.position += moved;
            voice.gain = (gain - fading * moved as f32).max(0.0);
            if voice.position >= entry.audio.length() || voice.gain <= 0.0 {
                *slot = None;
            }
        }
        missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_take_that_waits_to_begin_is_begun_once_by_generate_and_once_by_each_note() {
        let mut voices = Voices::default();
        for _ in 0..3 {
            voices.start(7, None, 1.0);
        }
        assert_eq!(voices.due(64).count(), 1);
        voices.start(8, None, 1.0);
        voices.start(7, Some(60), 1.0);
        voices.start(7, Some(60), 1.0);
        assert_eq!(voices.due(64).count(), 4);
    }
}
