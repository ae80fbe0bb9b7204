//! What the decoder graph hands out of its layers: at the last position of a run, or where it reads, at chosen ones.

use ort::session::IoBinding;

use super::buffers::{Memory, Shared};
use super::{Engine, heads, positions};
use crate::runtime::Graph;
use crate::steering::Site;

/// What a decoder is for, which says what its graph hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Music that is to be: the last position of each row.
    Generating,
    /// Music that exists, in one row: any positions.
    Reading,
    /// The same, and what the attention heads mix.
    ReadingHeads,
}

impl Purpose {
    /// The graph for it.
    pub fn graph(self, engine: &Engine) -> &Graph {
        match self {
            Self::Generating => &engine.decoder,
            Self::Reading => &engine.reader,
            Self::ReadingHeads => &engine.reader_with_heads,
        }
    }
}

/// The outputs of L layers of width D, at the last position of B rows or at P positions of one.
pub(super) struct LayerOutputs {
    /// Which of a run's new positions, `[P]`, where they can be chosen.
    positions: Option<Shared<i64>>,
    /// `residual_out` and `attention_out`, `[L,B,D]` or `[L,P,D]`.
    activations: [Shared<f32>; 2],
    /// `heads_out`, `[L,P,D]`, where the graph has it.
    heads: Option<Shared<f32>>,
}

impl LayerOutputs {
    /// Outputs for `count` rows or positions. They are those of the last position until others are chosen.
    pub fn new(
        memory: &Memory<'_>,
        engine: &Engine,
        purpose: Purpose,
        count: usize,
        binding: &mut IoBinding,
    ) -> ort::Result<Self> {
        let architecture = engine.bundle().architecture();
        let shape = [architecture.layers, count, architecture.width];
        let mut output = |name: String| -> ort::Result<Shared<f32>> {
            let mut values = memory.shared(&shape)?;
            binding.bind_output(name, values.bound_mut())?;
            Ok(values)
        };
        let [residual, attention] = Site::ALL.map(|site| output(format!("{site}_out")));
        let activations = [residual?, attention?];
        let with_heads = purpose == Purpose::ReadingHeads;
        let heads = with_heads.then(|| output(heads::OUTPUT.to_owned())).transpose()?;
        let mut positions = None;
        if purpose != Purpose::Generating {
            let mut last = memory.shared(&[count])?;
            last.values_mut().fill(-1);
            last.upload()?;
            binding.bind_input(positions::INPUT, last.bound())?;
            positions = Some(last);
        }
        Ok(Self { positions, activations, heads })
    }

    /// Has the next run hand out what the layers hold at `chosen`, indices of its new positions.
    #[expect(
        clippy::cast_possible_wrap,
        reason = "a run has at most the bundle's max_positions, far below 2^31"
    )]
    pub fn choose(
        &mut self,
        memory: &Memory<'_>,
        engine: &Engine,
        purpose: Purpose,
        chosen: &[usize],
        binding: &mut IoBinding,
    ) -> ort::Result<()> {
        debug_assert!(purpose != Purpose::Generating, "its graph takes the last position");
        if self.positions.as_ref().is_none_or(|positions| positions.values().len() != chosen.len()) {
            *self = Self::new(memory, engine, purpose, chosen.len(), binding)?;
        }
        let Some(positions) = &mut self.positions else { return Ok(()) };
        positions.values_mut().iter_mut().zip(chosen).for_each(|(to, &from)| *to = from as i64);
        positions.upload()
    }

    /// Fetches what the last run handed out.
    pub fn download(&mut self) -> ort::Result<()> {
        self.activations.iter_mut().chain(&mut self.heads).try_for_each(Shared::download)
    }

    /// What steering finds at a site, before it acts; zeros before the first run.
    pub fn activations(&self, site: Site) -> &[f32] {
        self.activations[site as usize].values()
    }

    /// What the attention heads of each layer mixed, side by side; empty where that is not handed out.
    pub fn heads(&self) -> &[f32] {
        self.heads.as_ref().map_or(&[], Shared::values)
    }
}
