//! Execution providers: what runs the graphs.

use std::fmt;
use std::str::FromStr;

use ort::ep::cuda::ConvAlgorithmSearch;
use ort::ep::{self, ArenaExtendStrategy, ExecutionProvider, ExecutionProviderDispatch};
use serde::{Deserialize, Serialize};

/// What runs the graphs. A provider that is asked for and not there is an error, never a silent CPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The processor. Always there.
    #[default]
    Cpu,
    /// NVIDIA GPUs; needs ONNX Runtime's GPU build, CUDA and cuDNN.
    Cuda,
    /// Any DirectX 12 GPU, on Windows; needs ONNX Runtime's DirectML build.
    DirectMl,
}

impl Provider {
    /// Every provider Tiller knows.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Cuda, Self::DirectMl];

    /// The name used on the command line, in labels and in states.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::DirectMl => "directml",
        }
    }

    /// Whether the loaded ONNX Runtime was built with this provider. Its drivers may still be missing, which only
    /// loading a graph shows.
    pub(super) fn is_compiled_in(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Cuda => ep::CUDA::is_available().unwrap_or(false),
            Self::DirectMl => ep::DirectML::is_available().unwrap_or(false),
        }
    }

    /// What a session registers to run on this provider; `None` for the CPU, which every session has.
    ///
    /// With `recorded`, runs may be [recorded](super::session::Graph::replay).
    pub(super) fn dispatch(self, recorded: bool) -> Option<ExecutionProviderDispatch> {
        match self {
            Self::Cpu => None,
            Self::Cuda => Some(
                ep::CUDA::default()
                    // A search would run every algorithm for every new length.
                    .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
                    // By default the next power of two: up to twice the keys and values.
                    .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
                    // What is in single precision is so because it matters.
                    .with_tf32(false)
                    .with_cuda_graph(recorded)
                    .build()
                    .error_on_failure(),
            ),
            Self::DirectMl => Some(ep::DirectML::default().build().error_on_failure()),
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, UnknownProvider> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownProvider(name.to_owned()))
    }
}

/// A name that is no provider's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no provider named {0:?}; use cpu, cuda or directml")]
pub struct UnknownProvider(String);
