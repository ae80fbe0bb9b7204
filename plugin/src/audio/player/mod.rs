//! One block after the other.

mod hearing;
mod waiting;

use std::sync::Arc;
use std::time::{Duration, Instant};

use self::waiting::await_samples;
use super::ahead::Ahead;
use super::lead::Lead;
use super::patience::{Allowance, Patience};
use super::strain::Strain;
use super::unanswered::Unanswered;
use super::voices::Voices;
use super::watch::SystemWatch;
use super::{Block, Note, Watch};
use crate::instance::{AudioEnds, Clock, Instance, Press};
use crate::listening::Ear;
use crate::state::MOST_LOOK_AHEAD;
use crate::timeline::{Passage, Passing, Recorder, Song, Timeline};

/// Between two reports to the renderer of where the transport is, while it passes over takes that follow it at once.
const REPORTS_PER_SECOND: f64 = 10.0;

/// The audio thread's side of an instance.
pub struct Player {
    instance: Arc<Instance>,
    ends: AudioEnds,
    recorder: Recorder,
    passing: Passing,
    /// A passage ended outside of `process()`, and the renderer has not been roused for it.
    unheard: bool,
    ahead: Ahead,
    /// Where in the song the last report was made.
    reported: f64,
    voices: Voices,
    watch: Box<dyn Watch>,
    lead: Lead,
    patience: Patience,
    unanswered: Unanswered,
    strain: Strain,
    ear: Ear,
    sample_rate: u32,
    /// Presses of Generate whose takes have been seen. In hosts without a transport a new one starts by itself.
    answered: u64,
}

impl Player {
    /// A player for an instance's audio thread.
    #[must_use]
    pub fn new(instance: Arc<Instance>, ends: AudioEnds) -> Self {
        Self::with_watch(instance, ends, Box::new(SystemWatch::default()))
    }

    /// A player that measures time by `watch`.
    #[must_use]
    pub fn with_watch(instance: Arc<Instance>, ends: AudioEnds, watch: Box<dyn Watch>) -> Self {
        Self {
            instance,
            ends,
            recorder: Recorder::default(),
            passing: Passing::default(),
            unheard: false,
            ahead: Ahead::default(),
            reported: 0.0,
            voices: Voices::default(),
            watch,
            lead: Lead::default(),
            patience: Patience::default(),
            unanswered: Unanswered::default(),
            strain: Strain::default(),
            ear: Ear::default(),
            sample_rate: 0,
            answered: 0,
        }
    }

    /// The host names its sample rate and the longest block it will ask for, in samples. Not wait-free: not from
    /// `process()`.
    pub fn activate(&mut self, sample_rate: f32, longest_block: u32, offline: bool) {
        let passed = self.passing.stop(self.sample_rate);
        self.unheard |= self.tell(passed);
        self.sample_rate = sample_rate.round() as u32;
        self.lead.announce(f64::from(longest_block) / f64::from(self.sample_rate.max(1)));
        self.unanswered = Unanswered::default();
        self.ahead = Ahead::with_room_for(self.samples(MOST_LOOK_AHEAD));
        self.look_ahead();
        self.instance.told.stopped(false);
        self.ends.clock.write(Clock { sample_rate: self.sample_rate, offline, ..Clock::default() });
    }

    /// How many samples later than it is sent everything is heard, which the host has to be told. Wait-free.
    #[must_use]
    pub fn latency(&self) -> u32 {
        u32::try_from(self.ahead.latency()).unwrap_or(u32::MAX)
    }

    /// Looks as far ahead as the project says.
    fn look_ahead(&mut self) {
        let latency = self.samples(self.instance.store().waiting.look_ahead());
        if latency != self.ahead.latency() {
            self.ahead.set(latency);
        }
    }

    fn samples(&self, seconds: f64) -> usize {
        (seconds * f64::from(self.sample_rate)).round() as usize
    }

