//! `tiller lab strength`.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tiller_models::lab::ear::{Ear, Own};
use tiller_models::lab::strength::{Found, Search, search};
use tiller_models::lab::{Activations, Contrast};
use tiller_models::musicgen::{Cancel, Engine, frames_of};
use tiller_models::steering::Vector;

use super::super::output::{Pending, Reporting};
use super::super::steering::find_vector;
use super::super::{EngineArguments, Fallible, Outcome, open_bundle};
use super::clip_arguments::ClipArguments;
use super::listener::Listener;

/// Arguments of `tiller lab strength`.
#[derive(Args)]
pub(crate) struct Strength {
    /// A vector file, or a vector of the bundle by its name.
    #[arg(long, value_name = "FILE")]
    vector: String,
    /// What to play, without naming the target; several after each other. An empty one is whatever the model likes.
    #[arg(long = "prompt", value_name = "PROMPT", default_value = "")]
    prompts: Vec<String>,
    #[command(flatten)]
    listener: Listener,
    /// Activations of the two sides that the vector was not learnt from, for the model itself to listen by, in place of
    /// a judge.
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "judge", conflicts_with = "judge")]
    activations: Vec<PathBuf>,
    /// Class that the vector leads to in --activations; by default as the vector file says.
    #[arg(long, value_name = "CLASS")]
    plus: Option<String>,
    /// Class that it leads away from; by default as the vector file says.
    #[arg(long, value_name = "CLASS")]
    minus: Option<String>,
    /// Clips of each prompt that confirm; half as many others choose.
    #[arg(long, value_name = "N", default_value = "12")]
    seeds: NonZeroU64,
    /// First seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Length of a clip.
    #[arg(long, default_value_t = 5.0, allow_negative_numbers = true)]
    seconds: f64,
    #[command(flatten)]
    clips: ClipArguments,
    #[command(flatten)]
    engine: EngineArguments,
    /// The vector file with what was found. FILE.strength beside it has the labels of all clips and strength.json; clips
    /// that are there are not made again.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    reporting: Reporting,
}

impl Strength {
    pub fn run(&self) -> Outcome {
        let judged = self.listener.open()?;
        let bundle = open_bundle(self.engine.bundle.as_deref())?;
        let vector = find_vector(&self.vector, &bundle)?;
        if let Some(warning) = vector.warning(&bundle) {
            eprintln!("tiller: {warning}");
        }
        let settings = Search {
            prompts: self.prompts.clone(),
            seed: self.seed,
            seeds: self.seeds,
            clips: self.clips.settings(frames_of(self.seconds, bundle.architecture())?),
        };
        let pending = Pending::create(&self.out)?;
        let engine = Engine::load(&bundle, &self.engine.options())?;
        let cancel = Cancel::new();
        let by_keyboard = cancel.clone();
        ctrlc::set_handler(move || by_keyboard.cancel())?;
        let mut ear = match judged {
            Some(judged) => Ear::Judge(judged),
            None => Ear::Own(Box::new(self.own(&engine, &vector, settings.clips.frames, &cancel)?)),
        };
        let bar = self.reporting.bar(0, "");
        let mut progress = |progress| Reporting::show(&bar, progress);
        let folder = beside(&self.out, "strength");
        let found = search(&engine, &vector, &mut ear, &settings, &folder, &cancel, &mut progress)?;
        bar.finish_and_clear();
        pending.finish_with(found.file(&vector)?)?;
        let table = format!("{}\n\n{}", dose_table(&found), found.sentence(vector.concept()));
        self.reporting.result(&json!({ "out": self.out, "found": found }), &table);
        Ok(())
    }

    /// The model itself as a listener.
    fn own(&self, engine: &Arc<Engine>, vector: &Vector, frames: usize, cancel: &Cancel) -> Fallible<Own> {
        let activations = Activations::open(&self.activations)?;
        if vector.metadata().get("data_sha256") == Some(&activations.fingerprint()) {
            return Err("the vector was learnt from these very activations, so that they cannot tell whether it works; \
                        make others of recordings that it has not seen"
                .into());
        }
        let labels: Vec<String> = vector
            .metadata()
            .get("labels")
            .and_then(|labels| serde_json::from_str(labels).ok())
            .unwrap_or_default();
        let plus = self.plus.as_deref().or(labels.first().map(String::as_str));
        let minus = self.minus.as_deref().or(labels.get(1).map(String::as_str));
        // Against all others the file says "rest".
        let is_class = |name: &&str| activations.samples().classes().iter().any(|class| class == name);
        let minus = if self.minus.is_some() { minus } else { minus.filter(is_class) };
        let contrasts = Contrast::named(activations.samples(), plus, minus)?;
        let [contrast] = contrasts.as_slice() else {
            return Err(
                "the activations are of several classes: say with --plus which one the vector leads to"
                    .into(),
            );
        };
        Ok(Own::fit(engine, &activations, contrast, frames, self.seed, cancel)?)
    }
}

/// The curve for people.
pub(crate) fn dose_table(found: &Found) -> String {
    let mut lines =
        vec![format!("{}\n{:>9} {:>8} {:>8} {:>9}", found.region, "strength", "gain", "random", "distance")];
    for dose in &found.dose {
        lines.push(format!(
            "{:9} {:+8.3} {:+8.3} {:9.2}{}",
            dose.strength,
            dose.gain.value,
            dose.random.value,
            dose.distance,
            if dose.within { "" } else { " (too far)" }
        ));
    }
    lines.join("\n")
}

/// The place beside `out` for what is kept until it is whole.
pub(crate) fn beside(out: &Path, what: &str) -> PathBuf {
    let mut name = out.to_owned().into_os_string();
    name.push(".");
    name.push(what);
    name.into()
}
