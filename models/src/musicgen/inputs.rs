//! What goes into the decoder at every step: tokens with their positions, and how the step is steered.

use half::f16;
use ort::session::IoBinding;
use ort::value::{DynTensor, Tensor};

use crate::bundle::contract::{attended, prefix_token};
use crate::onnx::Element;
use crate::steering::{Site, SiteInputs};

use super::Engine;
use super::buffers::{Memory, Shared};
use super::conditioning::{Conditioning, Told};
use super::cross::Cross;

/// The inputs whose shape depends on the number of new positions, S.
#[derive(Debug)]
pub(super) struct TokenInputs {
    /// New positions before the music.
    prefix: usize,
    /// New positions of the music.
    positions: usize,
    /// What stands for those before the music.
    prefix_token: i64,
    /// `[B,K,S]`.
    input_ids: Shared<i64>,
    /// `[S]`.
    position_ids: Shared<i64>,
    /// `[B]`.
    seqlens_k: Shared<i32>,
    /// `[]`; every provider reads it in the host's memory.
    total_sequence_length: Tensor<i32>,
    told: ToldInput,
}

/// The input by which the decoder is told, as far as its shape depends on S.
#[derive(Debug)]
enum ToldInput {
    /// `cross_bias`, `[B,1,S,T]`.
    Bias(DynTensor),
    /// `prefix_states`, `[B,S,D]`: zeros at the music's positions.
    Prefix(DynTensor),
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
        prefix: usize,
        positions: usize,
    ) -> ort::Result<Self> {
        let architecture = engine.bundle().architecture();
        let (rows, all) = (conditioning.rows, prefix + positions);
        let told = match &conditioning.told {
            Told::Cross(cross) => {
                let bias = cross_bias(memory, cross, [rows, all], attended(engine.precision()))?;
                ToldInput::Bias(memory.placed(bias)?)
            }
            Told::Prefix(told) => {
                let states = &told.states[..rows * prefix * architecture.width];
                let states = prefix_states(memory, states, [rows, prefix, all, architecture.width])?;
                ToldInput::Prefix(memory.placed(states)?)
            }
        };
        Ok(Self {
            prefix,
            positions,
            prefix_token: prefix_token(architecture.vocabulary),
            input_ids: memory.shared(&[rows, architecture.codebooks, all])?,
            position_ids: memory.shared(&[all])?,
            seqlens_k: memory.shared(&[rows])?,
            total_sequence_length: memory.of_host(&[])?,
            told,
        })
    }

    /// New positions before the music, and of the music.
    pub fn positions(&self) -> [usize; 2] {
        [self.prefix, self.positions]
    }

    pub fn bind(&self, binding: &mut IoBinding) -> ort::Result<()> {
        binding.bind_input("input_ids", self.input_ids.bound())?;
        binding.bind_input("position_ids", self.position_ids.bound())?;
        binding.bind_input("seqlens_k", self.seqlens_k.bound())?;
        binding.bind_input("total_sequence_length", &self.total_sequence_length)?;
        match &self.told {
            ToldInput::Bias(bias) => binding.bind_input("cross_bias", bias),
            ToldInput::Prefix(states) => binding.bind_input("prefix_states", states),
        }
    }

    /// `tokens` `[K,S]` of the music, at the positions from `past` on and behind what is told before it.
    #[expect(
        clippy::cast_possible_wrap,
        reason = "a position is at most the bundle's max_positions, far below 2^31"
    )]
    pub fn set(&mut self, tokens: &[i64], past: usize) -> ort::Result<()> {
        let (prefix, positions) = (self.prefix, self.positions);
        let of_codebooks = self.input_ids.values_mut().chunks_exact_mut(prefix + positions);
        for (ids, tokens) in of_codebooks.zip(tokens.chunks_exact(positions).cycle()) {
            let (before, music) = ids.split_at_mut(prefix);
            before.fill(self.prefix_token);
            music.copy_from_slice(tokens);
        }
        for (position, id) in self.position_ids.values_mut().iter_mut().zip(past as i64..) {
            *position = id;
        }
        let total = (past + prefix + positions) as i32;
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

/// `[B,S,D]` from the states `[B,P,D]` of the positions before the music: zeros at the others.
fn prefix_states(
    memory: &Memory<'_>,
    states: &[f32],
    [rows, prefix, positions, width]: [usize; 4],
) -> ort::Result<DynTensor> {
    let mut all = memory.of_host::<f32>(&[rows, positions, width])?;
    let values = all.extract_tensor_mut().1;
    values.fill(0.0);
    if prefix > 0 {
        let known = states.chunks_exact(prefix * width);
        for (row, states) in values.chunks_exact_mut(positions * width).zip(known) {
            row[..states.len()].copy_from_slice(states);
        }
    }
    Ok(all.upcast())
}

/// `[B,1,S,T]` from the `[B,T]` of what is attended to.
fn cross_bias(
    memory: &Memory<'_>,
    cross: &Cross,
    [rows, positions]: [usize; 2],
    element: Element,
) -> ort::Result<DynTensor> {
    let shape = [rows, 1, positions, cross.tokens];
    let by_position =
        cross.bias.chunks_exact(cross.tokens).flat_map(|row| std::iter::repeat_n(row, positions)).flatten();
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
