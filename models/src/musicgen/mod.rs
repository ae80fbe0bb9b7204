//! MusicGen: from a recipe to codes, one frame at a time.
//!
//! An [`Engine`] is a bundle with its graphs loaded when needed, shared by everybody in the process. A [`Generation`]
//! runs one [`Recipe`] and hands out frames as they are finished; [`generate`] runs it to its end and makes a [`Take`]. A
//! [`Reading`] feeds the decoder music that exists and hands out what its layers hold.

mod buffers;
mod chroma;
mod conditioning;
mod cross;
mod decoder;
mod engine;
mod error;
mod generation;
mod heads;
mod inputs;
mod melody;
mod monitored;
mod outputs;
mod positions;
mod prefix;
mod random;
mod reading;
mod recipe;
mod sampling;
mod take;
mod text;
mod windows;

pub use chroma::ChromaExtractor;
pub use engine::{Engine, EngineOptions};
pub use error::GenerateError;
pub(crate) use error::{cancelled_or, stop_if};
pub use generation::{Generation, Progress, generate};
pub use melody::{Melody, MelodyError};
pub use reading::{Held, Reading};
pub use recipe::{LONGEST_TAKE, Recipe, frames_of};
pub use sampling::Sampling;
pub(crate) use take::check_codes;
pub use take::{SCHEMA, Take};
pub use text::PROMPT_TOKENS;

pub use crate::runtime::Cancel;
