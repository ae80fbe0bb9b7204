//! Steering as nodes of the decoder's graph: a sum of directions added at a site, scaled by the site's own norm or not.

use super::graph::{GraphBuilder, Value};
use crate::onnx::signed;

/// The steering inputs of one site, prepared once a step for all layers.
///
/// With r for `relative`, the contract's `y = (x + add * (1 + r * (|x| - 1))) * gain` is computed as
/// `x * gain + add * gain * (1 - r) + add * gain * r * |x|`, whose factors of x and |x| are the same for all positions.
/// With `add = 0, gain = 1` that is `x * 1 + 0 + 0 * |x|`: exactly x.
pub struct Steering {
    gain: Value,
    /// What is added whatever x, `[L, C, 1, D]`.
    literal: Value,
    /// What is added for each unit of |x|, `[L, C, 1, D]`.
    relative: Value,
}

impl Steering {
    /// Prepares the inputs `{site}_add`, `{site}_gain` and `{site}_relative`.
    pub fn new(graph: &mut GraphBuilder, site: &str) -> Self {
        let [add, gain, share] =
            ["add", "gain", "relative"].map(|part| graph.input(format!("{site}_{part}")));
        let unit = graph.float(1.0);
        let scaled = graph.op("Mul", &[&add, &gain]).one();
        let rest = graph.op("Sub", &[&unit, &share]).one();
        let literal = graph.op("Mul", &[&scaled, &rest]).one();
        let relative = graph.op("Mul", &[&scaled, &share]).one();
        Self { gain, literal, relative }
    }

    /// Steers `x [B, S, D]` as it leaves the site of `layer`.
    pub fn apply(&self, graph: &mut GraphBuilder, x: &Value, layer: usize) -> Value {
        let index = graph.int(signed(layer));
        let [gain, literal, relative] = [&self.gain, &self.literal, &self.relative]
            .map(|part| graph.op("Gather", &[part, &index]).int("axis", 0).one());
        let axis = graph.ints(&[-1]);
        let norm = graph.op("ReduceL2", &[x, &axis]).int("keepdims", 1).one();
        let kept = graph.op("Mul", &[x, &gain]).one();
        let kept = graph.op("Add", &[&kept, &literal]).one();
        let pushed = graph.op("Mul", &[&relative, &norm]).one();
        graph.op("Add", &[&kept, &pushed]).one()
    }
}
