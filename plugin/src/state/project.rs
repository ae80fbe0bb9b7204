//! Schema 1 of the project.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tiller_models::steering::{Layers, Rows, Scale, StrengthCurve};

use super::{Fades, Key, PackedCodes};
use crate::params::SLOTS;
use crate::timeline::Snap;

/// The schema this build writes, and the newest it reads.
pub const SCHEMA: u32 = 1;

/// Everything a project stores besides parameter values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Project {
    /// Schema version, [`SCHEMA`] at writing.
    pub schema: u32,
    /// What the next take should sound like. Any Unicode, any length; the model reads the first part of a long one.
    pub prompt: String,
    /// What it should not sound like; empty for none. Takes the place of the empty prompt in guidance.
    pub negative: String,
    /// The vector in each steering slot; `null` for an empty slot.
    pub slots: [Option<Slot>; SLOTS],
    /// Takes in the order they were made; the last is the newest.
    pub takes: Vec<Arc<Take>>,
    /// Choices that are neither automated nor part of one take.
    pub settings: Settings,
}

/// A vector chosen for a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The vector's concept, as its file names it, e.g. `flute`.
    pub name: String,
    /// SHA-256 of its file, hexadecimal; empty when a script does not know it, and then not compared.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    /// Path of a vector file of the musician's own; absent for the vectors that come with the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

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
    /// Whether it is silenced.
    #[serde(default)]
    pub muted: bool,
    /// Everything needed to make it again.
    pub recipe: Recipe,
    /// The tokens it became; `null` for a take that has not been rendered, which is then rendered from its recipe.
    #[serde(default)]
    pub codes: Option<Arc<PackedCodes>>,
    /// What made the tokens; absent before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<MadeBy>,
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

/// What a take was, or is to be, made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The bundle's name; empty: whichever is in use.
    #[serde(default)]
    pub model: String,
    /// The bundle's hash; empty: not compared.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model_sha256: String,
    /// Decoder precision, `f32` or `int8`; empty: the bundle's default.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub precision: String,
    /// Prompt.
    pub prompt: String,
    /// Negative prompt.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub negative: String,
    /// Seed of the token choices.
    #[serde(default)]
    pub seed: u64,
    /// Length in seconds.
    pub seconds: f64,
    /// Guidance, at least 1.
    #[serde(default = "default_guidance")]
    pub guidance: f32,
    /// Sampling temperature; 0 is greedy.
    #[serde(default = "unity")]
    pub temperature: f32,
    /// Tokens considered at each choice.
    #[serde(default = "default_top_k")]
    pub top_k: u32,
    /// What steers it; empty for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steering: Vec<Steering>,
    /// How steering acts.
    #[serde(default)]
    pub scale: Scale,
    /// Which rows of guidance it acts on.
    #[serde(default)]
    pub rows: Rows,
    /// Which layers it acts on.
    #[serde(default)]
    pub layers: Layers,
}

/// One vector's part in a take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Steering {
    /// Which parameter it follows: 1 to 4.
    pub slot: usize,
    /// The vector.
    #[serde(flatten)]
    pub vector: Slot,
    /// Strength at each 20 ms frame of the take; the last value holds to its end.
    pub curve: StrengthCurve,
}

/// Choices that are neither automated nor part of one take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Where the next take lands.
    pub position: Position,
    /// What takes snap to when they are dragged.
    pub snap: Snap,
    /// Whether the song's tempo and key are added to the prompts of takes, where a prompt does not name its own.
    pub describe_song: bool,
    /// The song's key, if it is to be added.
    pub key: Option<Key>,
    /// Whether takes take their strength curves from the automation that passed, and follow it when it changes.
    pub follow_automation: bool,
    /// Whether a take started by a MIDI note fades when the note ends.
    pub release_on_note_off: bool,
    /// Whether audio that is due and not ready is waited for.
    pub wait: Wait,
    /// How long a render that waits for audio goes on waiting while nothing makes progress, in seconds.
    pub patience_seconds: f64,
    /// Folder of the bundle to use; empty: the one Tiller finds itself.
    pub bundle: String,
    /// ONNX Runtime execution provider: `cpu`, `cuda` or `directml`.
    pub provider: String,
    /// Decoder precision, `f32` or `int8`; empty: the bundle's default.
    pub precision: String,
    /// What a strength of 1 means in the next take.
    pub scale: Scale,
    /// Rows steered in the next take.
    pub rows: Rows,
    /// Layers steered in the next take.
    pub layers: Layers,
}

/// Whether audio that is due and not ready is waited for. The rules are `audio`'s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// Where the host renders to a file: it says so, or fetches audio faster than real time.
    #[default]
    Automatic,
    /// Always, live as well. For hosts that render to a file in real time or in jumps, without saying so.
    Always,
    /// Never. What is not ready is missed.
    Never,
}

/// Where the next take lands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Position {
    /// At the playhead: the next bar while the song plays, the present bar while it stands.
    #[default]
    Playhead,
    /// At this many quarter notes from the song's start.
    Beats(f64),
    /// At this many seconds from the song's start.
    Seconds(f64),
}

