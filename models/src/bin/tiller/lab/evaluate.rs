//! `tiller lab evaluate`.

use std::fs;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tiller_models::lab::evaluate::{Experiment, Record, Sites, Spot, evaluate};
use tiller_models::lab::judge::{self, Judge};
use tiller_models::musicgen::{Cancel, Engine, EngineOptions, frames_of};
use tiller_models::steering::{Layers, Rule, Vector};

use super::super::output::Reporting;
use super::super::steering::find_vector_file;
use super::super::{EngineArguments, Fallible, Outcome, open_bundle};
use super::clip_arguments::ClipArguments;
use super::listener::{Listener, Named};

/// What `--from` takes from the folder, and so cannot be given beside it.
const ASKED: [&str; 19] = [
    "vector",
    "prompts",
    "target_prompts",
    "judge",
    "source",
    "target",
    "template",
    "seeds",
    "seed",
    "seconds",
    "strengths",
    "layers",
    "site",
    "random",
    "monitor",
    "steer_scale",
    "steer_rows",
    "guidance",
    "precision",
];

/// Arguments of `tiller lab evaluate`.
#[derive(Args)]
pub(crate) struct Evaluate {
    /// A vector file, or a vector of the bundle by its name.
    #[arg(long, value_name = "FILE", required_unless_present = "from")]
    vector: Option<String>,
    /// What to play, without naming the target; several after each other.
    #[arg(long = "prompt", value_name = "PROMPT", required_unless_present = "from")]
    prompts: Vec<String>,
    /// The same with the target named, for comparison: one for each prompt, in the same order.
    #[arg(long = "target-prompt", value_name = "PROMPT")]
    target_prompts: Vec<String>,
    #[command(flatten)]
    listener: Listener,
    /// Clips of each kind, for each prompt.
    #[arg(long, value_name = "N", default_value = "16")]
    seeds: NonZeroU64,
    /// Seed of the first clip; the next ones follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Length of a clip.
    #[arg(long, default_value_t = 8.0, allow_negative_numbers = true)]
    seconds: f64,
    /// Strengths to steer with, separated by commas.
    #[arg(long, value_name = "A,B", default_value = "0.25,0.5", value_delimiter = ',')]
    #[arg(allow_negative_numbers = true)]
    strengths: Vec<f32>,
    /// Which layers are steered; of several choices, separated by commas, each in turn.
    #[arg(long, visible_alias = "steer-layers", value_name = "recommended|all|L|A-B,...")]
    #[arg(default_value = "recommended", value_delimiter = ',')]
    layers: Vec<Layers>,
    /// Which sites are steered; of several choices, each in turn, with each choice of layers.
    #[arg(long, value_name = "recommended|residual|attention|both,...")]
    #[arg(default_value = "recommended", value_delimiter = ',')]
    site: Vec<Sites>,
    /// Random directions for each seed, place and strength.
    #[arg(long, value_name = "N", default_value = "1")]
    random: NonZeroUsize,
    /// Compare with the vector letting go where its concept is there already, at each strength: on and off at a threshold,
    /// as SMITIN does, or along a line; both, separated by commas.
    #[arg(long, value_name = "smitin|fade,...", value_delimiter = ',')]
    monitor: Vec<Rule>,
    #[command(flatten)]
    clips: ClipArguments,
    #[command(flatten)]
    engine: EngineArguments,
    /// Folder for the clips' labels, what was asked for, results.json and table.md. Clips that are there are not made
    /// again.
    #[arg(long, value_name = "DIR", required_unless_present = "from")]
    out: Option<PathBuf>,
    /// Do again what DIR was made by, from the clips that are there: hear them and make the tables.
    #[arg(long, value_name = "DIR", conflicts_with = "out", conflicts_with_all = ASKED)]
    from: Option<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
}

/// An evaluation that is ready to run.
struct Ready {
    engine: Arc<Engine>,
    vector: Arc<Vector>,
    judge: Box<dyn Judge>,
    experiment: Experiment,
    folder: PathBuf,
    /// What goes into the folder: the record, and the bytes of the vector's file. Read from there, it is there.
    noted: Option<(Record, Vec<u8>)>,
}

