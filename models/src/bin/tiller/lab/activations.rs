//! `tiller lab activations`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;
use tiller_models::lab::{ExtractionSettings, Layout, Pooling, extract};
use tiller_models::musicgen::{Cancel, Engine, frames_of};

use super::super::output::{Pending, Reporting};
use super::super::{EngineArguments, Outcome, open_bundle};

/// Arguments of `tiller lab activations`.
#[derive(Args)]
pub(crate) struct Extract {
    /// Folder of the data set: WAV, AIFF, FLAC, MP3, Ogg Vorbis or M4A files of any sample rate.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// How it is laid out: a folder for each class, or as GTZAN, FMA or SynTheory are published.
    #[arg(long, value_enum, default_value_t = Laid::Folders)]
    layout: Laid,
    /// Column of the table (info.csv, info.jsonl) that holds the class, in the layout syntheory.
    #[arg(long, value_name = "NAME", required_if_eq("layout", "syntheory"))]
    class_column: Option<String>,
    /// Draw as many recordings from each class; by default all are read.
    #[arg(long, value_name = "N")]
    per_class: Option<NonZeroUsize>,
    /// Seed of what is drawn.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Length of the segments that tracks are cut into; what is left over is dropped.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Which positions of a segment become rows: the last, the mean of every n-th, or each n-th.
    #[arg(long, value_enum, default_value_t = Positions::Mean)]
    pool: Positions,
    /// n of every n-th position.
    #[arg(long, value_name = "N", default_value = "25")]
    every: NonZeroUsize,
    /// What the model is told while it reads, the same for all. Never name a class in it.
    #[arg(long, default_value = "")]
    prompt: String,
    /// The activation file. FILE.partial beside it holds what is done until it is whole; run again to go on.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    engine: EngineArguments,
    #[command(flatten)]
    reporting: Reporting,
}

#[derive(Clone, Copy, ValueEnum)]
enum Laid {
    Folders,
    Gtzan,
    Fma,
    Syntheory,
}

#[derive(Clone, Copy, ValueEnum)]
enum Positions {
    Last,
    Mean,
    Each,
}

impl Extract {
    pub fn run(&self) -> Outcome {
        let layout = match self.layout {
            Laid::Folders => Layout::Folders,
            Laid::Gtzan => Layout::Gtzan,
            Laid::Fma => Layout::Fma,
            Laid::Syntheory => Layout::Table { class: self.class_column.clone().unwrap_or_default() },
        };
        let mut dataset = layout.list(&self.data)?;
        if let Some(per_class) = self.per_class {
            dataset = dataset.balanced(per_class, self.seed)?;
        }
        let bundle = open_bundle(self.engine.bundle.as_deref())?;
        let settings = ExtractionSettings {
            prompt: self.prompt.clone(),
            frames: frames_of(self.seconds, bundle.architecture())?,
            pooling: match self.pool {
                Positions::Last => Pooling::Last,
                Positions::Mean => Pooling::Mean,
                Positions::Each => Pooling::Each,
            },
            every: self.every,
        };
        let pending = Pending::create(&self.out)?;
        let mut partial = self.out.clone().into_os_string();
        partial.push(".partial");
        let engine = Engine::load(&bundle, &self.engine.options())?;
        let bar = self.reporting.bar(dataset.recordings.len(), "reading");
        let cancel = Cancel::new();
        let found = extract(&engine, &dataset, &settings, partial.as_ref(), &cancel, |done| {
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        pending.finish_by(|out| found.write(out))?;
        if !self.reporting.quiet {
            for skipped in found.skipped() {
                eprintln!("tiller: skipped {}: {}", skipped.path.display(), skipped.reason);
            }
        }
        let result = json!({
            "out": self.out,
            "segments": found.segments(),
            "resumed": found.resumed(),
            "skipped": found.skipped(),
            "classes": dataset.classes,
        });
        let line = format!("{}: {} segments", self.out.display(), found.segments());
        found.finish()?;
        self.reporting.result(&result, &line);
        Ok(())
    }
}
