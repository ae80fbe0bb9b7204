//! The decoder graph bound to buffers that live as long as a take: keys and values are updated in place, where the graph
//! runs, and a step copies nothing but its tokens and logits.

use std::sync::Arc;

use ort::session::{IoBinding, RunOptions};
use ort::value::{DynTensor, TensorElementType};

use crate::bundle::contract::cached;
use crate::onnx::Element;
use crate::steering::{Site, SiteInputs};

use super::buffers::{Memory, Shared};
use super::conditioning::{Conditioning, Told};
use super::inputs::{SteeringInputs, TokenInputs};
use super::outputs::{LayerOutputs, Purpose};
use super::{Engine, GenerateError};

/// One decoder with its own keys and values. B rows, K codebooks, V vocabulary.
pub(super) struct Decoder {
    engine: Arc<Engine>,
    purpose: Purpose,
    conditioning: Conditioning,
    binding: IoBinding,
    /// For one new position; kept, because a recorded run reads its inputs where they were.
    single: TokenInputs,
    /// For the last block of several.
    block: Option<TokenInputs>,
    /// New positions of the inputs that are bound, with those before the music.
    bound: usize,
    /// Replays the run of a single position, if the provider can record one.
    replay: Option<RunOptions>,
    steering: [SteeringInputs; 2],
    /// `[B,K,V]`.
    logits: Shared<f32>,
    layers: LayerOutputs,
    /// Bound as past and present alike; held here because the binding knows only one of the two uses.
    keys_and_values: Vec<DynTensor>,
    /// Positions that the keys and values have room for, M.
    capacity: usize,
    /// Positions of the music that are filled; what is told before it comes with the first.
    length: usize,
}

impl Decoder {
    /// A decoder with room for `capacity` positions of music and steering inputs of `steering_rows` rows.
    pub fn new(
        engine: &Arc<Engine>,
        purpose: Purpose,
        conditioning: Conditioning,
        capacity: usize,
        steering_rows: usize,
    ) -> Result<Self, GenerateError> {
        let graph = purpose.graph(engine);
        let session = graph.session()?;
        let build = || -> ort::Result<Self> {
            let architecture = engine.bundle().architecture();
            let mut binding = session.create_binding()?;
            let memory = Memory::of(&session, engine.provider())?;
            if let Told::Cross(cross) = &conditioning.told {
                cross.keys_and_values.iter().try_for_each(|(name, value)| binding.bind_input(name, value))?;
            }
            let capacity = conditioning.prefix() + capacity;
            let element = tensor_element(cached(engine.precision()));
            let shape = [conditioning.rows, architecture.heads, capacity, architecture.head_width()];
            let mut keys_and_values = Vec::with_capacity(2 * architecture.layers);
            for layer in 0..architecture.layers {
                for part in ["key", "value"] {
                    let mut cache = memory.of_graph(element, &shape)?;
                    binding.bind_input(format!("past_{part}_{layer}"), &cache)?;
                    binding.bind_output(format!("present_{part}_{layer}"), &mut cache)?;
                    keys_and_values.push(cache);
                }
            }
            let mut logits =
                memory.shared(&[conditioning.rows, architecture.codebooks, architecture.vocabulary])?;
            binding.bind_output("logits", logits.bound_mut())?;
            let layers = LayerOutputs::new(&memory, engine, purpose, conditioning.rows, &mut binding)?;
            let single = TokenInputs::new(&memory, engine, &conditioning, 0, 1)?;
            let sizes = [architecture.layers, steering_rows, architecture.width];
            let [residual, attention] = Site::ALL.map(|site| SteeringInputs::new(&memory, site, sizes));
            let steering = [residual?, attention?];
            single.bind(&mut binding)?;
            steering.iter().try_for_each(|inputs| inputs.bind(&mut binding))?;
            Ok(Self {
                engine: Arc::clone(engine),
                purpose,
                conditioning,
                binding,
                single,
                block: None,
                bound: 1,
                replay: graph.replay()?,
                steering,
                logits,
                layers,
                keys_and_values,
                capacity,
                length: 0,
            })
        };
        build().map_err(failed)
    }

    /// Rows, B.
    pub fn rows(&self) -> usize {
        self.conditioning.rows
    }

    /// Has the next run hand out what the layers hold at `chosen` of its positions of the music. Of a decoder that reads.
    pub fn choose(&mut self, chosen: &[usize]) -> Result<(), GenerateError> {
        let before = if self.length == 0 { self.conditioning.prefix() } else { 0 };
        let chosen: Vec<usize> = chosen.iter().map(|position| before + position).collect();
        let session = self.purpose.graph(&self.engine).session()?;
        let mut choose = || {
            let memory = Memory::of(&session, self.engine.provider())?;
            self.layers.choose(&memory, &self.engine, self.purpose, &chosen, &mut self.binding)
        };
        choose().map_err(failed)
    }

    /// Fetches what the layers held in the last run, for [`activations`](Self::activations) and [`heads`](Self::heads).
    pub fn fetch(&mut self) -> Result<(), GenerateError> {
        self.layers.download().map_err(failed)
    }

    /// What steering finds at a site, before it acts: at the last position, `[L,B,D]`, or at those that were chosen, `[L,P,D]`;
    /// zeros before the first run.
    pub fn activations(&self, site: Site) -> &[f32] {
        self.layers.activations(site)
    }

