//! The decoder graph bound to buffers that live as long as a take: keys and values are updated in place, and a step
//! copies nothing but its tokens.

use std::sync::Arc;

use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, RunOptions, Session};
use ort::value::Tensor;

use crate::runtime::{Graph, Provider};
use crate::steering::{Site, SiteInputs};

use super::conditioning::Conditioning;
use super::{Engine, GenerateError};

/// One decoder with its own keys and values. B rows, K codebooks, V vocabulary.
#[derive(Debug)]
pub(super) struct Decoder {
    engine: Arc<Engine>,
    conditioning: Conditioning,
    binding: IoBinding,
    tokens: TokenInputs,
    steering: [SteeringInputs; 2],
    /// `[B,K,V]`.
    logits: Tensor<f32>,
    /// `residual_out` and `attention_out`, `[L,B,D]`.
    activations: [Tensor<f32>; 2],
    /// `heads_out`, `[L,B,D]`, where the graph has it.
    heads: Option<Tensor<f32>>,
    /// Bound as past and present alike; held here because the binding knows only one of the two uses.
    _keys_and_values: Vec<Tensor<f32>>,
    /// Positions that the keys and values have room for, M.
    capacity: usize,
    /// Positions filled.
    length: usize,
}

/// The inputs whose shape depends on the number of new positions, S.
#[derive(Debug)]
struct TokenInputs {
    positions: usize,
    /// `[B,K,S]`.
    input_ids: Tensor<i64>,
    /// `[S]`.
    position_ids: Tensor<i64>,
    /// `[B]`.
    seqlens_k: Tensor<i32>,
    /// `[]`.
    total_sequence_length: Tensor<i32>,
    /// `[B,1,S,T]`.
    cross_bias: Tensor<f32>,
}

#[derive(Debug)]
struct SteeringInputs {
    site: Site,
    add: Tensor<f32>,
    gain: Tensor<f32>,
    relative: Tensor<f32>,
}

impl Decoder {
    /// A decoder with room for `capacity` positions and steering inputs of `steering_rows` rows.
    pub fn new(
        engine: &Arc<Engine>,
        conditioning: Conditioning,
        capacity: usize,
        steering_rows: usize,
    ) -> Result<Self, GenerateError> {
        Self::of(&engine.decoder, false, engine, conditioning, capacity, steering_rows)
    }

    /// The same, which also hands out what its attention heads mix.
    pub fn with_heads(
        engine: &Arc<Engine>,
        conditioning: Conditioning,
        capacity: usize,
        steering_rows: usize,
    ) -> Result<Self, GenerateError> {
        Self::of(&engine.decoder_with_heads, true, engine, conditioning, capacity, steering_rows)
    }

    fn of(
        graph: &Graph,
        heads: bool,
        engine: &Arc<Engine>,
        conditioning: Conditioning,
        capacity: usize,
        steering_rows: usize,
    ) -> Result<Self, GenerateError> {
        let session = graph.session()?;
        let build = || -> ort::Result<Self> {
            let architecture = engine.bundle().architecture();
            let mut binding = session.create_binding()?;
            let allocator = session.allocator();
            for (name, value) in &conditioning.cross {
                binding.bind_input(name, value)?;
            }
            let device = cache_allocator(engine.provider(), &session)?;
            let shape = [conditioning.rows, architecture.heads, capacity, architecture.head_width()];
            let mut keys_and_values = Vec::with_capacity(2 * architecture.layers);
            for layer in 0..architecture.layers {
                for part in ["key", "value"] {
                    let mut cache = Tensor::<f32>::new(device.as_ref().unwrap_or(allocator), shape)?;
                    binding.bind_input(format!("past_{part}_{layer}"), &cache)?;
                    binding.bind_output(format!("present_{part}_{layer}"), &mut cache)?;
                    keys_and_values.push(cache);
                }
            }
            let logits_shape = [conditioning.rows, architecture.codebooks, architecture.vocabulary];
            let mut logits = Tensor::<f32>::new(allocator, logits_shape)?;
            binding.bind_output("logits", &mut logits)?;
            let activations = Site::ALL.map(|site| -> ort::Result<Tensor<f32>> {
                let shape = [architecture.layers, conditioning.rows, architecture.width];
                let mut activations = Tensor::<f32>::new(allocator, shape)?;
                binding.bind_output(format!("{site}_out"), &mut activations)?;
                Ok(activations)
            });
            let [residual_out, attention_out] = activations;
            let mut heads_out = None;
            if heads {
                let shape = [architecture.layers, conditioning.rows, architecture.width];
                let mut heads = Tensor::<f32>::new(allocator, shape)?;
                binding.bind_output(super::heads::OUTPUT, &mut heads)?;
                heads_out = Some(heads);
            }
            let tokens = TokenInputs::new(allocator, &conditioning, architecture.codebooks, 1)?;
            let sizes = [architecture.layers, steering_rows, architecture.width];
            let [residual, attention] = Site::ALL.map(|site| SteeringInputs::new(allocator, site, sizes));
            let mut decoder = Self {
                engine: Arc::clone(engine),
                conditioning,
                binding,
                tokens,
                steering: [residual?, attention?],
                logits,
                activations: [residual_out?, attention_out?],
                heads: heads_out,
                _keys_and_values: keys_and_values,
                capacity,
                length: 0,
            };
            decoder.bind_tokens()?;
            decoder.bind_steering()?;
            Ok(decoder)
        };
        build().map_err(failed)
    }

