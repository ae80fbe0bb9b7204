//! Takes of the small checkpoint, steered or not.

use std::sync::Arc;

use tiller_models::bundle::Precision;
use tiller_models::musicgen::{Engine, EngineOptions, Recipe};
use tiller_models::steering::{Layers, Slot, Steering, StrengthCurve, Vector};

use super::Checkpoint::Small;

/// The checkpoint's engine with 8-bit weights.
pub fn engine() -> Arc<Engine> {
    engine_in(Precision::Int8)
}

/// The checkpoint's engine in a precision.
pub fn engine_in(precision: Precision) -> Arc<Engine> {
    let options = EngineOptions { precision: Some(precision), ..EngineOptions::default() };
    Engine::load(Small.bundle(), &options).unwrap()
}

/// The checkpoint's vectors, by name: the attention's, then the residual stream's.
pub fn vectors() -> Vec<Arc<Vector>> {
    Small.bundle().vectors().iter().map(|path| Arc::new(Vector::open(path).unwrap())).collect()
}

/// A plain take of the 8-bit engine.
pub fn recipe(frames: usize) -> Recipe {
    Recipe::plain(&engine(), "a bright marimba", 11, frames)
}

/// Both vectors, the first one with these strengths.
pub fn steered(strengths: Vec<f32>) -> Steering {
    let vectors = vectors();
    let slots = vec![
        Slot::new(&vectors[1], StrengthCurve::from_frames(strengths)),
        Slot::new(&vectors[0], StrengthCurve::constant(0.3)),
    ];
    Steering { layers: Layers::All, slots, ..Steering::default() }
}

/// 0.4, and -1.5 from `frame` on.
pub fn changed_at(frame: usize) -> Steering {
    steered((0..=frame).map(|at| if at < frame { 0.4 } else { -1.5 }).collect())
}
