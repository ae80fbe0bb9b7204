//! MusicGen's decoder as a graph (`MusicgenForCausalLM` and `MusicgenMelodyForCausalLM` of transformers), with a KV cache
//! written in place and steering at two sites of every layer.

use std::path::Path;

use super::ImportError;
use super::cache::CacheScales;
use super::checkpoint::Checkpoint;
use super::config::DecoderConfig;
use super::embeddings;
use super::graph::{GraphBuilder, Value};
use super::linear::{self, Matrix, linear};
use super::steering::Steering;
use crate::bundle::Precision;
use crate::bundle::contract::Signature;
use crate::onnx::{Element, signed};

/// PyTorch's default, which MusicGen leaves alone.
const NORM_EPSILON: f32 = 1e-5;
const PREFIX: &str = "decoder.model.decoder";

/// Writes `{name}.onnx` with projections and heads in `precision`; with integer weights norms stay `f32` and the
/// embeddings are `f16`. With `cache` the keys and values are 8-bit integers of these scales. In `f16` all but the inputs
/// of steering, the positions and the outputs is in half precision.
pub fn write(
    folder: &Path,
    name: &str,
    signature: &Signature,
    checkpoint: &Checkpoint,
    config: &DecoderConfig,
    precision: Precision,
    cache: Option<&CacheScales>,
) -> Result<(), ImportError> {
    let mut graph = GraphBuilder::create(folder, name, signature)?;
    let decoder = Decoder { checkpoint, config, precision, cache };
    let (layers, width) = (config.num_hidden_layers, config.hidden_size);
    // A model that is told things by a prefix attends to nothing else.
    let attends_to_text = !graph.has_input("prefix_states");
    let embedded = embeddings::write(&mut graph, checkpoint, config, precision)?;
    let mut steering = |site: &str| {
        Steering::new(&mut graph, site, layers, width, precision).sparing(embedded.is_prefix.clone())
    };
    let (residual, attention) = (steering("residual"), steering("attention"));
    let mut x = embedded.stream;
    let mut residual_out = Vec::new();
    let mut attention_out = Vec::new();
    for layer in 0..layers {
        let mixed = decoder.self_attention(&mut graph, &x, layer)?;
        attention_out.push(mixed.clone());
        let mut mixed = attention.apply(&mut graph, &mixed, layer);
        if attends_to_text {
            let (sum, normed) =
                decoder.add_and_norm(&mut graph, &x, &mixed, layer, "encoder_attn_layer_norm")?;
            mixed = decoder.cross_attention(&mut graph, &normed, layer)?;
            x = sum;
        }
        let (sum, normed) = decoder.add_and_norm(&mut graph, &x, &mixed, layer, "final_layer_norm")?;
        let forwarded = decoder.feed_forward(&mut graph, &normed, layer)?;
        x = graph.op("Add", &[&sum, &forwarded]).one();
        residual_out.push(x.clone());
        x = residual.apply(&mut graph, &x, layer);
    }
    decoder.heads(&mut graph, &x)?;
    for (name, layers) in [("residual_out", residual_out), ("attention_out", attention_out)] {
        decoder.last_of_all(&mut graph, &layers, name);
    }
    graph.finish()
}

struct Decoder<'a> {
    checkpoint: &'a Checkpoint,
    config: &'a DecoderConfig,
    precision: Precision,
    cache: Option<&'a CacheScales>,
}

