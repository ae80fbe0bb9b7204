//! Layers that both encoders are made of.

use std::path::Path;

use super::super::ImportError;
use super::super::checkpoint::Checkpoint;
use super::super::graph::{GraphBuilder, Value};
use super::super::linear::{Matrix, linear};
use crate::bundle::Precision;
use crate::bundle::contract::{Dim, Port, Signature};
use crate::onnx::Element;

/// A graph under construction and the weights it is made of.
pub struct Layers<'a> {
    pub graph: GraphBuilder,
    pub checkpoint: &'a Checkpoint,
}

impl<'a> Layers<'a> {
    /// Begins `folder/name.onnx`, from one input to `embedding`, `[1, width]`.
    pub fn create(
        folder: &Path,
        name: &str,
        input: Port,
        width: usize,
        checkpoint: &'a Checkpoint,
    ) -> Result<Self, ImportError> {
        let dims = vec![Dim::Fixed(1), Dim::Fixed(width)];
        let embedding = Port { name: "embedding".into(), element: Element::Float, dims };
        let signature = Signature { inputs: vec![input], outputs: vec![embedding] };
        Ok(Self { graph: GraphBuilder::create(folder, name, &signature)?, checkpoint })
    }

    /// A tensor of the checkpoint.
    pub fn weight(&mut self, name: &str, dims: &[usize]) -> Result<Value, ImportError> {
        self.graph.floats(name, dims, &self.checkpoint.tensor(name, dims)?)
    }

    /// `x [.., inputs]` times `{prefix}.weight`, `[.., outputs]`.
    pub fn product(
        &mut self,
        x: &Value,
        prefix: &str,
        outputs: usize,
        inputs: usize,
    ) -> Result<Value, ImportError> {
        let name = format!("{prefix}.weight");
        let values = self.checkpoint.tensor(&name, &[outputs, inputs])?;
        linear(&mut self.graph, Precision::F32, x, &name, &Matrix { outputs, inputs, values })
    }

    /// [`Self::product`] plus `{prefix}.bias`.
    pub fn dense(
        &mut self,
        x: &Value,
        prefix: &str,
        outputs: usize,
        inputs: usize,
    ) -> Result<Value, ImportError> {
        let product = self.product(x, prefix, outputs, inputs)?;
        let bias = self.weight(&format!("{prefix}.bias"), &[outputs])?;
        Ok(self.graph.op("Add", &[&product, &bias]).one())
    }

    /// Two dense layers with GELU between.
    pub fn feed_forward(
        &mut self,
        x: &Value,
        prefix: &str,
        width: usize,
        inner: usize,
    ) -> Result<Value, ImportError> {
        let hidden = self.dense(x, &format!("{prefix}.intermediate.dense"), inner, width)?;
        let hidden = self.graph.op("Gelu", &[&hidden]).one();
        self.dense(&hidden, &format!("{prefix}.output.dense"), width, inner)
    }

    /// Queries, keys and values of `{prefix}.self`, attention between them plus `bias`, and `{prefix}.output.dense`.
    pub fn attention(
        &mut self,
        x: &Value,
        prefix: &str,
        width: usize,
        heads: usize,
        bias: &Value,
    ) -> Result<Value, ImportError> {
        let query = self.dense(x, &format!("{prefix}.self.query"), width, width)?;
        let key = self.dense(x, &format!("{prefix}.self.key"), width, width)?;
        let value = self.dense(x, &format!("{prefix}.self.value"), width, width)?;
        let none = Value::absent();
        let mixed = self.graph.op("MultiHeadAttention", &[&query, &key, &value, &none, &none, bias]);
        let mixed = mixed.contrib().int("num_heads", heads).one();
        self.dense(&mixed, &format!("{prefix}.output.dense"), width, width)
    }

    /// Layer normalisation over the last dimension.
    pub fn norm(
        &mut self,
        x: &Value,
        prefix: &str,
        width: usize,
        epsilon: f32,
    ) -> Result<Value, ImportError> {
        let scale = self.weight(&format!("{prefix}.weight"), &[width])?;
        let bias = self.weight(&format!("{prefix}.bias"), &[width])?;
        let op = self.graph.op("LayerNormalization", &[x, &scale, &bias]).signed("axis", -1);
        Ok(op.float("epsilon", epsilon).one())
    }

    /// The same numbers in another shape.
    pub fn reshape(&mut self, x: &Value, dims: &[usize]) -> Value {
        let dims: Vec<i64> = dims.iter().map(|&dim| crate::onnx::signed(dim)).collect();
        let dims = self.graph.ints(&dims);
        self.graph.op("Reshape", &[x, &dims]).one()
    }

    /// The dimensions in another order.
    pub fn transpose(&mut self, x: &Value, order: &[usize]) -> Value {
        self.graph.op("Transpose", &[x]).ints("perm", order).one()
    }

    /// `ClapProjectionLayer` of the pooled state, and the end of the graph.
    pub fn finish(
        mut self,
        pooled: &Value,
        prefix: &str,
        width: usize,
        inputs: usize,
    ) -> Result<(), ImportError> {
        let hidden = self.dense(pooled, &format!("{prefix}.linear1"), width, inputs)?;
        let hidden = self.graph.op("Relu", &[&hidden]).one();
        let projected = self.dense(&hidden, &format!("{prefix}.linear2"), width, width)?;
        self.graph.op("Identity", &[&projected]).named("embedding");
        self.graph.finish()
    }
}
