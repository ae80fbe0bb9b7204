//! `tiller lab evaluate`.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tiller_models::lab::evaluate::{Experiment, evaluate};
use tiller_models::lab::judge::{self, DEFAULT_TEMPLATE};
use tiller_models::musicgen::{Cancel, Engine, Recipe, Sampling, frames_of};
use tiller_models::steering::{Layers, Rows, Scale};

use super::super::generate::{rows, scale};
use super::super::output::Reporting;
use super::super::steering::find_vector;
use super::super::{EngineArguments, Outcome, open_bundle};

/// Arguments of `tiller lab evaluate`.
#[derive(Args)]
pub(crate) struct Evaluate {
    /// A vector file, or a vector of the bundle by its name.
    #[arg(long, value_name = "FILE")]
    vector: String,
    /// What to play, without naming the target.
    #[arg(long)]
    prompt: String,
    /// The same with the target named, for comparison.
    #[arg(long, value_name = "PROMPT")]
    target_prompt: Option<String>,
    /// Who listens: the JSON file beside an ONNX classifier, or the folder of an imported CLAP, for which source and
    /// target are any words.
    #[arg(long, value_name = "FILE.json|DIR")]
    judge: PathBuf,
    /// The judge's label of what the prompt asks for.
    #[arg(long, value_name = "LABEL")]
    source: String,
    /// The judge's label of what the vector leads to.
    #[arg(long, value_name = "LABEL")]
    target: String,
    /// The sentence that CLAP reads of each label, which goes in place of {}.
    #[arg(long, value_name = "TEXT", default_value = DEFAULT_TEMPLATE)]
    template: String,
    /// Clips of each kind.
    #[arg(long, value_name = "N", default_value = "16")]
    seeds: NonZeroU64,
    /// Seed of the first clip; the next ones follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Length of a clip.
    #[arg(long, default_value_t = 8.0, allow_negative_numbers = true)]
    seconds: f64,
    /// Strengths to steer with, separated by commas.
    #[arg(long, value_name = "A,B", default_value = "0.25,0.5", value_delimiter = ',')]
    #[arg(allow_negative_numbers = true)]
    strengths: Vec<f32>,
    /// Which layers are steered.
    #[arg(long, value_name = "recommended|all|L|A-B", default_value = "recommended")]
    steer_layers: Layers,
    /// Length of a steering step: the activation's norm, or literally 1 as in the paper.
    #[arg(long, value_name = "norm|literal", default_value = "norm", value_parser = scale)]
    steer_scale: Scale,
    /// Which rows of guidance are steered.
    #[arg(long, value_name = "conditional|both", default_value = "conditional", value_parser = rows)]
    steer_rows: Rows,
    /// How strongly the prompt is followed.
    #[arg(long, value_name = "G", default_value_t = Recipe::DEFAULT_GUIDANCE, allow_negative_numbers = true)]
    guidance: f32,
    #[command(flatten)]
    engine: EngineArguments,
    /// Folder for the clips' labels, results.json and table.md. Clips that are there are not made again.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    reporting: Reporting,
}

impl Evaluate {
    pub fn run(&self) -> Outcome {
        let labels = [self.source.clone(), self.target.clone()];
        let judge = judge::open(&self.judge, &labels, &self.template)?;
        let bundle = open_bundle(self.engine.bundle.as_deref())?;
        let vector = Arc::new(find_vector(&self.vector, &bundle)?);
        if let Some(warning) = vector.warning(&bundle) {
            eprintln!("tiller: {warning}");
        }
        let experiment = Experiment {
            prompt: self.prompt.clone(),
            target_prompt: self.target_prompt.clone(),
            source: self.source.clone(),
            target: self.target.clone(),
            seed: self.seed,
            seeds: self.seeds,
            frames: frames_of(self.seconds, bundle.architecture())?,
            strengths: self.strengths.clone(),
            layers: self.steer_layers,
            scale: self.steer_scale,
            rows: self.steer_rows,
            guidance: self.guidance,
            sampling: Sampling::default(),
        };
        let engine = Engine::load(&bundle, &self.engine.options())?;
        let cancel = Cancel::new();
        let by_keyboard = cancel.clone();
        ctrlc::set_handler(move || by_keyboard.cancel())?;
        let total = usize::try_from(self.seeds.get())?.saturating_mul(experiment.conditions().len());
        let bar = self.reporting.bar(total, "evaluating");
        let progress = |done| bar.set_position(done as u64);
        let report = evaluate(&engine, &vector, &*judge, &experiment, &self.out, &cancel, progress)?;
        bar.finish_and_clear();
        self.reporting.result(&json!({ "out": self.out, "report": report }), &report.tables());
        Ok(())
    }
}
