//! Steering as nodes of the decoder's graph: a sum of directions added at a site, scaled by the site's own norm or not.

use super::graph::{GraphBuilder, Value};
use crate::onnx::signed;

/// The steering inputs of one site, prepared once a step for all layers.
///
/// With r for `relative`, the contract's `y = (x + add * (1 + r * (|x| - 1))) * gain` is computed as
/// `x * gain + add * gain * (1 - r) + add * gain * r * |x|`, whose factors of x and |x| are the same for all positions.
/// With `add = 0, gain = 1` that is `x * 1 + 0 + 0 * |x|`: exactly x.
pub struct Steering {
    layers: Vec<Layer>,
}

/// Factors of one layer, `[C, 1, D]` or `[C, 1, 1]`.
struct Layer {
    gain: Value,
    /// What is added whatever x.
    literal: Value,
    /// What is added for each unit of |x|.
    relative: Value,
}

impl Steering {
    /// Prepares the inputs `{site}_add`, `{site}_gain` and `{site}_relative` of `layers` layers.
    pub fn new(graph: &mut GraphBuilder, site: &str, layers: usize, width: usize) -> Self {
        let [add, gain, share] =
            ["add", "gain", "relative"].map(|part| graph.input(format!("{site}_{part}")));
        let unit = graph.float(1.0);
        let scaled = graph.op("Mul", &[&add, &gain]).one();
        let rest = graph.op("Sub", &[&unit, &share]).one();
        let literal = graph.op("Mul", &[&scaled, &rest]).one();
        let relative = graph.op("Mul", &[&scaled, &share]).one();
        let gains = by_layer(graph, &format!("{site}_gain"), &gain, layers, 1);
        let literals = by_layer(graph, &format!("{site}_literal"), &literal, layers, width);
        let relatives = by_layer(graph, &format!("{site}_relative"), &relative, layers, width);
        let parts = gains.into_iter().zip(literals).zip(relatives);
        let layers = parts.map(|((gain, literal), relative)| Layer { gain, literal, relative }).collect();
        Self { layers }
    }

    /// Steers `x [B, S, D]` as it leaves the site of `layer`.
    pub fn apply(&self, graph: &mut GraphBuilder, x: &Value, layer: usize) -> Value {
        let Layer { gain, literal, relative } = &self.layers[layer];
        let axis = graph.ints(&[-1]);
        let norm = graph.op("ReduceL2", &[x, &axis]).int("keepdims", 1).one();
        let kept = graph.op("Mul", &[x, gain]).one();
        let kept = graph.op("Add", &[&kept, literal]).one();
        let pushed = graph.op("Mul", &[relative, &norm]).one();
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
