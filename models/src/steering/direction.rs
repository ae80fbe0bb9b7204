//! One unit vector for one place in the decoder.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where in a decoder layer a direction acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Site {
    /// The residual stream as it leaves the layer, after the feed-forward block.
    Residual,
    /// The self-attention output after its projection, before it joins the stream.
    Attention,
}

impl Site {
    /// Both sites, in the order of the graph's inputs.
    pub const ALL: [Self; 2] = [Self::Residual, Self::Attention];

    /// The name used in tensors, graph inputs and metadata.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Residual => "residual",
            Self::Attention => "attention",
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A vector of length 1, as wide as the decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Direction(Box<[f32]>);

impl Direction {
    /// The direction of `values`, brought to length 1.
    ///
    /// `None` if they have no direction: empty, all zero, or not all finite.
    #[must_use]
    pub fn new(values: &[f32]) -> Option<Self> {
        // In f64 neither the squares of large values overflow nor those of small ones vanish.
        let norm = values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        if !(norm.is_finite() && norm > 0.0) {
            return None;
        }
        Some(Self(values.iter().map(|&value| (f64::from(value) / norm) as f32).collect()))
    }

    /// The components, `[D]`.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_zero_and_nan_have_no_direction() {
        for values in [&[][..], &[0.0, 0.0], &[1.0, f32::NAN], &[1.0, f32::INFINITY]] {
            assert_eq!(Direction::new(values), None, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn any_other_vector_is_brought_to_length_one(
            values in prop::collection::vec(prop::num::f32::NORMAL, 1..64)
        ) {
            let direction = Direction::new(&values).unwrap();
            let norm = direction.values().iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
            prop_assert!((norm - 1.0).abs() < 1e-6, "{norm}");
        }
    }
}
