//! Where a vector is tried.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::lab::LabError;
use crate::lab::moved::moved;
use crate::steering::{Layers, Site, Vector};

/// Sites at which a vector acts. As text: `recommended`, `residual`, `attention` or `both`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sites {
    /// Those that the vector's file recommends.
    #[default]
    Recommended,
    /// The residual stream.
    Residual,
    /// The attention output.
    Attention,
    /// The two together.
    Both,
}

impl Sites {
    const NAMES: [(Self, &str); 4] = [
        (Self::Recommended, "recommended"),
        (Self::Residual, "residual"),
        (Self::Attention, "attention"),
        (Self::Both, "both"),
    ];
}

impl fmt::Display for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(sites, _)| sites == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

impl FromStr for Sites {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        let named = Self::NAMES.iter().find(|(_, name)| *name == text.trim());
        named.map(|(sites, _)| *sites).ok_or_else(|| {
            LabError::request(format!("{text:?} is no site; use recommended, residual, attention or both"))
        })
    }
}

/// Sites and layers at which a vector is tried. By default those that its file recommends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// The sites.
    pub sites: Sites,
    /// The layers.
    pub layers: Layers,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sites = match self.sites {
            Sites::Recommended => "",
            Sites::Residual => "residual stream, ",
            Sites::Attention => "attention output, ",
            Sites::Both => "both sites, ",
        };
        match self.layers {
            Layers::Range(first, last) if first == last => write!(f, "{sites}layer {first}"),
            Layers::Range(first, last) => write!(f, "{sites}layers {first} to {last}"),
            layers => write!(f, "{sites}{layers} layers"),
        }
    }
}

impl Spot {
    /// What it adds to the names of files: nothing for what the vector recommends.
    pub(super) fn suffix(self) -> String {
        match self == Self::default() {
            true => String::new(),
            false => format!("@{}.{}", self.sites, self.layers),
        }
    }

    /// The vector as it acts here, and the layers that a recipe names. Where the file's own sites are meant it is the
    /// vector itself, else a copy that recommends this place.
    ///
    /// # Errors
    /// [`LabError::Request`] if it has no direction here.
    pub(super) fn of(self, vector: &Arc<Vector>) -> Result<(Arc<Vector>, Layers), LabError> {
        let unfit = |error: crate::steering::SteeringError| LabError::request(error.to_string());
        let sites = match self.sites {
            Sites::Recommended => {
                self.layers.of(vector).map_err(unfit)?;
                return Ok((Arc::clone(vector), self.layers));
            }
            Sites::Residual => &Site::ALL[..1],
            Sites::Attention => &Site::ALL[1..],
            Sites::Both => &Site::ALL[..],
        };
        let held = |site: Site| vector.places().filter(move |place| place.0 == site).map(|(_, layer)| layer);
        if let Some(site) = sites.iter().find(|&&site| held(site).next().is_none()) {
            return Err(LabError::request(format!(
                "the vector {} has no direction for the {site} site; choose another with --site",
                vector.concept()
            )));
        }
        let all = moved(vector, sites, &sites.iter().flat_map(|&site| held(site)).collect())?;
        let layers = match self.layers {
            Layers::Recommended => {
                let held = all.layers();
                vector.recommended_layers().into_iter().filter(|layer| held.contains(layer)).collect()
            }
            layers => layers.of(&all).map_err(unfit)?,
        };
        if layers.is_empty() {
            return Err(LabError::request(format!(
                "the vector {} has no direction for {self} in the layers that it recommends; choose layers with --layers",
                vector.concept()
            )));
        }
        Ok((moved(vector, sites, &layers)?, Layers::Recommended))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::tensor_file;

    fn vector() -> Arc<Vector> {
        let metadata = [("format", crate::steering::FORMAT), ("concept", "x"), ("layers", "[1]")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let tensors: BTreeMap<String, Vec<f32>> = ["residual.1", "residual.2", "attention.0", "attention.2"]
            .map(|name| (name.to_owned(), vec![1.0, 2.0]))
            .into();
        Arc::new(Vector::from_bytes(&tensor_file::of_vectors(&metadata, &tensors), "x").unwrap())
    }

    fn spot(sites: &str, layers: &str) -> Spot {
        Spot { sites: sites.parse().unwrap(), layers: layers.parse().unwrap() }
    }

    #[test]
    fn what_the_file_recommends_is_the_vector_itself_and_other_sites_are_a_copy() {
        let vector = vector();
        let (same, layers) = spot("recommended", "1-2").of(&vector).unwrap();
        assert_eq!((same.hash(), layers), (vector.hash(), Layers::Range(1, 2)));
        for (sites, layers, found) in [
            ("attention", "all", vec![0, 2]),
            ("attention", "1-5", vec![2]),
            ("residual", "recommended", vec![1]),
            ("both", "all", vec![0, 1, 2]),
        ] {
            let (moved, layers) = spot(sites, layers).of(&vector).unwrap();
            assert_eq!(layers, Layers::Recommended);
            assert_eq!(moved.recommended_layers().into_iter().collect::<Vec<_>>(), found);
            assert_ne!(moved.hash(), vector.hash());
        }
        for (sites, layers) in [("recommended", "0"), ("attention", "recommended"), ("residual", "0")] {
            assert!(spot(sites, layers).of(&vector).is_err(), "{sites} {layers}");
        }
    }

    #[test]
    fn spots_have_names_of_their_own() {
        assert_eq!(Spot::default().suffix(), "");
        assert_eq!(spot("both", "1-4").suffix(), "@both.1-4");
        assert_eq!(spot("recommended", "3").to_string(), "layer 3");
        assert_eq!(spot("attention", "all").to_string(), "attention output, all layers");
        assert!("heads".parse::<Sites>().unwrap_err().to_string().contains("residual"));
    }
}
