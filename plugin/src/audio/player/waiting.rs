//! What a block waits for before it is mixed, and for how long: rules 3 and 4 of the bounce contract.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Player;
use crate::audio::patience::{Allowance, Patience};
use crate::audio::{Block, Rendition, Stand, Watch};
use crate::instance::Instance;
use crate::state::Wait;
use crate::timeline::Timeline;

/// How long the renderer is waited for at least to take notice of a change.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

impl Player {
    /// For how long this block may wait for what is not ready.
    pub(super) fn allowance(&mut self, block: &Block, length: usize) -> Allowance {
        let rolling = block.rolling();
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

    /// Waits until the renderer has seen every press, passage and tempo, and every change of the project.
    pub(super) fn await_renderer(&mut self, allowance: Allowance) {
        let (instance, timeline) = (&self.instance, &mut self.ends.timeline);
        let (presses, version) = (instance.presses.sent(), instance.store().version());
        let passed = instance.passages.sent() + instance.standing.changes();
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
                    && timeline.followed >= passed
                    && timeline.version >= version
                    && timeline.sample_rate == self.sample_rate
            },
        );
    }

    /// Waits until no take that is heard here is about to be replaced by a newer version.
    pub(super) fn await_versions(&mut self, allowance: Allowance) {
        let (instance, timeline, ahead) = (&self.instance, &mut self.ends.timeline, &self.ahead);
        self.patience.wait(
            allowance,
            instance.store().waiting.patience(),
            &*self.watch,
            || instance.progress.load(Ordering::Acquire),
            || instance.told.is_stopped(),
            || {
                timeline.update();
                let mut renewed = timeline.output_buffer().entries.iter().filter(|entry| entry.renewed);
                !renewed.any(|entry| {
                    let mut heard = ahead.playing();
                    heard.any(|(_, position, length, song)| entry.span(&song, position, length).is_some())
                })
            },
        );
    }

    /// Waits for the audio this block needs.
    pub(super) fn await_audio(&mut self, allowance: Allowance, length: usize) {
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
        for (_, position, length, song) in self.ahead.playing() {
            for entry in &timeline.entries {
                let span = entry.span(&song, position, length);
                for (audio, part) in span.into_iter().flat_map(|span| entry.parts(span)) {
                    await_samples(patience, allowance, watch, instance, audio, part.in_take + part.length);
                }
            }
        }
    }
}

/// Waits until `audio` has its first `samples`, or all it will ever have.
pub(super) fn await_samples(
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
