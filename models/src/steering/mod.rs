//! Steering: directions, the files they live in, how they act, and how strongly at each frame.

pub mod curve;

pub use curve::StrengthCurve;