impl Decoder<'_> {
    /// The graph output `name`: what `layers` `[B, S, D]` hold at the last position, `[L, B, D]`.
    fn last_of_all(&self, graph: &mut GraphBuilder, layers: &[Value], name: &str) {
        let together = graph.op("Concat", &layers.iter().collect::<Vec<_>>()).int("axis", 0).one();
        let end = graph.int(-1);
        let mut last = graph.op("Gather", &[&together, &end]).int("axis", 1).one();
        if self.precision == Precision::F16 {
            last = graph.op("Cast", &[&last]).int("to", Element::Float as usize).one();
        }
        let shape = graph.ints(&[signed(layers.len()), -1, signed(self.config.hidden_size)]);
        graph.op("Reshape", &[&last, &shape]).named(name);
    }

    /// Normed, attended over the cache and projected; not yet added to the stream.
    fn self_attention(
        &self,
        graph: &mut GraphBuilder,
        x: &Value,
        layer: usize,
    ) -> Result<Value, ImportError> {
        let (scale, bias) =
            self.norm_weights(graph, &format!("{PREFIX}.layers.{layer}.self_attn_layer_norm"))?;
        let normed = graph.op("LayerNormalization", &[x, &scale, &bias]).signed("axis", -1);
        let normed = normed.float("epsilon", NORM_EPSILON).one();
        let width = self.config.hidden_size;
        let part = |which| {
            self.matrix(&format!("{PREFIX}.layers.{layer}.self_attn.{which}_proj.weight"), width, width)
        };
        let packed = Matrix::stacked(vec![part("q")?, part("k")?, part("v")?]);
        let name = format!("{PREFIX}.layers.{layer}.self_attn.qkv");
        let qkv = linear(graph, self.precision, &normed, &name, &packed)?;
        let none = Value::absent();
        let past = ["key", "value"].map(|half| graph.input(format!("past_{half}_{layer}")));
        let (seqlens, total) = (graph.input("seqlens_k"), graph.input("total_sequence_length"));
        let mut inputs = vec![&qkv, &none, &none, &past[0], &past[1], &seqlens, &total];
        let scales = match self.cache {
            Some(cache) => cache.constants(graph, layer)?,
            None => Vec::new(),
        };
        if !scales.is_empty() {
            // Rotations, bias, positions and sinks come before the scales.
            inputs.extend([&none; 5]);
            inputs.extend(&scales);
        }
        let heads = self.config.num_attention_heads;
        let mut op = graph
            .op("GroupQueryAttention", &inputs)
            .contrib()
            .int("num_heads", heads)
            .int("kv_num_heads", heads);
        if !scales.is_empty() {
            op = op.text("k_quant_type", "PER_CHANNEL").text("v_quant_type", "PER_CHANNEL");
            op = op.int("kv_cache_bit_width", 8);
        }
        let names =
            [format!("mixed_{layer}"), format!("present_key_{layer}"), format!("present_value_{layer}")];
        let [mixed, ..] = op.float("scale", self.score_scale()).all_named(names);
        self.project(
            graph,
            &mixed,
            &format!("{PREFIX}.layers.{layer}.self_attn.out_proj.weight"),
            width,
            width,
        )
    }

    fn cross_attention(
        &self,
        graph: &mut GraphBuilder,
        normed: &Value,
        layer: usize,
    ) -> Result<Value, ImportError> {
        let prefix = format!("{PREFIX}.layers.{layer}.encoder_attn");
        let width = self.config.hidden_size;
        let query = self.project(graph, normed, &format!("{prefix}.q_proj.weight"), width, width)?;
        let [key, value] = ["key", "value"].map(|half| graph.input(format!("cross_{half}_{layer}")));
        let (none, bias) = (Value::absent(), graph.input("cross_bias"));
        let op = graph.op("MultiHeadAttention", &[&query, &key, &value, &none, &none, &bias]).contrib();
        let op = op.int("num_heads", self.config.num_attention_heads).float("scale", self.score_scale());
        let mixed = op.one();
        self.project(graph, &mixed, &format!("{prefix}.out_proj.weight"), width, width)
    }

    fn feed_forward(
        &self,
        graph: &mut GraphBuilder,
        normed: &Value,
        layer: usize,
    ) -> Result<Value, ImportError> {
        let (width, inner) = (self.config.hidden_size, self.config.ffn_dim);
        let hidden =
            self.project(graph, normed, &format!("{PREFIX}.layers.{layer}.fc1.weight"), inner, width)?;
        let active = match self.config.activation_function.as_str() {
            "gelu" => graph.op("Gelu", &[&hidden]).one(),
            "gelu_new" | "gelu_pytorch_tanh" => {
                graph.op("Gelu", &[&hidden]).text("approximate", "tanh").one()
            }
            "relu" => graph.op("Relu", &[&hidden]).one(),
            other => {
                return Err(ImportError::Unsupported(format!(
                    "its decoder's activation_function is {other:?}, not \"gelu\", \"gelu_new\" or \"relu\""
                )));
            }
        };
        self.project(graph, &active, &format!("{PREFIX}.layers.{layer}.fc2.weight"), width, inner)
    }

    /// Logits of the last position, `[B, K, V]`.
    fn heads(&self, graph: &mut GraphBuilder, x: &Value) -> Result<(), ImportError> {
        let (codebooks, vocabulary) = (self.config.num_codebooks, self.config.vocab_size);
        let end = graph.int(-1);
        let x = graph.op("Gather", &[x, &end]).int("axis", 1).one();
        let (scale, bias) = self.norm_weights(graph, &format!("{PREFIX}.layer_norm"))?;
        let x = graph.op("LayerNormalization", &[&x, &scale, &bias]).signed("axis", -1);
        let x = x.float("epsilon", NORM_EPSILON).one();
        let parts: Result<Vec<_>, _> = (0..codebooks)
            .map(|codebook| {
                self.matrix(
                    &format!("decoder.lm_heads.{codebook}.weight"),
                    vocabulary,
                    self.config.hidden_size,
                )
            })
            .collect();
        let mut logits = linear::heads(graph, self.precision, &x, "lm_heads", &Matrix::stacked(parts?))?;
        if self.precision == Precision::F16 {
            logits = graph.op("Cast", &[&logits]).int("to", Element::Float as usize).one();
        }
        let shape = graph.ints(&[0, signed(codebooks), signed(vocabulary)]);
        graph.op("Reshape", &[&logits, &shape]).named("logits");
        Ok(())
    }

    /// `x + y`, and its layer norm.
    fn add_and_norm(
        &self,
        graph: &mut GraphBuilder,
        x: &Value,
        y: &Value,
        layer: usize,
        norm: &str,
    ) -> Result<(Value, Value), ImportError> {
        let (scale, bias) = self.norm_weights(graph, &format!("{PREFIX}.layers.{layer}.{norm}"))?;
        let op = graph
            .op("SkipLayerNormalization", &[x, y, &scale, &bias])
            .contrib()
            .float("epsilon", NORM_EPSILON);
        let names = [format!("{norm}_{layer}"), String::new(), String::new(), format!("{norm}_{layer}_sum")];
        let [normed, _, _, sum] = op.all_named(names);
        Ok((sum, normed))
    }

    fn norm_weights(&self, graph: &mut GraphBuilder, prefix: &str) -> Result<(Value, Value), ImportError> {
        let width = [self.config.hidden_size];
        let mut weight = |name: String| {
            let values = self.checkpoint.tensor(&name, &width)?;
            match self.precision {
                Precision::F16 => graph.halves(&name, &width, &values),
                Precision::F32 | Precision::Int8 | Precision::Int4 => graph.floats(&name, &width, &values),
            }
        };
        Ok((weight(format!("{prefix}.weight"))?, weight(format!("{prefix}.bias"))?))
    }

    fn project(
        &self,
        graph: &mut GraphBuilder,
        x: &Value,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> Result<Value, ImportError> {
        linear(graph, self.precision, x, name, &self.matrix(name, outputs, inputs)?)
    }

    fn matrix(&self, name: &str, outputs: usize, inputs: usize) -> Result<Matrix, ImportError> {
        Ok(Matrix { outputs, inputs, values: self.checkpoint.tensor(name, &[outputs, inputs])? })
    }

    fn score_scale(&self) -> f32 {
        let head = self.config.hidden_size / self.config.num_attention_heads;
        1.0 / (head as f32).sqrt()
    }
}
