//! Where a vector may act, from coarse to fine.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::lab::LabError;
use crate::lab::moved::moved;
use crate::steering::{Site, Vector};

/// Sites, and a range of layers: the vector acts wherever in it it has a direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Region {
    /// One site or both.
    pub sites: Vec<Site>,
    /// First layer, from 0.
    pub first: usize,
    /// Last layer.
    pub last: usize,
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sites = match self.sites.as_slice() {
            [Site::Residual] => "residual stream",
            [Site::Attention] => "attention output",
            _ => "both sites",
        };
        match self.first == self.last {
            true => write!(f, "{sites}, layer {}", self.first),
            false => write!(f, "{sites}, layers {} to {}", self.first, self.last),
        }
    }
}

impl Region {
    /// What is tried first: at each site, and at both, all layers, the halves, the middle half, and the layers that the
    /// file recommends.
    pub(super) fn coarse(vector: &Vector) -> Vec<Self> {
        let layers_at = |sites: &[Site]| -> BTreeSet<usize> {
            vector.places().filter(|(site, _)| sites.contains(site)).map(|(_, layer)| layer).collect()
        };
        let recommended = vector.recommended_layers();
        let mut regions = Vec::new();
        for sites in [&Site::ALL[..1], &Site::ALL[1..], &Site::ALL[..]] {
            let held = layers_at(sites);
            let each_has = sites.iter().all(|site| !layers_at(&[*site]).is_empty());
            let (Some(&low), Some(&high)) = (held.first(), held.last()) else { continue };
            if !each_has {
                continue;
            }
            let count = high - low + 1;
            let mut spans = vec![
                (low, high),
                (low, low + count.div_ceil(2) - 1),
                (low + count / 2, high),
                (low + count / 4, high - count / 4),
            ];
            if let (Some(&first), Some(&last)) = (recommended.first(), recommended.last()) {
                spans.push((first, last));
            }
            for (first, last) in spans {
                let region = Self { sites: sites.to_vec(), first, last };
                if region.acts(vector) && !regions.contains(&region) {
                    regions.push(region);
                }
            }
        }
        regions
    }

    /// What is tried next to a region that works: one layer more or fewer at either end.
    pub(super) fn neighbours(&self, vector: &Vector) -> Vec<Self> {
        let moved = [
            (self.first.checked_sub(1), Some(self.last)),
            (Some(self.first + 1), Some(self.last)),
            (Some(self.first), self.last.checked_sub(1)),
            (Some(self.first), Some(self.last + 1)),
        ];
        let region = |(first, last): (Option<usize>, Option<usize>)| {
            let (first, last) = (first?, last?);
            let region = Self { sites: self.sites.clone(), first, last };
            // A wider region that has no more directions is the same.
            (first <= last && region.acts(vector) && region.places(vector) != self.places(vector))
                .then_some(region)
        };
        moved.into_iter().filter_map(region).collect()
    }

    /// The layers at which it acts.
    #[must_use]
    pub fn layers(&self, vector: &Vector) -> BTreeSet<usize> {
        self.places(vector).into_iter().map(|(_, layer)| layer).collect()
    }

    fn places(&self, vector: &Vector) -> BTreeSet<(Site, usize)> {
        let inside = |&(site, layer): &(Site, usize)| {
            self.sites.contains(&site) && (self.first..=self.last).contains(&layer)
        };
        vector.places().filter(inside).collect()
    }

    /// Whether each of its sites has a direction in it.
    fn acts(&self, vector: &Vector) -> bool {
        let places = self.places(vector);
        self.sites.iter().all(|site| places.iter().any(|(found, _)| found == site))
    }

    /// The vector, acting here.
    pub(super) fn of(&self, vector: &Vector) -> Result<Arc<Vector>, LabError> {
        moved(vector, &self.sites, &self.layers(vector))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::tensor_file;

    fn vector(tensors: &[&str], layers: &str) -> Vector {
        let metadata = [("format", crate::steering::FORMAT), ("concept", "x"), ("layers", layers)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let tensors: BTreeMap<String, Vec<f32>> =
            tensors.iter().map(|name| ((*name).to_owned(), vec![1.0, 2.0])).collect();
        Vector::from_bytes(&tensor_file::of_vectors(&metadata, &tensors), "x").unwrap()
    }

    fn names(regions: &[Region]) -> Vec<String> {
        regions.iter().map(Region::to_string).collect()
    }

    #[test]
    fn coarse_regions_are_of_every_site_and_each_once() {
        let all: Vec<String> =
            (0..6).flat_map(|layer| [format!("residual.{layer}"), format!("attention.{layer}")]).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let found = names(&Region::coarse(&vector(&all, "[4]")));
        assert_eq!(found.len(), 15);
        for expected in ["layers 0 to 5", "layers 0 to 2", "layers 3 to 5", "layers 1 to 4", "layer 4"]
            .map(|span| format!("both sites, {span}"))
        {
            assert!(found.contains(&expected), "{expected}: {found:?}");
        }
        let one = Region::coarse(&vector(&["attention.2"], "[2]"));
        assert_eq!(names(&one), ["attention output, layer 2"]);
        assert_eq!(one[0].neighbours(&vector(&["attention.2"], "[2]")), []);
    }

    #[test]
    fn neighbours_differ_by_one_layer_that_has_a_direction() {
        let vector = vector(&["residual.1", "residual.2", "residual.3", "residual.5"], "[2]");
        let region = Region { sites: vec![Site::Residual], first: 2, last: 3 };
        let found = region.neighbours(&vector);
        let expected = ["layers 1 to 3", "layer 3", "layer 2"].map(|span| format!("residual stream, {span}"));
        assert_eq!(names(&found), expected);
        let moved = region.of(&vector).unwrap();
        assert_eq!((moved.recommended_layers(), moved.sites()), ([2, 3].into(), &[Site::Residual][..]));
    }
}
