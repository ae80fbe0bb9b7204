//! `tiller lab judge`: what a judge hears in files.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};
use tiller_models::lab::judge::{self, DEFAULT_TEMPLATE, label_of};
use tiller_models::lab::listen;

use super::super::Outcome;
use super::super::output::Reporting;

/// Arguments of `tiller lab judge`.
#[derive(Args)]
pub(crate) struct Judge {
    /// The folder that `tiller lab judge-import` made, or the JSON file beside an ONNX classifier.
    #[arg(value_name = "FILE.json|DIR")]
    judge: PathBuf,
    /// Clips of any common format, at any sample rate; channels are mixed.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// What CLAP chooses between, any words separated by commas; or which labels of a classifier are shown.
    #[arg(long, value_delimiter = ',', value_name = "LABEL,LABEL")]
    labels: Vec<String>,
    /// The sentence that CLAP reads of each label, which goes in place of {}.
    #[arg(long, value_name = "TEXT", default_value = DEFAULT_TEMPLATE)]
    template: String,
    #[command(flatten)]
    reporting: Reporting,
}

impl Judge {
    pub fn run(&self) -> Outcome {
        let judge = judge::open(&self.judge, &self.labels, &self.template)?;
        let shown = match &self.labels[..] {
            [] => (0..judge.labels().len()).collect(),
            some => some.iter().map(|label| label_of(&*judge, label)).collect::<Result<Vec<_>, _>>()?,
        };
        let bar = self.reporting.bar(self.files.len(), "listening");
        let mut heard = Vec::new();
        for file in &self.files {
            let (audio, rate) = listen(file)?;
            let found = judge.hear(&audio, rate);
            heard.push((file, found.map_err(|error| format!("{}: {error}", file.display()))?));
            bar.inc(1);
        }
        bar.finish_and_clear();
        let labelled = |found: &[f64]| -> Vec<(String, f64)> {
            shown.iter().map(|&at| (judge.labels()[at].clone(), found[at])).collect()
        };
        let lines = heard.iter().map(|(file, found)| {
            // The likeliest first: a classifier may have hundreds.
            let mut ranked = labelled(found);
            ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
            let words = ranked.iter().take(SHOWN).map(|(label, found)| format!("{label} {found:.3}"));
            format!("{}: {}", file.display(), words.collect::<Vec<_>>().join(", "))
        });
        let clips = heard.iter().map(|(file, found)| {
            let found: Map<String, Value> =
                labelled(found).into_iter().map(|(label, found)| (label, json!(found))).collect();
            json!({ "file": file, "probabilities": found })
        });
        self.reporting.result(
            &json!({ "judge": judge.identity(), "clips": clips.collect::<Vec<_>>() }),
            &lines.collect::<Vec<_>>().join("\n"),
        );
        Ok(())
    }
}

/// Labels of a clip that are shown to people.
const SHOWN: usize = 10;
