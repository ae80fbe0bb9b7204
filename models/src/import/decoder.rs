//! MusicGen's decoder as a graph (`MusicgenForCausalLM` of transformers), with a KV cache written in place and
//! steering at two sites of every layer.

use std::path::Path;

use super::ImportError;
use super::cache::CacheScales;
use super::checkpoint::Checkpoint;
use super::config::DecoderConfig;
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
    let residual = Steering::new(&mut graph, "residual", layers, width, precision);
    let attention = Steering::new(&mut graph, "attention", layers, width, precision);
    let mut x = decoder.embed(&mut graph)?;
    let mut residual_out = Vec::new();
    let mut attention_out = Vec::new();
    for layer in 0..layers {
        let mixed = decoder.self_attention(&mut graph, &x, layer)?;
        attention_out.push(mixed.clone());
        let mixed = attention.apply(&mut graph, &mixed, layer);
        let (sum, normed) = decoder.add_and_norm(&mut graph, &x, &mixed, layer, "encoder_attn_layer_norm")?;
        let crossed = decoder.cross_attention(&mut graph, &normed, layer)?;
        let (sum, normed) = decoder.add_and_norm(&mut graph, &sum, &crossed, layer, "final_layer_norm")?;
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
    /// Sum of the codebooks' embeddings plus sinusoidal positions, `[B, S, D]`.
    fn embed(&self, graph: &mut GraphBuilder) -> Result<Value, ImportError> {
        let (codebooks, width) = (self.config.num_codebooks, self.config.hidden_size);
        // One row more than the vocabulary: the pad token.
        let rows = self.config.vocab_size + 1;
        let mut table = Vec::with_capacity(codebooks * rows * width);
        let mut offsets = Vec::with_capacity(codebooks);
        for codebook in 0..codebooks {
            let name = format!("{PREFIX}.embed_tokens.{codebook}.weight");
            table.extend(self.checkpoint.tensor(&name, &[rows, width])?);
            offsets.push(signed(codebook * rows));
        }
        let dims = [codebooks * rows, width];
        // Half precision loses far less than the 8-bit weights around it, and halves what would be the largest part of
        // a small model's file.
        let table = match self.precision {
            Precision::F32 => graph.floats("embed_tokens", &dims, &table)?,
            Precision::F16 | Precision::Int8 | Precision::Int4 => {
                graph.halves("embed_tokens", &dims, &table)?
            }
        };
        let offsets = graph.ints_shaped(&[1, codebooks, 1], &offsets);
        let ids = graph.input("input_ids");
        let row = graph.op("Add", &[&ids, &offsets]).one();
        let mut embedded = graph.op("Gather", &[&table, &row]).one();
        if self.precision != Precision::F32 {
            embedded = graph.op("Cast", &[&embedded]).int("to", Element::Float as usize).one();
        }
        let axis = graph.ints(&[1]);
        let tokens = graph.op("ReduceSum", &[&embedded, &axis]).int("keepdims", 0).one();
        let positions = self.positions(graph)?;
        let embedded = graph.op("Add", &[&tokens, &positions]).one();
        Ok(match self.precision {
            Precision::F16 => graph.op("Cast", &[&embedded]).int("to", Element::Half as usize).one(),
            Precision::F32 | Precision::Int8 | Precision::Int4 => embedded,
        })
    }

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

    /// `MusicgenSinusoidalPositionalEmbedding` at `position_ids`, `[S, D]`: cosines, then sines.
    fn positions(&self, graph: &mut GraphBuilder) -> Result<Value, ImportError> {
        let half = self.config.hidden_size / 2;
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
