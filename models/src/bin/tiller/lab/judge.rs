//! `tiller lab judge`: what a judge hears in files.

use std::path::{Path, PathBuf};

use clap::Args;
use hound::WavReader;
use serde_json::{Map, Value, json};
use tiller_models::lab::judge::{ClapJudge, DEFAULT_TEMPLATE, Judge as _};
use tiller_models::wav;

use super::super::output::Reporting;
use super::super::{Fallible, Outcome};

/// Arguments of `tiller lab judge`.
#[derive(Args)]
pub(crate) struct Judge {
    /// The folder that `tiller lab judge-import` made.
    judge: PathBuf,
    /// Clips, at any sample rate; channels are mixed.
    #[arg(value_name = "FILE.wav", required = true)]
    files: Vec<PathBuf>,
    /// What CLAP chooses between, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "LABEL,LABEL", required = true)]
    labels: Vec<String>,
    /// The sentence that CLAP reads of each label, which goes in place of {}.
    #[arg(long, value_name = "TEXT", default_value = DEFAULT_TEMPLATE)]
    template: String,
    #[command(flatten)]
    reporting: Reporting,
}

impl Judge {
    pub fn run(&self) -> Outcome {
        let judge = ClapJudge::open(&self.judge, &self.labels, &self.template)?;
        let bar = self.reporting.bar(self.files.len(), "listening");
        let mut heard = Vec::new();
        for file in &self.files {
            let (audio, rate) = mono(file)?;
            let found = judge.hear(&audio, rate);
            heard.push((file, found.map_err(|error| format!("{}: {error}", file.display()))?));
            bar.inc(1);
        }
        bar.finish_and_clear();
        let labels = judge.labels();
        let lines = heard.iter().map(|(file, found)| {
            // The likeliest first: a classifier may have hundreds.
            let mut ranked: Vec<_> = labels.iter().zip(found).collect();
            ranked.sort_by(|a, b| b.1.total_cmp(a.1));
            let words = ranked.iter().take(SHOWN).map(|(label, found)| format!("{label} {found:.3}"));
            format!("{}: {}", file.display(), words.collect::<Vec<_>>().join(", "))
        });
        let clips = heard.iter().map(|(file, found)| {
            let found: Map<String, Value> =
                labels.iter().zip(found).map(|(label, found)| (label.clone(), json!(found))).collect();
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

/// A file as one channel, and its sample rate.
fn mono(file: &Path) -> Fallible<(Vec<f32>, u32)> {
    let unreadable = |error: hound::Error| format!("cannot read {}: {error}", file.display());
    let reader = WavReader::open(file).map_err(unreadable)?;
    let spec = reader.spec();
    let channels = usize::from(spec.channels).max(1);
    let samples = wav::samples(reader).map_err(unreadable)?;
    let mixed = samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32);
    Ok((mixed.collect(), spec.sample_rate))
}
