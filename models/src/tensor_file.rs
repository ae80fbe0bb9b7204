//! Writing safetensors so that equal contents are equal bytes.
//!
//! The `safetensors` crate writes metadata in the order of a hash map, which changes from run to run; files that are
//! named by their hash cannot be written by it.

use std::collections::BTreeMap;

use safetensors::Dtype;
use serde_json::{Map, Value, json};

/// What precedes the tensors' bytes: the header's length and the header, padded so that the data are aligned to 8 bytes.
/// The data follow without gaps, in the order of `tensors`: name, type and shape of each.
pub fn header(metadata: &BTreeMap<String, String>, tensors: &[(String, Dtype, Vec<usize>)]) -> Vec<u8> {
    let mut fields = Map::new();
    fields.insert("__metadata__".to_owned(), json!(metadata));
    let mut end = 0;
    for (name, dtype, shape) in tensors {
        let start = end;
        end += shape.iter().product::<usize>() * dtype.bitsize() / 8;
        fields.insert(name.clone(), json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, end] }));
    }
    let mut text = Value::Object(fields).to_string();
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// A whole file of f32 tensors with one axis each.
pub fn of_vectors(metadata: &BTreeMap<String, String>, vectors: &BTreeMap<String, Vec<f32>>) -> Vec<u8> {
    let described: Vec<_> =
        vectors.iter().map(|(name, values)| (name.clone(), Dtype::F32, vec![values.len()])).collect();
    let mut bytes = header(metadata, &described);
    bytes.extend(vectors.values().flatten().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_aligned() {
        let metadata = [("b", "1"), ("a", "\"x\"")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let vectors = [("z", vec![1.0, 2.0]), ("y", vec![3.0])].map(|(k, v)| (k.to_owned(), v)).into();
        let bytes = of_vectors(&metadata, &vectors);
        assert_eq!(bytes, of_vectors(&metadata, &vectors));
        let (length, header) = SafeTensors::read_metadata(&bytes).unwrap();
        assert!(length.is_multiple_of(8));
        assert_eq!(header.metadata().as_ref().unwrap()["a"], "\"x\"");
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(tensors.tensor("z").unwrap().data(), [1.0_f32, 2.0].map(f32::to_le_bytes).concat());
    }
}
