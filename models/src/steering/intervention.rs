//! What of a steering reaches the decoder at each step: the inputs `add`, `gain` and `relative` of both sites.
//!
//! At a site of a layer the graph computes `y = (x + add (1 + relative (||x|| - 1))) gain`. With
//! `add = sum_i a_i r_i` and `gain = 1 / (1 + sum_i |a_i|)` over the slots i that have a direction r_i there, this is
//! the paper's formula, extended to several slots.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bundle::Architecture;

use super::{Rows, Scale, Site, Steering, SteeringError, StrengthCurve, Vector};

/// A steering made ready for one model and one number of rows.
#[derive(Debug)]
pub(crate) struct Intervention {
    slots: Vec<ReadySlot>,
    period: usize,
    largest_delay: usize,
    shape: Shape,
    relative: f32,
}

#[derive(Debug)]
struct ReadySlot {
    curve: StrengthCurve,
    vector: Arc<Vector>,
    /// Where it acts, and every one of these has a direction in `vector`.
    places: Vec<(Site, usize)>,
}

/// Sizes of the inputs: layers L, rows C and width D.
#[derive(Debug, Clone, Copy)]
struct Shape {
    layers: usize,
    rows: usize,
    width: usize,
}

/// The decoder's steering inputs at one site.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SiteInputs {
    /// `[L,C,1,D]`.
    pub add: Vec<f32>,
    /// `[L,C,1,1]`.
    pub gain: Vec<f32>,
    /// `[L,C,1,1]`.
    pub relative: Vec<f32>,
}

impl Intervention {
    /// Makes `steering` ready for a decoder of shape `architecture` that runs `batch` rows, the conditional one first.
    ///
    /// # Errors
    /// A vector that is missing or does not fit, layers without direction, strengths that are not finite.
    pub fn new(
        steering: &Steering,
        vectors: &[Arc<Vector>],
        architecture: &Architecture,
        batch: usize,
    ) -> Result<Self, SteeringError> {
        let ready = |slot: &super::Slot| {
            let found = vectors.iter().find(|vector| vector.hash() == slot.vector);
            let vector = found.ok_or_else(|| SteeringError::Missing {
                name: slot.name.clone(),
                hash: slot.vector.clone(),
            })?;
            vector.check(architecture)?;
            if let Some(strength) = slot.curve.values().iter().find(|strength| !strength.is_finite()) {
                let sentence = format!(
                    "a strength of the vector {} is {strength}; strengths are finite numbers",
                    slot.name
                );
                return Err(SteeringError::Number(sentence));
            }
            let layers = steering.layers.of(vector)?;
            let places = vector
                .sites()
                .iter()
                .flat_map(|&site| layers.iter().map(move |&layer| (site, layer)))
                .filter(|&(site, layer)| vector.direction(site, layer).is_some())
                .collect();
            Ok(ReadySlot { curve: slot.curve.clone(), vector: Arc::clone(vector), places })
        };
        Ok(Self {
            slots: steering.slots.iter().map(ready).collect::<Result<_, _>>()?,
            period: steering.period.max(1),
            largest_delay: architecture.largest_delay(),
            shape: Shape {
                layers: architecture.layers,
                // One row broadcasts to all; the conditional row alone needs an identity beside it.
                rows: if steering.rows == Rows::Conditional { batch } else { 1 },
                width: architecture.width,
            },
            relative: match steering.scale {
                Scale::Norm => 1.0,
                Scale::Literal => 0.0,
            },
        })
    }

    /// Rows of the inputs, C.
    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// The strength of every slot at `step`, counted from the beginning of the take.
    ///
    /// It is the curve's value at frame `step - largest delay`, and at frame 0 before that, so that no token of a
    /// frame before t depends on a strength at t or later.
    pub fn strengths(&self, step: usize) -> Vec<f32> {
        let acts = step.is_multiple_of(self.period);
        let frame = step.saturating_sub(self.largest_delay);
        self.slots.iter().map(|slot| if acts { slot.curve.at(frame) } else { 0.0 }).collect()
    }

    /// The inputs for these strengths, residual site first; without any strength they are the identity.
    pub fn inputs(&self, strengths: &[f32]) -> [SiteInputs; 2] {
        let Shape { layers, rows, width } = self.shape;
        let mut inputs = Site::ALL.map(|_| SiteInputs {
            add: vec![0.0; layers * rows * width],
            gain: vec![1.0; layers * rows],
            relative: vec![0.0; layers * rows],
        });
        let mut total: BTreeMap<(Site, usize), f32> = BTreeMap::new();
        for (slot, &strength) in self.slots.iter().zip(strengths).filter(|(_, strength)| **strength != 0.0) {
            for &(site, layer) in &slot.places {
                let Some(direction) = slot.vector.direction(site, layer) else { continue };
                // The conditional row is the first one of a layer.
                let from = layer * rows * width;
                let add = &mut inputs[site as usize].add[from..from + width];
                for (sum, component) in add.iter_mut().zip(direction.values()) {
                    *sum += strength * component;
                }
                *total.entry((site, layer)).or_default() += strength.abs();
            }
        }
        for ((site, layer), total) in total {
            let site = &mut inputs[site as usize];
            site.gain[layer * rows] = 1.0 / (1.0 + total);
            site.relative[layer * rows] = self.relative;
        }
        inputs
    }
}
