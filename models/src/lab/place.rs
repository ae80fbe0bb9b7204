//! Where activations are of: a site of a layer, or one of its attention heads.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::steering::Site;

/// More layers, and more heads, than any decoder has.
const MOST: usize = 1_024;

/// A site of a layer, or a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Which of the layer's sites; for a head the attention output, to which it contributes.
    pub site: Site,
    /// The layer, from 0.
    pub layer: usize,
    /// The head, from 0, if it is one's: what it mixed of the values, before the projection of all heads together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<usize>,
}

impl Place {
    /// A site of a layer.
    #[must_use]
    pub fn new(site: Site, layer: usize) -> Self {
        Self { site, layer, head: None }
    }

    /// A head of a layer's self-attention.
    #[must_use]
    pub fn of_head(layer: usize, head: usize) -> Self {
        Self { site: Site::Attention, layer, head: Some(head) }
    }

    /// The place that a tensor is named after.
    pub(super) fn of_tensor(name: &str) -> Option<Self> {
        let number = |text: &str| text.parse().ok().filter(|&number: &usize| number < MOST);
        let mut parts = name.split('.');
        let (site, layer) = (parts.next()?, number(parts.next()?)?);
        let site = Site::ALL.into_iter().find(|known| known.name() == site)?;
        match (parts.next(), parts.next(), parts.next()) {
            (None, None, None) => Some(Self::new(site, layer)),
            (Some("head"), Some(head), None) if site == Site::Attention => {
                Some(Self::of_head(layer, number(head)?))
            }
            _ => None,
        }
    }

    /// The name of its tensor.
    pub(super) fn tensor(self) -> String {
        match self.head {
            None => format!("{}.{}", self.site, self.layer),
            Some(head) => format!("{}.{}.head.{head}", self.site, self.layer),
        }
    }

    /// What it is called in a table.
    #[must_use]
    pub fn short(self) -> String {
        match self.head {
            None => format!("{} {}", self.site, self.layer),
            Some(head) => format!("{} {} head {head}", self.site, self.layer),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let site = match (self.head, self.site) {
            (Some(head), _) => return write!(f, "the attention head {head} of layer {}", self.layer),
            (None, Site::Residual) => "residual stream",
            (None, Site::Attention) => "attention output",
        };
        write!(f, "the {site} of layer {}", self.layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_named_after_places_and_back() {
        for name in ["residual.0", "attention.23", "attention.3.head.15"] {
            assert_eq!(Place::of_tensor(name).unwrap().tensor(), name);
        }
        for name in [
            "residual",
            "residual.0.head.1",
            "attention.x",
            "attention.1.head",
            "attention.1.head.5000",
            "label.0",
        ] {
            assert_eq!(Place::of_tensor(name), None, "{name}");
        }
        assert!(Place::of_head(3, 1).to_string().contains("head 1 of layer 3"));
    }
}
