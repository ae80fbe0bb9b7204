//! What came out: figures over prompts and seeds.

use std::sync::Arc;

use serde::Serialize;

use super::{Clip, Condition, Experiment};
use crate::lab::Estimate;
use crate::lab::judge::Judge;
use crate::lab::statistics::{bootstrap_mean, cohen_d, mean, sign_flip};
use crate::musicgen::Engine;
use crate::steering::Vector;

/// The clips of a condition.
#[derive(Debug, Clone, Serialize)]
pub struct Heard {
    /// What made them.
    pub condition: Condition,
    /// Means over the clips: normalised probability of the source.
    pub source: f64,
    /// That of the target.
    pub target: f64,
    /// How much higher the target is than in the unsteered clip of the same prompt and seed. `None` for the unsteered
    /// ones, as is all below.
    pub lift: Option<Estimate>,
    /// How much higher than with random directions, in the mean over those of a seed.
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
    /// Mean share in key of the clips that are not silent; `None` if all are.
    pub in_key: Option<f64>,
    /// How far the normalised target differs between the random directions of a seed: their standard deviation (of
    /// n - 1), squares averaged over prompts and seeds. `None` with one direction.
    pub spread: Option<f64>,
    /// How much of the strength was let through, 0 to 1 on average: 1 without monitoring, and with an on-and-off rule the
    /// share of the time that the vector acted.
    pub steered: Option<f64>,
    /// By prompt, seed and direction.
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
    /// `plain` are the unsteered clips, one for each pair of a prompt and a seed, and `random` those with random
    /// directions at the same place and of the same strength, as many for each pair.
    fn new(
        condition: Condition,
        clips: Vec<Clip>,
        plain: &[Clip],
        random: Option<&[Clip]>,
        seed: u64,
    ) -> Self {
        let of = |figure: fn(&Clip) -> f64| mean(&clips.iter().map(figure).collect::<Vec<_>>());
        let by_pair = |clips: &[Clip]| -> Vec<f64> {
            let of_pair = |clips: &[Clip]| mean(&normalised(clips));
            clips.chunks(clips.len() / plain.len()).map(of_pair).collect()
        };
        let own = by_pair(&clips);
        let above = |others: &[Clip]| -> Vec<f64> {
            own.iter().zip(by_pair(others)).map(|(clip, other)| clip - other).collect()
        };
        let is_plain = condition == Condition::Unsteered;
        let over_random = random.map(above);
        let ratio = |figure: fn(&Clip) -> f64| {
            let base = mean(&plain.iter().map(figure).collect::<Vec<_>>());
            (!is_plain && base > 0.0).then(|| of(figure) / base)
        };
        let target = of(|clip| clip.normalised);
        let known = |figure: fn(&Clip) -> Option<f64>| {
            let values: Vec<f64> = clips.iter().filter_map(figure).collect();
            (!values.is_empty()).then(|| mean(&values))
        };
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
            silence: of(|clip| clip.silence),
            clipping: of(|clip| clip.clipping),
            in_key: known(|clip| clip.in_key),
            spread: spread(&clips, clips.len() / plain.len()),
            steered: known(|clip| clip.steered),
            clips,
        }
    }
}

impl Report {
    /// `heard` are the clips of each condition.
    pub(super) fn new(
        engine: &Engine,
        vector: &Arc<Vector>,
        judge: &dyn Judge,
        experiment: &Experiment,
        heard: Vec<Vec<Clip>>,
    ) -> Self {
        let conditions = experiment.conditions();
        let plain = heard[0].clone();
        let random_like = |condition: Condition| match condition {
            Condition::Steered { spot, strength } | Condition::Monitored { spot, strength, .. } => {
                let random = Condition::Random { spot, strength };
                conditions.iter().position(|known| *known == random).map(|at| heard[at].clone())
            }
            _ => None,
        };
        let randoms: Vec<_> = conditions.iter().map(|&condition| random_like(condition)).collect();
        let of = |((&condition, clips), random): ((&Condition, Vec<Clip>), Option<Vec<Clip>>)| {
            Heard::new(condition, clips, &plain, random.as_deref(), experiment.seed)
        };
        Self {
            conditions: conditions.iter().zip(heard).zip(randoms).map(of).collect(),
            experiment: experiment.clone(),
            concept: vector.concept().to_owned(),
            vector: vector.hash().to_owned(),
            bundle: engine.bundle().id().to_owned(),
            judge: judge.identity().to_owned(),
        }
    }
}

fn normalised(clips: &[Clip]) -> Vec<f64> {
    clips.iter().map(|clip| clip.normalised).collect()
}

/// The standard deviation within runs of `size` clips, squares averaged over the runs; `None` of single clips.
fn spread(clips: &[Clip], size: usize) -> Option<f64> {
    if size < 2 {
        return None;
    }
    let variance = |clips: &[Clip]| {
        let values = normalised(clips);
        let middle = mean(&values);
        values.iter().map(|value| (value - middle).powi(2)).sum::<f64>() / (size - 1) as f64
    };
    Some(mean(&clips.chunks(size).map(variance).collect::<Vec<_>>()).sqrt())
}
