//! Linear projections without bias, in the precision asked for.

use super::ImportError;
use super::graph::{GraphBuilder, Value};
use crate::bundle::Precision;

/// Values that share one scale in an 8-bit weight.
const BLOCK: usize = 32;
/// Zero of an unsigned 8-bit weight; MatMulNBits assumes it when no zero points are given.
const ZERO: f32 = 128.0;

/// A weight as PyTorch stores it: `[outputs, inputs]`, row-major.
pub struct Matrix {
    pub outputs: usize,
    pub inputs: usize,
    pub values: Vec<f32>,
}

impl Matrix {
    /// Stacks matrices with equal inputs, so that one product computes all of them.
    pub fn stacked(parts: Vec<Self>) -> Self {
        let inputs = parts.first().map_or(0, |part| part.inputs);
        let outputs = parts.iter().map(|part| part.outputs).sum();
        Self { outputs, inputs, values: parts.into_iter().flat_map(|part| part.values).collect() }
    }

    /// `[inputs, outputs]`, as ONNX's MatMul takes it.
    fn transposed(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.values.len()];
        for (output, row) in self.values.chunks_exact(self.inputs).enumerate() {
            for (input, value) in row.iter().enumerate() {
                out[input * self.outputs + output] = *value;
            }
        }
        out
    }
}

/// `x [.., inputs]` times the weight, `[.., outputs]`.
pub fn linear(
    graph: &mut GraphBuilder,
    precision: Precision,
    x: &Value,
    name: &str,
    weight: &Matrix,
) -> Result<Value, ImportError> {
    match precision {
        Precision::F32 => {
            let weight = graph.floats(name, &[weight.inputs, weight.outputs], &weight.transposed())?;
            Ok(graph.op("MatMul", &[x, &weight]).one())
        }
        Precision::F16 => {
            let weight = graph.halves(name, &[weight.inputs, weight.outputs], &weight.transposed())?;
            Ok(graph.op("MatMul", &[x, &weight]).one())
        }
        Precision::Int8 => {
            let blocks = weight.inputs.div_ceil(BLOCK);
            let (quantised, scales) = quantise(weight);
            let quantised =
                graph.bytes(&format!("{name}.int8"), &[weight.outputs, blocks, BLOCK], quantised)?;
            let scales = graph.floats(&format!("{name}.scale"), &[weight.outputs, blocks], &scales)?;
            let op = graph.op("MatMulNBits", &[x, &quantised, &scales]).contrib();
            let op =
                op.int("K", weight.inputs).int("N", weight.outputs).int("bits", 8).int("block_size", BLOCK);
            Ok(op.int("accuracy_level", ACCURACY_LEVEL).one())
        }
    }
}

/// How MatMulNBits computes: 4 lets it round its other operand to 8 bits too.
const ACCURACY_LEVEL: usize = 4;

/// Unsigned 8-bit values around [`ZERO`], the last block of each row padded, and one scale for each block.
fn quantise(weight: &Matrix) -> (Vec<u8>, Vec<f32>) {
    let blocks = weight.inputs.div_ceil(BLOCK);
    let mut quantised = Vec::with_capacity(weight.outputs * blocks * BLOCK);
    let mut scales = Vec::with_capacity(weight.outputs * blocks);
    for block in weight.values.chunks_exact(weight.inputs).flat_map(|row| row.chunks(BLOCK)) {
        let largest = block.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = largest / 127.0;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        // From 1 to 255, hence exact.
        quantised
            .extend(block.iter().map(|value| ((value * inverse).round().clamp(-127.0, 127.0) + ZERO) as u8));
        quantised.resize(quantised.len().next_multiple_of(BLOCK), ZERO as u8);
        scales.push(scale);
    }
    (quantised, scales)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantised_weights_come_back_within_half_a_step() {
        let values: Vec<f32> = (0..80).map(|index| (index as f32 * 0.7).sin() * 0.3).collect();
        let (quantised, scales) = quantise(&Matrix { outputs: 2, inputs: 40, values: values.clone() });
        assert_eq!((quantised.len(), scales.len()), (2 * 64, 4));
        for (row, values) in values.chunks(40).enumerate() {
            for (column, value) in values.iter().enumerate() {
                let scale = scales[row * 2 + column / BLOCK];
                let back = (f32::from(quantised[row * 64 + column]) - ZERO) * scale;
                assert!((back - value).abs() <= scale * 0.501, "{value} came back as {back}");
            }
        }
    }

    #[test]
    fn a_block_of_zeros_stays_zero() {
        let (quantised, scales) = quantise(&Matrix { outputs: 1, inputs: 32, values: vec![0.0; 32] });
        assert!(quantised.iter().all(|&value| value == 128));
        assert_eq!(scales, [0.0]);
    }
}
