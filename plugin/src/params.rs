//! Host parameters. Ids, order, ranges and defaults are frozen: projects and automation lanes hold them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nice_plug::prelude::*;

use crate::state::Store;

/// Steering slots. Fixed, because hosts know every slot's strength by a frozen id.
pub const SLOTS: usize = 4;

/// Quietest setting of the gain, in dB.
const GAIN_MIN_DB: f32 = -40.0;
/// Loudest setting of the gain, in dB.
const GAIN_MAX_DB: f32 = 6.0;

/// A button among the parameters: it counts how often it went from off to on.
#[derive(Debug, Default)]
pub struct Momentary {
    rises: AtomicU32,
    seen: AtomicU32,
}

impl Momentary {
    /// It went on. Wait-free.
    pub fn rise(&self) {
        self.rises.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether it went on since this was last asked. Wait-free.
    pub fn pressed(&self) -> bool {
        let rises = self.rises.load(Ordering::Acquire);
        self.seen.swap(rises, Ordering::AcqRel) != rises
    }
}

/// Everything a host can see, automate and map to a controller, and the project beside it.
#[derive(Params)]
pub struct TillerParams {
    /// Slots 1 to 4: how strongly the slot's vector pulls (negative: pushes away). The range is where the paper's
    /// formula still sounds like music; automation of these is what Tiller is for. No smoother: each 20 ms frame
    /// takes the value at its start, which does not depend on block sizes.
    #[id = "steer1"]
    pub steer1: FloatParam,
    /// Slot 2, as slot 1.
    #[id = "steer2"]
    pub steer2: FloatParam,
    /// Slot 3, as slot 1.
    #[id = "steer3"]
    pub steer3: FloatParam,
    /// Slot 4, as slot 1.
    #[id = "steer4"]
    pub steer4: FloatParam,
    /// Classifier-free guidance: 1 ignores the prompt's contrast and halves the work, 3 is MusicGen's default.
    #[id = "guidance"]
    pub guidance: FloatParam,
    /// Sampling temperature; 0 always takes the likeliest token, so the same prompt gives the same music.
    #[id = "temperature"]
    pub temperature: FloatParam,
    /// Tokens considered at each choice. 250 is MusicGen's default; models with fewer entries use all they have.
    #[id = "topk"]
    pub top_k: IntParam,
    /// Length of the next take in bars at the host's tempo, because songs are written in bars.
    #[id = "bars"]
    pub bars: IntParam,
    /// Length of the next take in seconds; 0 leaves it to the bars. For sound effects and hosts without a tempo.
    #[id = "seconds"]
    pub seconds: FloatParam,
    /// Seed of the next take. 16 bits, so that every value survives the hosts that keep parameters as 32-bit floats.
    #[id = "seed"]
    pub seed: IntParam,
    /// Level of everything that sounds.
    #[id = "gain"]
    pub gain: FloatParam,
    /// Momentary: each change from off to on starts a take, so that a controller, an automation lane or a script can.
    #[id = "generate"]
    pub generate: BoolParam,
    /// Counts edits in the window. Hosts notice changed parameters, not changed projects: without this one they would
    /// let a musician close a song whose prompt or takes were never saved. Hidden, means nothing else.
    #[id = "edits"]
    pub edits: IntParam,
    /// What has no place among parameters: prompt, vectors, takes, settings.
    #[nested]
    pub project: Arc<Store>,
}

impl TillerParams {
    /// Defaults, around the given project.
    #[must_use]
    pub fn new(project: Arc<Store>) -> Self {
        let button = project.clone();
        Self {
            steer1: strength("Steer 1"),
            steer2: strength("Steer 2"),
            steer3: strength("Steer 3"),
            steer4: strength("Steer 4"),
            guidance: FloatParam::new("Guidance", 3.0, FloatRange::Linear { min: 1.0, max: 10.0 })
                .with_step_size(0.01),
            temperature: FloatParam::new("Temperature", 1.0, FloatRange::Linear { min: 0.0, max: 2.0 })
                .with_step_size(0.01),
            top_k: IntParam::new("Top-k", 250, IntRange::Linear { min: 1, max: 2048 }),
            bars: IntParam::new("Length in bars", 4, IntRange::Linear { min: 1, max: 64 }),
            seconds: FloatParam::new("Length in seconds", 0.0, FloatRange::Linear { min: 0.0, max: 300.0 })
                .with_step_size(0.01)
                .with_unit(" s"),
            seed: IntParam::new("Seed", 1, IntRange::Linear { min: 0, max: 65_535 }),
            gain: FloatParam::new(
                "Gain",
                1.0,
                FloatRange::Skewed {
                    min: util::db_to_gain(GAIN_MIN_DB),
                    max: util::db_to_gain(GAIN_MAX_DB),
                    factor: FloatRange::gain_skew_factor(GAIN_MIN_DB, GAIN_MAX_DB),
                },
            )
            .with_smoother(SmoothingStyle::Logarithmic(20.0))
            .with_unit(" dB")
            .with_value_to_string(formatters::v2s_f32_gain_to_db(2))
            .with_string_to_value(formatters::s2v_f32_gain_to_db()),
            generate: BoolParam::new("Generate", false).with_callback(Arc::new(move |on| {
                if on {
                    button.generate.rise();
                }
            })),
            edits: IntParam::new("Edits", 0, IntRange::Linear { min: 0, max: 65_535 })
                .hide()
                .non_automatable(),
            project,
        }
    }

