//! `tiller lab probe`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use tiller_models::lab::{
    Activations, HeatMap, Place, PositionScore, Positions, ProbeScore, ProbeSettings, Recommendation,
    check_same_music, probe,
};

use super::super::output::Reporting;
use super::super::{Fallible, Outcome};
use super::plots::{self, Plot};
use super::{Data, described, each_label, warn};

/// Arguments of `tiller lab probe`.
#[derive(Args)]
pub(crate) struct Probe {
    #[command(flatten)]
    data: Data,
    /// Other readings of the same music, to say which positions to learn from; a file each.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    against: Vec<PathBuf>,
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
    plot: Plot,
    #[command(flatten)]
    reporting: Reporting,
}

/// The score of a place, as one JSON object.
#[derive(Serialize)]
struct Scored<'a> {
    #[serde(flatten)]
    place: Place,
    #[serde(flatten)]
    score: &'a ProbeScore,
}

/// What was measured in one reading.
struct Probed {
    scores: Vec<(Place, ProbeScore)>,
    silent: Vec<Place>,
}

impl Probe {
    pub fn run(&self) -> Outcome {
        each_label(&self.data, &self.plot, &self.reporting, |activations| self.label(activations))
    }

    /// One label: the result as JSON, in words and as heat maps.
    fn label(&self, activations: &Activations) -> Fallible<(Value, String, Vec<HeatMap>)> {
        let others: Vec<Activations> = self
            .against
            .iter()
            .map(|path| {
                let paths = std::slice::from_ref(path);
                let other = match activations.label() {
                    "" => Activations::open(paths)?,
                    label => Activations::open_label(paths, label)?,
                };
                check_same_music(activations, &other, &path.display().to_string())?;
                Ok(other)
            })
            .collect::<Fallible<_>>()?;
        let samples = activations.samples();
        let places =
            activations.places().len() + others.iter().map(|other| other.places().len()).sum::<usize>();
        let bar = self.reporting.bar(places, "probing");
        let each = || bar.inc(1);
        let probed = self.probe(activations, each)?;
        let recommended = Recommendation::of(samples, &probed.scores)
            .ok_or("at none of the places anything varies between the rows; extract the activations again")?;
        let mut readings = vec![PositionScore::of(&self.data.name(), activations, &probed.scores)];
        for (path, other) in self.against.iter().zip(&others) {
            let scores = self.probe(other, each)?.scores;
            readings.push(PositionScore::of(&path.display().to_string(), other, &scores));
        }
        bar.finish_and_clear();
        let positions = match self.against.is_empty() {
            true => None,
            false => Some(Positions::of(readings.into_iter().flatten().collect())?),
        };
        let doubts = samples.doubts(&samples.present());
        if !self.reporting.quiet {
            warn(&doubts);
        }
        let result = json!({
            "data": described(activations),
            "chance": 1.0 / samples.present().len() as f64,
            "places": probed.scores.iter().map(|(place, score)| Scored { place: *place, score }).collect::<Vec<_>>(),
            "without_variation": probed.silent,
            "recommended": recommended,
            "positions": positions,
            "doubts": doubts,
            "folds": self.folds,
            "permutations": self.permutations,
            "standardise": self.standardise,
            "seed": self.seed,
        });
        let mut lines = vec![table(&probed.scores, &recommended), recommended.reason.clone()];
        lines.extend(positions.map(|positions| positions.reason));
        let maps = plots::of_probes(activations, &probed.scores, recommended.place);
        Ok((result, lines.join("\n"), maps))
    }

    fn probe(&self, activations: &Activations, each: impl Fn()) -> Fallible<Probed> {
        let settings = ProbeSettings {
            standardise: self.standardise,
            folds: self.folds,
            permutations: self.permutations,
            seed: self.seed,
        };
        let mut probed = Probed { scores: Vec::new(), silent: Vec::new() };
        for &place in activations.places() {
            match probe(activations, &settings, place)? {
                Some(score) => probed.scores.push((place, score)),
                None => probed.silent.push(place),
            }
            each();
        }
        Ok(probed)
    }
}

/// The scores for people.
fn table(scores: &[(Place, ProbeScore)], recommended: &Recommendation) -> String {
    let mut lines = vec![format!(
        "{:20} {:>9}  {:>14} {:>9} {:>7} {:>7} {:>7}",
        "", "accuracy", "95 %", "permuted", "p", "AUC", "R2"
    )];
    for (place, score) in scores {
        let interval = format!("{:.3} to {:.3}", score.accuracy.low, score.accuracy.high);
        lines.push(format!(
            "{:20} {:9.3}  {interval} {:9.3} {:7.3} {:7.3} {:7.3} {}",
            place.short(),
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
