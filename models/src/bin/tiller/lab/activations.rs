//! `tiller lab activations`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;
use tiller_models::lab::{AudioFolder, ExtractionSettings, Pooling, extract};
use tiller_models::musicgen::{Cancel, Engine, frames_of};

use super::super::output::{Pending, Reporting};
use super::super::{EngineArguments, Outcome, open_bundle};

/// Arguments of `tiller lab activations`.
#[derive(Args)]
pub(crate) struct Extract {
    /// Folder with a folder of WAV files for each class, at the model's sample rate.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
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
enum Positions {
    Last,
    Mean,
    Each,
}

impl Extract {
    pub fn run(&self) -> Outcome {
        let folder = AudioFolder::list(&self.data)?;
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
        let bar = self.reporting.bar(folder.tracks.len(), "reading");
        let cancel = Cancel::new();
        let found = extract(&engine, &folder, &settings, partial.as_ref(), &cancel, |done| {
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
            "classes": folder.classes,
        });
        let line = format!("{}: {} segments", self.out.display(), found.segments());
        found.finish()?;
        self.reporting.result(&result, &line);
        Ok(())
    }
}
