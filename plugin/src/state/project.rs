//! The project: what is stored besides parameter values.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tiller_models::steering::{Layers, Rows, Rule, Scale};

use super::{Key, Melody, Take};
use crate::params::SLOTS;
use crate::timeline::Snap;

/// The schema this build writes, and the newest it reads.
pub const SCHEMA: u32 = 2;

/// Shortest look-ahead, seconds: half a second of music is decoded at a time, and it has to be generated first.
pub const LEAST_LOOK_AHEAD: f64 = 1.0;
/// Longest look-ahead, seconds. Hosts delay everything else by as much.
pub const MOST_LOOK_AHEAD: f64 = 10.0;

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
    /// The melody that the next take follows, in models that hear melodies; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub melody: Option<Arc<Melody>>,
    /// The vector in each steering slot; `null` for an empty slot.
    pub slots: [Option<Slot>; SLOTS],
    /// Takes in the order they were made; the last is the newest.
    pub takes: Vec<Arc<Take>>,
    /// Choices that are neither automated nor part of one take.
    pub settings: Settings,
}

/// A vector chosen for a slot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The vector's concept, as its file names it, e.g. `flute`.
    pub name: String,
    /// SHA-256 of its file, hexadecimal; empty when a script does not know it, and then not compared.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    /// Path of a vector file of the musician's own; absent for the vectors that come with the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// By which rule it lets go where its concept is there already; absent: it pulls all the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<Rule>,
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
    /// Whether all takes are frozen: whatever automation passes, none changes.
    pub freeze: bool,
    /// By how much the host is to send everything earlier than it is heard, so that automation acts in the pass that
    /// plays it, in seconds from [`LEAST_LOOK_AHEAD`] to [`MOST_LOOK_AHEAD`]; 0: not at all, and it acts from the next
    /// pass on.
    pub look_ahead_seconds: f64,
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
    /// Decoder precision, such as `int8`; empty: the bundle's default.
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
            melody: None,
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
            freeze: false,
            look_ahead_seconds: 0.0,
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

