//! What is heard of a song that is sent earlier than it is heard: the look-ahead.
//!
//! A plugin that reports a latency is sent everything so much earlier, and what it returns is heard so much later. So a
//! block is given not what the song plays there but what it played a latency ago, its stops, jumps and tempos included.
//! What sounds at a place of the song is still a function of that place.

use std::collections::VecDeque;

use crate::timeline::Song;

/// Stretches remembered. Where a host jumps more often than this within the latency, the rest of them is silent.
const STRETCHES: usize = 1_024;

/// Samples in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    /// Where in the song the first of them is; `None` while the song stands.
    pub position: Option<i64>,
    /// Samples.
    pub length: usize,
    /// The song as it was there.
    pub song: Song,
}

/// The song between being sent and being heard, and the notes played into it.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    latency: usize,
    coming: VecDeque<Stretch>,
    now: Vec<Stretch>,
    /// What notes sounded during the last `latency` samples, left and right, as a ring. Memory that no latency has
    /// needed yet is not taken from the system.
    notes: Vec<[f32; 2]>,
    oldest: usize,
}

impl Ahead {
    /// Room for a latency of up to `most` samples; there is none yet.
    pub fn with_room_for(most: usize) -> Self {
        Self {
            latency: 0,
            coming: VecDeque::with_capacity(STRETCHES),
            // One stretch may be left over from before, and one is of this block.
            now: Vec::with_capacity(STRETCHES + 1),
            notes: bytemuck::zeroed_vec(most),
            oldest: 0,
        }
    }

    /// The latency, samples.
    pub fn latency(&self) -> usize {
        self.latency
    }

    /// Sets the latency, as far as there is room, and forgets what is on its way. Wait-free.
    pub fn set(&mut self, latency: usize) {
        self.latency = latency.min(self.notes.len());
        self.notes[..self.latency].fill([0.0; 2]);
        self.oldest = 0;
        self.coming.clear();
        self.now.clear();
        if self.latency > 0 {
            let song = Song { sample_rate: 1.0, steady_tempo: None };
            self.coming.push_back(Stretch { position: None, length: self.latency, song });
        }
    }

    /// The song plays `length` samples from `position`, or stands where that is `None`. Wait-free.
    pub fn send(&mut self, position: Option<i64>, song: Song, length: usize) {
        self.now.clear();
        if length == 0 {
            return;
        }
        self.remember(Stretch { position, length, song });
        let mut missing = length;
        while let Some(first) = self.coming.front_mut().filter(|_| missing > 0) {
            let part = first.length.min(missing);
            missing -= part;
            self.now.push(Stretch { length: part, ..*first });
            if part == first.length {
                self.coming.pop_front();
            } else {
                first.position = first.position.map(|at| at.saturating_add_unsigned(part as u64));
                first.length -= part;
            }
        }
    }

    fn remember(&mut self, next: Stretch) {
        let full = self.coming.len() == STRETCHES;
        match self.coming.back_mut() {
            Some(last) if last.position.is_none() && next.position.is_none() => last.length += next.length,
            Some(last)
                if last.song == next.song
                    && next.position.is_some()
                    && last.position.map(|at| at.saturating_add_unsigned(last.length as u64))
                        == next.position =>
            {
                last.length += next.length;
            }
            Some(last) if full => {
                last.position = None;
                last.length += next.length;
            }
            _ => self.coming.push_back(next),
        }
    }

