//! `tiller lab judge-import`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tiller_models::import::import_clap;

use super::super::Outcome;
use super::super::output::Reporting;

/// Arguments of `tiller lab judge-import`.
#[derive(Args)]
pub(crate) struct JudgeImport {
    /// Folder of the checkpoint of an unfused CLAP, in the layout of the Hugging Face hub.
    source: PathBuf,
    /// Folder of the judge. A CLAP judge that is there is replaced.
    dest: PathBuf,
    #[command(flatten)]
    reporting: Reporting,
}

impl JudgeImport {
    pub fn run(&self) -> Outcome {
        let clap = import_clap(&self.source, &self.dest)?;
        let manifest = clap.manifest();
        self.reporting.result(
            &json!({ "judge": self.dest, "checkpoint": manifest.source.checkpoint, "sha256": manifest.source.sha256 }),
            &format!("{}: {} is ready to judge", self.dest.display(), manifest.source.checkpoint),
        );
        Ok(())
    }
}
