//! `tiller lab directions`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use tiller_models::lab::{Activations, Contrast, Method, Settings, Shard, Study, VectorDraft, learn};

use super::super::output::{Pending, Reporting};
use super::super::{Fallible, Outcome};
use super::{Data, place_of, table, warn};

/// Arguments of `tiller lab directions`.
#[derive(Args)]
pub(crate) struct Directions {
    #[command(flatten)]
    data: Data,
    /// How directions are found: dim (difference in means), mse or bce (a linear probe's weights), pca (first principal
    /// component of pair differences).
    #[arg(long, default_value_t = Method::Dim)]
    method: Method,
    /// Class that the vector leads to. Without it, the second class of two, or each of more in turn, a file each.
    #[arg(long, value_name = "CLASS")]
    plus: Option<String>,
    /// Class that it leads away from; by default all others, each counting the same.
    #[arg(long, value_name = "CLASS")]
    minus: Option<String>,
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
    /// Folds of the cross-validation over tracks.
    #[arg(long, value_name = "N", default_value_t = 5)]
    folds: usize,
    /// Decides how tracks are split and resampled.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Learn a part of the layers and sites, such as 2/8, for `tiller lab merge`.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    #[command(flatten)]
    reporting: Reporting,
}

impl Directions {
    pub fn run(&self) -> Outcome {
        let settings = Settings {
            method: self.method,
            standardise: self.standardise,
            ridge: self.ridge,
            c: self.c,
            folds: self.folds,
            seed: self.seed,
        };
        let activations = self.data.open()?;
        let contrasts = Contrast::named(activations.samples(), self.plus.as_deref(), self.minus.as_deref())?;
        if contrasts.len() > 1 && self.name.is_some() {
            return Err(
                "every class gets a vector, and --name names one; choose the class with --plus".into()
            );
        }
        let places = self.places(&contrasts)?;
        let mut results = Vec::with_capacity(contrasts.len());
        for (contrast, out) in contrasts.iter().zip(&places) {
            results.push(self.learn(&activations, contrast, &settings, out)?);
        }
        if self.reporting.json {
            let result = if let [only] = &mut results[..] { only.take() } else { Value::from(results) };
            println!("{result}");
        }
        Ok(())
    }

    /// A file for each contrast.
    fn places(&self, contrasts: &[Contrast]) -> Fallible<Vec<PathBuf>> {
        if contrasts.len() == 1 {
            return Ok(vec![self.out.clone()]);
        }
        let mut taken = HashSet::new();
        let mut places = Vec::with_capacity(contrasts.len());
        for contrast in contrasts {
            let place = place_of(&self.out, &contrast.names()[0])?;
            if !taken.insert(place.clone()) {
                let place = place.display();
                return Err(format!("two classes would become {place}: choose one with --plus").into());
            }
            places.push(place);
        }
        Ok(places)
    }

    /// Learns one contrast and writes its file; what is said of it as JSON.
    fn learn(
        &self,
        activations: &Activations,
        contrast: &Contrast,
        settings: &Settings,
        out: &Path,
    ) -> Fallible<Value> {
        let pending = Pending::create(out)?;
        let study = Study::new(activations, contrast, settings)?;
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
        if !self.reporting.quiet {
            warn(&summary.doubts);
        }
        if !self.reporting.json && !self.reporting.quiet {
            println!("{}\n{}: {}", table(&summary), out.display(), summary.reason);
        }
        Ok(json!({ "out": out, "summary": summary }))
    }
}
