//! Presets: prompt, vectors with their strengths, and how to generate, as small JSON files.
//!
//! A preset says how the next take is made. It holds no take and no place in the song, and loading one leaves every take
//! as it is. [`factory`] are those that come with the plugin, [`folder`] the musician's own, in the data folder's
//! `presets`. A file may come from anyone: its size, its schema and every number in it are checked before anything of
//! it is used.

mod factory;
mod folder;

pub use factory::factory;
pub use folder::{Folder, Listed};

use std::ops::RangeInclusive;

use nice_plug::prelude::Param as _;
use serde::{Deserialize, Serialize};
use tiller_models::steering::{Layers, Rows, Scale};

use crate::params::{SLOTS, TillerParams};
use crate::state::{Project, Slot};

/// The schema this build writes, and the newest it reads.
pub const SCHEMA: u32 = 1;
/// Largest file that is read, bytes. The longest prompt anyone typed is a few thousand.
pub const LARGEST: usize = 64 << 10;

const STRENGTH: RangeInclusive<f32> = -2.0..=2.0;
const GUIDANCE: RangeInclusive<f32> = 1.0..=10.0;
const TEMPERATURE: RangeInclusive<f32> = 0.0..=2.0;
const TOP_K: RangeInclusive<i32> = 1..=2_048;
const BARS: RangeInclusive<i32> = 1..=64;
const SECONDS: RangeInclusive<f32> = 0.0..=300.0;

/// How the next take is to be made. Only `schema`, `name` and `prompt` must be there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preset {
    /// Schema version, [`SCHEMA`] at writing.
    pub schema: u32,
    /// What it is called.
    pub name: String,
    /// What to play.
    pub prompt: String,
    /// What to keep away from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub negative: String,
    /// What each steering slot holds.
    #[serde(default)]
    pub slots: [Option<Steered>; SLOTS],
    /// Guidance.
    #[serde(default = "guidance")]
    pub guidance: f32,
    /// Sampling temperature.
    #[serde(default = "temperature")]
    pub temperature: f32,
    /// Tokens considered at each choice.
    #[serde(default = "top_k")]
    pub top_k: i32,
    /// Length in bars.
    #[serde(default = "bars")]
    pub bars: i32,
    /// Length in seconds; 0: `bars` count.
    #[serde(default)]
    pub seconds: f32,
    /// What a strength of 1 means.
    #[serde(default)]
    pub scale: Scale,
    /// Rows steered.
    #[serde(default)]
    pub rows: Rows,
    /// Layers steered.
    #[serde(default)]
    pub layers: Layers,
}

/// A vector in a slot, and how strongly it pulls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Steered {
    /// The vector.
    #[serde(flatten)]
    pub vector: Slot,
    /// Its strength.
    pub strength: f32,
}

impl Preset {
    /// What an instance is set to now.
    #[must_use]
    pub fn of(name: &str, project: &Project, params: &TillerParams) -> Self {
        let strengths = params.slots().map(|slot| slot.unmodulated_plain_value());
        let steered = |slot: usize| {
            let vector = project.slots[slot].clone()?;
            Some(Steered { vector, strength: strengths[slot] })
        };
        Self {
            schema: SCHEMA,
            name: name.trim().to_owned(),
            prompt: project.prompt.clone(),
            negative: project.negative.clone(),
            slots: std::array::from_fn(steered),
            guidance: params.guidance.unmodulated_plain_value(),
            temperature: params.temperature.unmodulated_plain_value(),
            top_k: params.top_k.unmodulated_plain_value(),
            bars: params.bars.unmodulated_plain_value(),
            seconds: params.seconds.unmodulated_plain_value(),
            scale: project.settings.scale,
            rows: project.settings.rows,
            layers: project.settings.layers,
        }
    }

    /// Changes what a project says of the next take. Parameters are the host's to be told; see [`Self::strengths`] and
    /// the fields.
    pub fn apply(&self, project: &mut Project) {
        project.prompt.clone_from(&self.prompt);
        project.negative.clone_from(&self.negative);
        project.slots = self.slots.clone().map(|slot| slot.map(|steered| steered.vector));
        project.settings.scale = self.scale;
        project.settings.rows = self.rows;
        project.settings.layers = self.layers;
    }

    /// Each slot's strength, 0 for an empty one.
    #[must_use]
    pub fn strengths(&self) -> [f32; SLOTS] {
        self.slots.each_ref().map(|slot| slot.as_ref().map_or(0.0, |steered| steered.strength))
    }

    /// Reads a preset's text.
    ///
    /// # Errors
    /// A sentence saying what is wrong with it and, if it can be helped, what to do.
    pub fn read(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            schema: u32,
        }
        let unreadable = |error: serde_json::Error| format!("it is not a preset ({error})");
        if text.len() > LARGEST {
            return Err(format!("it is larger than any preset, {} bytes", text.len()));
        }
        let Versioned { schema } = serde_json::from_str(text).map_err(unreadable)?;
        if schema > SCHEMA {
            return Err(format!(
                "it was saved by a newer Tiller (schema {schema}; this one reads up to {SCHEMA}): install that one"
            ));
        }
        let preset: Self = serde_json::from_str(text).map_err(unreadable)?;
        preset.check()?;
        Ok(preset)
    }

    fn check(&self) -> Result<(), String> {
        fn within<T: PartialOrd + std::fmt::Display>(
            what: &str,
            value: T,
            range: &RangeInclusive<T>,
        ) -> Result<(), String> {
            // Written so that what is no number is outside.
            match range.contains(&value) {
                true => Ok(()),
                false => Err(format!("{what} {value} is not between {} and {}", range.start(), range.end())),
            }
        }
        if self.name.trim().is_empty() {
            return Err("it has no name".into());
        }
        for steered in self.slots.iter().flatten() {
            within("the strength", steered.strength, &STRENGTH)?;
        }
        within("guidance", self.guidance, &GUIDANCE)?;
        within("the temperature", self.temperature, &TEMPERATURE)?;
        within("top-k", self.top_k, &TOP_K)?;
        within("the length in bars", self.bars, &BARS)?;
        within("the length in seconds", self.seconds, &SECONDS)
    }
}

