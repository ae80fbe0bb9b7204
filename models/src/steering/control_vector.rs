//! repeng's control vectors: the directions of one concept as a GGUF file.
//!
//! `general.architecture` is `controlvector`, `controlvector.model_hint` the kind of model, `controlvector.layer_count`
//! the number of directions (readers ignore it), and the tensor `direction.{L}` (F32, one axis) is what repeng and
//! llama.cpp add to the output of block L, counted from 0: `residual.{L}` here, with the same L. (repeng learns none for
//! block 0 unless asked to, and llama.cpp refuses a file that has one.) Tiller also writes the concept (`general.name`)
//! and the hash of the model's weights (`tiller.model`).
//!
//! A file is untrusted input: everything it counts is bounded before it is believed.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::gguf::{F32, Rest, U32, Value, put_entry, put_text};
use super::{FORMAT, Site, SteeringError, Vector};
use crate::tensor_file;

/// The versions whose counts are 64 bits wide; they differ in nothing that matters here.
const VERSIONS: [u32; 2] = [2, 3];
/// The version that is written.
const VERSION: u32 = 3;
/// Where tensors begin if the file does not say otherwise, in bytes.
const ALIGNMENT: usize = 32;
const LARGEST_ALIGNMENT: u32 = 1 << 16;
/// More layers than any decoder has.
const MOST_LAYERS: u64 = 1024;
const MOST_KEYS: u64 = 1024;

/// A control vector: directions of any length, by layer.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlVector {
    directions: BTreeMap<usize, Vec<f32>>,
    model_hint: Option<String>,
    name: Option<String>,
    model: Option<String>,
    hash: String,
}

impl ControlVector {
    /// Reads a control vector.
    ///
    /// # Errors
    /// [`SteeringError::Read`], or [`SteeringError::File`] with what is wrong in it.
    pub fn open(path: &Path) -> Result<Self, SteeringError> {
        Self::from_bytes(&super::vector::read(path)?, &path.display().to_string())
    }

    /// Reads a control vector's bytes; `file` names them in errors.
    ///
    /// # Errors
    /// [`SteeringError::File`] with what is wrong.
    pub fn from_bytes(bytes: &[u8], file: &str) -> Result<Self, SteeringError> {
        parse(bytes).map_err(|reason| SteeringError::File { file: file.to_owned(), reason })
    }

    /// The concept in the file, if it says one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The layers it has directions for.
    pub fn layers(&self) -> impl Iterator<Item = usize> {
        self.directions.keys().copied()
    }

    /// The vector file with these directions at `site`, bit by bit.
    ///
    /// # Errors
    /// [`SteeringError::File`] if the concept is empty.
    pub fn to_vector(&self, concept: &str, site: Site) -> Result<Vec<u8>, SteeringError> {
        let mut metadata: BTreeMap<String, String> = BTreeMap::new();
        let mut text = |key: &str, value: &str| metadata.insert(key.to_owned(), value.to_owned());
        text("format", FORMAT);
        text("concept", concept);
        text("method", "imported from a GGUF control vector");
        text("gguf_sha256", &self.hash);
        text("sites", &json!([site]).to_string());
        for (key, value) in [("model_hint", &self.model_hint), ("model", &self.model)] {
            value.iter().for_each(|value| drop(text(key, value)));
        }
        let tensors =
            self.directions.iter().map(|(layer, values)| (format!("{site}.{layer}"), values.clone()));
        let bytes = tensor_file::of_vectors(&metadata, &tensors.collect());
        Vector::from_bytes(&bytes, "the control vector")?;
        Ok(bytes)
    }
}