impl Settings {
    /// The look-ahead, brought into its range: scripts may write any number.
    #[must_use]
    pub fn look_ahead(&self) -> f64 {
        // Not a number is no look-ahead.
        if self.look_ahead_seconds > 0.0 {
            self.look_ahead_seconds.clamp(LEAST_LOOK_AHEAD, MOST_LOOK_AHEAD)
        } else {
            0.0
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
            take.check().map_err(|what| format!("take {}: {what}", index + 1))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tiller_models::steering::StrengthCurve;

    use super::*;
    use crate::state::{Anchor, Fades, Fit, MadeBy, PackedCodes, Place, Recipe, Steering, curve};

    #[test]
    fn a_script_needs_to_write_only_what_matters() {
        let project: Project = serde_json::from_str(
            r#"{"schema":2,"prompt":"slow strings","takes":[{"place":{"beats":0,"seconds":0},
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
        let mut take = Take::new(
            Place { beats: 4.5, seconds: 2.1, tempo: Some(128.5), anchor: Anchor::Seconds },
            Recipe {
                prompt: "x".into(),
                seconds: 8.0,
                steering: vec![Steering {
                    slot: 1,
                    vector: Slot {
                        name: "flute".into(),
                        sha256: "ab".into(),
                        file: None,
                        monitor: Some(Rule::Smitin),
                    },
                    curve: StrengthCurve::from_frames(vec![0.0, 0.125, 2.0]),
                }],
                layers: Layers::Range(3, 5),
                ..Recipe::default()
            },
        );
        (take.gain, take.muted, take.frozen) = (0.5, true, true);
        take.fades = Fades { rise: 0.25, fall: 1.5 };
        take.fit = Some(Fit { beats: 16.0, tempo: 118.0 });
        take.wanted = Some(Arc::new(Recipe { seed: 2, ..take.recipe.clone() }));
        take.codes = Some(Arc::new(PackedCodes::from(
            tiller_models::codes::Codes::try_from(vec![vec![1, 2, 3], vec![4, 5, 2047]]).unwrap(),
        )));
        take.made = Some(MadeBy {
            provider: "cpu".into(),
            runtime: "1.24.4".into(),
            frame_rate: 50.0,
            sample_rate: 32_000,
        });
        let project = Project {
            prompt: "größer ♪ 低音".into(),
            slots: [
                Some(Slot {
                    name: "flute".into(),
                    sha256: "ab".into(),
                    monitor: Some(Rule::Fade),
                    ..Slot::default()
                }),
                None,
                Some(Slot {
                    name: "mine".into(),
                    file: Some("/tmp/v.safetensors".into()),
                    ..Slot::default()
                }),
                None,
            ],
            takes: vec![Arc::new(take)],
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
    fn ten_takes_of_thirty_seconds_with_four_automated_slots_stay_below_200_kb() {
        // Tokens without any pattern, and what is drawn and played in songs: ramps, waves, steps and a hand on a knob.
        let noise = |i: usize| (i.wrapping_mul(2_654_435_761) ^ i.wrapping_mul(40_503)) >> 7;
        let shapes: [&dyn Fn(usize, usize) -> f32; 4] = [
            &|frame, take| ((frame + 31 * take) % 400) as f32 / 100.0 - 2.0,
            &|frame, take| 1.5 * (frame as f32 * (0.02 + take as f32 * 0.005)).sin(),
            &|frame, take| if (frame / (20 + take)).is_multiple_of(2) { 0.25 } else { -1.0 },
            &|frame, take| {
                let at = |point: usize| (noise(point + 100 * take) % 2_000) as f32 / 1_000.0 - 1.0;
                let (point, part) = (frame / 25, (frame % 25) as f32 / 25.0);
                at(point) + (at(point + 1) - at(point)) * part
            },
        ];
        let take = |number: usize| {
            let steering = shapes.iter().enumerate().map(|(slot, shape)| {
                let steps = (0..1_500).map(|frame| curve::thousandths(shape(frame, number)));
                let vector = Slot { name: "flute".into(), sha256: "0".repeat(64), ..Slot::default() };
                Steering {
                    slot: slot + 1,
                    vector,
                    curve: curve::compact(steps.map(curve::strength).collect()),
                }
            });
            let recipe = Recipe {
                model: "tiller-default".into(),
                model_sha256: "0".repeat(64),
                prompt: "a calm flute melody over soft drums, in A minor, 120 bpm".into(),
                seconds: 30.0,
                steering: steering.collect(),
                ..Recipe::default()
            };
            let token = |k: usize, frame: usize| (noise(number * 6_000 + k * 1_500 + frame) % 2_048) as u16;
            let rows = (0..4).map(|k| (0..1_500).map(|frame| token(k, frame)).collect());
            let codes = tiller_models::codes::Codes::try_from(rows.collect::<Vec<_>>()).unwrap();
            let mut take =
                Take::new(Place { beats: 0.0, seconds: 0.0, tempo: None, anchor: Anchor::Beats }, recipe);
            take.codes = Some(Arc::new(codes.into()));
            Arc::new(take)
        };
        let project = Project { takes: (0..10).map(take).collect(), ..Project::default() };
        let text = serde_json::to_string(&project).unwrap();
        // As the host stores it: a string of JSON in JSON.
        let stored = serde_json::to_string(&text).unwrap().len();
        assert!(stored <= 200_000, "{stored} bytes");
        assert_eq!(serde_json::from_str::<Project>(&text).unwrap(), project);
    }

    #[test]
    fn numbers_out_of_range_are_named_by_their_place() {
        let place = Place { beats: 0.0, seconds: 0.0, tempo: None, anchor: Anchor::Beats };
        let take = |seconds| Arc::new(Take::new(place, Recipe { seconds, ..Recipe::default() }));
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
        for (beats, tempo) in
            [(3.9, 120.0), (16.1, 120.0), (8.0, f64::NAN), (8.0, 0.0), (-8.0, -120.0), (8.0, 1e-300)]
        {
            let mut fitted = take(4.0);
            Arc::make_mut(&mut fitted).fit = Some(Fit { beats, tempo });
            let project = Project { takes: vec![fitted], ..Project::default() };
            assert!(project.check().unwrap_err().starts_with("take 1: its bars"), "{beats} at {tempo}");
        }
    }
}
