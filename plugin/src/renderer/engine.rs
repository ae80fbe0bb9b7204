//! The real studio: MusicGen and EnCodec on ONNX Runtime.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use tiller_models::bundle::{Bundle, Precision, discovery};
use tiller_models::codes::Codes;
use tiller_models::encodec::{self, StreamDecoder};
use tiller_models::lab::sound_of;
use tiller_models::musicgen::{self, Cancel, Engine, EngineOptions, Sampling};
use tiller_models::runtime::{Provider, Runtime, module_file};

use super::frames::{Frames, steering_of};
use super::hearing::hear;
use super::shelf::Shelf;
use super::studio::{Audio, Decoder, Identify, ModelCard, Stage, Step, Strengths, Studio, Work};
use super::vectors;
use crate::preferences::Preferences;
use crate::state::{PackedCodes, Recipe, Settings};

/// What a step after the last one says.
const OVER: &str = "This take has ended already. Press \u{201c}Try again\u{201d}.";

/// Engines shared by all takes, loaded with the first.
#[derive(Default)]
pub struct Models {
    loaded: Loaded,
    shelf: Shelf,
}

/// The engine used last, kept so that the next take begins at once.
type Loaded = Rc<RefCell<Option<Arc<Engine>>>>;

impl Studio for Models {
    fn generate(&mut self, recipe: &Recipe, settings: &Settings) -> Box<dyn Work> {
        self.generation(recipe, None, settings)
    }

    fn resume(
        &mut self,
        recipe: &Recipe,
        codes: Arc<PackedCodes>,
        frame: usize,
        settings: &Settings,
    ) -> Box<dyn Work> {
        self.generation(recipe, Some((codes, frame)), settings)
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
        let precision =
            options.precision.unwrap_or_else(|| Engine::default_precision(&bundle, options.provider));
        Ok(ModelCard {
            name: bundle.manifest().name.clone(),
            folder: bundle.root().to_owned(),
            runs_on: format!("{}, {precision}", options.provider),
            vectors: vectors::choices(&bundle),
            words: bundle.words(),
            hears_melodies: bundle.architecture().chroma.is_some(),
        })
    }

    fn rest(&mut self) {
        self.shelf.clear();
        *self.loaded.borrow_mut() = None;
    }
}

