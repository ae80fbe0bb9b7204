//! `tiller lab probe`.

use std::num::NonZeroUsize;

use clap::Args;
use serde_json::{Value, json};
use tiller_models::lab::{Place, ProbeScore, ProbeSettings, Recommendation, probe};

use super::super::Outcome;
use super::super::output::Reporting;
use super::{Data, described, warn};

/// Arguments of `tiller lab probe`.
#[derive(Args)]
pub(crate) struct Probe {
    #[command(flatten)]
    data: Data,
    /// Penalise components as if they were standardised.
    #[arg(long)]
    standardise: bool,
    /// Folds of the cross-validation over tracks.
    #[arg(long, value_name = "N", default_value_t = 5)]
    folds: usize,
    /// How often labels are dealt anew among the tracks for the baseline.
    #[arg(long, value_name = "N", default_value = "100")]
    permutations: NonZeroUsize,
    /// Decides how tracks are split, permuted and resampled.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    reporting: Reporting,
}

impl Probe {
    pub fn run(&self) -> Outcome {
        let settings = ProbeSettings {
            standardise: self.standardise,
            folds: self.folds,
            permutations: self.permutations,
            seed: self.seed,
        };
        let activations = self.data.open()?;
        let samples = activations.samples();
        let bar = self.reporting.bar(activations.places().len(), "probing");
        let mut scores = Vec::new();
        let mut silent = Vec::new();
        for &place in activations.places() {
            match probe(&activations, &settings, place)? {
                Some(score) => scores.push((place, score)),
                None => silent.push(place),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let recommended = Recommendation::of(samples, &scores)
            .ok_or("at none of the places anything varies between the rows; extract the activations again")?;
        let doubts = samples.doubts(&samples.present());
        if !self.reporting.quiet {
            warn(&doubts);
        }
        let places: Vec<Value> = scores
            .iter()
            .map(|(place, score)| {
                let mut value = json!(score);
                value["site"] = json!(place.site);
                value["layer"] = json!(place.layer);
                value
            })
            .collect();
        let result = json!({
            "data": described(&activations),
            "chance": 1.0 / samples.present().len() as f64,
            "places": places,
            "without_variation": silent,
            "recommended": recommended,
            "doubts": doubts,
            "folds": self.folds,
            "permutations": self.permutations,
            "standardise": self.standardise,
            "seed": self.seed,
        });
        self.reporting.result(&result, &format!("{}\n{}", table(&scores, &recommended), recommended.reason));
        Ok(())
    }
}

/// The scores for people.
fn table(scores: &[(Place, ProbeScore)], recommended: &Recommendation) -> String {
    let mut lines = vec![format!(
        "{:14} {:>9}  {:>14} {:>9} {:>7} {:>7} {:>7}",
        "", "accuracy", "95 %", "permuted", "p", "AUC", "R2"
    )];
    for (place, score) in scores {
        let interval = format!("{:.3} to {:.3}", score.accuracy.low, score.accuracy.high);
        lines.push(format!(
            "{:14} {:9.3}  {interval} {:9.3} {:7.3} {:7.3} {:7.3} {}",
            format!("{} {}", place.site, place.layer),
            score.accuracy.value,
            score.baseline.mean,
            score.baseline.p,
            score.auc.value,
            score.r2.value,
            if *place == recommended.place { "*" } else { "" },
        ));
    }
    lines.join("\n")
}
