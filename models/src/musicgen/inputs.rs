//! What goes into the decoder at every step: tokens with their positions, and how the step is steered.

use half::f16;
use ort::session::IoBinding;
use ort::value::{DynTensor, Tensor};

use crate::bundle::contract::attended;
use crate::onnx::Element;
use crate::steering::{Site, SiteInputs};

use super::Engine;
use super::buffers::{Memory, Shared};
use super::conditioning::Conditioning;

/// The inputs whose shape depends on the number of new positions, S.
#[derive(Debug)]
pub(super) struct TokenInputs {
    positions: usize,
    /// `[B,K,S]`.
    input_ids: Shared<i64>,
    /// `[S]`.
    position_ids: Shared<i64>,
    /// `[B]`.
    seqlens_k: Shared<i32>,
    /// `[]`; every provider reads it in the host's memory.
    total_sequence_length: Tensor<i32>,
    /// `[B,1,S,T]`.
    cross_bias: DynTensor,
}

/// The steering inputs of one site.
#[derive(Debug)]
pub(super) struct SteeringInputs {
    site: Site,
    add: Shared<f32>,
    gain: Shared<f32>,
    relative: Shared<f32>,
}

impl TokenInputs {
    pub fn new(
        memory: &Memory<'_>,
        engine: &Engine,
        conditioning: &Conditioning,
        positions: usize,
    ) -> ort::Result<Self> {
        let (rows, codebooks) = (conditioning.rows, engine.bundle().architecture().codebooks);
        let bias = cross_bias(memory, conditioning, positions, attended(engine.precision()))?;
        Ok(Self {
            positions,
            input_ids: memory.shared(&[rows, codebooks, positions])?,
            position_ids: memory.shared(&[positions])?,
            seqlens_k: memory.shared(&[rows])?,
            total_sequence_length: memory.of_host(&[])?,
            cross_bias: memory.placed(bias)?,
        })
    }

    /// New positions, S.
    pub fn positions(&self) -> usize {
        self.positions
    }

    pub fn bind(&self, binding: &mut IoBinding) -> ort::Result<()> {
        binding.bind_input("input_ids", self.input_ids.bound())?;
        binding.bind_input("position_ids", self.position_ids.bound())?;
        binding.bind_input("seqlens_k", self.seqlens_k.bound())?;
        binding.bind_input("total_sequence_length", &self.total_sequence_length)?;
        binding.bind_input("cross_bias", &self.cross_bias)
    }

    /// `tokens` `[K,S]` at the positions from `past` on.
    #[expect(
        clippy::cast_possible_wrap,
        reason = "a position is at most the bundle's max_positions, far below 2^31"
    )]
    pub fn set(&mut self, tokens: &[i64], past: usize) -> ort::Result<()> {
        for row in self.input_ids.values_mut().chunks_exact_mut(tokens.len()) {
            row.copy_from_slice(tokens);
        }
        for (position, id) in self.position_ids.values_mut().iter_mut().zip(past as i64..) {
            *position = id;
        }
        let total = (past + self.positions) as i32;
        self.seqlens_k.values_mut().fill(total - 1);
        self.total_sequence_length.extract_tensor_mut().1.fill(total);
        self.input_ids.upload()?;
        self.position_ids.upload()?;
        self.seqlens_k.upload()
    }

    /// Gives the most positions there can be as those there are. The operator reads those there are from `seqlens_k`;
    /// this number only sizes its work.
    #[expect(clippy::cast_possible_wrap, reason = "at most the bundle's max_positions, far below 2^31")]
    pub fn promise(&mut self, capacity: usize) {
        self.total_sequence_length.extract_tensor_mut().1.fill(capacity as i32);
    }
}

/// `[B,1,S,T]` from the `[B,T]` of the conditioning.
fn cross_bias(
    memory: &Memory<'_>,
    conditioning: &Conditioning,
    positions: usize,
    element: Element,
) -> ort::Result<DynTensor> {
    let (rows, tokens) = (conditioning.rows, conditioning.tokens);
    let shape = [rows, 1, positions, tokens];
    let by_position =
        conditioning.bias.chunks_exact(tokens).flat_map(|row| std::iter::repeat_n(row, positions)).flatten();
    if element == Element::Half {
        let mut bias = memory.of_host::<f16>(&shape)?;
        let least = f32::from(f16::MIN);
        for (to, from) in bias.extract_tensor_mut().1.iter_mut().zip(by_position) {
            *to = f16::from_f32(from.max(least));
        }
        return Ok(bias.upcast());
    }
    let mut bias = memory.of_host::<f32>(&shape)?;
    for (to, from) in bias.extract_tensor_mut().1.iter_mut().zip(by_position) {
        *to = *from;
    }
    Ok(bias.upcast())
}

impl SteeringInputs {
    /// The identity, for layers L, rows C and width D.
    pub fn new(memory: &Memory<'_>, site: Site, [layers, rows, width]: [usize; 3]) -> ort::Result<Self> {
        let filled = |shape: [usize; 4], value| -> ort::Result<Shared<f32>> {
            let mut tensor = memory.shared::<f32>(&shape)?;
            tensor.values_mut().fill(value);
            tensor.upload()?;
            Ok(tensor)
        };
        Ok(Self {
            site,
            add: filled([layers, rows, 1, width], 0.0)?,
            gain: filled([layers, rows, 1, 1], 1.0)?,
            relative: filled([layers, rows, 1, 1], 0.0)?,
        })
    }

    /// Sets how the steps from now on are steered.
    pub fn set(&mut self, inputs: &SiteInputs) -> ort::Result<()> {
        for (tensor, values) in [
            (&mut self.add, &inputs.add),
            (&mut self.gain, &inputs.gain),
            (&mut self.relative, &inputs.relative),
        ] {
            tensor.values_mut().copy_from_slice(values);
            tensor.upload()?;
        }
        Ok(())
    }

    pub fn bind(&self, binding: &mut IoBinding) -> ort::Result<()> {
        binding.bind_input(format!("{}_add", self.site), self.add.bound())?;
        binding.bind_input(format!("{}_gain", self.site), self.gain.bound())?;
        binding.bind_input(format!("{}_relative", self.site), self.relative.bound())
    }
}