    /// What is heard in the samples sent last: stretches, each with its first sample in the block.
    pub fn heard(&self) -> impl Iterator<Item = (usize, Stretch)> + '_ {
        let mut next = 0;
        self.now.iter().map(move |stretch| {
            let at = next;
            next += stretch.length;
            (at, *stretch)
        })
    }

    /// As [`heard`](Self::heard), where the song plays: first sample in the block, position, length and song.
    pub fn playing(&self) -> impl Iterator<Item = (usize, i64, usize, Song)> + '_ {
        self.heard().filter_map(|(at, stretch)| Some((at, stretch.position?, stretch.length, stretch.song)))
    }

    /// Swaps what notes sound now for what they sounded a latency ago. Wait-free.
    pub fn delay(&mut self, left: &mut [f32], right: &mut [f32]) {
        if self.latency == 0 {
            return;
        }
        for (left, right) in left.iter_mut().zip(right) {
            let [before_left, before_right] = &mut self.notes[self.oldest];
            std::mem::swap(left, before_left);
            std::mem::swap(right, before_right);
            self.oldest = (self.oldest + 1) % self.latency;
        }
    }
}

#[cfg(test)]
mod tests {
    // Sample counts of tests are small.
    #![allow(clippy::cast_possible_wrap)]

    use proptest::prelude::*;

    use super::*;

    const SONG: Song = Song { sample_rate: 48_000.0, steady_tempo: Some(120.0) };

    /// Each sample's place in the song.
    fn samples(stretches: impl Iterator<Item = (Option<i64>, usize)>) -> Vec<Option<i64>> {
        stretches.flat_map(|(at, length)| (0..length).map(move |i| at.map(|at| at + i as i64))).collect()
    }

    proptest! {
        #[test]
        fn every_sample_is_heard_a_latency_after_it_was_sent_whatever_the_transport_does(
            latency in 0_usize..3_000,
            blocks in prop::collection::vec((prop::option::of(-500_i64..500), 0_usize..400, any::<bool>()), 0..60),
        ) {
            let mut ahead = Ahead::with_room_for(3_000);
            ahead.set(latency);
            let (mut sent, mut heard) = (vec![None; latency], Vec::new());
            let mut position = 0;
            for (jump, length, playing) in blocks {
                position = jump.unwrap_or(position);
                let at = playing.then_some(position);
                ahead.send(at, SONG, length);
                sent.extend(samples([(at, length)].into_iter()));
                heard.extend(samples(ahead.heard().map(|(_, stretch)| (stretch.position, stretch.length))));
                position += length as i64;
            }
            sent.truncate(heard.len());
            prop_assert_eq!(heard, sent);
        }

        #[test]
        fn notes_come_out_a_latency_later(latency in 0_usize..300, blocks in prop::collection::vec(0_usize..200, 0..20)) {
            let mut ahead = Ahead::with_room_for(300);
            ahead.set(latency);
            let mut next = 1.0;
            let mut heard = Vec::new();
            for length in blocks {
                let mut left: Vec<f32> = (0..length).map(|i| next + i as f32).collect();
                let mut right = left.clone();
                next += length as f32;
                ahead.delay(&mut left, &mut right);
                prop_assert_eq!(&left, &right);
                heard.extend(left);
            }
            let expected: Vec<f32> = (0..heard.len()).map(|i| (i + 1).saturating_sub(latency) as f32).collect();
            prop_assert_eq!(heard, expected);
        }
    }

    #[test]
    fn a_transport_that_jumps_with_every_sample_costs_no_memory_and_loses_only_music() {
        let mut ahead = Ahead::with_room_for(10_000);
        ahead.set(10_000);
        for i in 0..20_000 {
            assert_no_alloc::assert_no_alloc(|| ahead.send(Some(i * 7), SONG, 1));
            assert_eq!(ahead.heard().map(|(_, stretch)| stretch.length).sum::<usize>(), 1);
        }
    }

    #[test]
    fn a_change_of_tempo_is_heard_when_its_place_is() {
        let mut ahead = Ahead::with_room_for(100);
        ahead.set(100);
        let faster = Song { steady_tempo: Some(140.0), ..SONG };
        ahead.send(Some(0), SONG, 60);
        ahead.send(Some(60), faster, 60);
        ahead.send(Some(120), faster, 60);
        let heard: Vec<_> = ahead.playing().collect();
        assert_eq!(heard, [(0, 20, 40, SONG), (40, 60, 20, faster)]);
    }
}
