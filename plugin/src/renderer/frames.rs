//! A take's frames: generated one after the other, and decoded as they come.

use std::sync::Arc;

use tiller_models::bundle::Architecture;
use tiller_models::encodec::StreamDecoder;
use tiller_models::musicgen::{self, Cancel, Engine, Generation};
use tiller_models::steering::{self, Monitoring, Vector};

use super::engine::{planar, sentence};
use super::follow::LOOK_AT_STRENGTHS;
use super::studio::{Audio, Made, Stage, Step, Strengths};
use crate::state::{MadeBy, PackedCodes, Recipe, curve};

/// A generation, its decoder and all they have made, so that another version can go on from any of its frames.
pub(super) struct Frames {
    engine: Arc<Engine>,
    generation: Generation,
    decoder: StreamDecoder,
    vectors: Vec<Arc<Vector>>,
    /// Frames that went into the decoder.
    decoded: usize,
    /// What came out of it, interleaved, at the model's rate.
    audio: Vec<f32>,
    /// How much of that was handed out.
    told: usize,
}

impl Frames {
    /// Frames from the first one on.
    pub fn begin(
        engine: Arc<Engine>,
        recipe: musicgen::Recipe,
        vectors: Vec<Arc<Vector>>,
        cancel: &Cancel,
    ) -> Result<Self, String> {
        let generation = Generation::new(&engine, recipe, &vectors, cancel).map_err(sentence)?;
        Self::around(engine, generation, vectors, cancel)
    }

    /// Frames of which those before `frame` are known.
    pub fn resume(
        engine: Arc<Engine>,
        recipe: musicgen::Recipe,
        vectors: Vec<Arc<Vector>>,
        known: Arc<PackedCodes>,
        frame: usize,
        cancel: &Cancel,
    ) -> Result<Self, String> {
        let generation = Generation::resume(&engine, recipe, &vectors, known.codes(), frame, cancel);
        Self::around(engine, generation.map_err(sentence)?, vectors, cancel)
    }

    fn around(
        engine: Arc<Engine>,
        generation: Generation,
        vectors: Vec<Arc<Vector>>,
        cancel: &Cancel,
    ) -> Result<Self, String> {
        let decoder = StreamDecoder::cancellable(&engine, cancel).map_err(sentence)?;
        Ok(Self { engine, generation, decoder, vectors, decoded: 0, audio: Vec::new(), told: 0 })
    }

    /// How many frames of `recipe` these are already: those before the first that its strengths change.
    pub fn shared_with(&self, engine: &Arc<Engine>, recipe: &musicgen::Recipe) -> usize {
        let own = self.generation.recipe();
        let unsteered = |recipe: &musicgen::Recipe| musicgen::Recipe {
            steering: steering::Steering::default(),
            ..recipe.clone()
        };
        if !Arc::ptr_eq(engine, &self.engine) || unsteered(own) != unsteered(recipe) {
            return 0;
        }
        let differs = own.steering.first_difference(&recipe.steering, recipe.frames);
        differs.unwrap_or(recipe.frames).min(self.generation.progress().frames)
    }

    /// Becomes `recipe`, whose first `frame` frames these are, and listens to `cancel` from now on.
    pub fn go_on_as(
        &mut self,
        recipe: musicgen::Recipe,
        frame: usize,
        vectors: Vec<Arc<Vector>>,
        cancel: &Cancel,
    ) -> Result<(), String> {
        let codec = &self.engine.bundle().architecture().codec;
        self.generation.obey(cancel).map_err(sentence)?;
        self.decoder.obey(cancel).map_err(sentence)?;
        self.generation.rewind(frame, recipe.steering, &vectors).map_err(sentence)?;
        self.vectors = vectors;
        // What a cancelled step had begun to decode does not count.
        self.decoded = self.decoded.min(frame);
        let kept = self.decoder.rewind(self.decoded).map_err(sentence)?;
        self.audio.truncate(kept * codec.samples_per_frame * codec.channels);
        self.told = 0;
        Ok(())
    }

    /// The engine that makes these frames.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Memory that this holds, bytes.
    pub fn bytes(&self) -> usize {
        self.generation.bytes() + self.audio.len() * size_of::<f32>()
    }

    pub fn stage(&self) -> Stage {
        let progress = self.generation.progress();
        if self.decoded < progress.frames {
            return Stage::Decoding { frame: self.decoded, of: progress.total };
        }
        match self.generation.behind() {
            0 => Stage::Generating { frame: progress.frames, of: progress.total },
            behind => {
                let of = self.generation.to_recall();
                Stage::Recalling { step: of.saturating_sub(behind), of }
            }
        }
    }

    /// Does a bit.
    ///
    /// # Errors
    /// A sentence.
    pub fn step(&mut self, recipe: &Recipe, strengths: Option<&Strengths>) -> Result<Step, String> {
        if self.told < self.audio.len() {
            return Ok(Step::More(self.tell()));
        }
        let done = self.generation.progress().frames;
        if self.decoded < done {
            self.decode_known(done)?;
            return Ok(Step::More(self.tell()));
        }
        let looks = self.generation.behind() == 0 && done.is_multiple_of(LOOK_AT_STRENGTHS);
        if strengths.is_some() && done > 0 && looks {
            self.follow(recipe, strengths)?;
        }
        if self.generation.catch_up().map_err(sentence)? {
            return Ok(Step::More(None));
        }
        match self.generation.advance().map_err(sentence)? {
            Some(frame) => {
                self.audio.extend(self.decoder.push(frame).map_err(sentence)?);
                self.decoded += 1;
                Ok(Step::More(self.tell()))
            }
            None => {
                self.audio.extend(self.decoder.finish().map_err(sentence)?);
                Ok(Step::Done(self.tell(), Some(Box::new(self.made(recipe)))))
            }
        }
    }

