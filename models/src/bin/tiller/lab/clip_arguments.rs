//! How clips that are compared are steered and guided.

use clap::Args;
use tiller_models::lab::ClipSettings;
use tiller_models::musicgen::Recipe;
use tiller_models::steering::{Rows, Scale};

use super::super::generate::{rows, scale};

/// Arguments of every command that steers clips to compare them.
#[derive(Args)]
pub(crate) struct ClipArguments {
    /// Length of a steering step: the activation's norm, or literally 1 as in the paper.
    #[arg(long, value_name = "norm|literal", default_value = "norm", value_parser = scale)]
    steer_scale: Scale,
    /// Which rows of guidance are steered.
    #[arg(long, value_name = "conditional|both", default_value = "conditional", value_parser = rows)]
    steer_rows: Rows,
    /// How strongly the prompts are followed.
    #[arg(long, value_name = "G", default_value_t = Recipe::DEFAULT_GUIDANCE, allow_negative_numbers = true)]
    guidance: f32,
}

impl ClipArguments {
    /// With clips of `frames` frames.
    pub fn settings(&self, frames: usize) -> ClipSettings {
        ClipSettings {
            scale: self.steer_scale,
            rows: self.steer_rows,
            guidance: self.guidance,
            ..ClipSettings::new(frames)
        }
    }
}
