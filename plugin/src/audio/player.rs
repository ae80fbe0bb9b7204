//! One block after the other.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::lead::Lead;
use super::patience::{Allowance, Patience};
use super::strain::Strain;
use super::unanswered::Unanswered;
use super::voices::Voices;
use super::watch::SystemWatch;
use super::{Block, Note, Rendition, Stand, Watch};
use crate::instance::{AudioEnds, Clock, Instance, Press};
use crate::state::Wait;
use crate::timeline::{Passage, Passing, Recorder, Song, Timeline};

/// How long the renderer is waited for at least to take notice of a change.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// The audio thread's side of an instance.
pub struct Player {
    instance: Arc<Instance>,
    ends: AudioEnds,
    recorder: Recorder,
    passing: Passing,
    /// A passage ended outside of `process()`, and the renderer has not been roused for it.
    unheard: bool,
    voices: Voices,
    watch: Box<dyn Watch>,
    lead: Lead,
    patience: Patience,
    unanswered: Unanswered,
    strain: Strain,
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
            voices: Voices::default(),
            watch,
            lead: Lead::default(),
            patience: Patience::default(),
            unanswered: Unanswered::default(),
            strain: Strain::default(),
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
        self.instance.told.stopped(false);
        self.ends.clock.write(Clock { sample_rate: self.sample_rate, offline, ..Clock::default() });
    }

    /// Forgets what sounds, not what is recorded or placed. Wait-free.
    pub fn reset(&mut self) {
        self.voices.silence();
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
        let song = self.listen(block, length);
        let passed = self.passed(block, length);
        let pressed = self.pressed(block);
        if pressed || passed || std::mem::take(&mut self.unheard) {
            wake();
        }
        let allowance = self.allowance(block, length);
        self.await_renderer(allowance);
        self.account(block, &song, length);
        self.start_answered(block);
        self.await_versions(allowance, block, &song, length);
        self.await_audio(allowance, block, &song, length);

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
        let sounding = self.mix_song(block, &song, left, right);
        if self.left_a_take(block, &song, length) {
            wake();
        }
        self.mind_the_time(allowance, began, length);
        sounding
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
        let rolling = block.position.filter(|_| block.host.playing);
        let ended = match rolling {
            Some(position) => self.passing.pass(self.sample_rate, position, length, block.offline),
            None => self.passing.stop(self.sample_rate),
        };
        self.tell(ended)
    }

    /// Whether this block, which has sounded, was the last of a take; if so, the renderer is to know.
    fn left_a_take(&self, block: &Block, song: &Song, length: usize) -> bool {
        let Some(position) = block.position.filter(|_| block.host.playing) else { return false };
        let end = position.saturating_add_unsigned(length as u64);
        let entries = &self.ends.timeline.output_buffer().entries;
        let left = entries.iter().map(|entry| entry.end(song)).any(|last| position < last && last <= end);
        self.tell(self.passing.so_far(self.sample_rate).filter(|_| left))
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

    /// For how long this block may wait for what is not ready.
    fn allowance(&mut self, block: &Block, length: usize) -> Allowance {
        let rolling = block.position.filter(|_| block.host.playing);
        let now = self.watch.now();
        // A host that flags its bounces is live as soon as it does not, however far ahead it was.
        let unflagged = rolling.filter(|_| !block.offline);
        let lead = self.lead.ask(now, unflagged, length, self.sample_rate);
        match self.instance.store().waiting.wait() {
            Wait::Never => Allowance::Nothing,
            Wait::Automatic if block.offline => Allowance::WhileItMoves,
            Wait::Automatic if lead.is_zero() => Allowance::Nothing,
            Wait::Automatic => Allowance::Until(now + lead),
            // In a standing song nothing is due: edits in the window must not hold up what others play.
            Wait::Always if block.offline || rolling.is_some() || block.without_transport() => {
                Allowance::WhileItMoves
            }
            Wait::Always => Allowance::Nothing,
        }
    }

    /// Waits until the renderer has seen every press, every passage and every change of the project.
    fn await_renderer(&mut self, allowance: Allowance) {
        let (instance, timeline) = (&self.instance, &mut self.ends.timeline);
        let (presses, version) = (instance.presses.sent(), instance.store().version());
        let passages = instance.passages.sent();
        self.patience.wait(
            allowance,
            instance.store().waiting.patience().max(LEAST_PATIENCE),
            &*self.watch,
            || instance.progress.load(Ordering::Acquire),
            || instance.told.is_stopped(),
            || {
                timeline.update();
                let timeline = timeline.output_buffer();
                timeline.answered >= presses
                    && timeline.followed >= passages
                    && timeline.version >= version
                    && timeline.sample_rate == self.sample_rate
            },
        );
    }

    /// Waits until no take that sounds here is about to be replaced by a newer version.
    fn await_versions(&mut self, allowance: Allowance, block: &Block, song: &Song, length: usize) {
        let Some(position) = block.position.filter(|_| block.host.playing) else { return };
        let (instance, timeline) = (&self.instance, &mut self.ends.timeline);
        self.patience.wait(
            allowance,
            instance.store().waiting.patience(),
            &*self.watch,
            || instance.progress.load(Ordering::Acquire),
            || instance.told.is_stopped(),
            || {
                timeline.update();
                let entries = &timeline.output_buffer().entries;
                !entries.iter().any(|entry| entry.renewed && entry.span(song, position, length).is_some())
            },
        );
    }

    /// Waits for the audio this block needs.
    fn await_audio(&mut self, allowance: Allowance, block: &Block, song: &Song, length: usize) {
        if allowance == Allowance::Nothing {
            return;
        }
        let timeline: &Timeline = self.ends.timeline.output_buffer();
        let (instance, watch, patience) = (&*self.instance, &*self.watch, &mut self.patience);
        for due in self.voices.due(length) {
            if let Some(entry) =
                timeline.entries.iter().chain(&timeline.newest).find(|entry| entry.key == due.key)
            {
                await_samples(patience, allowance, watch, instance, &entry.audio, due.end);
            }
        }
        let Some(position) = block.position.filter(|_| block.host.playing) else { return };
        for entry in &timeline.entries {
            if let Some(span) = entry.span(song, position, length) {
                await_samples(patience, allowance, watch, instance, &entry.audio, span.in_take + span.length);
            }
        }
    }

    /// Keeps account of what is due from takes that are not on the timeline yet.
    fn account(&mut self, block: &Block, song: &Song, length: usize) {
        let current = self.is_current();
        let timeline: &Timeline = self.ends.timeline.output_buffer();
        let sounds = timeline.sample_rate == self.sample_rate;
        if current {
            self.unanswered.settle(timeline, song, &self.instance.misses);
        } else if let Some(position) = block.position.filter(|_| block.host.playing) {
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

    /// Mixes what the song plays here, and says for how long it goes on.
    fn mix_song(&self, block: &Block, song: &Song, left: &mut [f32], right: &mut [f32]) -> u32 {
        let timeline: &Timeline = self.ends.timeline.output_buffer();
        let Some(position) = block.position.filter(|_| timeline.sample_rate == self.sample_rate) else {
            return 0;
        };
        let length = left.len().min(right.len());
        let mut sounding_until = position;
        for entry in &timeline.entries {
            sounding_until = sounding_until.max(entry.end(song));
            if !block.host.playing {
                continue;
            }
            if let Some(span) = entry.span(song, position, length) {
                let range = span.in_block..span.in_block + span.length;
                let missed =
                    entry.audio.mix(span.in_take, &mut left[range.clone()], &mut right[range], |i| {
                        entry.envelope.at(span.in_take + i)
                    });
                let from = position.saturating_add_unsigned((span.in_block + span.length - missed) as u64);
                self.instance.misses.add(Some(from), missed, self.sample_rate);
            }
        }
        u32::try_from(sounding_until.abs_diff(position)).unwrap_or(u32::MAX - 1)
    }
}

/// Waits until `audio` has its first `samples`, or all it will ever have.
fn await_samples(
    patience: &mut Patience,
    allowance: Allowance,
    watch: &dyn Watch,
    instance: &Instance,
    audio: &Rendition,
    samples: usize,
) {
    let samples = samples.min(audio.length());
    patience.wait(
        allowance,
        instance.store().waiting.patience(),
        watch,
        || instance.progress.load(Ordering::Acquire),
        || instance.told.is_stopped(),
        || audio.ready() >= samples || audio.stand() != Stand::Growing,
    );
}
