//! Vectors that act elsewhere than their files recommend.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use super::LabError;
use crate::steering::{Site, Vector};
use crate::tensor_file;

/// What is said of steering, and so holds no longer when sites or layers change.
const SAID: [&str; 3] = ["strength", "dose", "evidence"];

/// The vector, acting at these sites and layers.
pub fn moved(vector: &Vector, sites: &[Site], layers: &BTreeSet<usize>) -> Result<Arc<Vector>, LabError> {
    let changes = [("sites", json!(sites)), ("layers", json!(layers))];
    let bytes = rewritten(vector, &changes.map(|(key, value)| (key, value.to_string())));
    let moved = Vector::from_bytes(&bytes, vector.concept());
    moved.map(Arc::new).map_err(|error| LabError::request(error.to_string()))
}

/// The bytes of `vector` with other metadata and without what was measured before.
pub fn rewritten(vector: &Vector, changes: &[(&str, String)]) -> Vec<u8> {
    let mut metadata = vector.metadata().clone();
    metadata.retain(|key, _| !SAID.contains(&key.as_str()));
    metadata.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    let tensor = |(site, layer)| Some((format!("{site}.{layer}"), vector.tensor(site, layer)?.to_vec()));
    let tensors: BTreeMap<String, Vec<f32>> = vector.places().filter_map(tensor).collect();
    tensor_file::of_vectors(&metadata, &tensors)
}
