//! `tiller lab directions`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use tiller_models::lab::{
    Activations, Contrast, LabError, Method, RowStatistics, Settings, Shard, Study, VectorDraft, learn,
};

use super::super::output::{Pending, Reporting};
use super::super::{Fallible, Outcome};
use super::{Data, place_of, table, warn};

/// What is learnt from, and how the rows are split.
#[derive(Args)]
pub(super) struct Question {
    #[command(flatten)]
    pub data: Data,
    /// How directions are found: dim (difference in means), mse or bce (a linear probe's weights), pca (first principal
    /// component of pair differences).
    #[arg(long, default_value_t = Method::Dim)]
    pub method: Method,
    /// Class that the vector leads to. Without it, the second class of two, or each of more in turn, a file each.
    #[arg(long, value_name = "CLASS")]
    plus: Option<String>,
    /// Class that it leads away from; by default all others, each counting the same.
    #[arg(long, value_name = "CLASS")]
    minus: Option<String>,
    /// Folds of the cross-validation over tracks.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub folds: usize,
    /// Decides how tracks are split and resampled.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

impl Question {
    pub fn contrasts(&self, activations: &Activations) -> Result<Vec<Contrast>, LabError> {
        Contrast::named(activations.samples(), self.plus.as_deref(), self.minus.as_deref())
    }
}

/// Arguments of `tiller lab directions`.
#[derive(Args)]
pub(crate) struct Directions {
    #[command(flatten)]
    question: Question,
    /// The vector file; with --shard, the shard's file. When each class gets one, its name is added: v-rock.safetensors.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What people call the vector; by default the name of the class it leads to.
    #[arg(long)]
    name: Option<String>,
    /// Standardise the activations first, and fold the direction back to activation space.
    #[arg(long)]
    standardise: bool,
    /// Ridge penalty of mse, scikit-learn's alpha; by default chosen by cross-validation over tracks.
    #[arg(long, value_name = "ALPHA")]
    ridge: Option<f64>,
    /// Inverse penalty of bce, scikit-learn's C.
    #[arg(long, value_name = "C", default_value_t = 1.0)]
    c: f64,
    /// Learn a part of the layers and sites, such as 2/8, for `tiller lab merge`.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// What `tiller lab statistics` has found in all shares of the rows, instead of reading them for it.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    statistics: Vec<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
}

/// Why statistics of several contrasts are refused.
pub(super) const ONE_CONTRAST: &str = "statistics are of one contrast: choose the class with --plus";

impl Directions {
    pub fn run(&self) -> Outcome {
        let settings = Settings {
            method: self.question.method,
            standardise: self.standardise,
            ridge: self.ridge,
            c: self.c,
            folds: self.question.folds,
            seed: self.question.seed,
        };
        let all = self.question.data.open_each()?;
        let several = all.len() > 1;
        let mut questions = Vec::new();
        for activations in &all {
            let out = if several { place_of(&self.out, activations.label())? } else { self.out.clone() };
            let contrasts = self.question.contrasts(activations)?;
            for (contrast, out) in contrasts.iter().zip(places(&out, &contrasts)?) {
                questions.push((activations, contrast.clone(), out));
            }
        }
        let mut taken = HashSet::new();
        if let Some((.., twice)) = questions.iter().find(|(.., out)| !taken.insert(out.clone())) {
            let twice = twice.display();
            return Err(format!("two classes would become {twice}: choose one with --plus or --label").into());
        }
        if questions.len() > 1 && !self.statistics.is_empty() {
            return Err(ONE_CONTRAST.into());
        }
        if questions.len() > 1 && self.name.is_some() {
            return Err(
                "every class gets a vector, and --name names one; choose the class with --plus".into()
            );
        }
        let mut results = Vec::with_capacity(questions.len());
        // Contrasts share classes: what is doubtful of one is said once.
        let mut doubts = Vec::new();
        for (activations, contrast, out) in &questions {
            results.push(self.learn(activations, contrast, &settings, out, &mut doubts)?);
        }
        if !self.reporting.quiet {
            warn(&doubts);
        }
        if self.reporting.json {
            let result = if let [only] = &mut results[..] { only.take() } else { Value::from(results) };
            println!("{result}");
        }
        Ok(())
    }

    /// Learns one contrast and writes its file; what is said of it as JSON.
    fn learn(
        &self,
        activations: &Activations,
        contrast: &Contrast,
        settings: &Settings,
        out: &Path,
        doubts: &mut Vec<String>,
    ) -> Fallible<Value> {
        let pending = Pending::create(out)?;
        let study = Study::new(activations, contrast, settings)?;
        let study = match self.statistics.is_empty() {
            true => study,
            false => {
                let statistics = RowStatistics::open(&self.statistics, &study)?;
                study.with(statistics)
            }
        };
        let shard = self.shard.unwrap_or(Shard::WHOLE);
        let concept = self.name.as_deref().unwrap_or(&contrast.names()[0]);
        let mut draft = VectorDraft::new(&study, concept, shard);
        let places = study.places(shard);
        let bar = self.reporting.bar(places.len(), "learning");
        for place in places {
            draft.add(place, learn(&study, place)?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        if self.shard.is_some() {
            pending.finish_with(draft.part())?;
            if !self.reporting.json && !self.reporting.quiet {
                println!("{}: shard {shard}, for tiller lab merge", out.display());
            }
            return Ok(json!({ "out": out, "shard": shard }));
        }
        let (bytes, summary) = draft.vector()?;
        pending.finish_with(bytes)?;
        let new: Vec<_> = summary.doubts.iter().filter(|doubt| !doubts.contains(doubt)).cloned().collect();
        doubts.extend(new);
        if !self.reporting.json && !self.reporting.quiet {
            println!("{}\n{}: {}", table(&summary), out.display(), summary.reason);
        }
        Ok(json!({ "out": out, "summary": summary }))
    }
}

/// A file for each contrast.
fn places(out: &Path, contrasts: &[Contrast]) -> Fallible<Vec<PathBuf>> {
    match contrasts {
        [_] => Ok(vec![out.to_owned()]),
        several => several.iter().map(|contrast| place_of(out, &contrast.names()[0])).collect(),
    }
}
