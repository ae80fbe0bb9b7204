//! The control of every claim that a vector steers: a random direction that acts at the same places as strongly.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use super::LabError;
use super::random::Random;
use crate::bundle::Architecture;
use crate::steering::{FORMAT, Vector};
use crate::tensor_file;

/// A vector with directions of a uniform distribution at the places of `vector`, decided by the seed. Steering takes
/// directions at length 1, so that it acts as strongly. The `number`-th of a seed, from 0.
pub fn random_vector(
    vector: &Vector,
    architecture: &Architecture,
    seed: u64,
    number: usize,
) -> Result<Vector, LabError> {
    let mut tensors = BTreeMap::new();
    let places = vector.places().count();
    for (place, (site, layer)) in vector.places().enumerate() {
        let mut random = Random::new(seed, "tiller/lab/evaluate", number * places + place);
        // A normal distribution looks the same in all directions; 1 - unit is never 0.
        let mut normal = || ((-2.0 * (1.0 - random.unit()).ln()).sqrt() * (TAU * random.unit()).cos()) as f32;
        let values = (0..architecture.width).map(|_| normal()).collect();
        tensors.insert(format!("{site}.{layer}"), values);
    }
    let sites = serde_json::to_string(vector.sites()).unwrap_or_default();
    let layers = serde_json::to_string(&vector.recommended_layers()).unwrap_or_default();
    let metadata =
        [("format", FORMAT), ("concept", "a random direction"), ("sites", &sites), ("layers", &layers)];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let bytes = tensor_file::of_vectors(&metadata, &tensors);
    Vector::from_bytes(&bytes, "a random direction").map_err(|error| LabError::request(error.to_string()))
}
