//! `tiller import`.

use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;
use tiller_models::bundle::Precision;
use tiller_models::import::{ImportOptions, import};

use super::Outcome;
use super::output::Reporting;

/// Arguments of `tiller import`.
#[derive(Args)]
pub(crate) struct Import {
    /// Folder of the checkpoint, in the layout of the Hugging Face hub.
    source: PathBuf,
    /// Folder of the bundle. A bundle that is there is replaced.
    dest: PathBuf,
    /// Name shown to people; by default the name of the checkpoint's folder.
    #[arg(long)]
    name: Option<String>,
    /// Licence of the weights; by default what the checkpoint's README.md says.
    #[arg(long)]
    licence: Option<String>,
    /// Precisions of the decoder, f32, f16 (for GPUs) or int8, separated by commas; the last but f16 is the bundle's
    /// default.
    #[arg(long, value_delimiter = ',', default_value = "f32,int8")]
    precisions: Vec<Precision>,
    #[command(flatten)]
    reporting: Reporting,
}

impl Import {
    pub fn run(&self) -> Outcome {
        let options = ImportOptions {
            name: self.name.clone(),
            licence: self.licence.clone(),
            precisions: self.precisions.clone(),
        };
        let spinner = if self.reporting.quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        let bundle = import(&self.source, &self.dest, &options, &mut |stage| {
            spinner.set_message(stage.to_string());
            spinner.tick();
        })?;
        spinner.finish_and_clear();
        let manifest = bundle.manifest();
        self.reporting.result(
            &json!({ "bundle": bundle.root(), "id": bundle.id(), "name": manifest.name }),
            &format!("{}: {} is ready", bundle.root().display(), manifest.name),
        );
        Ok(())
    }
}
