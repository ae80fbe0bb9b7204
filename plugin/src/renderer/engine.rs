//! The real studio: MusicGen and EnCodec on ONNX Runtime.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use tiller_models::bundle::{Architecture, Bundle, Precision, discovery};
use tiller_models::encodec::StreamDecoder;
use tiller_models::musicgen::{self, Cancel, Engine, EngineOptions, Generation, Sampling};
use tiller_models::runtime::{Provider, Runtime, module_file};
use tiller_models::steering::{self, StrengthCurve, Vector};

use super::studio::{Audio, Decoder, Identify, Made, ModelCard, Stage, Step, Strengths, Studio, Work};
use super::vectors;
use crate::preferences::Preferences;
use crate::state::{MadeBy, PackedCodes, Recipe, Settings};

/// Frames between two looks at strengths that changed while a take is generated: half a second.
const LOOK_AT_STRENGTHS: usize = 25;

/// What a step after the last one says.
const OVER: &str = "This take has ended already. Press \u{201c}Try again\u{201d}.";

/// Engines shared by all takes, loaded with the first.
#[derive(Default)]
pub struct Models {
    loaded: Loaded,
}

/// The engine used last, kept so that the next take begins at once.
type Loaded = Rc<RefCell<Option<Arc<Engine>>>>;

impl Studio for Models {
    fn generate(&mut self, recipe: &Recipe, settings: &Settings) -> Box<dyn Work> {
        Box::new(Generate { setup: Setup::new(recipe, settings, &self.loaded), phase: Phase::Runtime })
    }

    fn decode(&mut self, recipe: &Recipe, codes: Arc<PackedCodes>, settings: &Settings) -> Box<dyn Work> {
        Box::new(Decode { setup: Setup::new(recipe, settings, &self.loaded), codes, decoder: None, next: 0 })
    }

    fn decoder(&self, recipe: &Recipe, settings: &Settings) -> Identify {
        let setup = Setup::new(recipe, settings, &self.loaded);
        Box::new(move || setup.decoder())
    }

    fn model(&mut self, settings: &Settings) -> Result<ModelCard, String> {
        let bundle = open_bundle(settings, &|| false)?;
        let options = options(&settings.provider, &settings.precision)?;
        let precision = options.precision.unwrap_or(bundle.manifest().default_precision);
        Ok(ModelCard {
            name: bundle.manifest().name.clone(),
            folder: bundle.root().to_owned(),
            runs_on: format!("{}, {precision}", options.provider),
            vectors: vectors::choices(&bundle),
            words: bundle.words(),
        })
    }

    fn rest(&mut self) {
        *self.loaded.borrow_mut() = None;
    }
}

/// What both kinds of work begin with.
struct Setup {
    recipe: Recipe,
    settings: Settings,
    loaded: Loaded,
    cancel: Cancel,
}

impl Setup {
    fn new(recipe: &Recipe, settings: &Settings, loaded: &Loaded) -> Self {
        Self {
            recipe: recipe.clone(),
            settings: settings.clone(),
            loaded: loaded.clone(),
            cancel: Cancel::new(),
        }
    }

    /// The engine of the recipe's model, from memory if it is there.
    fn engine(&self) -> Result<Arc<Engine>, String> {
        let bundle = self.bundle()?;
        let options = options(&self.settings.provider, &self.recipe.precision)?;
        let engine = Engine::load(&bundle, &options).map_err(sentence)?;
        *self.loaded.borrow_mut() = Some(engine.clone());
        Ok(engine)
    }

    /// What decodes the recipe's tokens. A recipe that names its bundle needs no bundle for this.
    fn decoder(&self) -> Result<Decoder, String> {
        let provider = self.settings.provider.parse::<Provider>().map_err(sentence)?;
        let runtime = Runtime::get().map_err(sentence)?.version().to_string();
        let bundle = match self.recipe.model_sha256.as_str() {
            "" => open_bundle(&self.settings, &|| self.cancel.is_cancelled())?.id().to_owned(),
            named => named.to_owned(),
        };
        Ok(Decoder { bundle, provider: provider.to_string(), runtime })
    }

