//! The line between scheduling and music: what the renderer needs of whoever makes sound.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tiller_models::bundle::Words;
use tiller_models::codes::Codes;
use tiller_models::musicgen::Cancel;

use crate::params::SLOTS;
use crate::state::{MadeBy, PackedCodes, Recipe, Settings};

/// Turns recipes into sound. The real one runs MusicGen ([`super::Models`]); tests bring one that makes tones.
pub trait Studio {
    /// Begins to generate a take. Quick: the work is in the steps.
    fn generate(&mut self, recipe: &Recipe, settings: &Settings) -> Box<dyn Work>;

    /// Begins to generate a take that shares its first `frame` frames with one of these tokens: its recipe is that one's
    /// in everything but what acts from there on. They are kept, and its audio begins at its start as any take's.
    fn resume(
        &mut self,
        recipe: &Recipe,
        codes: Arc<PackedCodes>,
        frame: usize,
        settings: &Settings,
    ) -> Box<dyn Work>;

    /// Begins to decode a take's tokens. Quick, as well.
    fn decode(&mut self, recipe: &Recipe, codes: Arc<PackedCodes>, settings: &Settings) -> Box<dyn Work>;

    /// Says what would decode a take's tokens.
    fn decoder(&self, recipe: &Recipe, settings: &Settings) -> Identify;

    /// The model that would be used, without loading it.
    ///
    /// # Errors
    /// A sentence that says what is missing and what to do.
    fn model(&mut self, settings: &Settings) -> Result<ModelCard, String>;

    /// Frees memory until the next work begins.
    fn rest(&mut self);
}

/// One take being made.
pub trait Work {
    /// What the next step does.
    fn stage(&self) -> Stage;

    /// Ends a step from another thread, which then fails within milliseconds. The work is over then.
    fn cancel(&self) -> Cancel;

    /// Does a bit: a frame, a chunk, or one step of preparation. `strengths` gives the slots' strengths at a second of
    /// the take; without it the recipe's curves hold.
    ///
    /// # Errors
    /// A sentence that says what to do. The work is over then.
    fn step(&mut self, strengths: Option<&Strengths>) -> Result<Step, String>;
}

/// The slots' strengths at a second of a take.
pub type Strengths<'a> = dyn Fn(f64) -> [f32; SLOTS] + 'a;

/// What a step brought.
#[derive(Debug)]
pub enum Step {
    /// Some audio, or none yet.
    More(Option<Audio>),
    /// The last audio, and for a generated take what became of it.
    Done(Option<Audio>, Option<Box<Made>>),
}

/// Some of a take's audio, in order.
#[derive(Debug, Clone)]
pub struct Audio {
    /// Samples a second.
    pub sample_rate: u32,
    /// `[channels][samples]`.
    pub channels: Vec<Vec<f32>>,
}

/// A generated take.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its tokens.
    pub codes: Codes,
    /// Its recipe with everything filled in: the model, the vectors' hashes, the curves as they were used.
    pub recipe: Recipe,
    /// What made it.
    pub by: MadeBy,
}

/// Finds out what decodes a take; put off to a step of its work, because it may load ONNX Runtime.
///
/// # Errors
/// A sentence that says what is missing and what to do.
pub type Identify = Box<dyn FnOnce() -> Result<Decoder, String>>;

/// What turns tokens into audio. The same makes the same samples of the same tokens, on the same machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoder {
    /// The bundle's id.
    pub bundle: String,
    /// Precision of the take's decoder, which the codec's goes with.
    pub precision: String,
    /// Execution provider.
    pub provider: String,
    /// ONNX Runtime's version.
    pub runtime: String,
}

impl Decoder {
    /// What decoded a take while it was generated.
    #[must_use]
    pub fn of(made: &Made) -> Self {
        Self {
            bundle: made.recipe.model_sha256.clone(),
            precision: made.recipe.precision.clone(),
            provider: made.by.provider.clone(),
            runtime: made.by.runtime.clone(),
        }
    }
}

/// A model and what belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelCard {
    /// The bundle's name.
    pub name: String,
    /// Where it is.
    pub folder: PathBuf,
    /// Execution provider and precision in use.
    pub runs_on: String,
    /// Vectors to choose from: the bundle's and the musician's.
    pub vectors: Vec<VectorChoice>,
    /// The words it was taught, where its bundle says so.
    pub words: Option<Words>,
    /// Whether it can follow a melody.
    pub hears_melodies: bool,
}

/// A steering vector to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorChoice {
    /// Its concept.
    pub name: String,
    /// SHA-256 of its file, hexadecimal.
    pub sha256: String,
    /// Its file, for one of the musician's own; `None` for one of the bundle's.
    pub file: Option<PathBuf>,
    /// What is odd about it, if anything is.
    pub warning: Option<String>,
    /// Whether its file says how its concept is read, so that it can let go of it.
    pub readable: bool,
}

/// What is being done for a take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Others sound sooner.
    Waiting,
    /// ONNX Runtime's library is loaded.
    LoadingRuntime,
    /// The model's graphs are loaded.
    LoadingModel,
    /// The prompt is read.
    EncodingPrompt,
    /// Frames that are kept are read again, because what the model remembered of them is gone.
    Recalling {
        /// Steps of the decoder done.
        step: usize,
        /// Steps in all; a take that is monitored is read from its beginning, and where windows overlap twice.
        of: usize,
    },
    /// Frames are generated, and decoded as they come.
    Generating {
        /// Frames done.
        frame: usize,
        /// Frames in all.
        of: usize,
    },
    /// Tokens become audio.
    Decoding {
        /// Frames done.
        frame: usize,
        /// Frames in all.
        of: usize,
    },
}

impl Stage {
    /// Part done, 0 to 1; `None` where it cannot be told.
    #[must_use]
    pub fn part(&self) -> Option<f32> {
        match *self {
            Self::Recalling { step: done, of }
            | Self::Generating { frame: done, of }
            | Self::Decoding { frame: done, of } => Some(done as f32 / of.max(1) as f32),
            _ => None,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("waiting"),
            Self::LoadingRuntime => f.write_str("loading ONNX Runtime"),
            Self::LoadingModel => f.write_str("loading the model"),
            Self::EncodingPrompt => f.write_str("reading the prompt"),
            Self::Recalling { step, of } => write!(f, "recalling step {step} of {of}"),
            Self::Generating { frame, of } => write!(f, "generating frame {frame} of {of}"),
            Self::Decoding { frame, of } => write!(f, "decoding frame {frame} of {of}"),
        }
    }
}
