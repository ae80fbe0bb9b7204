//! What a text model's decoder attends to beside the music: keys and values of the prompt's states.

use half::f16;
use ort::session::RunOptions;
use ort::value::{DynValue, Tensor, TensorRef};

use crate::bundle::Precision;

use super::text::Text;
use super::{Engine, GenerateError};

/// Added to the attention scores of padding.
const MASKED: f32 = -1e9;

/// Keys and values of the cross-attention, the same for every step of a take.
#[derive(Debug)]
pub(super) struct Cross {
    /// Text tokens, T.
    pub tokens: usize,
    /// `[B,T]`: 0, or a large negative number for padding.
    pub bias: Vec<f32>,
    /// `cross_key_{i}` and `cross_value_{i}`, `[B,H,T,Dh]`, by name.
    pub keys_and_values: Vec<(String, DynValue)>,
}

impl Cross {
    /// Runs the cross graph. A row without text is audiocraft's: its states are masked, so that its keys and values are
    /// zero, and all of them are attended to.
    pub fn new(engine: &Engine, text: &Text, options: &RunOptions) -> Result<Self, GenerateError> {
        let mut bias = vec![0.0; text.mask.len()];
        for (row, &length) in bias.chunks_exact_mut(text.tokens).zip(&text.lengths) {
            if length > 0 {
                row[length..].fill(MASKED);
            }
        }
        let mut keys_and_values = run(engine, text, options)?;
        if engine.precision() == Precision::F16 {
            keys_and_values = keys_and_values.into_iter().map(halved).collect::<Result<_, _>>()?;
        }
        Ok(Self { tokens: text.tokens, bias, keys_and_values })
    }
}

fn run(engine: &Engine, text: &Text, options: &RunOptions) -> Result<Vec<(String, DynValue)>, GenerateError> {
    let (rows, tokens) = (text.rows, text.tokens);
    let width = engine.bundle().architecture().text_width;
    let mut session = engine.condition.session()?;
    let mut run = || -> ort::Result<Vec<(String, DynValue)>> {
        let states = TensorRef::from_array_view(([rows, tokens, width], text.states.as_slice()))?;
        let mask = TensorRef::from_array_view(([rows, tokens, 1], text.mask.as_slice()))?;
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