impl Default for Project {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            prompt: String::new(),
            negative: String::new(),
            slots: [const { None }; SLOTS],
            takes: Vec::new(),
            settings: Settings::default(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            position: Position::default(),
            snap: Snap::default(),
            describe_song: true,
            key: None,
            follow_automation: true,
            release_on_note_off: false,
            wait: Wait::default(),
            patience_seconds: 60.0,
            bundle: String::new(),
            provider: "cpu".into(),
            precision: String::new(),
            scale: Scale::default(),
            rows: Rows::default(),
            layers: Layers::default(),
        }
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            model: String::new(),
            model_sha256: String::new(),
            precision: String::new(),
            prompt: String::new(),
            negative: String::new(),
            seed: 0,
            seconds: 0.0,
            guidance: default_guidance(),
            temperature: 1.0,
            top_k: default_top_k(),
            steering: Vec::new(),
            scale: Scale::default(),
            rows: Rows::default(),
            layers: Layers::default(),
        }
    }
}

impl Project {
    /// Says what a schema's types cannot: numbers out of range, named by their place.
    ///
    /// # Errors
    /// A sentence naming the first offending field.
    pub fn check(&self) -> Result<(), String> {
        for (index, take) in self.takes.iter().enumerate() {
            let at = |what: &str| Err(format!("take {}: {what}", index + 1));
            if !(take.place.beats.is_finite() && take.place.seconds.is_finite()) {
                return at("its place is not a number");
            }
            if !take.gain.is_finite() || !(0.0..=100.0).contains(&take.gain) {
                return at("its gain is not between 0 and 100");
            }
            if !take.fades.is_sound() {
                return at("a fade is not between 0 and 600 seconds");
            }
            if !(take.recipe.seconds > 0.0 && take.recipe.seconds <= crate::MAX_TAKE_SECONDS) {
                return at("its length is not between 0 and 600 seconds");
            }
            if take.recipe.steering.iter().any(|s| !(1..=SLOTS).contains(&s.slot)) {
                return at("a steering slot is not one of 1 to 4");
            }
            if take.recipe.steering.iter().flat_map(|s| s.curve.values()).any(|value| !value.is_finite()) {
                return at("a strength is not a number");
            }
        }
        Ok(())
    }
}

fn unity() -> f32 {
    1.0
}

fn default_guidance() -> f32 {
    3.0
}

fn default_top_k() -> u32 {
    250
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_needs_to_write_only_what_matters() {
        let project: Project = serde_json::from_str(
            r#"{"schema":1,"prompt":"slow strings","takes":[{"place":{"beats":0,"seconds":0},
                "recipe":{"prompt":"slow strings","seconds":2.0}}]}"#,
        )
        .unwrap();
        assert_eq!(project.takes[0].recipe.guidance, 3.0);
        assert_eq!(project.takes[0].gain, 1.0);
        assert!(project.takes[0].codes.is_none());
        assert!(project.settings.follow_automation);
        project.check().unwrap();
    }

    #[test]
    fn every_field_survives_the_round_trip() {
        let project = Project {
            prompt: "größer ♪ 低音".into(),
            slots: [
                Some(Slot { name: "flute".into(), sha256: "ab".into(), file: None }),
                None,
                Some(Slot {
                    name: "mine".into(),
                    sha256: String::new(),
                    file: Some("/tmp/v.safetensors".into()),
                }),
                None,
            ],
            takes: vec![Arc::new(Take {
                place: Place { beats: 4.5, seconds: 2.1, tempo: Some(128.5), anchor: Anchor::Seconds },
                gain: 0.5,
                fades: Fades { rise: 0.25, fall: 1.5 },
                muted: true,
                recipe: Recipe {
                    prompt: "x".into(),
                    seconds: 8.0,
                    steering: vec![Steering {
                        slot: 1,
                        vector: Slot { name: "flute".into(), sha256: "ab".into(), file: None },
                        curve: StrengthCurve::from_frames(vec![0.0, 0.125, 2.0]),
                    }],
                    layers: Layers::Range(3, 5),
                    ..Recipe::default()
                },
                codes: Some(Arc::new(PackedCodes::from(
                    tiller_models::codes::Codes::try_from(vec![vec![1, 2, 3], vec![4, 5, 2047]]).unwrap(),
                ))),
                made: Some(MadeBy {
                    provider: "cpu".into(),
                    runtime: "1.24.4".into(),
                    frame_rate: 50.0,
                    sample_rate: 32_000,
                }),
            })],
            settings: Settings {
                position: Position::Beats(8.0),
                key: Some(Key::default()),
                ..Settings::default()
            },
            ..Project::default()
        };
        let text = serde_json::to_string(&project).unwrap();
        assert_eq!(serde_json::from_str::<Project>(&text).unwrap(), project);
    }

    #[test]
    fn numbers_out_of_range_are_named_by_their_place() {
        let take = |seconds| {
            Arc::new(Take {
                place: Place { beats: 0.0, seconds: 0.0, tempo: None, anchor: Anchor::Beats },
                gain: 1.0,
                fades: Fades::default(),
                muted: false,
                recipe: Recipe { seconds, ..Recipe::default() },
                codes: None,
                made: None,
            })
        };
        let project = Project { takes: vec![take(1.0), take(1e9)], ..Project::default() };
        assert!(project.check().unwrap_err().starts_with("take 2: its length"));
        let project = Project { takes: vec![take(f64::NAN)], ..Project::default() };
        assert!(project.check().is_err());
        for seconds in [-0.1, f64::NAN, 601.0] {
            let mut faded = take(1.0);
            Arc::make_mut(&mut faded).fades.fall = seconds;
            let project = Project { takes: vec![faded], ..Project::default() };
            assert!(project.check().unwrap_err().starts_with("take 1: a fade"), "{seconds}");
        }
    }
}
