//! `tiller learn`.

use std::fs;
use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tiller_models::lab::lesson::{Lesson, file_stem, teach};
use tiller_models::lab::strength::Search;
use tiller_models::musicgen::{Cancel, Engine, frames_of};

use super::lab::listener::Listener;
use super::lab::strength::beside;
use super::output::{Pending, Reporting};
use super::{EngineArguments, Outcome, open_bundle};

/// Arguments of `tiller learn`.
#[derive(Args)]
pub(crate) struct Learn {
    /// Folder of recordings that have the concept; twenty or more are best, four the least.
    #[arg(long, value_name = "DIR")]
    plus: PathBuf,
    /// Folder of recordings that are alike but for the concept.
    #[arg(long, value_name = "DIR")]
    minus: PathBuf,
    /// What to call it.
    #[arg(long)]
    name: String,
    /// What to play while it is tried, without naming the concept; several after each other. By default whatever the
    /// model likes.
    #[arg(long = "prompt", value_name = "PROMPT", default_value = "")]
    prompts: Vec<String>,
    /// Length of the segments that recordings are cut into, and of the clips it is tried on. Shorter recordings are
    /// skipped.
    #[arg(long, default_value_t = 4.0, allow_negative_numbers = true)]
    seconds: f64,
    /// Clips of each prompt that confirm whether it works; half as many others choose where and how strongly.
    #[arg(long, value_name = "N", default_value = "12")]
    seeds: NonZeroU64,
    /// Decides everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    listener: Listener,
    #[command(flatten)]
    engine: EngineArguments,
    /// The vector file; by default the name in this folder. The report is beside it, with .html at its end.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Keep the activations and the labels of all clips, in FILE.lesson.
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    reporting: Reporting,
}

impl Learn {
    pub fn run(&self) -> Outcome {
        let out = self.out.clone().unwrap_or_else(|| format!("{}.safetensors", file_stem(&self.name)).into());
        let page = out.with_extension("html");
        if page == out {
            return Err("--out names the vector file, which does not end in .html; the report does".into());
        }
        let judge = self.listener.open()?;
        let bundle = open_bundle(self.engine.bundle.as_deref())?;
        let frames = frames_of(self.seconds, bundle.architecture())?;
        let lesson = Lesson {
            name: self.name.clone(),
            plus: self.plus.clone(),
            minus: self.minus.clone(),
            frames,
            search: Search {
                prompts: self.prompts.clone(),
                seed: self.seed,
                seeds: self.seeds,
                ..Search::new(frames)
            },
        };
        let (vector_file, page_file) = (Pending::create(&out)?, Pending::create(&page)?);
        let engine = Engine::load(&bundle, &self.engine.options())?;
        let cancel = Cancel::new();
        let by_keyboard = cancel.clone();
        ctrlc::set_handler(move || by_keyboard.cancel())?;
        let bar = self.reporting.bar(0, "");
        let folder = beside(&out, "lesson");
        let learnt = teach(&engine, &lesson, judge, &folder, &cancel, &mut |progress| {
            Reporting::show(&bar, progress)
        })?;
        bar.finish_and_clear();
        vector_file.finish_with(&learnt.vector)?;
        page_file.finish_with(&learnt.page)?;
        if !self.keep {
            fs::remove_dir_all(&folder)
                .map_err(|error| format!("{} cannot be removed: {error}", folder.display()))?;
        }
        if !self.reporting.quiet {
            for skipped in &learnt.skipped {
                eprintln!("tiller: skipped {}: {}", skipped.path.display(), skipped.reason);
            }
            for doubt in &learnt.doubts {
                eprintln!("tiller: {doubt}");
            }
        }
        let line = format!("{}\n{}, and the report {}", learnt.verdict, out.display(), page.display());
        self.reporting.result(&json!({ "out": out, "page": page, "learnt": learnt }), &line);
        Ok(())
    }
}
