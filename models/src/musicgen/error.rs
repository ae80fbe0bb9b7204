//! Why there is no music.

use crate::bundle::{BundleError, Precision};
use crate::runtime::{Cancel, Provider, RuntimeError};
use crate::steering::SteeringError;

/// Why there is no music. Every message is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The bundle lacks something.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// ONNX Runtime or a graph does not load.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// Vectors and model, or vectors and recipe, do not fit.
    #[error(transparent)]
    Steering(#[from] SteeringError),
    /// A number of the recipe is out of its range.
    #[error("{0}")]
    Recipe(String),
    /// The recipe is of another bundle.
    #[error(
        "the take was made with the bundle {wanted}, and {found} is loaded: load that bundle, or generate anew with \
         this one"
    )]
    OtherBundle {
        /// Name in the recipe.
        wanted: String,
        /// Name of what is loaded.
        found: String,
    },
    /// The tokenizer cannot be used.
    #[error("the tokenizer of the bundle {bundle} cannot be used: {reason}. Import the bundle again.")]
    Tokenizer {
        /// Name of the bundle.
        bundle: String,
        /// What is wrong.
        reason: String,
    },
    /// The provider does not run decoders of this precision.
    #[error(
        "the provider {provider} runs decoders in {needed} only, and {wanted} was chosen for {bundle}: choose {needed} \
         (a bundle imported with --precisions {needed} has it), or another provider"
    )]
    Precision {
        /// The provider asked for.
        provider: Provider,
        /// What it runs.
        needed: Precision,
        /// What was asked for, or the bundle's default.
        wanted: Precision,
        /// Name of the bundle.
        bundle: String,
    },
    /// ONNX Runtime is too old for decoders of this precision.
    #[error(
        "ONNX Runtime {version} does not run decoders in {wanted}, which keep their keys and values as 8-bit integers: \
         install 1.27 or newer, or choose another precision"
    )]
    OldRuntime {
        /// What is loaded.
        version: String,
        /// What was asked for, or the bundle's default.
        wanted: Precision,
    },
    /// A graph ran and failed.
    #[error("the {graph} of the model failed: {reason}")]
    Run {
        /// Which graph.
        graph: &'static str,
        /// ONNX Runtime's own words, or what was wrong with its result.
        reason: String,
    },
    /// A graph ran on a card and failed.
    #[error(
        "the {graph} of the model failed on {provider}: {reason}. If the card is gone or its memory full, choose the \
         provider cpu and make the take again; Tiller never changes it by itself"
    )]
    Card {
        /// Which graph.
        graph: &'static str,
        /// What ran it.
        provider: Provider,
        /// ONNX Runtime's own words, or what was wrong with its result.
        reason: String,
    },
    /// The model produced something that is no number.
    #[error(
        "the model produced no valid number for codebook {codebook} of frame {frame}: lower the steering strengths or \
         the guidance, and if it happens without them the bundle's weights are damaged"
    )]
    NotANumber {
        /// Frame whose token was due.
        frame: usize,
        /// Codebook whose token was due.
        codebook: usize,
    },
    /// A label or its codes do not fit.
    #[error("the take cannot be used: {0}")]
    Label(String),
    /// Somebody cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl GenerateError {
    /// The error as one of what runs the graphs: a run that fails on a card may fail for the card's sake.
    pub(crate) fn on(self, provider: Provider) -> Self {
        match self {
            Self::Run { graph, reason } if provider != Provider::Cpu => {
                Self::Card { graph, provider, reason }
            }
            other => other,
        }
    }
}

/// Fails if `cancel` is on.
pub(crate) fn stop_if(cancel: &Cancel) -> Result<(), GenerateError> {
    if cancel.is_cancelled() { Err(GenerateError::Cancelled) } else { Ok(()) }
}

/// A run or load that was ended by a cancel fails in ONNX Runtime's words; this says it in ours.
pub(crate) fn cancelled_or(cancel: &Cancel, error: GenerateError) -> GenerateError {
    if cancel.is_cancelled() { GenerateError::Cancelled } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_fails_on_a_card_says_how_to_go_on_without_it() {
        let failed =
            || GenerateError::Run { graph: "decoder", reason: "CUDA error 46: all devices are busy".into() };
        let message = failed().on(Provider::Cuda).to_string();
        assert!(message.contains("cuda: CUDA error 46") && message.contains("provider cpu"), "{message}");
        assert!(!failed().on(Provider::Cpu).to_string().contains("card"));
        assert_eq!(GenerateError::Cancelled.on(Provider::Cuda).to_string(), "cancelled");
    }
}
