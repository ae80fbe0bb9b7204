//! What a melody model's decoder is told as a graph: a melody and a prompt become states that stand before the music.

use std::path::Path;

use super::ImportError;
use super::checkpoint::Checkpoint;
use super::cross::text;
use super::graph::{GraphBuilder, Value};
use super::linear::{Matrix, linear};
use crate::bundle::Precision;
use crate::bundle::contract::Signature;
use crate::bundle::manifest::{Architecture, Chroma};

/// Writes `prefix.onnx`.
pub fn write(
    folder: &Path,
    signature: &Signature,
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    chroma: &Chroma,
) -> Result<(), ImportError> {
    let mut graph = GraphBuilder::create(folder, "prefix", signature)?;
    let melody = graph.input("melody");
    // Transformers makes this projection only where the widths differ.
    let melody = if architecture.width == chroma.classes {
        melody
    } else {
        projected(
            &mut graph,
            checkpoint,
            "audio_enc_to_dec_proj",
            &melody,
            architecture.width,
            chroma.classes,
        )?
    };
    let text = text(&mut graph, checkpoint, architecture)?;
    graph.op("Concat", &[&melody, &text]).int("axis", 1).named("prefix_states");
    graph.finish()
}

/// `x [.., inputs]` through the layer `name` with its bias, `[.., outputs]`.
pub fn projected(
    graph: &mut GraphBuilder,
    checkpoint: &Checkpoint,
    name: &str,
    x: &Value,
    outputs: usize,
    inputs: usize,
) -> Result<Value, ImportError> {
    let weight = format!("{name}.weight");
    let values = checkpoint.tensor(&weight, &[outputs, inputs])?;
    let x = linear(graph, Precision::F32, x, &weight, &Matrix { outputs, inputs, values })?;
    let bias = format!("{name}.bias");
    let bias = graph.floats(&bias, &[outputs], &checkpoint.tensor(&bias, &[outputs])?)?;
    Ok(graph.op("Add", &[&x, &bias]).one())
}