/// The GGUF file of a vector's directions for the residual stream, as its file holds them; the format knows no other
/// site.
///
/// # Errors
/// [`SteeringError::Request`] if it has none.
pub fn to_gguf(vector: &Vector) -> Result<Vec<u8>, SteeringError> {
    let directions: Vec<(String, &[f32])> = vector
        .places()
        .filter(|&(site, _)| site == Site::Residual)
        .filter_map(|(site, layer)| Some((format!("direction.{layer}"), vector.tensor(site, layer)?)))
        .collect();
    if directions.is_empty() {
        return Err(SteeringError::Request(format!(
            "the vector {} has directions for the attention output alone, and a GGUF control vector holds those of the \
             residual stream",
            vector.concept()
        )));
    }
    let (count, model) = (directions.len(), vector.model());
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((count as u64).to_le_bytes());
    bytes.extend((4 + u64::from(model.is_some())).to_le_bytes());
    put_entry(&mut bytes, "general.architecture", "controlvector");
    put_entry(&mut bytes, "controlvector.model_hint", "musicgen");
    put_text(&mut bytes, "controlvector.layer_count");
    bytes.extend(U32.to_le_bytes());
    bytes.extend((count as u32).to_le_bytes());
    put_entry(&mut bytes, "general.name", vector.concept());
    model.into_iter().for_each(|model| put_entry(&mut bytes, "tiller.model", model));
    let stride = (vector.width() * size_of::<f32>()).next_multiple_of(ALIGNMENT);
    for (position, (name, values)) in directions.iter().enumerate() {
        put_text(&mut bytes, name);
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend((values.len() as u64).to_le_bytes());
        bytes.extend(F32.to_le_bytes());
        bytes.extend(((position * stride) as u64).to_le_bytes());
    }
    for (_, values) in &directions {
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    Ok(bytes)
}

/// The control vector in `bytes`, or the rest of the sentence "FILE is no usable vector file: ...".
fn parse(bytes: &[u8]) -> Result<ControlVector, String> {
    let mut rest = Rest::of(bytes);
    if rest.take(4)? != b"GGUF" {
        return Err("it is no GGUF file".to_owned());
    }
    let version = rest.u32()?;
    if !VERSIONS.contains(&version) {
        return Err(format!(
            "its GGUF version is {version}, and this Tiller reads little-endian {VERSIONS:?}; convert it"
        ));
    }
    let tensors = rest.count(MOST_LAYERS, "tensors")?;
    let mut keys = BTreeMap::new();
    for _ in 0..rest.count(MOST_KEYS, "keys")? {
        let key = rest.text()?;
        let value = rest.value()?;
        if keys.insert(key, value).is_some() {
            return Err(format!("it has the key {key:?} twice"));
        }
    }
    let text = |key: &str| match keys.get(key) {
        Some(Value::Text(text)) => Ok(Some((*text).to_owned())),
        Some(_) => Err(format!("its {key:?} is no text")),
        None => Ok(None),
    };
    match text("general.architecture")?.as_deref() {
        Some("controlvector") => {}
        other => {
            return Err(format!("its architecture is {other:?}, and a control vector's \"controlvector\""));
        }
    }
    let alignment = match keys.get("general.alignment") {
        None => ALIGNMENT,
        Some(&Value::Number(bytes)) if bytes.is_power_of_two() && bytes <= LARGEST_ALIGNMENT => {
            bytes as usize
        }
        Some(_) => return Err("its alignment is no power of two, or too large".to_owned()),
    };

    let mut described = Vec::new();
    for _ in 0..tensors {
        let name = rest.text()?;
        let layer = name.strip_prefix("direction.").and_then(|layer| layer.parse::<u16>().ok());
        let layer =
            layer.filter(|&layer| format!("direction.{layer}") == name && u64::from(layer) < MOST_LAYERS);
        let layer = layer.ok_or_else(|| {
            format!("its tensor {name:?} is no \"direction.LAYER\" with a layer below {MOST_LAYERS}")
        })?;
        let axes = rest.u32()?;
        if axes != 1 {
            return Err(format!("its tensor {name:?} has {axes} axes, and a direction has one"));
        }
        let (width, kind, offset) = (rest.u64()?, rest.u32()?, rest.u64()?);
        if kind != F32 {
            return Err(format!("its tensor {name:?} is of type {kind}, and directions are F32 ({F32})"));
        }
        if offset % alignment as u64 != 0 {
            return Err(format!("its tensor {name:?} is not aligned to {alignment} bytes"));
        }
        described.push((name, usize::from(layer), width, offset));
    }
    let read = bytes.len() - rest.bytes().len();
    rest.take((read.next_multiple_of(alignment) - read) as u64)?;

    let mut directions = BTreeMap::new();
    let mut end = 0;
    described.sort_by_key(|&(.., offset)| offset);
    for &(name, layer, width, offset) in &described {
        if width != described[0].2 {
            return Err(format!("its tensor {name:?} is {width} wide, and another one is not"));
        }
        // So that what is read is never more than the file.
        if offset < end {
            return Err(format!("its tensor {name:?} overlaps another one"));
        }
        let after = width.checked_mul(4).and_then(|size| offset.checked_add(size));
        let values = after
            .filter(|&after| after <= rest.bytes().len() as u64)
            .and_then(|after| {
                Some(&rest.bytes()[usize::try_from(offset).ok()?..usize::try_from(after).ok()?])
            })
            .ok_or_else(|| format!("it ends before its tensor {name:?} does; copy it again"))?;
        end = offset + values.len() as u64;
        let (values, _) = values.as_chunks();
        let values: Vec<f32> = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if super::Direction::new(&values).is_none() {
            return Err(format!("its tensor {name:?} is zero or not finite, and so has no direction"));
        }
        if directions.insert(layer, values).is_some() {
            return Err(format!("it has the tensor {name:?} twice"));
        }
    }
    if directions.is_empty() {
        return Err("it holds no tensor".to_owned());
    }
    let hash = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let (model_hint, name) = (text("controlvector.model_hint")?, text("general.name")?);
    Ok(ControlVector { directions, model_hint, name, model: text("tiller.model")?, hash })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::steering::vector::tests::file;

    // Made by `tests/record_gguf.py`.
    const REPENG: &[u8] = include_bytes!("../../tests/data/gguf/repeng.gguf");
    const TILLER: &[u8] = include_bytes!("../../tests/data/gguf/tiller.gguf");
    const UNUSUAL: &[u8] = include_bytes!("../../tests/data/gguf/unusual.gguf");

    fn recorded(layer: u8) -> Vec<f32> {
        (0..5).map(|i| (16.0 * f32::from(layer) + i as f32 - 40.0) / 8.0).collect()
    }

    fn read(bytes: &[u8]) -> ControlVector {
        ControlVector::from_bytes(bytes, "x.gguf").unwrap()
    }

    fn reason(bytes: &[u8]) -> String {
        ControlVector::from_bytes(bytes, "x.gguf").unwrap_err().to_string()
    }

    /// The fixture with `old` replaced by `new` of the same length.
    fn changed(old: &[u8], new: &[u8]) -> Vec<u8> {
        assert_eq!(old.len(), new.len());
        let at = REPENG.windows(old.len()).position(|window| window == old).unwrap();
        [&REPENG[..at], new, &REPENG[at + old.len()..]].concat()
    }

    #[test]
    fn a_file_of_the_python_package_is_read_in_any_order_of_layers() {
        let control = read(REPENG);
        assert_eq!(control.directions, (1..=3).map(|layer| (layer.into(), recorded(layer))).collect());
        assert_eq!((control.model_hint.as_deref(), control.name()), (Some("musicgen"), None));
    }

    #[test]
    fn other_alignments_and_values_of_other_types_are_understood() {
        let control = read(UNUSUAL);
        assert_eq!(control.directions, [2, 7].map(|layer| (layer.into(), recorded(layer))).into());
    }

    #[test]
    fn what_is_written_equals_what_the_python_package_writes() {
        let vector = read(TILLER).to_vector("flute", Site::Residual).unwrap();
        let vector = Vector::from_bytes(&vector, "x").unwrap();
        assert_eq!(to_gguf(&vector).unwrap(), TILLER);
    }

    #[test]
    fn a_vector_comes_back_bit_by_bit_with_its_concept_and_model() {
        let odd = [f32::MIN_POSITIVE / 8.0, -0.0, 3.0e38, 0.1];
        let bytes = file(
            &[("residual.0", &odd), ("residual.7", &[1.0, 2.0, 3.0, 4.0]), ("attention.1", &odd)],
            &[("format", FORMAT), ("concept", "flute"), ("model", "6a7c")],
        );
        let vector = Vector::from_bytes(&bytes, "x").unwrap();
        let control = read(&to_gguf(&vector).unwrap());
        assert_eq!((control.name(), control.layers().collect::<Vec<_>>()), (Some("flute"), vec![0, 7]));
        let again = control.to_vector("flute", Site::Residual).unwrap();
        let again = Vector::from_bytes(&again, "x").unwrap();
        assert_eq!(again.model(), Some("6a7c"));
        let bits = |vector: &Vector, layer| {
            vector.tensor(Site::Residual, layer).unwrap().iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        };
        assert!([0, 7].into_iter().all(|layer| bits(&again, layer) == bits(&vector, layer)));
        assert_eq!(again.direction(Site::Attention, 1), None);
    }

    #[test]
    fn directions_are_put_at_the_site_asked_for() {
        let vector = read(REPENG).to_vector("x", Site::Attention).unwrap();
        let vector = Vector::from_bytes(&vector, "x").unwrap();
        assert_eq!((vector.sites(), vector.layers()), (&[Site::Attention][..], [1, 2, 3].into()));
        assert!(to_gguf(&vector).unwrap_err().to_string().contains("attention output alone"));
    }

    #[test]
    fn whatever_is_off_is_named() {
        let tensor = |name: &str, axes: u32, width: u64, kind: u32, offset: u64| {
            let numbers = [&axes.to_le_bytes()[..], &width.to_le_bytes(), &kind.to_le_bytes()].concat();
            [name.as_bytes(), &numbers, &offset.to_le_bytes()].concat()
        };
        let first = tensor("direction.3", 1, 5, 0, 0);
        let becomes = |name, axes, width, kind, offset| {
            reason(&changed(&first, &tensor(name, axes, width, kind, offset)))
        };
        assert!(becomes("direction.x", 1, 5, 0, 0).contains("direction.x"));
        assert!(becomes("direction.2", 1, 5, 0, 0).contains("twice"));
        assert!(becomes("direction.3", 2, 5, 0, 0).contains("2 axes"));
        assert!(becomes("direction.3", 1, 4, 0, 0).contains("wide"));
        assert!(becomes("direction.3", 1, 5, 1, 0).contains("type 1"));
        assert!(becomes("direction.3", 1, 5, 0, 4).contains("aligned"));
        assert!(becomes("direction.3", 1, 5, 0, 32).contains("overlaps"));
        assert!(becomes("direction.3", 1, 5, 0, 1 << 40).contains("ends before"));
        assert!(becomes("direction.3", 1, u64::MAX, 0, 64).contains("direction.3"));

        let replaced = |old: &[u8], new: &[u8]| reason(&changed(old, new));
        assert!(replaced(b"GGUF", b"GGML").contains("no GGUF"));
        assert!(replaced(&3_u32.to_le_bytes(), &3_u32.to_be_bytes()).contains("version"));
        assert!(replaced(&3_u64.to_le_bytes(), &u64::MAX.to_le_bytes()).contains("tensors"));
        assert!(replaced(b"controlvector", b"controlvictor").contains("architecture"));
        assert!(replaced(&8_u64.to_le_bytes(), &(1_u64 << 60).to_le_bytes()).contains("bytes in one text"));
        assert!(replaced(b"musicgen", b"musicg\xff\xff").contains("UTF-8"));
        assert!(replaced(&(-3.0_f32).to_le_bytes(), &f32::NAN.to_le_bytes()).contains("not finite"));
        let number = [&b"layer_count"[..], &U32.to_le_bytes()].concat();
        let unknown = [&b"layer_count"[..], &13_u32.to_le_bytes()].concat();
        assert!(replaced(&number, &unknown).contains("type 13"));
    }

    proptest! {
        #[test]
        fn a_file_that_is_cut_short_is_refused(cut in 1_usize..640) {
            for bytes in [REPENG, UNUSUAL] {
                // Behind the last value there is only padding.
                let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
                prop_assert!(ControlVector::from_bytes(&bytes[..end.saturating_sub(cut)], "x").is_err());
            }
        }

        #[test]
        fn a_damaged_file_is_refused_or_still_sound(at in 0_usize..640, value: u8) {
            let mut bytes = UNUSUAL.to_vec();
            bytes[at] = value;
            if let Ok(control) = ControlVector::from_bytes(&bytes, "x") {
                prop_assert!(control.directions.values().flatten().all(|value| value.is_finite()));
                prop_assert!(control.to_vector("x", Site::Residual).is_ok());
            }
        }
    }
}
