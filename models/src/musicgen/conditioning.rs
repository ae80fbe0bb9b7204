//! What the decoder is told of a take: prompt, negative prompt and melody, in the way its model takes them.

use ort::session::RunOptions;

use super::cross::Cross;
use super::prefix::Prefix;
use super::text::Text;
use super::{Engine, GenerateError, Melody};

/// What the decoder is told, a row for the prompt and with guidance one for the negative prompt.
#[derive(Debug)]
pub(super) struct Conditioning {
    /// Rows, B: the conditional one, and with guidance the unconditional one.
    pub rows: usize,
    /// How it is told.
    pub told: Told,
}

/// How a model's decoder is told.
#[derive(Debug)]
pub(super) enum Told {
    /// It attends to the prompt beside the music.
    Cross(Cross),
    /// Melody and prompt stand before the music.
    Prefix(Prefix),
}

impl Conditioning {
    /// Reads a prompt for each row: the prompt, and with guidance the negative one, which is nothing in particular if it
    /// has no text. Only the first row hears the melody, which the recipe has only where the model hears any.
    pub fn new(
        engine: &Engine,
        prompts: &[&str],
        melody: Option<&Melody>,
        options: &RunOptions,
    ) -> Result<Self, GenerateError> {
        let text = Text::new(engine, prompts, options)?;
        let rows = text.rows;
        let told = match &engine.bundle().architecture().chroma {
            None => Told::Cross(Cross::new(engine, &text, options)?),
            Some(chroma) => Told::Prefix(Prefix::new(engine, text, melody, chroma, options)?),
        };
        Ok(Self { rows, told })
    }

    /// Positions that stand before the music, P.
    pub fn prefix(&self) -> usize {
        match &self.told {
            Told::Cross(_) => 0,
            Told::Prefix(prefix) => prefix.positions,
        }
    }

    /// Tells of a window of music that begins at `frame` of the take, and says whether that is anything new.
    pub fn begin_at(
        &mut self,
        engine: &Engine,
        frame: usize,
        options: &RunOptions,
    ) -> Result<bool, GenerateError> {
        match &mut self.told {
            Told::Cross(_) => Ok(false),
            Told::Prefix(prefix) => prefix.begin_at(engine, frame, options),
        }
    }
}
