//! T5's encoder as a graph (`T5EncoderModel` of transformers).

use std::path::Path;

use super::ImportError;
use super::checkpoint::Checkpoint;
use super::config::TextConfig;
use super::graph::{GraphBuilder, Value};
use super::linear::{Matrix, linear};
use crate::bundle::Precision;
use crate::bundle::contract::Signature;

/// Added to the attention scores of padding. Far below any score, far above where `f32` overflows.
const MASKED: f32 = -1e9;

/// Writes `text_encoder.onnx`.
pub fn write(
    folder: &Path,
    signature: &Signature,
    checkpoint: &Checkpoint,
    config: &TextConfig,
) -> Result<(), ImportError> {
    let mut graph = GraphBuilder::create(folder, "text_encoder", signature)?;
    let encoder = TextEncoder { checkpoint, config };
    let ids = graph.input("input_ids");
    let mut x = encoder.embed(&mut graph, &ids)?;
    let bias = encoder.attention_bias(&mut graph, &ids)?;
    for layer in 0..config.num_layers {
        x = encoder.attention(&mut graph, &x, &bias, layer)?;
        x = encoder.feed_forward(&mut graph, &x, layer)?;
    }
    let scale = encoder.norm_scale(&mut graph, "text_encoder.encoder.final_layer_norm.weight")?;
    encoder.norm(&mut graph, &x, &scale).named("text_states");
    graph.finish()
}

struct TextEncoder<'a> {
    checkpoint: &'a Checkpoint,
    config: &'a TextConfig,
}

