//! `tiller lab`: from audio to activations, from these to vectors, and to where a concept is represented.

mod activations;
mod clip_arguments;
mod cluster;
mod directions;
mod evaluate;
mod judge;
mod judge_import;
pub(crate) mod listener;
mod merge;
mod plots;
mod probe;
mod statistics;
pub(crate) mod strength;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tiller_models::lab::{Activations, DraftSummary, HeatMap, LabError};

use super::output::Reporting;
use super::{Fallible, Outcome};
use plots::Plot;

/// Subcommands of `tiller lab`.
#[derive(Subcommand)]
pub(crate) enum Lab {
    /// Read folders of audio with the model, and write what its layers held.
    Activations(activations::Extract),
    /// Learn the direction of a concept at every layer, and write a vector file.
    Directions(Box<directions::Directions>),
    /// Add up a share of the rows, from which `directions` learns as if it had read all of them itself.
    Statistics(Box<statistics::Statistics>),
    /// Put the shards of a vector file together.
    Merge(merge::Merge),
    /// Measure how well linear probes read the classes at every layer.
    Probe(probe::Probe),
    /// Group the activations of every layer without their labels, and compare with these.
    Cluster(cluster::Cluster),
    /// Import a CLAP checkpoint as a judge of what is heard.
    JudgeImport(judge_import::JudgeImport),
    /// Say how likely a judge finds each label for some clips.
    Judge(judge::Judge),
    /// Search where and how strongly a vector should act, and write it into its file.
    Strength(Box<strength::Strength>),
    /// Hear whether a vector steers where it should, beside random directions and the prompt.
    Evaluate(Box<evaluate::Evaluate>),
}

impl Lab {
    pub fn run(&self) -> Outcome {
        match self {
            Self::Activations(extract) => extract.run(),
            Self::Directions(directions) => directions.run(),
            Self::Statistics(statistics) => statistics.run(),
            Self::Merge(merge) => merge.run(),
            Self::Probe(probe) => probe.run(),
            Self::Cluster(cluster) => cluster.run(),
            Self::JudgeImport(judge_import) => judge_import.run(),
            Self::Judge(judge) => judge.run(),
            Self::Strength(strength) => strength.run(),
            Self::Evaluate(evaluate) => evaluate.run(),
        }
    }
}

/// Which data a stage runs on.
#[derive(Args)]
struct Data {
    /// Activation files, read as one: safetensors with residual.LAYER and attention.LAYER, label and track.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    activations: Vec<PathBuf>,
    /// Which of several labels sorts the rows into classes; with several names, each in turn. By default the first, or
    /// each in turn where a row may be of several classes at once.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    label: Vec<String>,
}

impl Data {
    /// With one label.
    fn open(&self) -> Result<Activations, LabError> {
        match &self.label[..] {
            [] => Activations::open(&self.activations),
            [only] => Activations::open_label(&self.activations, only),
            _ => Err(LabError::Request("one label is asked about at a time here; name one".to_owned())),
        }
    }

    /// Once for each label that is asked about.
    fn open_each(&self) -> Result<Vec<Activations>, LabError> {
        let labels = match &self.label[..] {
            [] => Activations::labels(&self.activations)?,
            names => names.iter().cloned().map(Some).collect(),
        };
        let open = |label: &Option<String>| match label {
            Some(name) => Activations::open_label(&self.activations, name),
            None => Activations::open(&self.activations),
        };
        labels.iter().map(open).collect()
    }

    /// What the data are called where they do not say what they are.
    fn name(&self) -> String {
        let names: Vec<String> = self.activations.iter().map(|path| path.display().to_string()).collect();
        names.join(", ")
    }
}

/// What data are, as JSON.
fn described(activations: &Activations) -> Value {
    let samples = activations.samples();
    let class = |class: &usize| {
        json!({
            "name": samples.classes()[*class],
            "label": class,
            "rows": samples.rows_of(*class),
            "tracks": samples.tracks_of(*class).len(),
        })
    };
    json!({
        "label": activations.label(),
        "rows": samples.rows(),
        "tracks": samples.tracks().len(),
        "width": activations.width(),
        "classes": samples.present().iter().map(class).collect::<Vec<_>>(),
        "sha256": activations.fingerprint(),
        "model": activations.model(),
    })
}

/// A vector's scores for people.
fn table(summary: &DraftSummary) -> String {
    let mut lines = vec![format!("{:22} {:>9} {:>7} {:>7}   95 % of R2", "", "accuracy", "AUC", "R2")];
    for scored in &summary.scores {
        let place = scored.place.short();
        let score = &scored.score;
        let mark = if scored.place == summary.best { "*" } else { "" };
        lines.push(format!(
            "{place:22} {:9.3} {:7.3} {:7.3}   {:.3} to {:.3} {mark}",
            score.accuracy.value, score.auc.value, score.r2.value, score.r2.low, score.r2.high
        ));
    }
    lines.join("\n")
}

/// Reports and draws what `read` makes of each label: the result as JSON, in words and as heat maps.
fn each_label(
    data: &Data,
    plot: &Plot,
    reporting: &Reporting,
    read: impl Fn(&Activations) -> Fallible<(Value, String, Vec<HeatMap>)>,
) -> Outcome {
    let all = data.open_each()?;
    let plot = plot.create()?;
    let (mut results, mut lines, mut maps) = (Vec::new(), Vec::new(), Vec::new());
    for activations in &all {
        let (result, text, drawn) = read(activations)?;
        if all.len() > 1 {
            lines.push(format!("{}:", activations.label()));
        }
        results.push(result);
        lines.push(text);
        maps.extend(drawn);
    }
    if let Some(plot) = plot {
        plot.finish(&maps)?;
    }
    let result = if results.len() == 1 { results.remove(0) } else { json!({ "labels": results }) };
    reporting.result(&result, &lines.join("\n"));
    Ok(())
}

/// Says on stderr what should make one doubt the result.
fn warn(doubts: &[String]) {
    for doubt in doubts {
        eprintln!("tiller: {doubt}");
    }
}

/// The file of `class` where each class has its own: `v.safetensors` becomes `v-rock.safetensors`.
fn place_of(out: &std::path::Path, class: &str) -> Fallible<PathBuf> {
    let stem = out.file_stem().ok_or_else(|| format!("{} names no file", out.display()))?;
    let plain = class.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' });
    let mut name = stem.to_owned();
    name.push("-");
    name.push(plain.collect::<String>());
    name.push(".");
    name.push(out.extension().unwrap_or("safetensors".as_ref()));
    Ok(out.with_file_name(name))
}
