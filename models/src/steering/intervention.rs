//! What of a steering reaches the decoder at each step: the inputs `add`, `gain` and `relative` of both sites.
//!
//! At a site of a layer the graph computes `y = (x + add (1 + relative (||x|| - 1))) gain`. With
//! `add = sum_i a_i r_i` and `gain = 1 / (1 + sum_i |a_i|)` over the slots i that have a direction r_i there, this is
//! the paper's formula, extended to several slots.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bundle::Architecture;

use super::{Monitor, Rows, Scale, Site, Slot, Steering, SteeringError, StrengthCurve, Vector};

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
    monitor: Option<Monitor>,
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
    /// A vector that is missing or does not fit, layers without direction, strengths that are not finite, a vector that
    /// is to be monitored and cannot be.
    pub fn new(
        steering: &Steering,
        vectors: &[Arc<Vector>],
        architecture: &Architecture,
        batch: usize,
    ) -> Result<Self, SteeringError> {
        let ready = |slot: &Slot| {
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
            let (curve, vector) = (slot.curve.clone(), Arc::clone(vector));
            Ok(ReadySlot { curve, vector, places, monitor: None })
        };
        let mut slots = steering.slots.iter().map(ready).collect::<Result<Vec<_>, _>>()?;
        // What comes before the first push, in a layer the attention, knows of pushes only by the tokens; so does all of
        // the unconditional row as long as it is not steered.
        let order = |(site, layer): (Site, usize)| (layer, site == Site::Residual);
        let first = slots.iter().flat_map(|slot| &slot.places).map(|&place| order(place)).min();
        let is_apart = steering.rows == Rows::Conditional && batch > 1;
        for (ready, slot) in slots.iter_mut().zip(&steering.slots) {
            let clean = |site, layer| is_apart || first.is_none_or(|first| order((site, layer)) <= first);
            let monitor = slot.monitor.map(|setting| Monitor::new(setting, &ready.vector, clean));
            ready.monitor = monitor.transpose()?;
        }
        Ok(Self {
            slots,
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

    /// The monitor of each slot, `None` for one that acts all the time.
    pub fn monitors(&self) -> impl Iterator<Item = Option<&Monitor>> {
        self.slots.iter().map(|slot| slot.monitor.as_ref())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Codec;
    use crate::steering::Layers;
    use crate::steering::vector::{FORMAT, tests::file};

    const WIDTH: usize = 3;

    fn architecture() -> Architecture {
        let codec = Codec {
            sample_rate: 100,
            samples_per_frame: 2,
            channels: 1,
            streams: 1,
            latent_width: 1,
            lstm_layers: 0,
            code_context: 0,
            latent_context: 0,
            filter_bank: None,
        };
        Architecture {
            layers: 2,
            width: WIDTH,
            heads: 1,
            codebooks: 4,
            vocabulary: 8,
            delays: vec![0, 1, 2, 3],
            max_positions: 64,
            window: 64,
            text_width: 1,
            chroma: None,
            codec,
        }
    }

    fn vector(tensors: &[(&str, &[f32])]) -> Arc<Vector> {
        let metadata = [("format", FORMAT), ("concept", "flute"), ("sites", r#"["residual"]"#)];
        Arc::new(Vector::from_bytes(&file(tensors, &metadata), "flute").unwrap())
    }

    fn steering(slots: &[(&Arc<Vector>, f32)]) -> Steering {
        let slots =
            slots.iter().map(|(v, strength)| Slot::new(v, StrengthCurve::constant(*strength))).collect();
        Steering { slots, ..Steering::default() }
    }

    /// What the graph does with the inputs of one layer and row.
    fn graph(inputs: &SiteInputs, at: usize, x: [f32; WIDTH]) -> [f32; WIDTH] {
        let norm = x.iter().map(|x| x * x).sum::<f32>().sqrt();
        let scale = 1.0 + inputs.relative[at] * (norm - 1.0);
        std::array::from_fn(|i| (x[i] + inputs.add[at * WIDTH + i] * scale) * inputs.gain[at])
    }

    fn assert_near(found: [f32; WIDTH], expected: [f32; WIDTH]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?} {expected:?}");
    }

    const X: [f32; WIDTH] = [2.0, -1.0, 2.0];

    #[test]
    fn several_slots_are_the_papers_formula_with_their_sum() {
        let (one, two) =
            (vector(&[("residual.1", &[0.0, 3.0, 4.0])]), vector(&[("residual.1", &[5.0, 0.0, 0.0])]));
        let vectors = [Arc::clone(&one), Arc::clone(&two)];
        for (scale, s) in [(Scale::Norm, 3.0), (Scale::Literal, 1.0)] {
            let plan = Steering { scale, rows: Rows::Both, ..steering(&[(&one, 0.5), (&two, -2.0)]) };
            let intervention = Intervention::new(&plan, &vectors, &architecture(), 2).unwrap();
            let [residual, attention] = intervention.inputs(&intervention.strengths(10));
            let expected = [2.0 - 2.0 * s, -1.0 + 0.5 * 0.6 * s, 2.0 + 0.5 * 0.8 * s].map(|y| y / 3.5);
            assert_near(graph(&residual, 1, X), expected);
            assert_eq!(graph(&residual, 0, X), X);
            assert_eq!(graph(&attention, 1, X), X);
        }
    }

    #[test]
    fn only_the_conditional_row_is_steered_by_default() {
        let vector = vector(&[("residual.0", &[1.0, 0.0, 0.0]), ("residual.1", &[1.0, 0.0, 0.0])]);
        let plan = steering(&[(&vector, 1.0)]);
        let intervention = Intervention::new(&plan, &[Arc::clone(&vector)], &architecture(), 2).unwrap();
        let [residual, _] = intervention.inputs(&intervention.strengths(0));
        assert_eq!((intervention.rows(), residual.add.len(), residual.gain.len()), (2, 2 * 2 * WIDTH, 2 * 2));
        assert_near(graph(&residual, 2, X), [2.5, -0.5, 1.0]);
        assert_eq!(graph(&residual, 3, X), X);
        assert_eq!(Intervention::new(&plan, &[vector], &architecture(), 1).unwrap().rows(), 1);
    }

    #[test]
    fn strength_zero_is_the_same_input_as_no_slot() {
        let vector = vector(&[("residual.0", &[1.0, 1.0, 0.0])]);
        let none = Intervention::new(&Steering::default(), &[], &architecture(), 2).unwrap();
        let zero = Intervention::new(&steering(&[(&vector, 0.0)]), &[vector], &architecture(), 2).unwrap();
        assert_eq!(zero.inputs(&zero.strengths(7)), none.inputs(&none.strengths(7)));
    }

    #[test]
    fn a_step_takes_the_strength_of_the_last_frame_it_completes() {
        let vector = vector(&[("residual.0", &[1.0, 0.0, 0.0])]);
        let mut plan = steering(&[(&vector, 0.0)]);
        plan.slots[0].curve = StrengthCurve::from_frames(vec![0.1, 0.2, 0.3]);
        let intervention = Intervention::new(&plan, &[Arc::clone(&vector)], &architecture(), 2).unwrap();
        let strengths = |plan: &Intervention| (0..8).map(|step| plan.strengths(step)[0]).collect::<Vec<_>>();
        assert_eq!(strengths(&intervention), [0.1, 0.1, 0.1, 0.1, 0.2, 0.3, 0.3, 0.3]);
        plan.period = 3;
        let periodic = Intervention::new(&plan, &[vector], &architecture(), 2).unwrap();
        assert_eq!(strengths(&periodic), [0.1, 0.0, 0.0, 0.1, 0.0, 0.0, 0.3, 0.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |plan: &Steering, vectors: &[Arc<Vector>]| {
            Intervention::new(plan, vectors, &architecture(), 2).unwrap_err().to_string()
        };
        let wide = vector(&[("residual.0", &[1.0; 4])]);
        assert!(
            refused(&steering(&[(&wide, 1.0)]), &[Arc::clone(&wide)]).contains("4 wide and the decoder 3")
        );
        let deep = vector(&[("residual.2", &[1.0; WIDTH])]);
        assert!(refused(&steering(&[(&deep, 1.0)]), &[Arc::clone(&deep)]).contains("layers are 0 to 1"));
        let fits = vector(&[("residual.1", &[1.0; WIDTH])]);
        assert!(refused(&steering(&[(&fits, 1.0)]), &[]).contains("missing"));
        assert!(refused(&steering(&[(&fits, f32::NAN)]), &[Arc::clone(&fits)]).contains("finite"));
        let other_layer = Steering { layers: Layers::Range(0, 0), ..steering(&[(&fits, 1.0)]) };
        assert!(refused(&other_layer, &[fits]).contains("no direction for the layers chosen (0)"));
    }
}
