//! Vector files: the directions of one concept, as safetensors.
//!
//! Tensors `residual.{L}` and `attention.{L}` (f32, `[D]`, L from 0) are directions of any length; they are brought to
//! length 1 on load. Metadata: `format` = `tiller-vector/1` and `concept` are required. Optional, each a JSON text:
//! `layers` (list, the layers recommended), `strength` (number, the strength recommended), `sites` (list of `residual`,
//! `attention`: the sites recommended), `model` (text, hash of the weights as in the bundle's `source.sha256`), `monitor`
//! (object from site to a list over layers: a [`Gauge`], or null). Anything else is kept and shown as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::bundle::{Architecture, Bundle};

use super::{Direction, Gauge, Site, SteeringError};

/// The `format` this build reads.
pub const FORMAT: &str = "tiller-vector/1";

/// A vector file of the largest published model is under 1 MB.
const LARGEST_FILE: u64 = 64 << 20;

/// The directions of one concept, read from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector {
    concept: String,
    hash: String,
    width: usize,
    tensors: BTreeMap<(Site, usize), Box<[f32]>>,
    directions: BTreeMap<(Site, usize), Direction>,
    gauges: BTreeMap<(Site, usize), Gauge>,
    metadata: BTreeMap<String, String>,
    layers: Option<BTreeSet<usize>>,
    sites: Vec<Site>,
    strength: Option<f32>,
    model: Option<String>,
}

impl Vector {
    /// Reads a vector file.
    ///
    /// # Errors
    /// [`SteeringError::Read`], or [`SteeringError::File`] with what is wrong in it.
    pub fn open(path: &Path) -> Result<Self, SteeringError> {
        Self::from_bytes(&read(path)?, &path.display().to_string())
    }

    /// Reads a vector file's bytes; `file` names them in errors.
    ///
    /// # Errors
    /// [`SteeringError::File`] with what is wrong.
    pub fn from_bytes(bytes: &[u8], file: &str) -> Result<Self, SteeringError> {
        parse(bytes).map_err(|reason| SteeringError::File { file: file.to_owned(), reason })
    }

    /// What the vector stands for, as people call it.
    #[must_use]
    pub fn concept(&self) -> &str {
        &self.concept
    }

    /// SHA-256 of the file, hexadecimal: what recipes and states name it by.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Width of every direction, D.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The direction for a site of a layer.
    #[must_use]
    pub fn direction(&self, site: Site, layer: usize) -> Option<&Direction> {
        self.directions.get(&(site, layer))
    }

    /// How the concept is read at a site of a layer, if the file says it.
    #[must_use]
    pub fn gauge(&self, site: Site, layer: usize) -> Option<&Gauge> {
        self.gauges.get(&(site, layer))
    }

    /// Whether the file says anywhere how the concept is read, better than chance, so that the vector can be
    /// [monitored](super::Monitoring).
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.gauges.values().any(Gauge::tells)
    }

    /// The same direction as the file holds it, of any length.
    #[must_use]
    pub fn tensor(&self, site: Site, layer: usize) -> Option<&[f32]> {
        self.tensors.get(&(site, layer)).map(|values| &**values)
    }

    /// Every site of a layer that has a direction.
    pub fn places(&self) -> impl Iterator<Item = (Site, usize)> {
        self.directions.keys().copied()
    }

    /// The sites at which the vector acts: those its metadata names, else the residual stream if the file has
    /// directions for it, else the attention output.
    #[must_use]
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// Every layer that has a direction at one of the [sites](Self::sites).
    #[must_use]
    pub fn layers(&self) -> BTreeSet<usize> {
        self.directions
            .keys()
            .filter(|(site, _)| self.sites.contains(site))
            .map(|&(_, layer)| layer)
            .collect()
    }

    /// The layers the file recommends, else all it has.
    #[must_use]
    pub fn recommended_layers(&self) -> BTreeSet<usize> {
        self.layers.clone().unwrap_or_else(|| self.layers())
    }

    /// The strength the file recommends.
    #[must_use]
    pub fn recommended_strength(&self) -> Option<f32> {
        self.strength
    }

    /// The hash of the weights of the model it was made for, if the file says it.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// All metadata of the file, as it is.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Whether a decoder of this shape can be steered by the vector.
    ///
    /// # Errors
    /// [`SteeringError::Width`] or [`SteeringError::Layer`].
    pub fn check(&self, architecture: &Architecture) -> Result<(), SteeringError> {
        if self.width != architecture.width {
            return Err(SteeringError::Width {
                concept: self.concept.clone(),
                found: self.width,
                expected: architecture.width,
            });
        }
        match self.layers().last() {
            Some(&layer) if layer >= architecture.layers => Err(SteeringError::Layer {
                concept: self.concept.clone(),
                layer,
                last: architecture.layers - 1,
            }),
            _ => Ok(()),
        }
    }

    /// A sentence if the vector may not mean in this bundle what it says: it did not come with it, and names no model
    /// or another one.
    #[must_use]
    pub fn warning(&self, bundle: &Bundle) -> Option<String> {
        let concept = &self.concept;
        if bundle.manifest().files.values().any(|file| file.sha256 == self.hash) {
            return None;
        }
        match &self.model {
            None => Some(format!(
                "the vector {concept} does not say which model it was made for; it may do nothing sensible here"
            )),
            Some(model) if *model != bundle.manifest().source.sha256 => Some(format!(
                "the vector {concept} was made for another model than {}",
                bundle.manifest().name
            )),
            Some(_) => None,
        }
    }
}

