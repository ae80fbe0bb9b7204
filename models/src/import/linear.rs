//! Linear projections without bias, in the precision asked for.

use super::ImportError;
use super::graph::{GraphBuilder, Value};
use crate::bundle::Precision;

/// Values that share one scale in a quantised weight.
const BLOCK: usize = 32;

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
        Precision::Int8 => quantised(graph, Bits::Eight, x, name, weight),
        Precision::Int4 => quantised(graph, Bits::Four, x, name, weight),
    }
}

/// The same for the heads, whose rounding is heard in every token at once: never less than 8 bits.
pub fn heads(
    graph: &mut GraphBuilder,
    precision: Precision,
    x: &Value,
    name: &str,
    weight: &Matrix,
) -> Result<Value, ImportError> {
    let precision = if precision == Precision::Int4 { Precision::Int8 } else { precision };
    linear(graph, precision, x, name, weight)
}

/// Width of a quantised weight.
#[derive(Debug, Clone, Copy)]
enum Bits {
    Four = 4,
    Eight = 8,
}

impl Bits {
    /// Zero of an unsigned weight; MatMulNBits assumes it when no zero points are given.
    fn zero(self) -> f32 {
        f32::from(1_u8 << (self as u8 - 1))
    }
}

fn quantised(
    graph: &mut GraphBuilder,
    bits: Bits,
    x: &Value,
    name: &str,
    weight: &Matrix,
) -> Result<Value, ImportError> {
    let blocks = weight.inputs.div_ceil(BLOCK);
    let (values, scales) = quantise(weight, bits);
    let bytes = BLOCK * bits as usize / 8;
    let name_of_values = format!("{name}.int{}", bits as usize);
    let values = graph.bytes(&name_of_values, &[weight.outputs, blocks, bytes], values)?;
    let scales = graph.floats(&format!("{name}.scale"), &[weight.outputs, blocks], &scales)?;
    let op = graph.op("MatMulNBits", &[x, &values, &scales]).contrib();
    let op = op.int("K", weight.inputs).int("N", weight.outputs).int("bits", bits as usize);
    Ok(op.int("block_size", BLOCK).int("accuracy_level", ACCURACY_LEVEL).one())
}

/// How MatMulNBits computes: 4 lets it round its other operand to 8 bits too.
const ACCURACY_LEVEL: usize = 4;

/// Unsigned values around [zero](Bits::zero), the last block of each row padded, and one scale for each block. Of 4-bit
/// values two share a byte, the first in its lower half.
fn quantise(weight: &Matrix, bits: Bits) -> (Vec<u8>, Vec<f32>) {
    let blocks = weight.inputs.div_ceil(BLOCK);
    let mut quantised = Vec::with_capacity(weight.outputs * blocks * BLOCK);
    let mut scales = Vec::with_capacity(weight.outputs * blocks);
    let zero = bits.zero();
    for block in weight.values.chunks_exact(weight.inputs).flat_map(|row| row.chunks(BLOCK)) {
        let scale = scale(block, bits);
        let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        // Within 0 and twice the zero less one, hence exact.
        quantised.extend(
            block.iter().map(|value| ((value * inverse).round() + zero).clamp(0.0, 2.0 * zero - 1.0) as u8),
        );
        quantised.resize(quantised.len().next_multiple_of(BLOCK), zero as u8);
        scales.push(scale);
    }
    match bits {
        Bits::Four => (quantised.chunks_exact(2).map(|pair| pair[0] | pair[1] << 4).collect(), scales),
        Bits::Eight => (quantised, scales),
    }
}

/// The scale of a block. With 8 bits the largest magnitude is 127 steps away from zero. With 4 there is one more step below
/// zero than above, and one of few: the largest value is put there, if need be by a negative scale.
fn scale(block: &[f32], bits: Bits) -> f32 {
    let largest = block
        .iter()
        .fold(0.0_f32, |largest, value| if value.abs() > largest.abs() { *value } else { largest });
    match bits {
        Bits::Four => -largest / bits.zero(),
        Bits::Eight => largest.abs() / 127.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waves() -> Vec<f32> {
        (0..80).map(|index| (index as f32 * 0.7).sin() * 0.3).collect()
    }

    #[test]
    fn quantised_weights_come_back_within_half_a_step() {
        let values = waves();
        let weight = Matrix { outputs: 2, inputs: 40, values: values.clone() };
        for bits in [Bits::Eight, Bits::Four] {
            let (quantised, scales) = quantise(&weight, bits);
            let unpacked: Vec<u8> = match bits {
                Bits::Eight => quantised,
                Bits::Four => quantised.iter().flat_map(|pair| [pair & 15, pair >> 4]).collect(),
            };
            assert_eq!((unpacked.len(), scales.len()), (2 * 64, 4));
            for (row, values) in values.chunks(40).enumerate() {
                for (column, value) in values.iter().enumerate() {
                    let scale = scales[row * 2 + column / BLOCK];
                    let back = (f32::from(unpacked[row * 64 + column]) - bits.zero()) * scale;
                    // Of 4 bits the side opposite to the largest value has a step less.
                    let least = if matches!(bits, Bits::Four) { 1.001 } else { 0.501 };
                    assert!(
                        (back - value).abs() <= scale.abs() * least,
                        "{bits:?}: {value} came back as {back}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_block_of_zeros_stays_zero() {
        let weight = Matrix { outputs: 1, inputs: 32, values: vec![0.0; 32] };
        let (quantised, scales) = quantise(&weight, Bits::Eight);
        assert!(quantised.iter().all(|&value| value == 128));
        assert_eq!(scales, [0.0]);
        let (quantised, scales) = quantise(&weight, Bits::Four);
        assert!(quantised.iter().all(|&value| value == 0x88));
        assert_eq!(scales[0].abs(), 0.0);
    }
}
