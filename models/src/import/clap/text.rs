//! RoBERTa as a graph (`ClapTextModel` of transformers): one text without padding in, its embedding out.

use std::path::Path;

use super::super::ImportError;
use super::super::checkpoint::Checkpoint;
use super::super::graph::Value;
use super::config::{ClapConfig, TextConfig};
use super::layers::Layers;
use crate::bundle::contract::{Dim, Port};
use crate::clap::TEXT_GRAPH;
use crate::onnx::{Element, signed};

/// Writes `text.onnx`.
pub fn write(folder: &Path, checkpoint: &Checkpoint, config: &ClapConfig) -> Result<(), ImportError> {
    let (text, projection) = (&config.text_config, config.projection_dim);
    let dims = vec![Dim::Fixed(1), Dim::Free("T")];
    let ids = Port { name: "input_ids".into(), element: Element::Int64, dims };
    let mut layers = Layers::create(folder, TEXT_GRAPH, ids, projection, checkpoint)?;
    let (width, epsilon) = (text.hidden_size, text.layer_norm_eps);
    let mut x = embeddings(&mut layers, text)?;
    for layer in 0..text.num_hidden_layers {
        let prefix = format!("text_model.encoder.layer.{layer}");
        let attention = format!("{prefix}.attention");
        let mixed = layers.attention(&x, &attention, width, text.num_attention_heads, &Value::absent())?;
        let sum = layers.graph.op("Add", &[&mixed, &x]).one();
        x = layers.norm(&sum, &format!("{attention}.output.LayerNorm"), width, epsilon)?;
        let fed = layers.feed_forward(&x, &prefix, width, text.intermediate_size)?;
        let sum = layers.graph.op("Add", &[&fed, &x]).one();
        x = layers.norm(&sum, &format!("{prefix}.output.LayerNorm"), width, epsilon)?;
    }
    // The state of the first token stands for the text.
    let first = layers.graph.int(0);
    let pooled = layers.graph.op("Gather", &[&x, &first]).int("axis", 1).one();
    let pooled = layers.dense(&pooled, "text_model.pooler.dense", width, width)?;
    let pooled = layers.graph.op("Tanh", &[&pooled]).one();
    layers.finish(&pooled, "text_projection", projection, width)
}

/// Token, position and type, `[1, T, width]`. All tokens are of type 0, whose row is added to every position's.
fn embeddings(layers: &mut Layers<'_>, text: &TextConfig) -> Result<Value, ImportError> {
    let prefix = "text_model.embeddings";
    let width = text.hidden_size;
    let words = layers.weight(&format!("{prefix}.word_embeddings.weight"), &[text.vocab_size, width])?;
    let name = format!("{prefix}.token_type_embeddings.weight");
    let types = layers.checkpoint.tensor(&name, &[text.type_vocab_size, width])?;
    let name = format!("{prefix}.position_embeddings.weight");
    let mut places = layers.checkpoint.tensor(&name, &[text.max_position_embeddings, width])?;
    for row in places.chunks_exact_mut(width) {
        row.iter_mut().zip(&types).for_each(|(place, kind)| *place += kind);
    }
    let places = layers.graph.floats(&name, &[text.max_position_embeddings, width], &places)?;

    let ids = layers.graph.input("input_ids");
    let words = layers.graph.op("Gather", &[&words, &ids]).one();
    let length = layers.graph.op("Shape", &[&ids]).int("start", 1).int("end", 2).one();
    let scalar = layers.graph.ints(&[]);
    let length = layers.graph.op("Reshape", &[&length, &scalar]).one();
    let (first, one) = (layers.graph.int(signed(text.first_position())), layers.graph.int(1));
    let end = layers.graph.op("Add", &[&length, &first]).one();
    let positions = layers.graph.op("Range", &[&first, &end, &one]).one();
    let places = layers.graph.op("Gather", &[&places, &positions]).one();
    let sum = layers.graph.op("Add", &[&words, &places]).one();
    layers.norm(&sum, &format!("{prefix}.LayerNorm"), width, text.layer_norm_eps)
}
