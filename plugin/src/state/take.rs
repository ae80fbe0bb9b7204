//! A take: a piece of music on the song's timeline, the version that sounds and those it had before.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::recipe::unity;
use super::{Fades, Fit, History, PackedCodes, Recipe, Version};

/// Frames a second of every published MusicGen.
const USUAL_FRAME_RATE: f64 = 50.0;

/// One piece of music on the song's timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Take {
    /// Where in the song it starts.
    pub place: Place,
    /// Linear gain.
    #[serde(default = "unity")]
    pub gain: f32,
    /// How it comes and goes.
    #[serde(default, skip_serializing_if = "Fades::is_none")]
    pub fades: Fades,
    /// The bars it is stretched to, all its versions alike; absent: none, it sounds as it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// Whether it is silenced.
    #[serde(default)]
    pub muted: bool,
    /// Whether it never changes, whatever automation passes over it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
    /// Everything needed to make it again.
    pub recipe: Recipe,
    /// The tokens it became; `null` for a take that has not been rendered, which is then rendered from its recipe.
    #[serde(default)]
    pub codes: Option<Arc<PackedCodes>>,
    /// What made the tokens; absent before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<MadeBy>,
    /// The recipe of the version that is being made. It takes this one's place when it is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Arc<Recipe>>,
    /// What it was before, and what was undone.
    #[serde(default, skip_serializing_if = "History::is_empty")]
    pub history: History,
}

impl Take {
    /// A take that is to be made from `recipe`.
    #[must_use]
    pub fn new(place: Place, recipe: Recipe) -> Self {
        Self {
            place,
            gain: unity(),
            fades: Fades::default(),
            fit: None,
            muted: false,
            frozen: false,
            recipe,
            codes: None,
            made: None,
            wanted: None,
            history: History::default(),
        }
    }

    /// How long it sounds in the song, seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.fit.map_or(self.recipe.seconds, |fit| fit.seconds())
    }

    /// How many times as long the audio of one of its versions becomes; `None` where it sounds as it was made.
    #[must_use]
    pub fn stretch_of(&self, version: &Recipe) -> Option<f64> {
        self.fit.and_then(|fit| fit.ratio(version.seconds)).filter(|ratio| *ratio != 1.0)
    }

    /// Frames a second of its tokens as it was made; the usual 50 where nothing says so.
    #[must_use]
    pub fn made_frame_rate(&self) -> f64 {
        self.made.as_ref().map_or(USUAL_FRAME_RATE, |made| made.frame_rate)
    }

    /// Frames of its tokens that sound in a second of the song; the usual 50 are made for a second before there are any.
    #[must_use]
    pub fn frame_rate(&self) -> f64 {
        self.made_frame_rate() / self.stretch_of(&self.recipe).unwrap_or(1.0)
    }

    /// How many seconds of another take, or of a recording, it begins with as it was made; 0: none.
    #[must_use]
    pub fn opening_seconds(&self) -> f64 {
        let frames = self.recipe.opening.as_ref().map_or(0, |opening| opening.codes().frames());
        frames as f64 / self.made_frame_rate()
    }

    /// Becomes another version. What it was stays in its history.
    pub fn become_version(&mut self, next: Version) {
        let before = self.swap(next);
        if let Some(before) = before {
            self.history.remember(before);
        }
        self.wanted = None;
    }

    /// Becomes the version of its history that was made from `recipe`, if there is one. That saves making it again.
    pub fn recall(&mut self, recipe: &Recipe) -> bool {
        let found = self.history.take(recipe);
        let is_found = found.is_some();
        if let Some(version) = found {
            self.become_version(Version::clone(&version));
        }
        is_found
    }

    /// Goes back to the version before this one, and freezes the take: else automation that is still there would
    /// change it again. Gives up what is being made.
    pub fn undo(&mut self) {
        if let Some(before) = self.history.earlier.pop() {
            let undone = self.swap(Version::clone(&before));
            self.history.later.extend(undone.map(Arc::new));
            (self.frozen, self.wanted) = (true, None);
        }
    }

    /// Takes back the latest [`undo`](Self::undo); the take stays frozen.
    pub fn redo(&mut self) {
        if let Some(after) = self.history.later.pop() {
            let before = self.swap(Version::clone(&after));
            self.history.earlier.extend(before.map(Arc::new));
            self.wanted = None;
        }
    }

    /// Puts `next` in the place of what it is, which is returned if it has tokens.
    fn swap(&mut self, next: Version) -> Option<Version> {
        let recipe = std::mem::replace(&mut self.recipe, next.recipe);
        let codes = self.codes.replace(next.codes);
        let made = std::mem::replace(&mut self.made, next.made);
        codes.map(|codes| Version { recipe, codes, made })
    }

    /// What a schema's types cannot say: numbers out of range.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if !(self.place.beats.is_finite() && self.place.seconds.is_finite()) {
            return Err("its place is not a number");
        }
        if !self.gain.is_finite() || !(0.0..=100.0).contains(&self.gain) {
            return Err("its gain is not between 0 and 100");
        }
        if !self.fades.is_sound() {
            return Err("a fade is not between 0 and 600 seconds");
        }
        if self.made.as_ref().is_some_and(|made| !(made.frame_rate > 0.0 && made.frame_rate.is_finite())) {
            return Err("its frame rate is not above 0");
        }
        let versions = self.history.versions().map(|version| &version.recipe);
        let mut versions = versions.chain(self.wanted.as_deref()).chain([&self.recipe]);
        versions.try_for_each(|version| {
            version.check()?;
            if self.fit.is_some_and(|fit| fit.ratio(version.seconds).is_none()) {
                return Err(
                    "its bars last less than half or more than double its length, or more than 600 seconds",
                );
            }
            Ok(())
        })
    }
}