    /// What the attention heads of each layer mixed at the positions that were chosen, side by side, `[L,P,D]`; empty for a
    /// decoder that does not read them.
    pub fn heads(&self) -> &[f32] {
        self.layers.heads()
    }

    /// The logits of the last position of the last run, `[B,K,V]`; zeros before it.
    pub fn logits(&self) -> &[f32] {
        self.logits.values()
    }

    /// The largest magnitude of every channel of the keys and of the values so far, in all rows: for each layer keys, then
    /// values, `[H*Dh]` each. Of keys and values that are floats in the host's memory.
    pub fn cache_peaks(&self) -> Result<Vec<Vec<f32>>, GenerateError> {
        let architecture = self.engine.bundle().architecture();
        let width = architecture.head_width();
        let peaks = self.keys_and_values.iter().map(|cache| -> ort::Result<Vec<f32>> {
            let (_, values) = cache.try_extract_tensor::<f32>()?;
            let mut peaks = vec![0.0_f32; architecture.width];
            for (head, positions) in values.chunks_exact(self.capacity * width).enumerate() {
                let peaks = &mut peaks[head % architecture.heads * width..][..width];
                for position in positions.chunks_exact(width).take(self.filled()) {
                    peaks.iter_mut().zip(position).for_each(|(peak, value)| *peak = peak.max(value.abs()));
                }
            }
            Ok(peaks)
        });
        peaks.collect::<ort::Result<_>>().map_err(failed)
    }

    /// Memory that keys and values take, bytes.
    pub fn bytes(&self) -> usize {
        let architecture = self.engine.bundle().architecture();
        let row = architecture.heads * self.capacity * architecture.head_width();
        2 * architecture.layers * self.conditioning.rows * row * cached(self.engine.precision()).size()
    }

    /// Positions of the music that are filled.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Positions filled, with those before the music.
    fn filled(&self) -> usize {
        if self.length == 0 { 0 } else { self.conditioning.prefix() + self.length }
    }

    /// Forgets everything and tells of a window of music that begins at `frame` of the take.
    pub fn begin_at(&mut self, frame: usize, options: &RunOptions) -> Result<(), GenerateError> {
        self.length = 0;
        let engine = Arc::clone(&self.engine);
        if self.conditioning.begin_at(&engine, frame, options)? {
            self.block = None;
            self.bound = 0;
        }
        Ok(())
    }

    /// Forgets every position from `length` on.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Sets how the steps from now on are steered.
    pub fn steer(&mut self, inputs: &[SiteInputs; 2]) -> Result<(), GenerateError> {
        let mut pairs = self.steering.iter_mut().zip(inputs);
        pairs.try_for_each(|(tensors, inputs)| tensors.set(inputs)).map_err(failed)
    }

    /// Runs `positions` new positions whose last one's [`logits`](Self::logits) are there then.
    ///
    /// `tokens` is `[K,S]`, the same for every row. With two rows, more than one position is possible only from the
    /// beginning, because GroupQueryAttention refuses a second block for them.
    pub fn run(
        &mut self,
        tokens: &[i64],
        positions: usize,
        options: &RunOptions,
    ) -> Result<(), GenerateError> {
        debug_assert!(
            positions == 1 || self.length == 0 || self.conditioning.rows == 1,
            "a block of positions comes first"
        );
        let prefix = if self.length == 0 { self.conditioning.prefix() } else { 0 };
        let past = self.filled();
        let end = past + prefix + positions;
        if end > self.capacity {
            let reason = format!("position {end} is past the {} there is room for", self.capacity);
            return Err(GenerateError::Run { graph: "decoder", reason });
        }
        let engine = Arc::clone(&self.engine);
        let mut session = self.purpose.graph(&engine).session()?;
        let mut run = || -> ort::Result<()> {
            let is_single = positions == 1 && prefix == 0;
            let inputs = if is_single {
                &mut self.single
            } else {
                match &mut self.block {
                    Some(block) if block.positions() == [prefix, positions] => block,
                    other => {
                        let memory = Memory::of(&session, engine.provider())?;
                        self.bound = 0;
                        other.insert(TokenInputs::new(
                            &memory,
                            &engine,
                            &self.conditioning,
                            prefix,
                            positions,
                        )?)
                    }
                }
            };
            if self.bound != prefix + positions {
                inputs.bind(&mut self.binding)?;
                self.bound = prefix + positions;
            }
            inputs.set(tokens, past)?;
            let replay = self.replay.as_ref().filter(|_| is_single);
            if replay.is_some() {
                // Read when the run is recorded, never again: it has to hold for every later position.
                inputs.promise(self.capacity);
            }
            session.run_binding_with_options(&self.binding, replay.unwrap_or(options))?;
            self.logits.download()
        };
        run().map_err(failed)?;
        self.length += positions;
        Ok(())
    }
}

fn tensor_element(element: Element) -> TensorElementType {
    match element {
        Element::Float => TensorElementType::Float32,
        Element::Uint8 => TensorElementType::Uint8,
        Element::Int8 => TensorElementType::Int8,
        Element::Int32 => TensorElementType::Int32,
        Element::Int64 => TensorElementType::Int64,
        Element::Half => TensorElementType::Float16,
    }
}

fn failed(error: ort::Error) -> GenerateError {
    GenerateError::Run { graph: "decoder", reason: error.to_string() }
}
