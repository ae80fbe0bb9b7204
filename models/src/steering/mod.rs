//! Steering: directions, the files they live in, how they act, and how strongly at each frame.
//!
//! A [`Direction`] is a unit vector for one [`Site`] of one decoder layer; a [`Vector`] holds the directions of one
//! concept for several layers; a [`Steering`] names vectors, gives each a [`StrengthCurve`] and says how they act, and, by
//! a [`Monitoring`], whether a vector lets go where its concept is there already; an `Intervention` is what of it reaches
//! the decoder at a step. The arithmetic is that of Panda et al. 2025, "Fine-Grained
//! control over Music Generation with Activation Steering": `h <- (h + a s r) / (1 + |a|)`.

mod algebra;
mod control_vector;
mod curve;
mod direction;
mod error;
mod gauge;
mod gguf;
mod intervention;
mod monitor;
mod plan;
mod vector;

pub use algebra::{combine, project, similarity};
pub use control_vector::{ControlVector, to_gguf};
pub use curve::StrengthCurve;
pub use direction::{Direction, Site};
pub use error::SteeringError;
pub use gauge::{Gauge, Spread};
pub(crate) use intervention::{Intervention, SiteInputs};
pub(crate) use monitor::{Means, Monitor};
pub use monitor::{Monitoring, Rule};
pub use plan::{Layers, Rows, Scale, Slot, Steering};
pub use vector::{FORMAT, Vector};