/// What made a take's tokens. Only the same gives the same tokens from the same recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MadeBy {
    /// Execution provider.
    pub provider: String,
    /// ONNX Runtime's version.
    pub runtime: String,
    /// Frames a second.
    pub frame_rate: f64,
    /// Samples a second, before the host's rate.
    pub sample_rate: u32,
}

/// Where a take starts. Both positions are kept: beats follow the song's tempo, seconds need no tempo.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Quarter notes from the song's start.
    pub beats: f64,
    /// Seconds from the song's start.
    pub seconds: f64,
    /// Quarter notes a minute there, when the take was put there; tells whether the song had one tempo up to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tempo: Option<f64>,
    /// Which of the two holds.
    #[serde(default)]
    pub anchor: Anchor,
}

/// Which position of a take holds when the tempo changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Anchor {
    /// The take keeps its bar as long as the whole song has one tempo; its seconds hold otherwise.
    #[default]
    Beats,
    /// The take keeps its time.
    Seconds,
}

#[cfg(test)]
mod tests {
    use tiller_models::codes::Codes;

    use super::*;

    fn version(seed: u64) -> Version {
        let codes = Codes::try_from(vec![vec![seed as u16; 4]]).unwrap();
        let recipe = Recipe { seed, seconds: 0.08, ..Recipe::default() };
        Version { recipe, codes: Arc::new(PackedCodes::from(codes)), made: None }
    }

    fn take() -> Take {
        let place = Place { beats: 0.0, seconds: 0.0, tempo: None, anchor: Anchor::Beats };
        let mut take = Take::new(place, version(1).recipe);
        take.become_version(version(1));
        take
    }

    #[test]
    fn what_was_heard_before_can_be_gone_back_to_and_forth() {
        let mut take = take();
        assert!(take.history.is_empty(), "a take that had no tokens leaves nothing behind");
        take.become_version(version(2));
        take.become_version(version(3));
        take.undo();
        take.undo();
        assert_eq!((take.recipe.seed, take.frozen), (1, true));
        let oldest = take.clone();
        take.undo();
        assert_eq!(take, oldest, "there is nothing before the first version");
        take.redo();
        take.redo();
        take.redo();
        assert_eq!((take.recipe.seed, take.history.earlier.len(), take.history.later.len()), (3, 2, 0));
    }

    #[test]
    fn a_version_made_after_going_back_loses_none() {
        let mut take = take();
        take.become_version(version(2));
        take.undo();
        take.become_version(version(3));
        let mut seeds: Vec<u64> = take.history.versions().map(|version| version.recipe.seed).collect();
        seeds.sort_unstable();
        assert_eq!((take.recipe.seed, seeds), (3, vec![1, 2]));
    }

    #[test]
    fn a_version_that_was_made_before_is_recalled_with_its_tokens() {
        let mut take = take();
        take.become_version(version(2));
        assert!(take.recall(&version(1).recipe));
        assert_eq!(take.codes, Some(version(1).codes));
        assert_eq!(take.history.versions().count(), 1);
        assert!(!take.recall(&version(9).recipe));
    }

    #[test]
    fn the_oldest_versions_are_dropped() {
        let mut take = take();
        for seed in 2..100 {
            take.become_version(version(seed));
        }
        assert_eq!(take.history.versions().count(), History::MOST);
        assert_eq!(take.history.earlier[0].recipe.seed, 99 - History::MOST as u64);
    }
}
