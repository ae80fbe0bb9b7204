//! Steering as nodes of the decoder's graph: a sum of directions added at a site, scaled by the site's own norm or not.

use super::graph::{GraphBuilder, Value};
use crate::bundle::Precision;
use crate::onnx::{Element, signed};

/// Keeps the norm of zeros finite where it is taken as a reciprocal.
const NORM_EPSILON: f32 = 1e-12;

/// The steering inputs of one site, prepared once a step for all layers.
///
/// With r for `relative`, the contract's `y = (x + add * (1 + r * (|x| - 1))) * gain` is computed as
/// `x * gain + add * gain * (1 - r) + add * gain * r * |x|`, whose factors of x and |x| are the same for all positions.
/// With `add = 0, gain = 1` that is `x * 1 + 0 + 0 * |x|`: exactly x.
///
/// Where x is in half precision, |x| may be beyond it: there what is added is computed in single precision.
pub struct Steering {
    layers: Vec<Layer>,
    precision: Precision,
    width: usize,
    spared: Option<Value>,
}

/// Factors of one layer, `[C, 1, D]` or `[C, 1, 1]`.
struct Layer {
    gain: Value,
    /// What is added whatever x.
    literal: Value,
    /// What is added for each unit of |x|; with half precision, of the root of the mean square of x.
    relative: Value,
}

impl Steering {
    /// Prepares the inputs `{site}_add`, `{site}_gain` and `{site}_relative` of `layers` layers.
    pub fn new(
        graph: &mut GraphBuilder,
        site: &str,
        layers: usize,
        width: usize,
        precision: Precision,
    ) -> Self {
        let [add, gain, share] =
            ["add", "gain", "relative"].map(|part| graph.input(format!("{site}_{part}")));
        let unit = graph.float(1.0);
        let scaled = graph.op("Mul", &[&add, &gain]).one();
        let rest = graph.op("Sub", &[&unit, &share]).one();
        let literal = graph.op("Mul", &[&scaled, &rest]).one();
        let mut relative = graph.op("Mul", &[&scaled, &share]).one();
        let mut gain = gain;
        if precision == Precision::F16 {
            let root = graph.float((width as f32).sqrt());
            relative = graph.op("Mul", &[&relative, &root]).one();
            gain = graph.op("Cast", &[&gain]).int("to", Element::Half as usize).one();
        }
        let gains = by_layer(graph, &format!("{site}_gain"), &gain, layers, 1);
        let literals = by_layer(graph, &format!("{site}_literal"), &literal, layers, width);
        let relatives = by_layer(graph, &format!("{site}_relative"), &relative, layers, width);
        let parts = gains.into_iter().zip(literals).zip(relatives);
        let layers = parts.map(|((gain, literal), relative)| Layer { gain, literal, relative }).collect();
        Self { layers, precision, width, spared: None }
    }

    /// Leaves the positions alone that `positions [B, S, 1]` names, if it is there.
    pub fn sparing(self, positions: Option<Value>) -> Self {
        Self { spared: positions, ..self }
    }

    /// Steers `x [B, S, D]` as it leaves the site of `layer`.
    pub fn apply(&self, graph: &mut GraphBuilder, x: &Value, layer: usize) -> Value {
        let steered = match self.precision {
            Precision::F16 => self.apply_to_half(graph, x, &self.layers[layer]),
            Precision::F32 | Precision::Int8 | Precision::Int4 => self.apply_to_single(graph, x, layer),
        };
        match &self.spared {
            Some(spared) => graph.op("Where", &[spared, x, &steered]).one(),
            None => steered,
        }
    }

    fn apply_to_single(&self, graph: &mut GraphBuilder, x: &Value, layer: usize) -> Value {
        let Layer { gain, literal, relative } = &self.layers[layer];
        let axis = graph.ints(&[-1]);
        let norm = graph.op("ReduceL2", &[x, &axis]).int("keepdims", 1).one();
        let kept = graph.op("Mul", &[x, gain]).one();
        let kept = graph.op("Add", &[&kept, literal]).one();
        let pushed = graph.op("Mul", &[relative, &norm]).one();
        graph.op("Add", &[&kept, &pushed]).one()
    }

    /// As [`Self::apply`]. The norm is read off a root mean square normalisation, which sums in single precision and
    /// is one small kernel on a GPU, where a reduction is a call into a library.
    fn apply_to_half(&self, graph: &mut GraphBuilder, x: &Value, layer: &Layer) -> Value {
        let ones = graph.half_ones(self.width);
        let op = graph.op("SimplifiedLayerNormalization", &[x, &ones]).signed("axis", -1);
        let names = ["normed", "reciprocal"].map(|part| format!("{}_{part}", op.name()));
        let [_, reciprocal] = op.float("epsilon", NORM_EPSILON).all_named(names);
        let pushed = graph.op("Div", &[&layer.relative, &reciprocal]).one();
        let pushed = graph.op("Add", &[&pushed, &layer.literal]).one();
        let pushed = graph.op("Cast", &[&pushed]).int("to", Element::Half as usize).one();
        let kept = graph.op("Mul", &[x, &layer.gain]).one();
        graph.op("Add", &[&kept, &pushed]).one()
    }
}

/// The parts of `all [L, C, 1, width]` that belong to each layer, `[C, 1, width]`.
///
/// Layers and rows become one dimension first, so that splitting leaves no dimension to squeeze out of every part:
/// in a step of a few hundred microseconds each node counts.
fn by_layer(graph: &mut GraphBuilder, name: &str, all: &Value, layers: usize, width: usize) -> Vec<Value> {
    let shape = graph.ints(&[-1, 1, signed(width)]);
    let rows = graph.op("Reshape", &[all, &shape]).one();
    let names = (0..layers).map(|layer| format!("{name}_{layer}")).collect();
    graph.op("Split", &[&rows]).int("axis", 0).int("num_outputs", layers).list(names)
}
