//! `tiller lab statistics`: the first reading of `tiller lab directions`, shared out by rows.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tiller_models::lab::{Settings, Shard, Study, write_statistics};

use super::super::Outcome;
use super::super::output::{Pending, Reporting};
use super::directions::{ONE_CONTRAST, Question};

/// Arguments of `tiller lab statistics`.
#[derive(Args)]
pub(crate) struct Statistics {
    #[command(flatten)]
    question: Question,
    /// Which share of the rows is read, such as 2/8.
    #[arg(long, value_name = "I/N")]
    shard: Shard,
    /// The file of the share's statistics.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    reporting: Reporting,
}

impl Statistics {
    pub fn run(&self) -> Outcome {
        let Question { method, folds, seed, .. } = self.question;
        let settings = Settings { method, folds, seed, ..Settings::default() };
        let activations = self.question.data.open()?;
        let contrasts = self.question.contrasts(&activations)?;
        let [contrast] = &contrasts[..] else { return Err(ONE_CONTRAST.into()) };
        let pending = Pending::create(&self.out)?;
        let study = Study::new(&activations, contrast, &settings)?;
        let bar = self.reporting.bar(study.places(Shard::WHOLE).len(), "adding up");
        pending.finish_by(|out| write_statistics(&study, self.shard, out, || bar.inc(1)))?;
        bar.finish_and_clear();
        let line =
            format!("{}: share {} of the rows, for tiller lab directions", self.out.display(), self.shard);
        self.reporting.result(&json!({ "out": self.out, "shard": self.shard }), &line);
        Ok(())
    }
}