    /// Decodes frames that are known, up to the next audio.
    fn decode_known(&mut self, until: usize) -> Result<(), String> {
        while self.decoded < until && self.told == self.audio.len() {
            let frame = self.generation.frame(self.decoded);
            self.audio.extend(self.decoder.push(&frame).map_err(sentence)?);
            self.decoded += 1;
        }
        Ok(())
    }

    /// The audio that nobody has got yet.
    fn tell(&mut self) -> Option<Audio> {
        let codec = &self.engine.bundle().architecture().codec;
        let fresh = &self.audio[self.told..];
        let audio = (!fresh.is_empty())
            .then(|| Audio { sample_rate: codec.sample_rate, channels: planar(fresh, codec.channels) });
        self.told = self.audio.len();
        audio
    }

    /// Takes over strengths that changed for frames that are not made yet, because the transport is ahead.
    fn follow(&mut self, recipe: &Recipe, strengths: Option<&Strengths>) -> Result<(), String> {
        let progress = self.generation.progress();
        let architecture = self.engine.bundle().architecture();
        let fresh = steering_of(recipe, &self.vectors, progress.total, architecture, strengths);
        let current = &self.generation.recipe().steering;
        let mut merged = current.clone();
        for (slot, fresh) in merged.slots.iter_mut().zip(fresh.slots) {
            let of =
                |frame| if frame < progress.frames { slot.curve.at(frame) } else { fresh.curve.at(frame) };
            slot.curve = curve::compact((0..progress.total).map(of).collect());
        }
        if current.first_difference(&merged, progress.total).is_some() {
            self.generation.rewind(progress.frames, merged, &self.vectors).map_err(sentence)?;
        }
        Ok(())
    }

    fn made(&self, recipe: &Recipe) -> Made {
        let bundle = self.engine.bundle();
        let architecture = bundle.architecture();
        let mut recipe = recipe.clone();
        recipe.model = bundle.manifest().name.clone();
        recipe.model_sha256 = bundle.id().to_owned();
        recipe.precision = self.engine.precision().to_string();
        if recipe.recording.take().is_some() && recipe.opening.is_none() {
            let opening = self.generation.recipe().opening.clone();
            recipe.opening = opening.map(|codes| Arc::new(PackedCodes::from(codes)));
        }
        if let Some(melody) = &mut recipe.melody {
            let melody = Arc::make_mut(melody);
            melody.source = None;
            melody.heard.clone_from(&self.generation.recipe().melody);
        }
        for (steering, used) in recipe.steering.iter_mut().zip(&self.generation.recipe().steering.slots) {
            steering.vector.sha256.clone_from(&used.vector);
            steering.curve = used.curve.clone();
        }
        Made {
            codes: self.generation.codes(),
            recipe,
            by: MadeBy {
                provider: self.engine.provider().to_string(),
                runtime: self.engine.runtime().version().to_string(),
                frame_rate: architecture.frame_rate(),
                sample_rate: architecture.codec.sample_rate,
            },
        }
    }
}

/// The steering of a recipe, with the transport's strengths where they are given.
pub(super) fn steering_of(
    recipe: &Recipe,
    vectors: &[Arc<Vector>],
    frames: usize,
    architecture: &Architecture,
    strengths: Option<&Strengths>,
) -> steering::Steering {
    let curve_of = |steering: &crate::state::Steering| match strengths {
        None => steering.curve.clone(),
        Some(at) => {
            let second = |frame: usize| frame as f64 / architecture.frame_rate();
            curve::compact((0..frames).map(|frame| at(second(frame))[steering.slot - 1]).collect())
        }
    };
    let slots = recipe.steering.iter().zip(vectors);
    steering::Steering {
        scale: recipe.scale,
        rows: recipe.rows,
        layers: recipe.layers,
        period: 1,
        slots: slots
            .map(|(steering, vector)| {
                let monitor = steering.vector.monitor.map(Monitoring::new);
                steering::Slot::new(vector, curve_of(steering)).monitored(monitor)
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tiller_models::bundle::Bundle;
    use tiller_models::steering::{Rule, StrengthCurve};

    use super::*;
    use crate::state::{Slot, Steering};

    #[test]
    fn what_lets_go_in_a_project_lets_go_in_the_take() {
        let bundle = Bundle::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/default")).unwrap();
        let vector = Arc::new(Vector::open(&bundle.vectors()[0]).unwrap());
        let vectors = [Arc::clone(&vector), vector];
        let steering = |slot, monitor| Steering {
            slot,
            vector: Slot { monitor, ..Slot::default() },
            curve: StrengthCurve::constant(0.5),
        };
        let recipe = Recipe {
            steering: vec![steering(1, Some(Rule::Smitin)), steering(3, None)],
            ..Recipe::default()
        };
        let steered = steering_of(&recipe, &vectors, 10, bundle.architecture(), None);
        let monitors: Vec<_> = steered.slots.iter().map(|slot| slot.monitor).collect();
        assert_eq!(monitors, [Some(Monitoring::new(Rule::Smitin)), None]);
    }
}