    /// The slots' parameters in order.
    #[must_use]
    pub fn slots(&self) -> [&FloatParam; SLOTS] {
        [&self.steer1, &self.steer2, &self.steer3, &self.steer4]
    }

    /// The slots' present strengths, modulation included.
    #[must_use]
    pub fn strengths(&self) -> [f32; SLOTS] {
        self.slots().map(|slot| slot.value())
    }
}

fn strength(name: &str) -> FloatParam {
    FloatParam::new(name, 0.0, FloatRange::Linear { min: -2.0, max: 2.0 })
        .with_step_size(0.001)
        .with_value_to_string(formatters::v2s_f32_rounded(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (id, lowest, default, highest): what projects, automation lanes and scripts out there rely on.
    const FROZEN: [(&str, &str, &str, &str); 13] = [
        ("steer1", "-2.000", "0.000", "2.000"),
        ("steer2", "-2.000", "0.000", "2.000"),
        ("steer3", "-2.000", "0.000", "2.000"),
        ("steer4", "-2.000", "0.000", "2.000"),
        ("guidance", "1.00", "3.00", "10.00"),
        ("temperature", "0.00", "1.00", "2.00"),
        ("topk", "1", "250", "2048"),
        ("bars", "1", "4", "64"),
        ("seconds", "0.00 s", "0.00 s", "300.00 s"),
        ("seed", "0", "1", "65535"),
        ("gain", "-40.00 dB", "0.00 dB", "6.00 dB"),
        ("generate", "Off", "Off", "On"),
        ("edits", "0", "0", "65535"),
    ];

    #[test]
    fn ids_order_ranges_and_defaults_are_frozen() {
        let params = TillerParams::new(Arc::new(Store::default()));
        let described: Vec<_> = params
            .param_map()
            .into_iter()
            .map(|(id, pointer, _)| {
                // SAFETY: `params` outlives the pointers.
                unsafe {
                    let text = |normalized| pointer.normalized_value_to_string(normalized, true);
                    (id, text(0.0), text(pointer.default_normalized_value()), text(1.0))
                }
            })
            .collect();
        let frozen: Vec<_> = FROZEN
            .iter()
            .map(|(id, low, default, high)| {
                (id.to_string(), low.to_string(), default.to_string(), high.to_string())
            })
            .collect();
        assert_eq!(described, frozen);
    }

    #[test]
    fn every_seed_survives_a_host_that_stores_normalized_floats() {
        let params = TillerParams::new(Arc::new(Store::default()));
        for seed in (0..=65_535).step_by(7) {
            let normalized = params.seed.preview_normalized(seed);
            assert_eq!(params.seed.preview_plain(normalized), seed);
        }
    }
}
