//! One block after the other.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::patience::Patience;
use super::voices::Voices;
use super::{Block, Note, Stand};
use crate::instance::{AudioEnds, Clock, Instance, Press};
use crate::timeline::{Recorder, Song, Timeline};

/// How long an offline render waits at least for the renderer to take notice of a change, seconds.
const LEAST_PATIENCE: f64 = 1.0;

/// The audio thread's side of an instance.
pub struct Player {
    instance: Arc<Instance>,
    ends: AudioEnds,
    recorder: Recorder,
    voices: Voices,
    sample_rate: u32,
    /// Presses of Generate whose takes have been seen. In hosts without a transport a new one starts by itself.
    answered: u64,
}

impl Player {
    /// A player for an instance's audio thread.
    #[must_use]
    pub fn new(instance: Arc<Instance>, ends: AudioEnds) -> Self {
        Self {
            instance,
            ends,
            recorder: Recorder::default(),
            voices: Voices::default(),
            sample_rate: 0,
            answered: 0,
        }
    }

    /// The host names its sample rate. Not wait-free: not from `process()`.
    pub fn activate(&mut self, sample_rate: f32, offline: bool) {
        self.sample_rate = sample_rate.round() as u32;
        self.ends.clock.write(Clock { sample_rate: self.sample_rate, offline, ..Clock::default() });
    }

    /// Forgets what sounds, not what is recorded or placed. Wait-free.
    pub fn reset(&mut self) {
        self.voices.silence();
        self.recorder = Recorder::default();
    }

    /// Fills `left` and `right` and calls `wake` when the renderer has something new to do. Notes come in order.
    /// Returns for how many more samples takes will sound from here. Wait-free unless `block.offline`.
    pub fn process(
        &mut self,
        block: &Block,
        mut notes: impl Iterator<Item = Note>,
        left: &mut [f32],
        right: &mut [f32],
        wake: impl FnOnce(),
    ) -> u32 {
        left.fill(0.0);
        right.fill(0.0);
        let length = left.len().min(right.len());
        let song = self.listen(block, length);
        let pressed = self.pressed(block);
        if pressed {
            wake();
        }
        if block.offline {
            self.await_renderer();
        }
        self.ends.timeline.update();
        self.start_answered(block);
        if block.offline {
            self.await_audio(block, &song, length);
        }

        let mut done = 0;
        let mut next = notes.next();
        while done < length {
            while let Some(note) = next.filter(|note| note.at() <= done) {
                self.play(note, block.offline, length - done);
                next = notes.next();
            }
            let end = next.map_or(length, |note| note.at().min(length));
            let timeline = self.ends.timeline.output_buffer();
            if timeline.sample_rate == self.sample_rate {
                let missed = self.voices.mix(timeline, &mut left[done..end], &mut right[done..end]);
                self.count(missed, block);
            }
            done = end;
        }
        // Notes at or past the block's end, from hosts that cut blocks oddly, still count.
        while let Some(note) = next {
            self.play(note, block.offline, 0);
            next = notes.next();
        }
        self.mix_song(block, &song, left, right)
    }

    /// Takes in where the song is and what the parameters do there.
    fn listen(&mut self, block: &Block, length: usize) -> Song {
        let clock = Clock { sample_rate: self.sample_rate, host: block.host, offline: block.offline };
        self.ends.clock.write(clock);
        if let Some(position) = block.position {
            if block.host.playing {
                self.recorder.pass(&self.instance.lane, self.sample_rate, position, length, block.strengths);
            } else {
                let seconds = position as f64 / f64::from(self.sample_rate.max(1));
                self.recorder.stand(&self.instance.lane, seconds, block.strengths);
            }
        }
        Song::new(f64::from(self.sample_rate), block.host.tempo, block.host.seconds, block.host.beats)
    }

    /// Whether Generate was pressed by the host; if so, the renderer is to know.
    fn pressed(&mut self, block: &Block) -> bool {
        if !self.instance.store().generate.pressed() {
            return false;
        }
        self.instance.presses.push(Press::now(&self.instance.params, block.host));
        true
    }