    /// The bundle the recipe names, or the one in use if it names none.
    fn bundle(&self) -> Result<Bundle, String> {
        let wanted = &self.recipe.model_sha256;
        let cancelled = || self.cancel.is_cancelled();
        let in_use = open_bundle(&self.settings, &cancelled);
        if wanted.is_empty() || in_use.as_ref().is_ok_and(|bundle| bundle.id() == wanted) {
            return in_use;
        }
        let installed = discovery::data_folder().map(|data| data.join("bundles"));
        let elsewhere = installed.iter().flat_map(std::fs::read_dir).flatten().flatten();
        let open = |path: &Path| Bundle::open_unless(path, &cancelled).ok();
        let found = elsewhere.filter_map(|entry| open(&entry.path())).find(|b| b.id() == wanted);
        found.ok_or_else(|| {
            format!(
                "This take was made with the model \u{201c}{}\u{201d} ({}), which is not here. Its tokens are kept in \
                 the project. Put that bundle into {} and press \u{201c}Try again\u{201d}.",
                self.recipe.model,
                wanted.get(..12).unwrap_or(wanted),
                installed.unwrap_or_else(|| PathBuf::from("the data folder's bundles")).display(),
            )
        })
    }
}

/// A take on its way from words to audio.
struct Generate {
    setup: Setup,
    phase: Phase,
}

enum Phase {
    Runtime,
    Model,
    Prompt(Arc<Engine>),
    Frames(Box<Frames>),
    Over,
}

struct Frames {
    engine: Arc<Engine>,
    generation: Generation,
    /// `None` after the last frame.
    decoder: Option<StreamDecoder>,
    vectors: Vec<Arc<Vector>>,
}

impl Work for Generate {
    fn cancel(&self) -> Cancel {
        self.setup.cancel.clone()
    }

    fn stage(&self) -> Stage {
        match &self.phase {
            Phase::Runtime => Stage::LoadingRuntime,
            Phase::Model => Stage::LoadingModel,
            Phase::Prompt(_) => Stage::EncodingPrompt,
            Phase::Frames(frames) => {
                let progress = frames.generation.progress();
                Stage::Generating { frame: progress.frames, of: progress.total }
            }
            Phase::Over => Stage::Waiting,
        }
    }

    fn step(&mut self, strengths: Option<&Strengths>) -> Result<Step, String> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Runtime => {
                Runtime::get().map_err(sentence)?;
                self.phase = Phase::Model;
            }
            Phase::Model => {
                let engine = self.setup.engine()?;
                engine.warm_up(&self.setup.cancel).map_err(sentence)?;
                self.phase = Phase::Prompt(engine);
            }
            Phase::Prompt(engine) => self.phase = Phase::Frames(Box::new(self.begin(engine, strengths)?)),
            Phase::Frames(mut frames) => {
                let step = frames.step(&self.setup.recipe, strengths)?;
                self.phase = Phase::Frames(frames);
                return Ok(step);
            }
            Phase::Over => return Err(OVER.into()),
        }
        Ok(Step::More(None))
    }
}

