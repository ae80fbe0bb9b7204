//! Clips of an experiment: generated once, kept as labels, and decoded to be heard.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{LabError, whole};
use crate::codes::Codes;
use crate::encodec;
use crate::musicgen::{Cancel, Engine, Recipe, Sampling, Take, generate};
use crate::steering::{Layers, Rows, Scale, Slot, Steering, StrengthCurve, Vector};

/// How the clips of an experiment are made, whatever is compared in it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClipSettings {
    /// Length of a clip in frames.
    pub frames: usize,
    /// Length of a step.
    pub scale: Scale,
    /// Rows of guidance that are steered.
    pub rows: Rows,
    /// Guidance of the prompt.
    pub guidance: f32,
    /// How tokens are drawn.
    pub sampling: Sampling,
}

/// What a clip is steered by: a vector, the layers in which it acts, and how strongly.
pub type Push<'a> = (&'a Vector, Layers, f32);

impl ClipSettings {
    /// Clips of `frames` frames, made in the model's own ways.
    #[must_use]
    pub fn new(frames: usize) -> Self {
        Self {
            frames,
            scale: Scale::default(),
            rows: Rows::default(),
            guidance: Recipe::DEFAULT_GUIDANCE,
            sampling: Sampling::default(),
        }
    }

    /// The recipe of a clip, steered by a push if there is one.
    pub(super) fn recipe(&self, engine: &Engine, prompt: &str, seed: u64, push: Option<Push<'_>>) -> Recipe {
        let steering = push.map(|(vector, layers, strength)| Steering {
            scale: self.scale,
            rows: self.rows,
            layers,
            period: 1,
            slots: vec![Slot::new(vector, StrengthCurve::constant(strength))],
        });
        Recipe {
            sampling: self.sampling,
            guidance: self.guidance,
            steering: steering.unwrap_or_default(),
            ..Recipe::plain(engine, prompt, seed, self.frames)
        }
    }
}

/// The clip at `place`, made by `recipe` if it is not there; `vector` is what steers it, if anything does. One that is
/// there is taken only if its recipe is the very one.
///
/// # Errors
/// [`LabError::File`] for a damaged clip or one of another recipe; [`LabError::Model`], also after a cancel;
/// [`LabError::Read`], [`LabError::Write`].
pub fn take(
    engine: &Arc<Engine>,
    recipe: Recipe,
    vector: Option<&Arc<Vector>>,
    place: &Path,
    cancel: &Cancel,
) -> Result<Take, LabError> {
    let off = |reason: String| LabError::File { file: place.display().to_string(), reason };
    match fs::read_to_string(place) {
        Ok(text) => {
            let take = Take::from_json(&text).map_err(|error| off(error.to_string()))?;
            // The recipe itself is compared, because the id in the file is only what the file says.
            if take.recipe.id() != recipe.id() {
                return Err(off("it is the clip of another experiment; choose another folder".to_owned()));
            }
            if take.codes.frames() != recipe.frames {
                return Err(off("it is not whole; remove it, and it is made again".to_owned()));
            }
            take.check(engine.bundle())?;
            Ok(take)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let vectors: Vec<_> = vector.cloned().into_iter().collect();
            let take = generate(engine, recipe, &vectors, cancel, |_| {})?;
            whole::write(place, &serde_json::to_vec(&take).map_err(|error| off(error.to_string()))?)?;
            Ok(take)
        }
        Err(source) => Err(LabError::Read { path: place.to_owned(), source }),
    }
}

/// What a clip sounds like.
pub struct Sound {
    /// Samples, full scale 1, channels interleaved.
    pub audio: Vec<f32>,
    /// The mean of the channels.
    pub mono: Vec<f32>,
    /// Samples a second.
    pub sample_rate: u32,
}

impl Sound {
    /// Of codes that fit the engine.
    pub fn of(engine: &Arc<Engine>, codes: &Codes) -> Result<Self, LabError> {
        let codec = &engine.bundle().architecture().codec;
        let audio = encodec::decode(engine, codes)?;
        let mono = audio
            .chunks_exact(codec.channels)
            .map(|sample| sample.iter().sum::<f32>() / codec.channels as f32)
            .collect();
        Ok(Self { audio, mono, sample_rate: codec.sample_rate })
    }
}
