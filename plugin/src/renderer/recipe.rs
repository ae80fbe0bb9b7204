//! From a press of Generate to a take without tokens.

use std::sync::Arc;

use tiller_models::steering::StrengthCurve;

use crate::MAX_TAKE_SECONDS;
use crate::instance::Press;
use crate::state::{Project, Recipe, Steering, Take};
use crate::timeline::land;

/// Shortest take, seconds: a few frames.
const MIN_TAKE_SECONDS: f64 = 0.1;

/// The take a press asks for, steered by the strengths as they were at the press.
pub(super) fn take_of(press: &Press, project: &Project) -> Arc<Take> {
    let seconds = if press.seconds > 0.0 { press.seconds } else { press.host.seconds_of_bars(press.bars) };
    let slots = project.slots.iter().zip(press.strengths).enumerate();
    let steering = slots
        .filter_map(|(slot, (vector, strength))| {
            let curve = StrengthCurve::constant(strength);
            vector.clone().map(|vector| Steering { slot: slot + 1, vector, curve })
        })
        .collect();
    Arc::new(Take {
        place: land(project.settings.position, &press.host),
        gain: 1.0,
        muted: false,
        recipe: Recipe {
            precision: project.settings.precision.clone(),
            prompt: project.prompt.clone(),
            negative: project.negative.clone(),
            seed: press.seed,
            seconds: seconds.clamp(MIN_TAKE_SECONDS, MAX_TAKE_SECONDS),
            guidance: press.guidance,
            temperature: press.temperature,
            top_k: press.top_k,
            steering,
            scale: project.settings.scale,
            rows: project.settings.rows,
            layers: project.settings.layers,
            ..Recipe::default()
        },
        codes: None,
        made: None,
    })
}
