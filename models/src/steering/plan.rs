//! What a take is steered by: vectors with strengths, and how they act.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Monitoring, SteeringError, StrengthCurve, Vector};

/// What a take is steered by.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Steering {
    /// Length of a step along a direction.
    #[serde(default)]
    pub scale: Scale,
    /// Which rows of classifier-free guidance are steered.
    #[serde(default)]
    pub rows: Rows,
    /// Which layers are steered.
    #[serde(default)]
    pub layers: Layers,
    /// Steering acts at every step whose number is a multiple of this; 0 and 1 for every step.
    #[serde(default = "every_step")]
    pub period: usize,
    /// Vectors and their strengths, summed.
    #[serde(default)]
    pub slots: Vec<Slot>,
}

fn every_step() -> usize {
    1
}

/// One vector and how strongly it acts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// The vector, by [`Vector::hash`].
    pub vector: String,
    /// Its concept, for people.
    pub name: String,
    /// Strength at every frame: a in `h <- (h + a s r) / (1 + |a|)`. 0 does nothing, negative pushes away.
    pub curve: StrengthCurve,
    /// Whether it lets go where its concept is there already; absent: it acts all the time. Left out of the JSON then, so
    /// that takes from before there was monitoring keep their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<Monitoring>,
}

impl Slot {
    /// A slot for `vector`, which acts all the time.
    #[must_use]
    pub fn new(vector: &Vector, curve: StrengthCurve) -> Self {
        Self { vector: vector.hash().to_owned(), name: vector.concept().to_owned(), curve, monitor: None }
    }

    /// The same with another monitoring.
    #[must_use]
    pub fn monitored(self, monitor: Option<Monitoring>) -> Self {
        Self { monitor, ..self }
    }
}

impl Steering {
    /// The same with another monitoring of all its vectors.
    #[must_use]
    pub fn monitored(self, monitor: Option<Monitoring>) -> Self {
        let slots = self.slots.into_iter().map(|slot| slot.monitored(monitor)).collect();
        Self { slots, ..self }
    }

    /// The first of `frames` frames from which `other` steers differently: where rendering has to begin again. `None`
    /// if it does not.
    #[must_use]
    pub fn first_difference(&self, other: &Self, frames: usize) -> Option<usize> {
        let how = |steering: &Self| (steering.scale, steering.rows, steering.layers, steering.period.max(1));
        let vectors = |steering: &Self| {
            steering.slots.iter().map(|slot| (slot.vector.clone(), slot.monitor)).collect::<Vec<_>>()
        };
        if how(self) != how(other) || vectors(self) != vectors(other) {
            return (frames > 0).then_some(0);
        }
        let pairs = self.slots.iter().zip(&other.slots);
        pairs.filter_map(|(a, b)| a.curve.first_difference(&b.curve, frames)).min()
    }
}

/// Length of a step along a direction: s in `h <- (h + a s r) / (1 + |a|)`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// The norm of the activation, so that a strength means the same in every layer. The authors' code does this.
    #[default]
    Norm,
    /// 1, as the paper writes it.
    Literal,
}

/// Which rows of classifier-free guidance are steered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rows {
    /// The conditional row, so that guidance amplifies the steering.
    #[default]
    Conditional,
    /// Both.
    Both,
}

/// Which layers are steered. As text: `recommended`, `all`, `L` or `A-B` (both included, from 0).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Layers {
    /// Those that the vector's file recommends, else all it has.
    #[default]
    Recommended,
    /// All for which the vector has a direction.
    All,
    /// First and last of a range; a vector may have gaps in it.
    Range(usize, usize),
}