/// The bytes of a file that is no larger than a vector's.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, SteeringError> {
    let failed = |source| SteeringError::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > LARGEST_FILE {
        let reason = format!("it is {size} bytes long, and the limit is {LARGEST_FILE}");
        return Err(SteeringError::File { file: path.display().to_string(), reason });
    }
    std::fs::read(path).map_err(failed)
}

/// The vector in `bytes`, or the rest of the sentence "FILE is no usable vector file: ...".
fn parse(bytes: &[u8]) -> Result<Vector, String> {
    let not_safetensors = |error| format!("it is no safetensors file ({error})");
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
    let metadata: BTreeMap<String, String> =
        header.metadata().clone().unwrap_or_default().into_iter().collect();
    match metadata.get("format").map(String::as_str) {
        Some(FORMAT) => {}
        Some(other) => return Err(format!("its format is {other:?}, and this Tiller reads {FORMAT:?}")),
        None => return Err(format!("its metadata has no \"format\"; it should be {FORMAT:?}")),
    }
    let concept = metadata.get("concept").filter(|concept| !concept.trim().is_empty());
    let concept = concept.ok_or("its metadata has no \"concept\", the name of what it steers to")?.clone();

    let tensors = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
    let mut width = None;
    let (mut values_of, mut directions) = (BTreeMap::new(), BTreeMap::new());
    for (name, tensor) in tensors.iter() {
        let place = place(name).ok_or_else(|| {
            format!("the tensor {name:?} is neither \"residual.LAYER\" nor \"attention.LAYER\"")
        })?;
        let &[length] = tensor.shape() else {
            return Err(format!(
                "the tensor {name:?} has shape {:?}, and a direction has one axis",
                tensor.shape()
            ));
        };
        if tensor.dtype() != Dtype::F32 {
            return Err(format!("the tensor {name:?} is {:?}, and directions are F32", tensor.dtype()));
        }
        if *width.get_or_insert(length) != length {
            return Err(format!("the tensor {name:?} is {length} wide, and another one is not"));
        }
        let values: Vec<f32> =
            tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let direction = Direction::new(&values)
            .ok_or_else(|| format!("the tensor {name:?} is zero or not finite, and so has no direction"))?;
        directions.insert(place, direction);
        values_of.insert(place, values.into_boxed_slice());
    }
    let width = width.ok_or("it holds no tensor")?;

    let has = |site: Site| directions.keys().any(|&(found, _)| found == site);
    let sites: Vec<Site> = match json(&metadata, "sites")? {
        Some(sites) => sites,
        None if has(Site::Residual) => vec![Site::Residual],
        None => vec![Site::Attention],
    };
    if let Some(site) = sites.iter().find(|&&site| !has(site)) {
        return Err(format!("it recommends the {site} site and holds no direction for it"));
    }
    if sites.is_empty() {
        return Err("it recommends no site at all".to_owned());
    }
    let layers: Option<BTreeSet<usize>> = json(&metadata, "layers")?;
    let held: BTreeSet<usize> =
        directions.keys().filter(|(site, _)| sites.contains(site)).map(|&(_, l)| l).collect();
    if let Some(layer) = layers.iter().flatten().find(|layer| !held.contains(layer)) {
        return Err(format!("it recommends layer {layer} and holds no direction for it"));
    }
    let gauges = gauges(&metadata)?;
    if let Some((site, layer)) = gauges.keys().find(|place| !directions.contains_key(place)) {
        return Err(format!("it says how to monitor {site}.{layer} and holds no direction for it"));
    }
    let strength: Option<f32> = json(&metadata, "strength")?;
    if strength.is_some_and(|strength| !strength.is_finite()) {
        return Err("the strength it recommends is not finite".to_owned());
    }
    let hash = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    // A hash is text, with or without the quotes that make it JSON.
    let model = metadata.get("model").map(|model| model.trim_matches('"').to_owned());
    Ok(Vector {
        concept,
        hash,
        width,
        tensors: values_of,
        directions,
        gauges,
        metadata,
        layers,
        sites,
        strength,
        model,
    })
}

