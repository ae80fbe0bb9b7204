//! What the decoder's first layer reads: tokens, what is prepended to them in a melody model, and positions.

use super::ImportError;
use super::checkpoint::Checkpoint;
use super::config::DecoderConfig;
use super::graph::{GraphBuilder, Value};
use crate::bundle::{Precision, contract};
use crate::onnx::{Element, signed};

/// The decoder's input.
pub struct Embedded {
    /// The residual stream before the first layer, `[B, S, D]`.
    pub stream: Value,
    /// `[B, S, 1]`, in a melody model: which positions are not of the music.
    pub is_prefix: Option<Value>,
}

/// Sum of the codebooks' embeddings plus the prefix, if the graph has that input, plus sinusoidal positions.
pub fn write(
    graph: &mut GraphBuilder,
    checkpoint: &Checkpoint,
    config: &DecoderConfig,
    precision: Precision,
) -> Result<Embedded, ImportError> {
    let prefix = graph.has_input("prefix_states").then(|| graph.input("prefix_states"));
    let ids = graph.input("input_ids");
    let mut stream = tokens(graph, checkpoint, config, precision, &ids, prefix.is_some())?;
    if let Some(prefix) = &prefix {
        stream = graph.op("Add", &[&stream, prefix]).one();
    }
    let positions = positions(graph, config)?;
    stream = graph.op("Add", &[&stream, &positions]).one();
    if precision == Precision::F16 {
        stream = graph.op("Cast", &[&stream]).int("to", Element::Half as usize).one();
    }
    let is_prefix = prefix.map(|_| {
        let (first, marks) = (graph.int(0), graph.int(contract::prefix_token(config.vocab_size)));
        let of_codebook = graph.op("Gather", &[&ids, &first]).int("axis", 1).one();
        let is_prefix = graph.op("Equal", &[&of_codebook, &marks]).one();
        let axis = graph.ints(&[-1]);
        graph.op("Unsqueeze", &[&is_prefix, &axis]).one()
    });
    Ok(Embedded { stream, is_prefix })
}

/// Sum of the codebooks' embeddings, `[B, S, D]`, in single precision.
fn tokens(
    graph: &mut GraphBuilder,
    checkpoint: &Checkpoint,
    config: &DecoderConfig,
    precision: Precision,
    ids: &Value,
    prefixed: bool,
) -> Result<Value, ImportError> {
    let (codebooks, width) = (config.num_codebooks, config.hidden_size);
    // One row more than the vocabulary: the pad token. What stands for a prefix is no token and adds nothing.
    let (stored, rows) = (config.vocab_size + 1, config.vocab_size + 1 + usize::from(prefixed));
    let mut table = Vec::with_capacity(codebooks * rows * width);
    let mut offsets = Vec::with_capacity(codebooks);
    for codebook in 0..codebooks {
        let name = format!("decoder.model.decoder.embed_tokens.{codebook}.weight");
        table.extend(checkpoint.tensor(&name, &[stored, width])?);
        table.resize((codebook + 1) * rows * width, 0.0);
        offsets.push(signed(codebook * rows));
    }
    let dims = [codebooks * rows, width];
    // Half precision loses far less than the 8-bit weights around it, and halves what would be the largest part of
    // a small model's file.
    let table = match precision {
        Precision::F32 => graph.floats("embed_tokens", &dims, &table)?,
        Precision::F16 | Precision::Int8 | Precision::Int4 => graph.halves("embed_tokens", &dims, &table)?,
    };
    let offsets = graph.ints_shaped(&[1, codebooks, 1], &offsets);
    let row = graph.op("Add", &[ids, &offsets]).one();
    let mut embedded = graph.op("Gather", &[&table, &row]).one();
    if precision != Precision::F32 {
        embedded = graph.op("Cast", &[&embedded]).int("to", Element::Float as usize).one();
    }
    let axis = graph.ints(&[1]);
    Ok(graph.op("ReduceSum", &[&embedded, &axis]).int("keepdims", 0).one())
}

/// `MusicgenSinusoidalPositionalEmbedding` at `position_ids`, `[S, D]`: cosines, then sines.
fn positions(graph: &mut GraphBuilder, config: &DecoderConfig) -> Result<Value, ImportError> {
    let half = config.hidden_size / 2;
    // In single precision, as PyTorch computes them: an error here grows with the position.
    let step = -(10_000_f64.ln() / (half as f64 - 1.0)) as f32;
    let rates: Vec<f32> = (0..half).map(|index| (index as f32 * step).exp()).collect();
    let rates = graph.floats("position_rates", &[1, half], &rates)?;
    let ids = graph.input("position_ids");
    let ids = graph.op("Cast", &[&ids]).int("to", Element::Float as usize).one();
    let axis = graph.ints(&[1]);
    let ids = graph.op("Unsqueeze", &[&ids, &axis]).one();
    let angles = graph.op("Mul", &[&ids, &rates]).one();
    let cosines = graph.op("Cos", &[&angles]).one();
    let sines = graph.op("Sin", &[&angles]).one();
    Ok(graph.op("Concat", &[&cosines, &sines]).int("axis", 1).one())
}
