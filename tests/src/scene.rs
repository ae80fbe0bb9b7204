//! A musician's setup: a prompt, a seed, a length, a steering vector, and the steps from there to a bounce.

use crate::{Audio, AudioSettings, Instance, Pass, PluginFile, packing};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Duration;

/// What to generate.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The prompt.
    pub prompt: String,
    /// Seed of the token choices, 0 to 65,535.
    pub seed: u16,
    /// Length of the take in seconds.
    pub seconds: f64,
    /// The concept of the bundle's vector in the first steering slot.
    pub concept: Option<String>,
    /// Where the take starts, in seconds of the song.
    pub at: f64,
}

impl Default for Scene {
    /// Two seconds at the song's start, unsteered.
    fn default() -> Self {
        Self { prompt: "a calm piano melody".into(), seed: 7, seconds: 2.0, concept: None, at: 0.0 }
    }
}

impl Scene {
    /// A new instance with this scene, active and rendering offline.
    pub fn open(&self, plugin: &PluginFile, settings: AudioSettings) -> Result<Instance> {
        let mut instance = plugin.instantiate()?;
        self.apply(&mut instance)?;
        instance.activate(settings)?;
        instance.set_offline(true)?;
        Ok(instance)
    }

    /// Puts the scene into an instance, as restoring a project does, leaving its takes alone.
    pub fn apply(&self, instance: &mut Instance) -> Result<()> {
        let slot = self.concept.as_ref().map(|concept| json!({ "name": concept }));
        let state = instance.state()?.with_project(|project| {
            project["prompt"] = json!(self.prompt);
            project["slots"] = json!([slot, null, null, null]);
            project["settings"]["position"] = json!({ "seconds": self.at });
        })?;
        instance.restore(&state)?;
        instance.set("seed", &self.seed.to_string())?;
        instance.set("seconds", &format!("{:.2} s", self.seconds))
    }

    /// The take's length in frames of the host.
    pub fn frames(&self, instance: &Instance) -> u64 {
        (self.seconds * instance.settings().sample_rate).round() as u64
    }

    /// A pass over the take from its start to its end.
    pub fn pass(&self, instance: &Instance) -> Pass {
        let start = (self.at * instance.settings().sample_rate).round() as u64;
        Pass::over(start, self.frames(instance))
    }

    /// Presses Generate with the transport stopped at the take's start, and lets the plugin take notice.
    pub fn press(&self, instance: &mut Instance) -> Result<()> {
        let at = self.pass(instance);
        instance.play(&Pass { playing: false, frames: 256, ..at.clone() }.press(GENERATE))?;
        instance.play(&Pass { playing: false, frames: 256, ..at })?;
        Ok(())
    }

    /// Presses Generate and waits until the take has its codes, which is within `limit` or an error.
    pub fn generate(&self, instance: &mut Instance, limit: Duration) -> Result<()> {
        let before = takes(instance)?.len();
        self.press(instance)?;
        instance
            .run_until(limit, |instance| Ok(takes(instance)?.len() > before))
            .context("no take appeared")?;
        finish(instance, limit)
    }

    /// Plays over the take once so that the plugin hears the automation of the first slot, without any take there
    /// having to sound. `strength` maps seconds from the take's start to -2..2.
    pub fn rehearse(&self, instance: &mut Instance, strength: impl Fn(f64) -> f64) -> Result<Audio> {
        let pass = self.steered(instance, strength)?;
        instance.play(&pass)
    }

    /// A pass over the take with the first slot's strength automated, as in a song with that automation lane.
    pub fn steered(&self, instance: &mut Instance, strength: impl Fn(f64) -> f64) -> Result<Pass> {
        let rate = instance.settings().sample_rate;
        // The slot's range is linear, so its ends give the host's value for every strength.
        let (low, high) = (instance.typed(STRENGTH, "-2")?, instance.typed(STRENGTH, "2")?);
        let value = |seconds| low + (strength(seconds) + 2.0) / 4.0 * (high - low);
        Ok(self.pass(instance).automate(STRENGTH, rate, value))
    }
}

/// Id of the momentary parameter that starts a take.
pub const GENERATE: &str = "generate";
/// Id of the first slot's strength.
pub const STRENGTH: &str = "steer1";

/// Waits until every take has its codes, which is within `limit` or an error. The last sample of a take is heard a moment
/// before the take is entered in the project as finished.
pub fn finish(instance: &mut Instance, limit: Duration) -> Result<()> {
    instance
        .run_until(limit, |instance| Ok(takes(instance)?.iter().all(|take| !take["codes"].is_null())))
        .context("a take did not finish")
}

/// The takes in the instance's project, oldest first, as `docs/state.md` describes them.
pub fn takes(instance: &mut Instance) -> Result<Vec<Value>> {
    let project = instance.state()?.project()?;
    project["takes"].as_array().cloned().context("the project lists no takes")
}

/// The last element of [`takes`].
pub fn newest_take(instance: &mut Instance) -> Result<Value> {
    takes(instance)?.pop().context("the project holds no take")
}

/// The steering curve of a take's first slot, a strength for each 20 ms frame; empty for an unsteered take.
pub fn curve(take: &Value) -> Result<Vec<f64>> {
    let steering = take["recipe"]["steering"].as_array().into_iter().flatten();
    let first = steering.filter(|part| part["slot"] == 1).map(|part| &part["curve"]).next();
    first.map_or_else(|| Ok(Vec::new()), packing::curve)
}