    /// Forgets what sounds, not what is recorded or placed. Wait-free.
    pub fn reset(&mut self) {
        self.voices.silence();
        self.ahead.set(self.ahead.latency());
        self.recorder = Recorder::default();
        self.lead.forget();
        self.strain.forget();
        let passed = self.passing.stop(self.sample_rate);
        self.unheard |= self.tell(passed);
        self.instance.told.stopped(false);
    }

    /// Whether the newest timeline shows the project as it is, at this sample rate. Wait-free.
    pub fn is_current(&mut self) -> bool {
        self.ends.timeline.update();
        let timeline = self.ends.timeline.output_buffer();
        timeline.sample_rate == self.sample_rate && timeline.version >= self.instance.store().version()
    }

    /// Fills `left` and `right` and calls `wake` when the renderer has something new to do. Notes come in order.
    /// Returns for how many more samples takes will sound from here. Wait-free while the host plays live.
    pub fn process(
        &mut self,
        block: &Block,
        mut notes: impl Iterator<Item = Note>,
        left: &mut [f32],
        right: &mut [f32],
        wake: impl Fn(),
    ) -> u32 {
        let began = Instant::now();
        left.fill(0.0);
        right.fill(0.0);
        let length = left.len().min(right.len());
        self.look_ahead();
        let song = self.listen(block, length);
        self.ahead.send(block.rolling(), song, length);
        let passed = self.passed(block, length) | self.report(block, &song, length);
        let pressed = self.pressed(block);
        let retimed = self.instance.standing.note(song.steady_tempo, block.host.playing);
        if retimed || pressed || passed || std::mem::take(&mut self.unheard) {
            wake();
        }
        let allowance = self.allowance(block, length);
        self.await_renderer(allowance);
        self.account(&song);
        self.start_answered(block);
        self.await_versions(allowance);
        self.await_audio(allowance, length);

        let mut done = 0;
        let mut next = notes.next();
        while done < length {
            while let Some(note) = next.filter(|note| note.at() <= done) {
                self.play(note, allowance, length - done);
                next = notes.next();
            }
            let end = next.map_or(length, |note| note.at().min(length));
            let timeline = self.ends.timeline.output_buffer();
            if timeline.sample_rate == self.sample_rate {
                let missed = self.voices.mix(timeline, &mut left[done..end], &mut right[done..end]);
                self.instance.misses.add(block.position, missed, self.sample_rate);
            }
            done = end;
        }
        // Notes at or past the block's end, from hosts that cut blocks oddly, still count.
        while let Some(note) = next {
            self.play(note, allowance, 0);
            next = notes.next();
        }
        if allowance != Allowance::Nothing {
            self.lead.leave(self.watch.now());
        }
        self.ahead.delay(left, right);
        self.mix_song(left, right);
        if self.left_a_take(block, &song, length) {
            wake();
        }
        self.mind_the_time(allowance, began, length);
        self.sounding(block, &song)
    }