impl Generate {
    fn begin(&self, engine: Arc<Engine>, strengths: Option<&Strengths>) -> Result<Frames, String> {
        let recipe = &self.setup.recipe;
        let bundle = engine.bundle();
        let architecture = bundle.architecture();
        let vectors = recipe
            .steering
            .iter()
            .map(|steering| vectors::find(&steering.vector, bundle).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        let frames = musicgen::frames_of(recipe.seconds, architecture)?;
        let recipe = musicgen::Recipe {
            bundle: bundle.id().to_owned(),
            bundle_name: bundle.manifest().name.clone(),
            precision: engine.precision(),
            prompt: recipe.prompt.clone(),
            negative: recipe.negative.clone(),
            seed: recipe.seed,
            sampling: Sampling {
                temperature: recipe.temperature,
                top_k: recipe.top_k as usize,
                ..Sampling::default()
            },
            guidance: recipe.guidance,
            frames,
            steering: steering_of(recipe, &vectors, frames, architecture, strengths),
        };
        let cancel = &self.setup.cancel;
        let generation = Generation::new(&engine, recipe, &vectors, cancel).map_err(sentence)?;
        let decoder = StreamDecoder::cancellable(&engine, cancel).map_err(sentence)?;
        Ok(Frames { decoder: Some(decoder), engine, generation, vectors })
    }
}

impl Frames {
    fn step(&mut self, recipe: &Recipe, strengths: Option<&Strengths>) -> Result<Step, String> {
        let sample_rate = self.engine.bundle().architecture().codec.sample_rate;
        let channels = self.engine.bundle().architecture().codec.channels;
        let audio = |interleaved: Vec<f32>| {
            (!interleaved.is_empty()).then(|| Audio { sample_rate, channels: planar(&interleaved, channels) })
        };
        let done = self.generation.progress().frames;
        if strengths.is_some() && done > 0 && done.is_multiple_of(LOOK_AT_STRENGTHS) {
            self.follow(recipe, strengths)?;
        }
        let Some(mut decoder) = self.decoder.take() else { return Err(OVER.into()) };
        if let Some(frame) = self.generation.advance().map_err(sentence)? {
            let some = audio(decoder.push(frame).map_err(sentence)?);
            self.decoder = Some(decoder);
            return Ok(Step::More(some));
        }
        let rest = audio(decoder.finish().map_err(sentence)?);
        Ok(Step::Done(rest, Some(Box::new(self.made(recipe)))))
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
            slot.curve = compact((0..progress.total).map(of).collect());
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

/// A take on its way from tokens to audio.
struct Decode {
    setup: Setup,
    codes: Arc<PackedCodes>,
    decoder: Option<(Arc<Engine>, StreamDecoder)>,
    next: usize,
}

impl Work for Decode {
    fn cancel(&self) -> Cancel {
        self.setup.cancel.clone()
    }

    fn stage(&self) -> Stage {
        match &self.decoder {
            None => Stage::LoadingModel,
            Some(_) => Stage::Decoding { frame: self.next, of: self.codes.codes().frames() },
        }
    }

    fn step(&mut self, _strengths: Option<&Strengths>) -> Result<Step, String> {
        let Some((engine, mut decoder)) = self.decoder.take() else {
            Runtime::get().map_err(sentence)?;
            let engine = self.setup.engine()?;
            let decoder = StreamDecoder::cancellable(&engine, &self.setup.cancel).map_err(sentence)?;
            self.decoder = Some((engine, decoder));
            return Ok(Step::More(None));
        };
        let codec = &engine.bundle().architecture().codec;
        let audio = |interleaved: Vec<f32>| {
            (!interleaved.is_empty()).then(|| Audio {
                sample_rate: codec.sample_rate,
                channels: planar(&interleaved, codec.channels),
            })
        };
        let codes = self.codes.codes();
        while self.next < codes.frames() {
            let frame: Vec<u16> = codes.rows().iter().map(|row| row[self.next]).collect();
            self.next += 1;
            let some = audio(decoder.push(&frame).map_err(sentence)?);
            if some.is_some() {
                self.decoder = Some((engine, decoder));
                return Ok(Step::More(some));
            }
        }
        Ok(Step::Done(audio(decoder.finish().map_err(sentence)?), None))
    }
}

/// The steering of a recipe, with the transport's strengths where they are given.
fn steering_of(
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
            compact((0..frames).map(|frame| at(second(frame))[steering.slot - 1]).collect())
        }
    };
    let slots = recipe.steering.iter().zip(vectors);
    steering::Steering {
        scale: recipe.scale,
        rows: recipe.rows,
        layers: recipe.layers,
        period: 1,
        slots: slots.map(|(steering, vector)| steering::Slot::new(vector, curve_of(steering))).collect(),
    }
}

/// A curve without the repetitions at its end, which need no storing.
fn compact(mut strengths: Vec<f32>) -> StrengthCurve {
    while let [.., before, last] = strengths[..]
        && before == last
    {
        strengths.pop();
    }
    StrengthCurve::from_frames(strengths)
}

fn open_bundle(settings: &Settings, cancelled: &dyn Fn() -> bool) -> Result<Bundle, String> {
    let folder = match settings.bundle.as_str() {
        "" => discovery::find_default(module_file().as_deref()).map_err(sentence)?,
        named => PathBuf::from(named),
    };
    Bundle::open_unless(&folder, cancelled).map_err(sentence)
}

fn options(provider: &str, precision: &str) -> Result<EngineOptions, String> {
    let provider = provider.parse::<Provider>().map_err(sentence)?;
    let precision = match precision {
        "" => None,
        "f32" => Some(Precision::F32),
        "int8" => Some(Precision::Int8),
        other => return Err(format!("There is no precision \u{201c}{other}\u{201d}: choose f32 or int8.")),
    };
    let threads = Some(Preferences::in_force().threads());
    Ok(EngineOptions { precision, provider, threads, background: true })
}

fn planar(interleaved: &[f32], channels: usize) -> Vec<Vec<f32>> {
    let channels = channels.max(1);
    (0..channels)
        .map(|channel| interleaved.iter().skip(channel).step_by(channels).copied().collect())
        .collect()
}

/// An error as a sentence of its own.
fn sentence(error: impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let capital = letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{capital}{}{stop}", letters.as_str())
}