    /// Waits until the renderer has seen every press and every change of the project.
    fn await_renderer(&mut self) {
        let (instance, timeline) = (&self.instance, &mut self.ends.timeline);
        let (presses, version) = (instance.presses.made(), instance.store().version());
        timeline.update();
        Patience::of(timeline.output_buffer().patience.max(LEAST_PATIENCE)).wait(
            || instance.progress.load(Ordering::Acquire),
            || {
                timeline.update();
                let timeline = timeline.output_buffer();
                let current = timeline.sample_rate == self.sample_rate || timeline.entries.is_empty();
                timeline.answered >= presses && timeline.version >= version && current
            },
        );
    }

    /// Waits for the audio this block needs.
    fn await_audio(&self, block: &Block, song: &Song, length: usize) {
        let timeline = self.ends.timeline.output_buffer();
        let progress = || self.instance.progress.load(Ordering::Acquire);
        let patience = Patience::of(timeline.patience);
        for due in self.voices.due(length) {
            if let Some(entry) =
                timeline.entries.iter().chain(&timeline.newest).find(|entry| entry.key == due.key)
            {
                let end = due.end.min(entry.audio.length());
                patience
                    .wait(progress, || entry.audio.ready() >= end || entry.audio.stand() != Stand::Growing);
            }
        }
        let Some(position) = block.position.filter(|_| block.host.playing) else { return };
        for entry in &timeline.entries {
            if let Some(span) = entry.span(song, position, length) {
                let end = span.in_take + span.length;
                patience
                    .wait(progress, || entry.audio.ready() >= end || entry.audio.stand() != Stand::Growing);
            }
        }
    }

    /// Starts the take that Generate made, where there is no transport to play it.
    fn start_answered(&mut self, block: &Block) {
        let timeline = self.ends.timeline.output_buffer();
        let new = timeline.answered > self.answered;
        self.answered = timeline.answered;
        if let Some(entry) = timeline.newest.as_ref().filter(|_| new && block.without_transport()) {
            self.voices.start(entry.key, None, 1.0);
        }
    }

    fn play(&mut self, note: Note, offline: bool, rest: usize) {
        let timeline = self.ends.timeline.output_buffer();
        match note {
            Note::On { id, velocity, .. } => {
                if let Some(entry) = &timeline.newest {
                    if offline {
                        let (audio, end) = (&entry.audio, rest.min(entry.audio.length()));
                        Patience::of(timeline.patience).wait(
                            || self.instance.progress.load(Ordering::Acquire),
                            || audio.ready() >= end || audio.stand() != Stand::Growing,
                        );
                    }
                    self.voices.start(entry.key, Some(id), velocity);
                }
            }
            Note::Off { id, .. } if timeline.release_on_note_off => {
                self.voices.release(id, self.sample_rate as f32);
            }
            Note::Off { .. } => {}
        }
    }

    /// Mixes what the song plays here, and says for how long it goes on.
    fn mix_song(&self, block: &Block, song: &Song, left: &mut [f32], right: &mut [f32]) -> u32 {
        let timeline: &Timeline = self.ends.timeline.output_buffer();
        let Some(position) = block.position.filter(|_| timeline.sample_rate == self.sample_rate) else {
            return 0;
        };
        let length = left.len().min(right.len());
        let mut sounding_until = position;
        for entry in &timeline.entries {
            let end = song.start_of(&entry.place).saturating_add_unsigned(entry.audio.length() as u64);
            sounding_until = sounding_until.max(end);
            if !block.host.playing {
                continue;
            }
            if let Some(span) = entry.span(song, position, length) {
                let range = span.in_block..span.in_block + span.length;
                let missed =
                    entry.audio.mix(span.in_take, &mut left[range.clone()], &mut right[range], |i| {
                        entry.envelope.at(span.in_take + i)
                    });
                self.count(missed, block);
            }
        }
        u32::try_from(sounding_until - position).unwrap_or(u32::MAX - 1)
    }

    fn count(&self, missed: usize, block: &Block) {
        if missed > 0 {
            self.instance.misses.add(missed, block.position.unwrap_or(0));
        }
    }
}