    /// Rows, B.
    pub fn rows(&self) -> usize {
        self.conditioning.rows
    }

    /// What steering finds at a site at the last position, before it acts, `[L,B,D]`; zeros before the first run.
    pub fn activations(&self, site: Site) -> &[f32] {
        self.activations[site as usize].extract_tensor().1
    }

    /// What the attention heads of each layer mixed at the last position, side by side, `[L,B,D]`; empty for a decoder
    /// without them.
    pub fn heads(&self) -> &[f32] {
        self.heads.as_ref().map_or(&[], |heads| heads.extract_tensor().1)
    }

    /// Memory that keys and values take, bytes.
    pub fn bytes(&self) -> usize {
        let architecture = self.engine.bundle().architecture();
        let row = architecture.heads * self.capacity * architecture.head_width();
        2 * architecture.layers * self.conditioning.rows * row * size_of::<f32>()
    }

    /// Positions filled.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Forgets every position from `length` on.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Sets how the steps from now on are steered.
    pub fn steer(&mut self, inputs: &[SiteInputs; 2]) -> Result<(), GenerateError> {
        for (tensors, inputs) in self.steering.iter_mut().zip(inputs) {
            tensors.add.extract_tensor_mut().1.copy_from_slice(&inputs.add);
            tensors.gain.extract_tensor_mut().1.copy_from_slice(&inputs.gain);
            tensors.relative.extract_tensor_mut().1.copy_from_slice(&inputs.relative);
        }
        if self.copies_inputs() { self.bind_steering().map_err(failed) } else { Ok(()) }
    }

    /// Runs `positions` new positions and returns the logits of the last one, `[B,K,V]`.
    ///
    /// `tokens` is `[K,S]`, the same for every row. With two rows, more than one position is possible only from the
    /// beginning, because GroupQueryAttention refuses a second block for them.
    pub fn run(
        &mut self,
        tokens: &[i64],
        positions: usize,
        options: &RunOptions,
    ) -> Result<&[f32], GenerateError> {
        debug_assert!(
            positions == 1 || self.length == 0 || self.conditioning.rows == 1,
            "a block of positions comes first"
        );
        let end = self.length + positions;
        if end > self.capacity {
            let reason = format!("position {end} is past the {} there is room for", self.capacity);
            return Err(GenerateError::Run { graph: "decoder", reason });
        }
        let engine = Arc::clone(&self.engine);
        let graph = if self.heads.is_some() { &engine.decoder_with_heads } else { &engine.decoder };
        let mut session = graph.session()?;
        let mut run = || -> ort::Result<()> {
            if positions != self.tokens.positions {
                let codebooks = engine.bundle().architecture().codebooks;
                self.tokens =
                    TokenInputs::new(session.allocator(), &self.conditioning, codebooks, positions)?;
                self.bind_tokens()?;
            }
            self.tokens.set(tokens, self.length);
            if self.copies_inputs() {
                self.bind_tokens()?;
            }
            session.run_binding_with_options(&self.binding, options)?;
            Ok(())
        };
        run().map_err(failed)?;
        self.length = end;
        Ok(self.logits.extract_tensor().1)
    }

