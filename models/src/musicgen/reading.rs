//! Reading music that exists: what the decoder's layers hold while it is fed given codes (teacher forcing).
//!
//! One row, without guidance. The codes are read in long blocks, each going on from the keys and values of the one before:
//! GroupQueryAttention allows that for a single row. The graph hands out what the layers hold at the chosen positions of a
//! block, so that a reading costs what one pass over all positions costs, however many of them are asked for.

use std::num::NonZeroUsize;
use std::sync::Arc;

use ort::session::RunOptions;

use crate::codes::Codes;
use crate::steering::Site;

use super::conditioning::Conditioning;
use super::decoder::Decoder;
use super::generation::run_options;
use super::outputs::Purpose;
use super::windows::Windows;
use super::{Cancel, Engine, GenerateError, cancelled_or, check_codes, stop_if};

/// Positions of a block: enough to keep a processor busy, and a bound for what the layers hold of them.
const BLOCK: usize = 256;

/// A decoder that reads.
pub struct Reading {
    engine: Arc<Engine>,
    decoder: Decoder,
    cancel: Cancel,
    options: Arc<RunOptions>,
    frames: usize,
    /// Positions of a block, at least 1.
    block: usize,
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
    /// It is loaded beside the one that generates.
    ///
    /// # Errors
    /// [`GenerateError::Recipe`] for more frames than the model's window or none; graphs that do not load; a cancel.
    pub fn new(
        engine: &Arc<Engine>,
        prompt: &str,
        frames: usize,
        cancel: &Cancel,
    ) -> Result<Self, GenerateError> {
        Self::of(engine, Purpose::Reading, prompt, frames, cancel)
    }

    /// The same, which also hands out what the attention heads mix.
    ///
    /// # Errors
    /// As [`Reading::new`], and a bundle whose decoder does not name what its heads mix.
    pub fn with_heads(
        engine: &Arc<Engine>,
        prompt: &str,
        frames: usize,
        cancel: &Cancel,
    ) -> Result<Self, GenerateError> {
        Self::of(engine, Purpose::ReadingHeads, prompt, frames, cancel)
    }

    fn of(
        engine: &Arc<Engine>,
        purpose: Purpose,
        prompt: &str,
        frames: usize,
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
        let decoder = Decoder::new(engine, purpose, conditioning, frames + 1, 1)?;
        Ok(Self {
            engine: Arc::clone(engine),
            decoder,
            cancel: cancel.clone(),
            options,
            frames,
            block: BLOCK,
        })
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
        let architecture = self.engine.bundle().architecture();
        let (layers, width) = (architecture.layers, architecture.width);
        let mut rows = <[Vec<f32>; 3]>::default();
        while self.decoder.length() <= frames {
            stop_if(&self.cancel)?;
            let first = self.decoder.length();
            let positions = self.block.min(frames + 1 - first);
            let is_asked_for = |&position: &usize| {
                position > 0 && (position.is_multiple_of(every.get()) || position == frames)
            };
            let asked: Vec<usize> = (first..first + positions).filter(is_asked_for).collect();
            // The graph has to hand out something.
            let last = [first + positions - 1];
            let chosen = if asked.is_empty() { &last[..] } else { &asked[..] };
            self.decoder.choose(&chosen.iter().map(|position| position - first).collect::<Vec<_>>())?;
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
            for (index, &position) in asked.iter().enumerate() {
                // From [L, P, D] to [L, D].
                for (row, values) in rows.iter_mut().zip([residual, attention, heads]) {
                    let of_layers = values.chunks_exact(width).skip(index).step_by(chosen.len());
                    row.clear();
                    row.extend(of_layers.take(layers).flatten());
                }
                let [residual, attention, heads] = &rows;
                each(Held { position, residual, attention, heads });
            }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::bundle::{Bundle, Precision};
    use crate::import::{ImportOptions, import};
    use crate::musicgen::EngineOptions;

    /// Positions, residual streams and attention outputs at every third position.
    fn read(reading: &mut Reading, codes: &Codes) -> (Vec<usize>, Vec<f32>) {
        let (mut positions, mut values) = (Vec::new(), Vec::new());
        let each = |held: Held<'_>| {
            positions.push(held.position);
            values.extend(held.residual.iter().chain(held.attention));
        };
        reading.read(codes, NonZeroUsize::new(3).unwrap(), each).unwrap();
        (positions, values)
    }

    #[test]
    fn blocks_go_on_from_each_other_also_behind_a_prefix() {
        for name in ["small", "melody"] {
            let folder = tempfile::tempdir().unwrap();
            let checkpoint =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name).join("checkpoint");
            let options = ImportOptions { precisions: vec![Precision::F32], ..ImportOptions::default() };
            import(&checkpoint, folder.path(), &options, &mut |_| {}).unwrap();
            let engine =
                Engine::load(&Bundle::open(folder.path()).unwrap(), &EngineOptions::default()).unwrap();
            let architecture = engine.bundle().architecture();
            let code = |codebook: usize, frame: usize| {
                ((31 * codebook + 17 * frame) % architecture.vocabulary) as u16
            };
            let mut codes = Codes::empty(architecture.codebooks);
            for frame in 0..40 {
                codes.push(
                    &(0..architecture.codebooks).map(|codebook| code(codebook, frame)).collect::<Vec<_>>(),
                );
            }
            let mut reading = Reading::new(&engine, "bells", 40, &Cancel::new()).unwrap();
            let (positions, at_once) = read(&mut reading, &codes);
            assert_eq!(positions, [3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 40]);
            let peak = at_once.iter().fold(0.0_f32, |peak, value| peak.max(value.abs()));
            // 2: blocks without a position that is asked for.
            for block in [1, 2, 16, 41] {
                reading.block = block;
                let (again, values) = read(&mut reading, &codes);
                assert_eq!(again, positions);
                let far = at_once.iter().zip(&values).fold(0.0_f32, |far, (a, b)| far.max((a - b).abs()));
                assert!(far < 1e-4 * peak, "{name}, {block}: {far} of {peak}");
            }
        }
    }
}