    /// Notes a live block that came late or took too long.
    fn mind_the_time(&mut self, allowance: Allowance, began: Instant, length: usize) {
        if allowance != Allowance::Nothing {
            self.strain.forget();
            return;
        }
        let (ended, seconds) = (Instant::now(), length as f64 / f64::from(self.sample_rate.max(1)));
        if self.strain.note(began, ended, Duration::from_secs_f64(seconds)) {
            self.instance.note_strain(ended);
        }
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

    /// Whether a passage ended before this block, because the transport stopped or jumped; if so, the renderer is to know.
    fn passed(&mut self, block: &Block, length: usize) -> bool {
        let ended = match block.rolling() {
            Some(position) => self.passing.pass(self.sample_rate, position, length, block.offline),
            None => self.passing.stop(self.sample_rate),
        };
        self.tell(ended)
    }

    /// Whether this block, which has sounded, was the last of a take; if so, the renderer is to know.
    fn left_a_take(&self, block: &Block, song: &Song, length: usize) -> bool {
        let Some(position) = block.rolling() else { return false };
        let end = position.saturating_add_unsigned(length as u64);
        let entries = &self.ends.timeline.output_buffer().entries;
        let left = entries.iter().map(|entry| entry.end(song)).any(|last| position < last && last <= end);
        self.tell(self.passing.so_far(self.sample_rate).filter(|_| left))
    }

    /// Whether the renderer is to know how far the transport has come, because a take it passes over follows at once.
    fn report(&mut self, block: &Block, song: &Song, length: usize) -> bool {
        let Some(position) = block.rolling().filter(|_| self.ahead.latency() > 0) else {
            return false;
        };
        let now = position as f64 / f64::from(self.sample_rate.max(1));
        if (now - self.reported).abs() * REPORTS_PER_SECOND < 1.0 {
            return false;
        }
        let entries = &self.ends.timeline.output_buffer().entries;
        let due = entries.iter().any(|entry| entry.span(song, position, length).is_some());
        if due {
            self.reported = now;
        }
        self.tell(self.passing.so_far(self.sample_rate).filter(|_| due))
    }

    fn tell(&self, passage: Option<Passage>) -> bool {
        if let Some(passage) = passage {
            self.instance.passages.push(passage);
        }
        passage.is_some()
    }

    /// Whether Generate was pressed by the host; if so, the renderer is to know.
    fn pressed(&mut self, block: &Block) -> bool {
        if !self.instance.store().generate.pressed() {
            return false;
        }
        self.instance.presses.push(Press::now(&self.instance.params, block.host));
        true
    }

    /// Keeps account of what is due from takes that are not on the timeline yet.
    fn account(&mut self, song: &Song) {
        let current = self.is_current();
        let timeline: &Timeline = self.ends.timeline.output_buffer();
        let sounds = timeline.sample_rate == self.sample_rate;
        if current {
            self.unanswered.settle(timeline, song, &self.instance.misses);
            return;
        }
        for (_, position, length, _) in self.ahead.playing() {
            self.unanswered.note(position, length, if sounds { timeline.version } else { 0 });
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

    fn play(&mut self, note: Note, allowance: Allowance, rest: usize) {
        let timeline = self.ends.timeline.output_buffer();
        match note {
            Note::On { id, velocity, .. } => {
                if let Some(entry) = &timeline.newest {
                    let (instance, watch) = (&*self.instance, &*self.watch);
                    await_samples(&mut self.patience, allowance, watch, instance, &entry.audio, rest);
                    self.voices.start(entry.key, Some(id), velocity);
                }
            }
            Note::Off { id, .. } if timeline.release_on_note_off => {
                self.voices.release(id, self.sample_rate as f32);
            }
            Note::Off { .. } => {}
        }
    }

    /// Mixes what is heard of the song.
    fn mix_song(&self, left: &mut [f32], right: &mut [f32]) {
        let timeline: &Timeline = self.ends.timeline.output_buffer();
        if timeline.sample_rate != self.sample_rate {
            return;
        }
        for (first, position, length, song) in self.ahead.playing() {
            for entry in &timeline.entries {
                let span = entry.span(&song, position, length);
                for (audio, part) in span.into_iter().flat_map(|span| entry.parts(span)) {
                    let range = first + part.in_block..first + part.in_block + part.length;
                    let missed = audio.mix(part.in_take, &mut left[range.clone()], &mut right[range], |i| {
                        entry.envelope.at(part.in_take + i)
                    });
                    let from =
                        position.saturating_add_unsigned((part.in_block + part.length - missed) as u64);
                    self.instance.misses.add(Some(from), missed, self.sample_rate);
                }
            }
        }
    }

    /// For how many samples from here takes are still to be heard.
    fn sounding(&self, block: &Block, song: &Song) -> u32 {
        let timeline: &Timeline = self.ends.timeline.output_buffer();
        let Some(position) = block.position.filter(|_| timeline.sample_rate == self.sample_rate) else {
            return 0;
        };
        let until = timeline.entries.iter().map(|entry| entry.end(song)).fold(position, i64::max);
        let later = until.abs_diff(position).saturating_add(self.ahead.latency() as u64);
        u32::try_from(later).unwrap_or(u32::MAX - 1)
    }
}
