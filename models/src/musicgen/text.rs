//! From prompts to the text encoder's states.

use ort::session::RunOptions;
use ort::value::TensorRef;
use tokenizers::{Tokenizer, TruncationParams};

use crate::bundle::Bundle;

use super::{Engine, GenerateError};

/// Tokens of a prompt that are read, the end token included; what lies beyond is cut off. T5 was trained on 512.
pub const PROMPT_TOKENS: usize = 512;

/// What the text encoder makes of a prompt for each row. B rows, T tokens of the longest, at least 1; E is its width.
#[derive(Debug)]
pub(super) struct Text {
    /// Rows, B.
    pub rows: usize,
    /// Tokens, T.
    pub tokens: usize,
    /// Tokens of each row, 0 for one without text, `[B]`.
    pub lengths: Vec<usize>,
    /// `[B,T,E]`: zeros beyond a row's text.
    pub states: Vec<f32>,
    /// `[B,T]`: 1 for text, 0 beyond it.
    pub mask: Vec<f32>,
}

impl Text {
    /// Runs the text encoder on the prompt of each row.
    pub fn new(engine: &Engine, prompts: &[&str], options: &RunOptions) -> Result<Self, GenerateError> {
        let width = engine.bundle().architecture().text_width;
        let read = prompts.iter().map(|prompt| read(engine, prompt, options));
        let read = read.collect::<Result<Vec<_>, _>>()?;
        let lengths: Vec<usize> = read.iter().map(|states| states.len() / width).collect();
        let (rows, tokens) = (read.len(), lengths.iter().copied().max().unwrap_or(0).max(1));
        let mut states = vec![0.0; rows * tokens * width];
        let mut mask = vec![0.0; rows * tokens];
        for (row, (known, &length)) in read.iter().zip(&lengths).enumerate() {
            states[row * tokens * width..][..known.len()].copy_from_slice(known);
            mask[row * tokens..][..length].fill(1.0);
        }
        Ok(Self { rows, tokens, lengths, states, mask })
    }
}

/// States of one prompt, `[tokens, E]`; none of a prompt without text.
fn read(engine: &Engine, prompt: &str, options: &RunOptions) -> Result<Vec<f32>, GenerateError> {
    if prompt.trim().is_empty() {
        return Ok(Vec::new());
    }
    let encoding =
        engine.tokenizer()?.encode_fast(prompt, true).map_err(|error| GenerateError::Tokenizer {
            bundle: engine.bundle().manifest().name.clone(),
            reason: error.to_string(),
        })?;
    let ids: Vec<i64> = encoding.get_ids().iter().map(|&id| i64::from(id)).collect();
    if !encoding.get_overflowing().is_empty() {
        tracing::warn!("the prompt is longer than {PROMPT_TOKENS} tokens; its end is not read");
    }
    let tokens = ids.len();
    let failed = |error: ort::Error| GenerateError::Run { graph: "text encoder", reason: error.to_string() };
    let mut session = engine.text_encoder.session()?;
    let mut run = || -> ort::Result<Vec<f32>> {
        let ids = TensorRef::from_array_view(([1, tokens], ids.as_slice()))?;
        let ones = vec![1.0_f32; tokens];
        let mask = TensorRef::from_array_view(([1, tokens], ones.as_slice()))?;
        let inputs = ort::inputs!["input_ids" => ids, "attention_mask" => mask];
        let outputs = session.run_with_options(inputs, options)?;
        Ok(outputs["text_states"].try_extract_tensor::<f32>()?.1.to_vec())
    };
    let states = run().map_err(failed)?;
    let expected = tokens * engine.bundle().architecture().text_width;
    if states.len() != expected || states.iter().any(|state| !state.is_finite()) {
        let reason = "its result has the wrong size or is not finite: the bundle's weights are damaged, import it again";
        return Err(GenerateError::Run { graph: "text encoder", reason: reason.to_owned() });
    }
    Ok(states)
}

/// The bundle's tokenizer, cutting prompts at [`PROMPT_TOKENS`] and padding nothing.
pub(super) fn open_tokenizer(bundle: &Bundle) -> Result<Tokenizer, GenerateError> {
    let unusable = |error: tokenizers::Error| GenerateError::Tokenizer {
        bundle: bundle.manifest().name.clone(),
        reason: error.to_string(),
    };
    let mut tokenizer = Tokenizer::from_file(bundle.tokenizer()).map_err(unusable)?;
    let truncation = TruncationParams { max_length: PROMPT_TOKENS, ..TruncationParams::default() };
    tokenizer.with_truncation(Some(truncation)).map_err(unusable)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}
