//! Reading music that exists: what the decoder's layers hold while it is fed given codes (teacher forcing).
//!
//! One row, without guidance. The codes are read in blocks, each going on from the keys and values of the one before:
//! GroupQueryAttention allows that for a single row, and so a reading costs what one pass over all positions costs. The
//! graph hands out activations at the last position of a block, which is thus the choice of positions.

use std::num::NonZeroUsize;
use std::sync::Arc;

use ort::session::RunOptions;

use crate::codes::Codes;
use crate::steering::Site;

use super::conditioning::Conditioning;
use super::decoder::Decoder;
use super::generation::run_options;
use super::windows::Windows;
use super::{Cancel, Engine, GenerateError, cancelled_or, check_codes, stop_if};

/// A decoder that reads.
pub struct Reading {
    engine: Arc<Engine>,
    decoder: Decoder,
    cancel: Cancel,
    options: Arc<RunOptions>,
    frames: usize,
}

/// What the layers hold at one position, before any steering: for layers L and width D, `[L,D]` each.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// The position, which has read as many frames of the first codebook.
    pub position: usize,
    /// The residual stream as it leaves each layer.
    pub residual: &'a [f32],
    /// The self-attention output of each layer after its projection.
    pub attention: &'a [f32],
    /// What the self-attention heads of each layer mixed of the values, before that projection: H heads side by side, each
    /// `D/H` wide. Empty for a reading without heads.
    pub heads: &'a [f32],
}

impl Reading {
    /// A decoder that attends to `prompt`, with room for codes of `frames` frames. An empty prompt is no condition at all.
    ///
    /// # Errors
    /// [`GenerateError::Recipe`] for more frames than the model's window or none; graphs that do not load; a cancel.
    pub fn new(
        engine: &Arc<Engine>,
        prompt: &str,
        frames: usize,
        cancel: &Cancel,
    ) -> Result<Self, GenerateError> {
        Self::of(engine, prompt, frames, false, cancel)
    }

    /// The same, which also hands out what the attention heads mix. It loads the decoder a second time.
    ///
    /// # Errors
    /// As [`Reading::new`], and a bundle whose decoder does not name what its heads mix.
    pub fn with_heads(
        engine: &Arc<Engine>,
        prompt: &str,
        frames: usize,
        cancel: &Cancel,
    ) -> Result<Self, GenerateError> {
        Self::of(engine, prompt, frames, true, cancel)
    }

    fn of(
        engine: &Arc<Engine>,
        prompt: &str,
        frames: usize,
        heads: bool,
        cancel: &Cancel,
    ) -> Result<Self, GenerateError> {
        let architecture = engine.bundle().architecture();
        let longest = architecture.window.min(architecture.max_positions - 1);
        if !(1..=longest).contains(&frames) {
            let [seconds, most] = [frames, longest].map(|frames| frames as f64 / architecture.frame_rate());
            return Err(GenerateError::Recipe(format!(
                "music of {seconds:.2} s cannot be read at once; the model reads above 0 and at most {most:.2} s"
            )));
        }
        let options = run_options(cancel)?;
        stop_if(cancel)?;
        let conditioning = Conditioning::new(engine, &[prompt], None, &options)
            .map_err(|error| cancelled_or(cancel, error))?;
        // Position 0 reads nothing yet.
        let decoder = match heads {
            true => Decoder::with_heads(engine, conditioning, frames + 1, 1)?,
            false => Decoder::new(engine, conditioning, frames + 1, 1)?,
        };
        Ok(Self { engine: Arc::clone(engine), decoder, cancel: cancel.clone(), options, frames })
    }

    /// Reads `codes` from their beginning and calls `each` at every `every`-th position and at the last, which has read
    /// the last frame of the first codebook. The codebooks that lag behind it have then read as much less.
    ///
    /// # Errors
    /// Codes that do not fit the model or the room there is, a decoder that fails or holds what is no number, a cancel.
    pub fn read(
        &mut self,
        codes: &Codes,
        every: NonZeroUsize,
        mut each: impl FnMut(Held<'_>),
    ) -> Result<(), GenerateError> {
        check_codes(codes, self.engine.bundle())?;
        let frames = codes.frames();
        if !(1..=self.frames).contains(&frames) {
            let reason = format!("{frames} frames do not fit a reading of 1 to {}", self.frames);
            return Err(GenerateError::Label(reason));
        }
        let windows = Windows::new(self.engine.bundle().architecture(), frames, 0);
        self.decoder.truncate(0);
        while self.decoder.length() <= frames {
            stop_if(&self.cancel)?;
            let first = self.decoder.length();
            // Position 0 comes before the first of the positions counted.
            let block = every.get() + usize::from(first == 0);
            let positions = block.min(frames + 1 - first);
            let tokens = self.tokens(codes, &windows, first, positions);
            let run = self.decoder.run(&tokens, positions, &self.options);
            run.map_err(|error| cancelled_or(&self.cancel, error))?;
            self.decoder.fetch()?;
            let [residual, attention] = Site::ALL.map(|site| self.decoder.activations(site));
            let heads = self.decoder.heads();
            if residual.iter().chain(attention).chain(heads).any(|value| !value.is_finite()) {
                let reason =
                    "its layers hold what is no number: the bundle's weights are damaged, import it again";
                return Err(GenerateError::Run { graph: "decoder", reason: reason.to_owned() });
            }
            each(Held { position: first + positions - 1, residual, attention, heads });
        }
        Ok(())
    }

    /// The tokens read at the positions from `first` on, `[K,S]`.
    #[expect(clippy::cast_possible_wrap, reason = "a vocabulary is at most 2^16")]
    fn tokens(&self, codes: &Codes, windows: &Windows, first: usize, positions: usize) -> Vec<i64> {
        let pad = self.engine.bundle().architecture().vocabulary as i64;
        let of_codebook = |(codebook, row): (usize, &Vec<u16>)| {
            let token =
                |position| windows.read(0, position, codebook).map_or(pad, |frame| i64::from(row[frame]));
            (first..first + positions).map(token).collect::<Vec<_>>()
        };
        codes.rows().iter().enumerate().flat_map(of_codebook).collect()
    }
}