impl Evaluate {
    pub fn run(&self) -> Outcome {
        let ready = match &self.from {
            Some(folder) => self.again(folder)?,
            None => self.asked()?,
        };
        let Ready { engine, vector, judge, experiment, folder, noted } = ready;
        let cancel = Cancel::new();
        let by_keyboard = cancel.clone();
        ctrlc::set_handler(move || by_keyboard.cancel())?;
        // An interrupted run can go on by --from; one that is refused leaves the record of a finished one alone.
        if let Some((record, bytes)) = noted.as_ref().filter(|_| !folder.join("results.json").is_file()) {
            record.write(bytes, &folder)?;
        }
        let bar = self.reporting.bar(experiment.clips(), "evaluating");
        let progress = |done| bar.set_position(done as u64);
        let report = evaluate(&engine, &vector, &*judge, &experiment, &folder, &cancel, progress)?;
        if let Some((record, bytes)) = &noted {
            record.write(bytes, &folder)?;
        }
        bar.finish_and_clear();
        self.reporting.result(&json!({ "out": folder, "report": report }), &report.tables());
        Ok(())
    }

    /// What the arguments ask for.
    fn asked(&self) -> Fallible<Ready> {
        let (Some(name), Some(folder)) = (&self.vector, self.out.clone()) else {
            return Err("name the vector with --vector and a folder with --out".into());
        };
        let Some(Named { judge: place, template, labels }) = self.listener.named() else {
            return Err("say who listens, and for what, with --judge, --source and --target".into());
        };
        let judge = judge::open(&place, &labels, &template)?;
        let bundle = open_bundle(self.engine.bundle.as_deref())?;
        let (file, vector) = find_vector_file(name, &bundle)?;
        if let Some(warning) = vector.warning(&bundle) {
            eprintln!("tiller: {warning}");
        }
        let [source, target] = labels;
        let of_site = |&sites| self.layers.iter().map(move |&layers| Spot { sites, layers });
        let experiment = Experiment {
            prompts: self.prompts.clone(),
            target_prompts: self.target_prompts.clone(),
            source,
            target,
            seed: self.seed,
            seeds: self.seeds,
            spots: self.site.iter().flat_map(of_site).collect(),
            strengths: self.strengths.clone(),
            randoms: self.random,
            monitor: self.monitor.clone(),
            clips: self.clips.settings(frames_of(self.seconds, bundle.architecture())?),
        };
        let engine = Engine::load(&bundle, &self.engine.options())?;
        // Elsewhere a relative path would name another file.
        let place = fs::canonicalize(&place).unwrap_or(place);
        let bytes = fs::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let record = Record::new(&vector, &engine, place, template, experiment.clone());
        let vector = Arc::new(vector);
        Ok(Ready { engine, vector, judge, experiment, folder, noted: Some((record, bytes)) })
    }

    /// What `folder` was made by.
    fn again(&self, folder: &Path) -> Fallible<Ready> {
        let (record, vector) = Record::read(folder)?;
        let bundle = open_bundle(self.engine.bundle.as_deref())?;
        if bundle.id() != record.bundle {
            let (made, found) = (&record.bundle_name, &bundle.manifest().name);
            return Err(format!(
                "{} was made with the bundle {made} ({}), and this is {found} ({}); name its folder with --bundle",
                folder.display(),
                &record.bundle.get(..12).unwrap_or_default(),
                &bundle.id()[..12]
            )
            .into());
        }
        let labels = [record.experiment.source.clone(), record.experiment.target.clone()];
        let judge = judge::open(&record.judge, &labels, &record.template)?;
        let options = EngineOptions { precision: Some(record.precision), ..self.engine.options() };
        let engine = Engine::load(&bundle, &options)?;
        let (vector, experiment) = (Arc::new(vector), record.experiment);
        Ok(Ready { engine, vector, judge, experiment, folder: folder.to_owned(), noted: None })
    }
}
