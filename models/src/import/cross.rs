//! The cross-attention's keys and values of a prompt as a graph: computed once, read at every step.

use std::path::Path;

use super::ImportError;
use super::checkpoint::Checkpoint;
use super::graph::{GraphBuilder, Value};
use super::linear::{Matrix, linear};
use super::prefix::projected;
use crate::bundle::Precision;
use crate::bundle::contract::Signature;
use crate::bundle::manifest::Architecture;
use crate::onnx::signed;

/// Writes `cross.onnx`.
pub fn write(
    folder: &Path,
    signature: &Signature,
    checkpoint: &Checkpoint,
    architecture: &Architecture,
) -> Result<(), ImportError> {
    let mut graph = GraphBuilder::create(folder, "cross", signature)?;
    let width = architecture.width;
    let x = text(&mut graph, checkpoint, architecture)?;
    let split = graph.ints(&[0, -1, signed(architecture.heads), signed(architecture.head_width())]);
    for layer in 0..architecture.layers {
        for (half, projection) in [("key", "k_proj"), ("value", "v_proj")] {
            let name = format!("decoder.model.decoder.layers.{layer}.encoder_attn.{projection}.weight");
            let values = checkpoint.tensor(&name, &[width, width])?;
            let y = linear(
                &mut graph,
                Precision::F32,
                &x,
                &name,
                &Matrix { outputs: width, inputs: width, values },
            )?;
            let y = graph.op("Reshape", &[&y, &split]).one();
            graph.op("Transpose", &[&y]).ints("perm", &[0, 2, 1, 3]).named(&format!("cross_{half}_{layer}"));
        }
    }
    graph.finish()
}

/// The graph's inputs `text_states` and `text_mask` as the decoder's width takes them, `[B, T, D]`.
pub fn text(
    graph: &mut GraphBuilder,
    checkpoint: &Checkpoint,
    architecture: &Architecture,
) -> Result<Value, ImportError> {
    let (width, text_width) = (architecture.width, architecture.text_width);
    let mut x = graph.input("text_states");
    // Transformers makes this projection only where the widths differ.
    if width != text_width {
        x = projected(graph, checkpoint, "enc_to_dec_proj", &x, width, text_width)?;
    }
    // The projection has a bias, so states are masked after it: the unconditional row is all zeros.
    let mask = graph.input("text_mask");
    Ok(graph.op("Mul", &[&x, &mask]).one())
}