impl Models {
    fn generation(
        &self,
        recipe: &Recipe,
        known: Option<(Arc<PackedCodes>, usize)>,
        settings: &Settings,
    ) -> Box<dyn Work> {
        let setup = Setup::new(recipe, settings, &self.loaded);
        Box::new(Generate { setup, known, shelf: self.shelf.clone(), phase: Phase::Runtime })
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

    /// What decodes the recipe's tokens. A recipe that names its bundle and precision needs no bundle for
    /// this.
    fn decoder(&self) -> Result<Decoder, String> {
        let provider = self.settings.provider.parse::<Provider>().map_err(sentence)?;
        let runtime = Runtime::get().map_err(sentence)?.version().to_string();
        let bundle = match self.recipe.model_sha256.as_str() {
            "" => open_bundle(&self.settings, &|| self.cancel.is_cancelled())?.id().to_owned(),
            named => named.to_owned(),
        };
        let precision = match self.recipe.precision.as_str() {
            "" => Engine::default_precision(&self.bundle()?, provider).to_string(),
            named => named.to_owned(),
        };
        Ok(Decoder { bundle, precision, provider: provider.to_string(), runtime })
    }

    /// The bundle the recipe names, or the one in use if it names none.
    fn bundle(&self) -> Result<Bundle, String> {
        let wanted = &self.recipe.model_sha256;
        let cancelled = || self.cancel.is_cancelled();
        let in_use = open_bundle(&self.settings, &cancelled);
        if wanted.is_empty() || in_use.as_ref().is_ok_and(|bundle| bundle.id() == wanted) {
            return in_use;
        }
        let installed = discovery::bundles_folder();
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
    /// Tokens of an earlier version, and how many of their frames stay.
    known: Option<(Arc<PackedCodes>, usize)>,
    shelf: Shelf,
    phase: Phase,
}

enum Phase {
    Runtime,
    Model,
    Prompt(Arc<Engine>),
    Frames(Box<Frames>),
    Over,
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
            Phase::Frames(frames) => frames.stage(),
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
                match step {
                    Step::More(_) => self.phase = Phase::Frames(frames),
                    Step::Done(..) => self.shelf.put(*frames),
                }
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
        let heard = |melody| hear(melody, &engine, &self.setup.cancel);
        let melody = recipe.melody.as_deref().map(heard).transpose()?;
        let recipe = musicgen::Recipe {
            negative: recipe.negative.clone(),
            sampling: Sampling {
                temperature: recipe.temperature,
                top_k: recipe.top_k as usize,
                ..Sampling::default()
            },
            guidance: recipe.guidance,
            steering: steering_of(recipe, &vectors, frames, architecture, strengths),
            melody,
            opening: opening_of(recipe, &engine)?,
            ..musicgen::Recipe::plain(&engine, &*recipe.prompt, recipe.seed, frames)
        };
        let cancel = &self.setup.cancel;
        let known = self.known.clone();
        if let Some((mut frames, shared)) = self.shelf.take(&engine, &recipe) {
            // What is known but not on the shelf is read again, which costs less than to go on without it.
            if known.as_ref().is_none_or(|&(_, frame)| shared >= frame) {
                frames.go_on_as(recipe, shared, vectors, cancel)?;
                return Ok(frames);
            }
            self.shelf.put(frames);
        }
        match known {
            Some((codes, frame)) => Frames::resume(engine, recipe, vectors, codes, frame, cancel),
            None => Frames::begin(engine, recipe, vectors, cancel),
        }
    }
}

/// The codes that a take begins with: those that it names, or of the recording that it names.
fn opening_of(recipe: &Recipe, engine: &Arc<Engine>) -> Result<Option<Codes>, String> {
    let Some(recording) = recipe.recording.as_ref().filter(|_| recipe.opening.is_none()) else {
        return Ok(recipe.opening.as_ref().map(|opening| opening.codes().clone()));
    };
    let samples = sound_of(Path::new(recording), engine.bundle()).map_err(sentence)?;
    encodec::encode(engine, &samples).map(Some).map_err(sentence)
}

/// Given up on the way, what there is serves the version that is asked for next.
impl Drop for Generate {
    fn drop(&mut self) {
        if let Phase::Frames(frames) = std::mem::replace(&mut self.phase, Phase::Over) {
            self.shelf.put(*frames);
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
            let frame = codes.frame(self.next);
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

/// The bundle in use.
///
/// # Errors
/// A sentence that says what is missing or wrong with it; anything once `cancelled` says so.
pub(crate) fn open_bundle(settings: &Settings, cancelled: &dyn Fn() -> bool) -> Result<Bundle, String> {
    let folder = match settings.bundle.as_str() {
        "" => discovery::find_default(module_file().as_deref()).map_err(sentence)?,
        named => PathBuf::from(named),
    };
    Bundle::open_unless(&folder, cancelled).map_err(sentence)
}

/// How a bundle is run in a host.
///
/// # Errors
/// A sentence about a provider or a precision that there is not.
pub(crate) fn options(provider: &str, precision: &str) -> Result<EngineOptions, String> {
    let provider = provider.parse::<Provider>().map_err(sentence)?;
    let precision = match precision {
        "" => None,
        named => Some(named.parse::<Precision>().map_err(sentence)?),
    };
    let threads = Some(Preferences::in_force().threads());
    Ok(EngineOptions { precision, provider, threads, background: true })
}

pub(super) fn planar(interleaved: &[f32], channels: usize) -> Vec<Vec<f32>> {
    let channels = channels.max(1);
    (0..channels)
        .map(|channel| interleaved.iter().skip(channel).step_by(channels).copied().collect())
        .collect()
}

/// An error as a sentence of its own.
/// An error as a sentence.
pub(crate) fn sentence(error: impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let capital = letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{capital}{}{stop}", letters.as_str())
}
