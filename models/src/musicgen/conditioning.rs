//! From prompt and negative prompt to the decoder's cross-attention keys and values.

use half::f16;
use ort::session::RunOptions;
use ort::value::{DynValue, Tensor, TensorRef};
use tokenizers::{Tokenizer, TruncationParams};

use crate::bundle::{Bundle, Precision};

use super::{Engine, GenerateError};

/// Tokens of a prompt that are read, the end token included; what lies beyond is cut off. T5 was trained on 512.
pub const PROMPT_TOKENS: usize = 512;

/// Added to the attention scores of padding.
const MASKED: f32 = -1e9;

/// What the decoder attends to, the same for every step of a take.
#[derive(Debug)]
pub(super) struct Conditioning {
    /// Rows, B: the conditional one, and with guidance the unconditional one.
    pub rows: usize,
    /// Text tokens, T.
    pub tokens: usize,
    /// `[B,T]`: 0, or a large negative number for padding.
    pub bias: Vec<f32>,
    /// `cross_key_{i}` and `cross_value_{i}`, `[B,H,T,Dh]`, by name.
    pub cross: Vec<(String, DynValue)>,
}

/// Text states of one row, `[tokens, E]`; no tokens for a row without text.
struct Text {
    states: Vec<f32>,
    tokens: usize,
}

impl Conditioning {
    /// Runs the text encoder and the cross graph on a prompt for each row: the prompt, and with guidance the negative one.
    ///
    /// A prompt without text is audiocraft's: its states are masked, so that its keys and values are zero. The
    /// unconditional row is such a row unless there is a negative prompt.
    pub fn new(engine: &Engine, prompts: &[&str], options: &RunOptions) -> Result<Self, GenerateError> {
        let texts = prompts.iter().map(|prompt| read(engine, prompt, options));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let rows = texts.len();
        let width = engine.bundle().architecture().text_width;
        let tokens = texts.iter().map(|text| text.tokens).max().unwrap_or(0).max(1);
        let mut states = vec![0.0; rows * tokens * width];
        let mut mask = vec![0.0; rows * tokens];
        let mut bias = vec![0.0; rows * tokens];
        for (row, text) in texts.iter().enumerate() {
            states[row * tokens * width..][..text.states.len()].copy_from_slice(&text.states);
            mask[row * tokens..][..text.tokens].fill(1.0);
            if text.tokens > 0 {
                bias[row * tokens + text.tokens..(row + 1) * tokens].fill(MASKED);
            }
        }
        let mut cross = cross(engine, [rows, tokens, width], &states, &mask, options)?;
        if engine.precision() == Precision::F16 {
            cross = cross.into_iter().map(halved).collect::<Result<_, _>>()?;
        }
        Ok(Self { rows, tokens, bias, cross })
    }
}

fn read(engine: &Engine, prompt: &str, options: &RunOptions) -> Result<Text, GenerateError> {
    if prompt.trim().is_empty() {
        return Ok(Text { states: Vec::new(), tokens: 0 });
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
    Ok(Text { states, tokens })
}

fn cross(
    engine: &Engine,
    [rows, tokens, width]: [usize; 3],
    states: &[f32],
    mask: &[f32],
    options: &RunOptions,
) -> Result<Vec<(String, DynValue)>, GenerateError> {
    let mut session = engine.cross.session()?;
    let mut run = || -> ort::Result<Vec<(String, DynValue)>> {
        let states = TensorRef::from_array_view(([rows, tokens, width], states))?;
        let mask = TensorRef::from_array_view(([rows, tokens, 1], mask))?;
        let inputs = ort::inputs!["text_states" => states, "text_mask" => mask];
        let outputs = session.run_with_options(inputs, options)?;
        Ok(outputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    run().map_err(|error| GenerateError::Run { graph: "cross-attention graph", reason: error.to_string() })
}

/// What the cross graph gave, as a decoder in half precision takes it.
fn halved((name, value): (String, DynValue)) -> Result<(String, DynValue), GenerateError> {
    let failed = |reason: String| GenerateError::Run { graph: "cross-attention graph", reason };
    let round = || -> ort::Result<(Vec<i64>, Vec<f16>)> {
        let (shape, values) = value.try_extract_tensor::<f32>()?;
        Ok((shape.to_vec(), values.iter().map(|&value| f16::from_f32(value)).collect()))
    };
    let (shape, values) = round().map_err(|error| failed(error.to_string()))?;
    if values.iter().any(|value| !value.is_finite()) {
        return Err(failed(format!("{name} is beyond half precision: choose f32 or int8")));
    }
    let tensor = Tensor::from_array((shape, values)).map_err(|error| failed(error.to_string()))?;
    Ok((name, tensor.into_dyn()))
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