/// What the metadata `monitor` says of each place.
fn gauges(metadata: &BTreeMap<String, String>) -> Result<BTreeMap<(Site, usize), Gauge>, String> {
    let by_layer: BTreeMap<Site, Vec<Option<Gauge>>> = json(metadata, "monitor")?.unwrap_or_default();
    let mut gauges = BTreeMap::new();
    for (site, layers) in by_layer {
        for (layer, gauge) in layers.into_iter().enumerate() {
            let Some(gauge) = gauge else { continue };
            gauge.check().map_err(|off| format!("it monitors {site}.{layer} by readings {off}"))?;
            gauges.insert((site, layer), gauge);
        }
    }
    Ok(gauges)
}

fn place(tensor: &str) -> Option<(Site, usize)> {
    let (site, layer) = tensor.split_once('.')?;
    let site = Site::ALL.into_iter().find(|known| known.name() == site)?;
    Some((site, layer.parse().ok()?))
}

fn json<T: DeserializeOwned>(metadata: &BTreeMap<String, String>, key: &str) -> Result<Option<T>, String> {
    let Some(text) = metadata.get(key) else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|error| format!("its metadata {key:?} is {text:?}: {error}"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use safetensors::tensor::TensorView;

    use super::*;

    pub(in crate::steering) fn file(tensors: &[(&str, &[f32])], metadata: &[(&str, &str)]) -> Vec<u8> {
        let data: Vec<(String, Vec<u8>, usize)> = tensors
            .iter()
            .map(|(name, values)| {
                ((*name).to_owned(), values.iter().flat_map(|v| v.to_le_bytes()).collect(), values.len())
            })
            .collect();
        let views = data
            .iter()
            .map(|(name, bytes, length)| (name, TensorView::new(Dtype::F32, vec![*length], bytes).unwrap()));
        let metadata: HashMap<String, String> =
            metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        safetensors::serialize(views, Some(metadata)).unwrap()
    }

    const MINIMAL: [(&str, &str); 2] = [("format", FORMAT), ("concept", "flute")];

    fn reason(tensors: &[(&str, &[f32])], metadata: &[(&str, &str)]) -> String {
        Vector::from_bytes(&file(tensors, metadata), "x.safetensors").unwrap_err().to_string()
    }

    #[test]
    fn two_keys_and_one_tensor_are_enough() {
        let vector = Vector::from_bytes(&file(&[("residual.3", &[3.0, 4.0])], &MINIMAL), "x").unwrap();
        assert_eq!((vector.concept(), vector.width()), ("flute", 2));
        assert_eq!(vector.direction(Site::Residual, 3).unwrap().values(), [0.6, 0.8]);
        assert_eq!(vector.sites(), [Site::Residual]);
        assert_eq!(vector.recommended_layers(), BTreeSet::from([3]));
    }

    #[test]
    fn the_attention_site_is_used_when_the_file_has_no_other_or_says_so() {
        let attention = Vector::from_bytes(&file(&[("attention.0", &[1.0])], &MINIMAL), "x").unwrap();
        assert_eq!(attention.sites(), [Site::Attention]);
        let both: [(&str, &[f32]); 2] = [("attention.0", &[1.0]), ("residual.1", &[1.0])];
        assert_eq!(Vector::from_bytes(&file(&both, &MINIMAL), "x").unwrap().sites(), [Site::Residual]);
        let named = [MINIMAL[0], MINIMAL[1], ("sites", r#"["residual","attention"]"#), ("layers", "[0]")];
        let vector = Vector::from_bytes(&file(&both, &named), "x").unwrap();
        assert_eq!(vector.sites(), [Site::Residual, Site::Attention]);
        assert_eq!((vector.layers(), vector.recommended_layers()), ([0, 1].into(), [0].into()));
    }

    #[test]
    fn whatever_is_off_is_named() {
        let one: [(&str, &[f32]); 1] = [("residual.0", &[1.0, 0.0])];
        assert!(reason(&one, &[("concept", "x")]).contains("format"));
        assert!(reason(&one, &[("format", "tiller-vector/2"), ("concept", "x")]).contains("tiller-vector/2"));
        assert!(reason(&one, &[("format", FORMAT)]).contains("concept"));
        assert!(reason(&[], &MINIMAL).contains("no tensor"));
        assert!(reason(&[("residual.0", &[0.0, 0.0])], &MINIMAL).contains("residual.0"));
        assert!(reason(&[("residual.0", &[f32::NAN, 0.0])], &MINIMAL).contains("not finite"));
        assert!(reason(&[("residual.x", &[1.0])], &MINIMAL).contains("residual.x"));
        assert!(reason(&[("residual.0", &[1.0]), ("residual.1", &[1.0, 2.0])], &MINIMAL).contains("wide"));
        assert!(reason(&one, &[MINIMAL[0], MINIMAL[1], ("layers", "[1]")]).contains("layer 1"));
        assert!(reason(&one, &[MINIMAL[0], MINIMAL[1], ("layers", "1")]).contains("layers"));
        assert!(reason(&one, &[MINIMAL[0], MINIMAL[1], ("sites", r#"["attention"]"#)]).contains("attention"));
        let gauge = r#"{"scale":1,"offset":0,"accuracy":1,"plus":{"mean":1,"deviation":0},"minus":{"mean":-1,"deviation":0}}"#;
        let of = |text: String| reason(&one, &[MINIMAL[0], MINIMAL[1], ("monitor", &text)]);
        assert!(of("[]".to_owned()).contains("monitor"));
        assert!(of(format!(r#"{{"residual":[null,{gauge}]}}"#)).contains("residual.1"));
        for (off, what) in [(r#""scale":0"#, "scale"), (r#""accuracy":2"#, "accuracy")] {
            let key = off.split_once(':').unwrap().0;
            let gauge = gauge.replacen(&format!("{key}:1"), off, 1);
            assert!(of(format!(r#"{{"residual":[{gauge}]}}"#)).contains(what), "{off}");
        }
        let negative = gauge.replace(r#""deviation":0"#, r#""deviation":-1"#);
        assert!(of(format!(r#"{{"residual":[{negative}]}}"#)).contains("deviation"));
    }

    #[test]
    fn a_file_says_how_its_concept_is_read_where_it_can_be() {
        let tensors: [(&str, &[f32]); 2] = [("residual.0", &[1.0]), ("residual.1", &[1.0])];
        let gauge = crate::steering::gauge::tests::plain(0.5, 0.9);
        let text = serde_json::json!({ "residual": [null, gauge] }).to_string();
        let bytes = file(&tensors, &[MINIMAL[0], MINIMAL[1], ("monitor", &text)]);
        let vector = Vector::from_bytes(&bytes, "x").unwrap();
        assert_eq!([0, 1].map(|layer| vector.gauge(Site::Residual, layer)), [None, Some(&gauge)]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!(Vector::from_bytes(&bytes, "x").is_err());
        }

        #[test]
        fn a_damaged_file_is_refused_or_still_sound(at in 0_usize..400, value: u8) {
            let mut bytes = file(&[("residual.0", &[1.0, 2.0]), ("attention.1", &[0.5, -0.5])], &MINIMAL);
            let at = at % bytes.len();
            bytes[at] = value;
            if let Ok(vector) = Vector::from_bytes(&bytes, "x") {
                prop_assert!(vector.directions.values().flat_map(|d| d.values()).all(|v| v.is_finite()));
            }
        }
    }
}