impl TextEncoder<'_> {
    fn embed(&self, graph: &mut GraphBuilder, ids: &Value) -> Result<Value, ImportError> {
        // The two names are tied; a file holds one or both.
        let shared = "text_encoder.shared.weight";
        let own = "text_encoder.encoder.embed_tokens.weight";
        let name = if !self.checkpoint.has(shared) && self.checkpoint.has(own) { own } else { shared };
        let dims = [self.config.vocab_size, self.config.d_model];
        let table = graph.floats(name, &dims, &self.checkpoint.tensor(name, &dims)?)?;
        Ok(graph.op("Gather", &[&table, ids]).one())
    }

    /// Relative position bias plus mask, `[B, heads, T, T]`, shared by all layers.
    ///
    /// A bias depends on the clamped distance alone, so the table holds one row for each distance that has its own
    /// value instead of T x T entries.
    fn attention_bias(&self, graph: &mut GraphBuilder, ids: &Value) -> Result<Value, ImportError> {
        let heads = self.config.num_heads;
        let buckets = self.config.relative_attention_num_buckets;
        let name = "text_encoder.encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
        let by_bucket = self.checkpoint.tensor(name, &[buckets, heads])?;
        let reach = i64::try_from(self.config.relative_attention_max_distance).unwrap_or(i64::MAX);
        let mut by_distance = Vec::new();
        for distance in -reach..=reach {
            let bucket = self.bucket(distance);
            by_distance.extend_from_slice(&by_bucket[bucket * heads..(bucket + 1) * heads]);
        }
        let table = graph.floats(name, &[by_distance.len() / heads, heads], &by_distance)?;

        let length = graph.op("Shape", &[ids]).int("start", 1).int("end", 2).one();
        let (scalar, zero, one) = (graph.ints(&[]), graph.int(0), graph.int(1));
        let length = graph.op("Reshape", &[&length, &scalar]).one();
        let positions = graph.op("Range", &[&zero, &length, &one]).one();
        let (axis_0, axis_1) = (graph.ints(&[0]), graph.ints(&[1]));
        let memory = graph.op("Unsqueeze", &[&positions, &axis_0]).one();
        let query = graph.op("Unsqueeze", &[&positions, &axis_1]).one();
        let distance = graph.op("Sub", &[&memory, &query]).one();
        let (least, most) = (graph.int(-reach), graph.int(reach));
        let distance = graph.op("Clip", &[&distance, &least, &most]).one();
        let row = graph.op("Add", &[&distance, &most]).one();
        let bias = graph.op("Gather", &[&table, &row]).one();
        let bias = graph.op("Transpose", &[&bias]).ints("perm", &[2, 0, 1]).one();
        let bias = graph.op("Unsqueeze", &[&bias, &axis_0]).one();

        let mask = graph.input("attention_mask");
        let axes = graph.ints(&[1, 2]);
        let mask = graph.op("Unsqueeze", &[&mask, &axes]).one();
        let (unit, masked) = (graph.float(1.0), graph.float(MASKED));
        let hidden = graph.op("Sub", &[&unit, &mask]).one();
        let hidden = graph.op("Mul", &[&hidden, &masked]).one();
        Ok(graph.op("Add", &[&bias, &hidden]).one())
    }

    /// `T5Attention._relative_position_bucket`, bidirectional, in the same single-precision arithmetic.
    fn bucket(&self, distance: i64) -> usize {
        let half = self.config.relative_attention_num_buckets / 2;
        let exact = half / 2;
        let far = usize::try_from(distance.unsigned_abs()).unwrap_or(usize::MAX);
        let bucket = if far < exact {
            far
        } else {
            let spread = (self.config.relative_attention_max_distance as f64 / exact as f64).ln() as f32;
            let place = (far as f32 / exact as f32).ln() / spread * (half - exact) as f32;
            // Truncation is the rule's own; the logarithm is not negative here.
            (exact + place as usize).min(half - 1)
        };
        if distance > 0 { half + bucket } else { bucket }
    }

    fn attention(
        &self,
        graph: &mut GraphBuilder,
        x: &Value,
        bias: &Value,
        layer: usize,
    ) -> Result<Value, ImportError> {
        let prefix = format!("text_encoder.encoder.block.{layer}.layer.0");
        let inner = self.config.d_kv * self.config.num_heads;
        let scale = self.norm_scale(graph, &format!("{prefix}.layer_norm.weight"))?;
        let normed = self.norm(graph, x, &scale).one();
        let part = |graph: &mut GraphBuilder, which| {
            self.project(
                graph,
                &normed,
                &format!("{prefix}.SelfAttention.{which}.weight"),
                inner,
                self.config.d_model,
            )
        };
        let (query, key, value) = (part(graph, "q")?, part(graph, "k")?, part(graph, "v")?);
        let none = Value::absent();
        let mixed = graph.op("MultiHeadAttention", &[&query, &key, &value, &none, &none, bias]).contrib();
        // T5 folds the usual scale into its initialisation.
        let mixed = mixed.int("num_heads", self.config.num_heads).float("scale", 1.0).one();
        let name = format!("{prefix}.SelfAttention.o.weight");
        let out = self.project(graph, &mixed, &name, self.config.d_model, inner)?;
        Ok(graph.op("Add", &[x, &out]).one())
    }

    fn feed_forward(&self, graph: &mut GraphBuilder, x: &Value, layer: usize) -> Result<Value, ImportError> {
        let prefix = format!("text_encoder.encoder.block.{layer}.layer.1");
        let (width, inner) = (self.config.d_model, self.config.d_ff);
        let scale = self.norm_scale(graph, &format!("{prefix}.layer_norm.weight"))?;
        let normed = self.norm(graph, x, &scale).one();
        let dense = |which: &str| format!("{prefix}.DenseReluDense.{which}.weight");
        let hidden = if self.config.feed_forward_proj == "gated-gelu" {
            let gate = self.project(graph, &normed, &dense("wi_0"), inner, width)?;
            // Transformers reads "gated-gelu" as the tanh approximation.
            let gate = graph.op("Gelu", &[&gate]).text("approximate", "tanh").one();
            let straight = self.project(graph, &normed, &dense("wi_1"), inner, width)?;
            graph.op("Mul", &[&gate, &straight]).one()
        } else {
            let hidden = self.project(graph, &normed, &dense("wi"), inner, width)?;
            graph.op("Relu", &[&hidden]).one()
        };
        let out = self.project(graph, &hidden, &dense("wo"), width, inner)?;
        Ok(graph.op("Add", &[x, &out]).one())
    }

    fn project(
        &self,
        graph: &mut GraphBuilder,
        x: &Value,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> Result<Value, ImportError> {
        let values = self.checkpoint.tensor(name, &[outputs, inputs])?;
        linear(graph, Precision::F32, x, name, &Matrix { outputs, inputs, values })
    }

    fn norm_scale(&self, graph: &mut GraphBuilder, name: &str) -> Result<Value, ImportError> {
        let width = [self.config.d_model];
        graph.floats(name, &width, &self.checkpoint.tensor(name, &width)?)
    }

    /// `T5LayerNorm`: by the root of the mean square, without bias.
    fn norm<'graph>(
        &self,
        graph: &'graph mut GraphBuilder,
        x: &Value,
        scale: &Value,
    ) -> super::graph::Op<'graph> {
        let op = graph.op("SimplifiedLayerNormalization", &[x, scale]).signed("axis", -1);
        op.float("epsilon", self.config.layer_norm_epsilon)
    }
}