impl Layers {
    /// The layers in which `vector` acts, never empty.
    pub(crate) fn of(self, vector: &Vector) -> Result<BTreeSet<usize>, SteeringError> {
        let held = vector.layers();
        let chosen: BTreeSet<usize> = match self {
            Self::Recommended => vector.recommended_layers(),
            Self::All => held.clone(),
            Self::Range(first, last) => held.range(first..=last).copied().collect(),
        };
        if chosen.is_empty() {
            let present: Vec<String> = held.iter().map(usize::to_string).collect();
            return Err(SteeringError::NoDirection {
                concept: vector.concept().to_owned(),
                chosen: self.to_string(),
                present: present.join(", "),
            });
        }
        Ok(chosen)
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recommended => f.write_str("recommended"),
            Self::All => f.write_str("all"),
            Self::Range(first, last) if first == last => write!(f, "{first}"),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl FromStr for Layers {
    type Err = SteeringError;

    fn from_str(text: &str) -> Result<Self, SteeringError> {
        let range = |first: &str, last: &str| Some((first.trim().parse().ok()?, last.trim().parse().ok()?));
        match text.trim() {
            "recommended" => Ok(Self::Recommended),
            "all" => Ok(Self::All),
            other => match other.split_once('-').map_or_else(|| range(other, other), |(a, b)| range(a, b)) {
                Some((first, last)) if first <= last => Ok(Self::Range(first, last)),
                _ => Err(SteeringError::Layers(text.to_owned())),
            },
        }
    }
}

impl TryFrom<String> for Layers {
    type Error = SteeringError;

    fn try_from(text: String) -> Result<Self, SteeringError> {
        text.parse()
    }
}

impl From<Layers> for String {
    fn from(layers: Layers) -> Self {
        layers.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steering::Rule;

    #[test]
    fn a_choice_of_layers_is_written_as_it_is_read() {
        for text in ["recommended", "all", "12", "10-14"] {
            assert_eq!(text.parse::<Layers>().unwrap().to_string(), text);
        }
        for text in ["", "14-10", "-3", "a", "1-2-3", "99999999999999999999"] {
            assert!(text.parse::<Layers>().is_err(), "{text}");
        }
    }

    #[test]
    fn rendering_begins_again_where_a_curve_differs_and_at_zero_for_anything_else() {
        let slot = |values: &[f32]| Slot {
            vector: "v".to_owned(),
            name: "n".to_owned(),
            curve: StrengthCurve::from_frames(values.to_vec()),
            monitor: None,
        };
        let of = |slots: Vec<Slot>| Steering { slots, ..Steering::default() };
        let base = of(vec![slot(&[0.0, 1.0, 1.0]), slot(&[0.5])]);
        assert_eq!(base.first_difference(&base, 10), None);
        assert_eq!(base.first_difference(&of(vec![slot(&[0.0, 1.0]), slot(&[0.5])]), 10), None);
        assert_eq!(base.first_difference(&of(vec![slot(&[0.0, 1.0, 0.0]), slot(&[0.5])]), 10), Some(2));
        assert_eq!(base.first_difference(&of(vec![slot(&[0.0, 1.0])]), 10), Some(0));
        assert_eq!(base.first_difference(&Steering { rows: Rows::Both, ..base.clone() }, 10), Some(0));
        let mut monitored = base.clone();
        monitored.slots[1].monitor = Some(Monitoring::new(Rule::Fade));
        assert_eq!(base.first_difference(&monitored, 10), Some(0));
    }

    #[test]
    fn a_slot_that_is_not_monitored_is_written_as_before_there_was_monitoring() {
        let slot =
            Slot { vector: "v".into(), name: "n".into(), curve: StrengthCurve::constant(0.5), monitor: None };
        let text = serde_json::to_string(&slot).unwrap();
        assert_eq!(text, r#"{"vector":"v","name":"n","curve":[0.5]}"#);
        assert_eq!(serde_json::from_str::<Slot>(&text).unwrap(), slot);
        let slot = slot.monitored(Some(Monitoring::new(Rule::Smitin)));
        let text = serde_json::to_string(&slot).unwrap();
        assert!(
            text.ends_with(r#""monitor":{"rule":"smitin","every":5,"places":16,"memory":50}}"#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Slot>(&text).unwrap(), slot);
    }
}
