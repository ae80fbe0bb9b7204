//! What is compared with what.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Condition, Spot};
use crate::lab::{ClipSettings, LabError};
use crate::musicgen::Engine;
use crate::steering::{Intervention, Layers, Monitoring, Rule, Vector};

/// What is compared with what. All clips of a prompt and a seed share their random numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Prompts of all clips but those of the targets', one or more, each once.
    pub prompts: Vec<String>,
    /// Prompts that name the target, for comparison: one for each of the prompts, or none.
    pub target_prompts: Vec<String>,
    /// The judge's label of what the prompts ask for.
    pub source: String,
    /// The judge's label of what the vector leads to.
    pub target: String,
    /// Seed of each prompt's first clip.
    pub seed: u64,
    /// Seeds: this one, the next and so on; at least 2.
    pub seeds: NonZeroU64,
    /// Where the vector acts, one place or more, each once.
    pub spots: Vec<Spot>,
    /// Strengths to steer with, finite, not 0, each once.
    pub strengths: Vec<f32>,
    /// Random directions for each seed.
    pub randoms: NonZeroUsize,
    /// Rules by which the vector lets go, each once, for comparison with its acting all the time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub monitor: Vec<Rule>,
    /// How clips are made.
    #[serde(flatten)]
    pub clips: ClipSettings,
}

impl Experiment {
    /// What is wrong with the numbers.
    pub(super) fn check(&self) -> Result<(), LabError> {
        let refuse = |sentence: String| Err(LabError::request(sentence));
        if self.seeds.get() < 2 || self.seed.checked_add(self.seeds.get()).is_none() {
            return refuse("choose two seeds or more, none beyond the largest number".to_owned());
        }
        let odd = |strength: &f32| !strength.is_finite() || *strength == 0.0;
        if self.strengths.is_empty() || self.strengths.iter().any(odd) {
            return refuse("choose one strength or more, finite and not 0".to_owned());
        }
        if let Some(strength) = twice(&self.strengths) {
            return refuse(format!("the strength {strength} is there twice"));
        }
        if let Some(rule) = twice(&self.monitor) {
            return refuse(format!("the rule {} is there twice; name each once", rule.name()));
        }
        if self.prompts.is_empty() || self.spots.is_empty() {
            return refuse("choose one prompt or more, and one place or more to steer at".to_owned());
        }
        if let Some(prompt) = twice(&self.prompts) {
            return refuse(format!("the prompt {prompt:?} is there twice; name each once"));
        }
        if let Some(spot) = twice(&self.spots) {
            return refuse(format!("the place to steer at ({spot}) is there twice; name each once"));
        }
        let (prompts, targets) = (self.prompts.len(), self.target_prompts.len());
        if targets > 0 && targets != prompts {
            return refuse(format!(
                "there are {prompts} prompts and {targets} that name the target; give one for each prompt, or none"
            ));
        }
        if self.source == self.target {
            return refuse("source and target are the same label; choose two".to_owned());
        }
        Ok(())
    }

    /// Whether `vector`, acting in `layers`, can let go as it is to.
    pub(super) fn check_monitor(
        &self,
        engine: &Engine,
        vector: &Arc<Vector>,
        layers: Layers,
    ) -> Result<(), LabError> {
        let recipe = self.clips.recipe(engine, "", 0, Some((vector, layers, 1.0)));
        let (rows, vectors) = (if recipe.is_guided() { 2 } else { 1 }, [Arc::clone(vector)]);
        self.monitor.iter().try_for_each(|&rule| {
            let steering = recipe.steering.clone().monitored(Some(Monitoring::new(rule)));
            Intervention::new(&steering, &vectors, engine.bundle().architecture(), rows)
                .map(drop)
                .map_err(|error| LabError::request(error.to_string()))
        })
    }

    /// All conditions, the unsteered one first.
    #[must_use]
    pub fn conditions(&self) -> Vec<Condition> {
        let of = |(spot, strength): (Spot, f32)| {
            let monitored =
                self.monitor.iter().map(move |&rule| Condition::Monitored { rule, spot, strength });
            let steered = [Condition::Steered { spot, strength }].into_iter().chain(monitored);
            steered.chain([Condition::Random { spot, strength }])
        };
        let settings =
            self.spots.iter().flat_map(|spot| self.strengths.iter().map(move |&strength| (*spot, strength)));
        let prompt = self.target_prompts.first().map(|_| Condition::Prompt);
        std::iter::once(Condition::Unsteered).chain(settings.flat_map(of)).chain(prompt).collect()
    }

    /// Clips of a condition for each prompt and seed.
    pub(super) fn clips_of(&self, condition: Condition) -> usize {
        match condition {
            Condition::Random { .. } => self.randoms.get(),
            _ => 1,
        }
    }

    /// How many clips there are in all.
    #[must_use]
    pub fn clips(&self) -> usize {
        let of_pair: usize = self.conditions().into_iter().map(|condition| self.clips_of(condition)).sum();
        let pairs =
            usize::try_from(self.seeds.get()).unwrap_or(usize::MAX).saturating_mul(self.prompts.len());
        pairs.saturating_mul(of_pair)
    }

    /// The prompt of a condition's clips, for the `number`-th of the prompts.
    pub(super) fn prompt(&self, condition: Condition, number: usize) -> &str {
        match (condition, self.target_prompts.get(number)) {
            (Condition::Prompt, Some(prompt)) => prompt,
            _ => &self.prompts[number],
        }
    }
}

/// The first that equals one before it.
fn twice<T: PartialEq>(items: &[T]) -> Option<&T> {
    items.iter().enumerate().find(|(at, item)| items[..*at].contains(item)).map(|(_, item)| item)
}
