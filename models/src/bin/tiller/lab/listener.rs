//! `--judge`, `--source`, `--target`: who listens to clips, and for what.

use std::path::PathBuf;

use clap::Args;
use tiller_models::lab::LabError;
use tiller_models::lab::ear::Judged;
use tiller_models::lab::judge::{self, DEFAULT_TEMPLATE};

/// A judge between two labels.
#[derive(Args)]
pub(crate) struct Listener {
    /// Who listens: the JSON file beside an ONNX classifier, or the folder of an imported CLAP, for which source and
    /// target are any words.
    #[arg(long, value_name = "FILE.json|DIR", requires = "source", requires = "target")]
    judge: Option<PathBuf>,
    /// The judge's label of what the prompt asks for.
    #[arg(long, value_name = "LABEL", requires = "judge")]
    source: Option<String>,
    /// The judge's label of what the vector leads to.
    #[arg(long, value_name = "LABEL", requires = "judge")]
    target: Option<String>,
    /// The sentence that CLAP reads of each label, which goes in place of {}.
    #[arg(long, value_name = "TEXT", default_value = DEFAULT_TEMPLATE)]
    template: String,
}

/// A judge by its place.
pub(crate) struct Named {
    pub judge: PathBuf,
    pub template: String,
    /// Source and target.
    pub labels: [String; 2],
}

impl Listener {
    /// The judge, if one is named.
    pub fn open(&self) -> Result<Option<Judged>, LabError> {
        let Some(Named { judge, template, labels: [source, target] }) = self.named() else {
            return Ok(None);
        };
        let judge = judge::open(&judge, &[source.clone(), target.clone()], &template)?;
        Judged::new(judge, &source, &target).map(Some)
    }

    /// What the judge is opened with, if one is named.
    pub fn named(&self) -> Option<Named> {
        let (judge, source, target) = (self.judge.clone()?, self.source.clone()?, self.target.clone()?);
        Some(Named { judge, template: self.template.clone(), labels: [source, target] })
    }
}
