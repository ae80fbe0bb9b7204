//! What came out: figures over seeds, and the tables that show them.

use serde::Serialize;

use super::experiment::{Condition, Experiment};
use crate::lab::Estimate;
use crate::lab::statistics::{bootstrap_mean, cohen_d, mean, sign_flip};

/// What is measured of one clip.
#[derive(Debug, Clone, Serialize)]
pub struct Clip {
    /// Its seed.
    pub seed: u64,
    /// The judge's probability of the source.
    pub source: f64,
    /// The judge's probability of the target.
    pub target: f64,
    /// Probability of the target over source and target, 0 to 1.
    pub normalised: f64,
    /// Distance in dB: of an unsteered clip to that of the next seed, of others to the unsteered clip of the same seed.
    pub distance: f64,
    /// Share of it that is silent, 0 to 1.
    pub silence: f64,
    /// Share of its samples at full scale, 0 to 1.
    pub clipping: f64,
}

/// The clips of a condition.
#[derive(Debug, Clone, Serialize)]
pub struct Heard {
    /// What made them.
    pub condition: Condition,
    /// Means over the clips: normalised probability of the source.
    pub source: f64,
    /// That of the target.
    pub target: f64,
    /// How much higher the target is than in the unsteered clip of the same seed. `None` for the unsteered ones, as is
    /// all below.
    pub lift: Option<Estimate>,
    /// How much higher than with a random direction.
    pub over_random: Option<Estimate>,
    /// Two-sided p of that.
    pub p: Option<f64>,
    /// Cohen's d of that.
    pub effect: Option<f64>,
    /// The judge's probability of the source, over that in unsteered clips.
    pub source_kept: Option<f64>,
    /// Distance to the unsteered clip, over the distance between unsteered clips.
    pub distance: Option<f64>,
    /// Mean share of silence.
    pub silence: f64,
    /// Mean share of clipped samples.
    pub clipping: f64,
    /// By seed.
    pub clips: Vec<Clip>,
}

/// What came out of an experiment.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was compared.
    pub experiment: Experiment,
    /// What the vector stands for.
    pub concept: String,
    /// SHA-256 of its file.
    pub vector: String,
    /// Id of the bundle.
    pub bundle: String,
    /// Who listened.
    pub judge: String,
    /// What was heard, the unsteered clips first.
    pub conditions: Vec<Heard>,
}

impl Heard {
    /// `plain` are the unsteered clips, and `random` those with random directions of the same strength, all by seed.
    pub(super) fn new(
        condition: Condition,
        clips: Vec<Clip>,
        plain: &[Clip],
        random: Option<&[Clip]>,
        seed: u64,
    ) -> Self {
        let of =
            |figure: fn(&Clip) -> f64, clips: &[Clip]| mean(&clips.iter().map(figure).collect::<Vec<_>>());
        let above = |others: &[Clip]| -> Vec<f64> {
            clips.iter().zip(others).map(|(clip, other)| clip.normalised - other.normalised).collect()
        };
        let is_plain = condition == Condition::Unsteered;
        let over_random = random.map(above);
        let ratio = |figure: fn(&Clip) -> f64| {
            let base = of(figure, plain);
            (!is_plain && base > 0.0).then(|| of(figure, &clips) / base)
        };
        let target = of(|clip| clip.normalised, &clips);
        Self {
            condition,
            source: 1.0 - target,
            target,
            lift: (!is_plain).then(|| bootstrap_mean(&above(plain), seed)),
            p: over_random.as_ref().map(|differences| sign_flip(differences, seed)),
            effect: over_random.as_ref().and_then(|differences| cohen_d(differences)),
            over_random: over_random.map(|differences| bootstrap_mean(&differences, seed)),
            source_kept: ratio(|clip| clip.source),
            distance: ratio(|clip| clip.distance),
            silence: of(|clip| clip.silence, &clips),
            clipping: of(|clip| clip.clipping, &clips),
            clips,
        }
    }
}

impl Report {
    /// The tables, as Markdown: probabilities as in the paper, then what each strength does.
    #[must_use]
    pub fn tables(&self) -> String {
        let Experiment { source, target, seeds, .. } = &self.experiment;
        let mut lines = vec![
            format!("{} over {seeds} seeds, heard by {}", self.concept, self.judge),
            String::new(),
            format!("| | {source} | {target} |"),
            "|---|---|---|".to_owned(),
        ];
        for heard in &self.conditions {
            lines.push(format!(
                "| {} | {:.4} | {:.4} |",
                self.row(heard.condition),
                heard.source,
                heard.target
            ));
        }
        lines.extend([
            String::new(),
            "| | lift | 95 % | over random | 95 % | p | d | source kept | distance | silence | clipping |"
                .to_owned(),
            "|---|---|---|---|---|---|---|---|---|---|---|".to_owned(),
        ]);
        for heard in &self.conditions {
            let figure = |value: Option<f64>, digits| {
                value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
            };
            let spread = |estimate: Option<Estimate>| match estimate {
                Some(Estimate { value, low, high }) => format!("{value:+.4} | {low:+.4} to {high:+.4}"),
                None => "- | -".to_owned(),
            };
            lines.push(format!(
                "| {} | {} | {} | {} | {} | {} | {} | {:.3} | {:.5} |",
                self.row(heard.condition),
                spread(heard.lift),
                spread(heard.over_random),
                figure(heard.p, 5),
                figure(heard.effect, 2),
                figure(heard.source_kept, 2),
                figure(heard.distance, 2),
                heard.silence,
                heard.clipping
            ));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn row(&self, condition: Condition) -> String {
        let Experiment { source, target, target_prompt, .. } = &self.experiment;
        match condition {
            Condition::Unsteered => source.clone(),
            Condition::Steered { strength } => format!("{source} to {target}, strength {strength}"),
            Condition::Random { strength } => format!("random direction, strength {strength}"),
            Condition::Prompt => {
                // A bar would end the cell.
                format!("prompt {:?}", target_prompt.as_deref().unwrap_or_default().replace('|', "/"))
            }
        }
    }
}