fn guidance() -> f32 {
    3.0
}

fn temperature() -> f32 {
    1.0
}

fn top_k() -> i32 {
    250
}

fn bars() -> i32 {
    4
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nice_plug::prelude::{FloatParam, IntParam};
    use tiller_models::steering::Rule;

    use super::*;
    use crate::state::{Store, Take};

    fn preset(more: &str) -> Result<Preset, String> {
        Preset::read(&format!(r#"{{"schema":1,"name":"x","prompt":"solo flute"{more}}}"#))
    }

    #[test]
    fn a_file_needs_to_say_only_what_matters() {
        let preset =
            preset(r#","slots":[{"name":"drums","strength":0.3},null,null,null],"later":1"#).unwrap();
        assert_eq!(preset.strengths(), [0.3, 0.0, 0.0, 0.0]);
        assert_eq!((preset.guidance, preset.top_k, preset.bars, preset.seconds), (3.0, 250, 4, 0.0));
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        for (more, what) in [
            (r#","guidance":0.5"#, "guidance 0.5 is not between 1 and 10"),
            (r#","temperature":-1"#, "the temperature"),
            (r#","top_k":0"#, "top-k 0"),
            (r#","bars":65"#, "the length in bars"),
            (r#","seconds":1e9"#, "the length in seconds"),
            (r#","slots":[{"name":"drums","strength":9},null,null,null]"#, "the strength 9"),
        ] {
            assert!(preset(more).unwrap_err().contains(what), "{more}");
        }
    }

    #[test]
    fn files_that_are_no_presets_are_refused_in_a_sentence() {
        for text in
            ["", "[]", "{}", "\u{0}\u{1}", r#"{"schema":1}"#, r#"{"schema":1,"name":" ","prompt":""}"#]
        {
            assert!(Preset::read(text).is_err(), "{text}");
        }
        assert!(preset(r#","slots":[null]"#).is_err(), "four slots, not one");
        assert!(Preset::read(r#"{"schema":9}"#).unwrap_err().contains("newer Tiller (schema 9"));
        let long = "x".repeat(LARGEST);
        assert!(preset(&format!(r#","negative":"{long}""#)).unwrap_err().contains("larger than any preset"));
    }

    #[test]
    fn ranges_are_those_of_the_parameters() {
        let params = TillerParams::new(Arc::default());
        let floats = |param: &FloatParam, range: &RangeInclusive<f32>| {
            (param.preview_plain(0.0), param.preview_plain(1.0)) == (*range.start(), *range.end())
        };
        let whole = |param: &IntParam, range: &RangeInclusive<i32>| {
            (param.preview_plain(0.0), param.preview_plain(1.0)) == (*range.start(), *range.end())
        };
        assert!(params.slots().iter().all(|slot| floats(slot, &STRENGTH)));
        assert!(floats(&params.guidance, &GUIDANCE) && floats(&params.temperature, &TEMPERATURE));
        assert!(whole(&params.top_k, &TOP_K) && whole(&params.bars, &BARS));
        assert!(floats(&params.seconds, &SECONDS));
    }

    #[test]
    fn loading_a_preset_changes_the_next_take_and_no_other() {
        let store = Store::default();
        let take: Take =
            serde_json::from_str(r#"{"place":{"beats":0,"seconds":0},"recipe":{"prompt":"x","seconds":1}}"#)
                .unwrap();
        store.edit(|project| {
            project.takes.push(Arc::new(take));
            project.settings.patience_seconds = 7.0;
        });
        let before = store.project();
        let preset =
            preset(r#","slots":[null,{"name":"drums","strength":0.3},null,null],"rows":"both""#).unwrap();
        store.edit(|project| preset.apply(project));
        let after = store.project();
        assert!(Arc::ptr_eq(&after.takes[0], &before.takes[0]));
        assert_eq!(after.settings.patience_seconds, 7.0);
        assert_eq!((after.prompt.as_str(), after.settings.rows), ("solo flute", Rows::Both));
        assert_eq!(after.slots[1].as_ref().map(|slot| slot.name.as_str()), Some("drums"));
    }

    #[test]
    fn what_an_instance_is_set_to_comes_back_from_its_text() {
        let mut project = Project::default();
        preset(
            r#","slots":[{"name":"drums","strength":0.3,"monitor":"fade"},null,null,null],"layers":"3-5""#,
        )
        .unwrap()
        .apply(&mut project);
        let params = TillerParams::new(Arc::default());
        let saved = Preset::of(" mine ", &project, &params);
        assert_eq!((saved.name.as_str(), saved.strengths()), ("mine", [0.0; SLOTS]));
        assert_eq!(saved.slots[0].as_ref().unwrap().vector.monitor, Some(Rule::Fade));
        assert_eq!(Preset::read(&serde_json::to_string_pretty(&saved).unwrap()).unwrap(), saved);
    }
}
