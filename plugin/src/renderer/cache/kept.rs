//! A studio that remembers what it decoded.

use std::rc::Rc;
use std::sync::Arc;

use tiller_models::musicgen::Cancel;

use super::{Cache, Key};
use crate::renderer::studio::{
    Audio, Decoder, Identify, Made, ModelCard, Stage, Step, Strengths, Studio, Work,
};
use crate::state::{PackedCodes, Recipe, Settings};

/// Another studio, with a [`Cache`] of the audio of its takes: what is there is not decoded again, and what is decoded
/// or generated is there from then on.
pub struct Kept<S> {
    studio: S,
    cache: Rc<Cache>,
}

impl<S: Studio> Kept<S> {
    /// `studio`, with `cache` before it.
    pub fn new(studio: S, cache: Cache) -> Self {
        Self { studio, cache: Rc::new(cache) }
    }

    /// Work that generates, and whose audio is to be kept.
    fn kept(&self, work: Box<dyn Work>) -> Box<dyn Work> {
        if !self.cache.is_on() {
            return work;
        }
        Box::new(Generating { work, heard: Heard::default(), cache: self.cache.clone() })
    }
}

impl<S: Studio> Studio for Kept<S> {
    fn generate(&mut self, recipe: &Recipe, settings: &Settings) -> Box<dyn Work> {
        let work = self.studio.generate(recipe, settings);
        self.kept(work)
    }

    fn resume(
        &mut self,
        recipe: &Recipe,
        codes: Arc<PackedCodes>,
        frame: usize,
        settings: &Settings,
    ) -> Box<dyn Work> {
        let work = self.studio.resume(recipe, codes, frame, settings);
        self.kept(work)
    }

    fn decode(&mut self, recipe: &Recipe, codes: Arc<PackedCodes>, settings: &Settings) -> Box<dyn Work> {
        let work = self.studio.decode(recipe, codes.clone(), settings);
        if !self.cache.is_on() {
            return work;
        }
        let phase = Phase::Look(self.studio.decoder(recipe, settings));
        Box::new(Decoding { work, codes, phase, cache: self.cache.clone() })
    }

    fn decoder(&self, recipe: &Recipe, settings: &Settings) -> Identify {
        self.studio.decoder(recipe, settings)
    }

    fn model(&mut self, settings: &Settings) -> Result<ModelCard, String> {
        self.studio.model(settings)
    }

    fn rest(&mut self) {
        self.studio.rest();
    }
}

/// A take being generated, whose audio is kept when it is whole.
struct Generating {
    work: Box<dyn Work>,
    heard: Heard,
    cache: Rc<Cache>,
}

impl Work for Generating {
    fn stage(&self) -> Stage {
        self.work.stage()
    }

    fn cancel(&self) -> Cancel {
        self.work.cancel()
    }

    fn step(&mut self, strengths: Option<&Strengths>) -> Result<Step, String> {
        let step = self.work.step(strengths)?;
        self.heard.hear(&step);
        if let Step::Done(_, Some(made)) = &step
            && let Some(audio) = self.heard.whole(made)
        {
            self.cache.keep(&Key::of(&made.codes, &Decoder::of(made)), &audio);
        }
        Ok(step)
    }
}

/// A take whose audio is looked for, and decoded if it is not there.
struct Decoding {
    work: Box<dyn Work>,
    codes: Arc<PackedCodes>,
    phase: Phase,
    cache: Rc<Cache>,
}

enum Phase {
    Look(Identify),
    Serve {
        audio: Audio,
        next: usize,
    },
    /// Under this key it is kept; without one it is not.
    Decode(Option<Key>, Heard),
    Over,
}

impl Work for Decoding {
    fn stage(&self) -> Stage {
        let Phase::Serve { audio, next } = &self.phase else { return self.work.stage() };
        let of = self.codes.codes().frames();
        Stage::Decoding { frame: next * of / audio.channels.first().map_or(1, Vec::len).max(1), of }
    }

    fn cancel(&self) -> Cancel {
        self.work.cancel()
    }

    fn step(&mut self, strengths: Option<&Strengths>) -> Result<Step, String> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Look(identify) => {
                // What cannot say by what it decodes cannot decode either, and its own step says why.
                let key = identify().ok().map(|decoder| Key::of(self.codes.codes(), &decoder));
                self.phase = match key.as_ref().and_then(|key| self.cache.find(key)) {
                    Some(audio) => Phase::Serve { audio, next: 0 },
                    None => Phase::Decode(key, Heard::default()),
                };
                Ok(Step::More(None))
            }
            Phase::Serve { audio, next } => {
                // A second at a time, so that resampling it stays a short step.
                let length = audio.channels.first().map_or(0, Vec::len);
                let end = (next + audio.sample_rate as usize).min(length);
                let part = audio.channels.iter().map(|channel| channel[next..end].to_vec()).collect();
                let part = Some(Audio { sample_rate: audio.sample_rate, channels: part });
                if end == length {
                    return Ok(Step::Done(part, None));
                }
                self.phase = Phase::Serve { audio, next: end };
                Ok(Step::More(part))
            }
            Phase::Decode(key, mut heard) => {
                let step = self.work.step(strengths)?;
                heard.hear(&step);
                if let (Step::Done(..), Some(key), Some(audio)) = (&step, &key, &heard.audio) {
                    self.cache.keep(key, audio);
                }
                self.phase = Phase::Decode(key, heard);
                Ok(step)
            }
            Phase::Over => Err("This take has ended already. Press \u{201c}Try again\u{201d}.".into()),
        }
    }
}

/// All audio that a work brought.
#[derive(Default)]
struct Heard {
    audio: Option<Audio>,
}

impl Heard {
    fn hear(&mut self, step: &Step) {
        let (Step::More(Some(audio)) | Step::Done(Some(audio), _)) = step else { return };
        match &mut self.audio {
            None => self.audio = Some(audio.clone()),
            Some(heard) => {
                for (heard, channel) in heard.channels.iter_mut().zip(&audio.channels) {
                    heard.extend(channel);
                }
            }
        }
    }

    /// The audio, if it is that of every frame made: work that goes on from an earlier rendering brings only the rest.
    fn whole(&mut self, made: &Made) -> Option<Audio> {
        let samples = made.codes.frames() as f64 * f64::from(made.by.sample_rate) / made.by.frame_rate;
        self.audio.take().filter(|audio| {
            audio.channels.first().is_some_and(|channel| channel.len() == samples.round() as usize)
        })
    }
}