    /// Away from the CPU, ONNX Runtime copies an input when it is bound, and later changes do not reach it.
    fn copies_inputs(&self) -> bool {
        self.engine.provider() != Provider::Cpu
    }

    fn bind_tokens(&mut self) -> ort::Result<()> {
        let tokens = &self.tokens;
        self.binding.bind_input("input_ids", &tokens.input_ids)?;
        self.binding.bind_input("position_ids", &tokens.position_ids)?;
        self.binding.bind_input("seqlens_k", &tokens.seqlens_k)?;
        self.binding.bind_input("total_sequence_length", &tokens.total_sequence_length)?;
        self.binding.bind_input("cross_bias", &tokens.cross_bias)
    }

    fn bind_steering(&mut self) -> ort::Result<()> {
        for inputs in &self.steering {
            self.binding.bind_input(format!("{}_add", inputs.site), &inputs.add)?;
            self.binding.bind_input(format!("{}_gain", inputs.site), &inputs.gain)?;
            self.binding.bind_input(format!("{}_relative", inputs.site), &inputs.relative)?;
        }
        Ok(())
    }
}

impl TokenInputs {
    fn new(
        allocator: &Allocator,
        conditioning: &Conditioning,
        codebooks: usize,
        positions: usize,
    ) -> ort::Result<Self> {
        let (rows, tokens) = (conditioning.rows, conditioning.tokens);
        let mut cross_bias = Tensor::<f32>::new(allocator, [rows, 1, positions, tokens])?;
        let per_row =
            conditioning.bias.chunks_exact(tokens).flat_map(|row| std::iter::repeat_n(row, positions));
        for (to, from) in cross_bias.extract_tensor_mut().1.chunks_exact_mut(tokens).zip(per_row) {
            to.copy_from_slice(from);
        }
        Ok(Self {
            positions,
            input_ids: Tensor::new(allocator, [rows, codebooks, positions])?,
            position_ids: Tensor::new(allocator, [positions])?,
            seqlens_k: Tensor::new(allocator, [rows])?,
            total_sequence_length: Tensor::new(allocator, Vec::<i64>::new())?,
            cross_bias,
        })
    }

    /// `tokens` `[K,S]` at the positions from `past` on.
    #[expect(
        clippy::cast_possible_wrap,
        reason = "a position is at most the bundle's max_positions, far below 2^31"
    )]
    fn set(&mut self, tokens: &[i64], past: usize) {
        for row in self.input_ids.extract_tensor_mut().1.chunks_exact_mut(tokens.len()) {
            row.copy_from_slice(tokens);
        }
        for (position, id) in self.position_ids.extract_tensor_mut().1.iter_mut().zip(past as i64..) {
            *position = id;
        }
        let total = (past + self.positions) as i32;
        self.seqlens_k.extract_tensor_mut().1.fill(total - 1);
        self.total_sequence_length.extract_tensor_mut().1.fill(total);
    }
}

impl SteeringInputs {
    /// The identity, for layers L, rows C and width D.
    fn new(allocator: &Allocator, site: Site, [layers, rows, width]: [usize; 3]) -> ort::Result<Self> {
        let filled = |shape: [usize; 4], value| -> ort::Result<Tensor<f32>> {
            let mut tensor = Tensor::<f32>::new(allocator, shape)?;
            tensor.extract_tensor_mut().1.fill(value);
            Ok(tensor)
        };
        Ok(Self {
            site,
            add: filled([layers, rows, 1, width], 0.0)?,
            gain: filled([layers, rows, 1, 1], 1.0)?,
            relative: filled([layers, rows, 1, 1], 0.0)?,
        })
    }
}

/// Where keys and values live if not in the session's own memory: on the device, so that no step copies them.
fn cache_allocator(provider: Provider, session: &Session) -> ort::Result<Option<Allocator>> {
    let device = match provider {
        Provider::Cpu => return Ok(None),
        Provider::Cuda => AllocationDevice::CUDA,
        Provider::DirectMl => AllocationDevice::DIRECTML,
    };
    let memory = MemoryInfo::new(device, 0, AllocatorType::Device, MemoryType::Default)?;
    Allocator::new(session, memory).map(Some)
}

fn failed(error: ort::Error) -> GenerateError {
    GenerateError::Run { graph: "decoder", reason: error.to_string() }
}
