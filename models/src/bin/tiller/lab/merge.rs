//! `tiller lab merge`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tiller_models::lab::VectorDraft;

use super::super::Outcome;
use super::super::output::{Pending, Reporting};
use super::{table, warn};

/// Arguments of `tiller lab merge`.
#[derive(Args)]
pub(crate) struct Merge {
    /// The files that `tiller lab directions --shard` wrote, all of them.
    #[arg(value_name = "FILE", required = true)]
    parts: Vec<PathBuf>,
    /// The vector file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    reporting: Reporting,
}

impl Merge {
    pub fn run(&self) -> Outcome {
        let pending = Pending::create(&self.out)?;
        let parts: Result<Vec<_>, _> = self.parts.iter().map(|path| VectorDraft::open_part(path)).collect();
        let (bytes, summary) = VectorDraft::merge(parts?)?.vector()?;
        pending.finish_with(bytes)?;
        if !self.reporting.quiet {
            warn(&summary.doubts);
        }
        let line = format!("{}\n{}: {}", table(&summary), self.out.display(), summary.reason);
        self.reporting.result(&json!({ "out": self.out, "summary": summary }), &line);
        Ok(())
    }
}
