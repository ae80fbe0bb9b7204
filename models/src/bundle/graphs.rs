//! Reads the header of every graph before ONNX Runtime does: what it refers to, what goes in, what comes out.

use std::fs;
use std::path::Path;

use prost::Message;

use super::BundleError;
use super::contract::{self, Dim, Port, Signature};
use super::manifest::Manifest;
use crate::onnx::{EXTERNAL, Element, Graph, MICROSOFT, Model, Tensor, ValueInfo};

/// Checks every graph of the bundle; its files have passed [`super::files::check`].
pub fn check(root: &Path, manifest: &Manifest) -> Result<(), BundleError> {
    let architecture = &manifest.architecture;
    let graphs = &manifest.graphs;
    check_graph(root, manifest, &graphs.text_encoder, &contract::text_encoder(architecture))?;
    if let Some(condition) = graphs.condition() {
        check_graph(root, manifest, condition, &contract::condition(architecture))?;
    }
    for (&precision, name) in &graphs.decoder {
        check_graph(root, manifest, name, &contract::decoder(architecture, precision))?;
    }
    check_graph(root, manifest, &graphs.encodec_encode, &contract::encodec_encode(architecture))?;
    for name in [Some(&graphs.encodec_latent), graphs.encodec_latent_int8.as_ref()].into_iter().flatten() {
        check_graph(root, manifest, name, &contract::encodec_latent(architecture))?;
    }
    check_graph(root, manifest, &graphs.encodec_wave, &contract::encodec_wave(architecture))
}

fn check_graph(
    root: &Path,
    manifest: &Manifest,
    name: &str,
    signature: &Signature,
) -> Result<(), BundleError> {
    let invalid =
        |what: String| BundleError::Invalid { root: root.to_owned(), what: format!("{name} {what}") };
    let path = root.join(name);
    let bytes = fs::read(&path).map_err(|source| BundleError::Read { path, source })?;
    let model =
        Model::decode(bytes.as_slice()).map_err(|error| invalid(format!("is no ONNX file: {error}")))?;
    if !model.functions.is_empty() || !model.training_info.is_empty() {
        return Err(invalid("defines functions or training, which a bundle's graphs do not".into()));
    }
    if let Some(set) =
        model.opset_import.iter().find(|set| !["", "ai.onnx", MICROSOFT].contains(&&*set.domain))
    {
        return Err(invalid(format!(
            "uses operators of {:?}, which ONNX Runtime does not bring",
            set.domain
        )));
    }
    let graph = model.graph.ok_or_else(|| invalid("holds no graph".into()))?;
    check_self_contained(&graph, Depth::Graph).map_err(invalid)?;
    for tensor in &graph.initializer {
        check_tensor(manifest, name, tensor)
            .map_err(|what| invalid(format!("stores its tensor {:?} {what}", tensor.name)))?;
    }
    check_ports("input", &signature.inputs, &graph.input).map_err(invalid)?;
    check_ports("output", &signature.outputs, &graph.output).map_err(invalid)
}

/// Where a graph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// In a file.
    Graph,
    /// In a node.
    Body,
}

/// Weights may hide in attributes and sparse tensors; a bundle's graphs have none of them. A graph inside a graph is what a
/// `Scan` repeats, which ends with its input; it brings no tensors, and no graph of its own.
fn check_self_contained(graph: &Graph, depth: Depth) -> Result<(), String> {
    if depth == Depth::Body && !graph.initializer.is_empty() {
        return Err("has a node Scan with tensors inside, which stand beside it in a bundle's graphs".into());
    }
    if !graph.sparse_initializer.is_empty() {
        return Err("holds sparse tensors, which a bundle's graphs do not".into());
    }
    for node in &graph.node {
        let repeats = depth == Depth::Graph && node.op_type == "Scan" && node.domain.is_empty();
        let hides = node.attribute.iter().any(|attribute| {
            attribute.t.is_some()
                || attribute.g.is_some() && !repeats
                || attribute.sparse_tensor.is_some()
                || !attribute.tensors.is_empty()
                || !attribute.graphs.is_empty()
                || !attribute.sparse_tensors.is_empty()
        });
        if hides {
            return Err(format!("has a node {} with a graph or tensor inside", node.op_type));
        }
        for body in node.attribute.iter().filter_map(|attribute| attribute.g.as_deref()) {
            check_self_contained(body, Depth::Body)?;
        }
    }
    Ok(())
}

/// A tensor's bytes are in the graph itself, or in a listed file beside it and within its size.
fn check_tensor(manifest: &Manifest, graph: &str, tensor: &Tensor) -> Result<(), String> {
    let element =
        Element::from_number(tensor.data_type).ok_or("with an element type no graph of a bundle has")?;
    let mut bytes = element.size() as u64;
    for &dim in &tensor.dims {
        let dim = u64::try_from(dim).map_err(|_| "with a negative dimension")?;
        bytes = bytes.checked_mul(dim).ok_or("with dimensions too large to be true")?;
    }
    if tensor.data_location != EXTERNAL {
        if !tensor.external_data.is_empty() || tensor.raw_data.len() as u64 != bytes {
            return Err(format!("in {} bytes where {bytes} are due", tensor.raw_data.len()));
        }
        return Ok(());
    }
    let mut location = None;
    let mut offset = 0;
    let mut length = None;
    for entry in &tensor.external_data {
        let number = || entry.value.parse::<u64>().map_err(|_| format!("at {} {:?}", entry.key, entry.value));
        match entry.key.as_str() {
            "location" => location = Some(entry.value.as_str()),
            "offset" => offset = number()?,
            "length" => length = Some(number()?),
            other => return Err(format!("with an unknown note {other:?}")),
        }
    }
    // One plain name: ONNX Runtime resolves it against the graph's folder, and reads some names as memory addresses.
    let location =
        location.filter(|name| !name.contains(['/', '\\', '*'])).ok_or("outside the graph's folder")?;
    let beside = match graph.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{location}"),
        None => location.to_owned(),
    };
    let file = manifest.files.get(&beside).ok_or_else(|| format!("in {beside}, which is not listed"))?;
    if length != Some(bytes) || offset.checked_add(bytes).is_none_or(|end| end > file.size) {
        return Err(format!("in {beside} outside its {} bytes", file.size));
    }
    Ok(())
}

fn check_ports(side: &str, expected: &[Port], found: &[ValueInfo]) -> Result<(), String> {
    for port in expected {
        let info = found
            .iter()
            .find(|info| info.name == port.name)
            .ok_or_else(|| format!("has no {side} {:?}", port.name))?;
        let tensor = info.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
        let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
        let (Some(tensor), Some(shape)) = (tensor, shape) else {
            return Err(format!("does not say the shape of its {side} {:?}", port.name));
        };
        let fits = shape.dim.len() == port.dims.len()
            && shape.dim.iter().zip(&port.dims).all(|(dim, due)| match due {
                Dim::Fixed(size) => dim.value.is_some_and(|value| usize::try_from(value) == Ok(*size)),
                Dim::Free(_) => dim.value.is_none(),
            });
        if !fits || tensor.element != port.element as i32 {
            return Err(format!(
                "has the {side} {:?} in another shape or type than the manifest's numbers give",
                port.name
            ));
        }
    }
    match found.iter().find(|info| !expected.iter().any(|port| port.name == info.name)) {
        Some(info) => Err(format!("has an unknown {side} {:?}", info.name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::{Attribute, Node};

    /// A graph with one node that holds `body`.
    fn around(kind: &str, domain: &str, body: Graph) -> Graph {
        let attribute = vec![Attribute { g: Some(Box::new(body)), ..Attribute::default() }];
        let (op_type, domain) = (kind.into(), domain.into());
        Graph { node: vec![Node { op_type, domain, attribute, ..Node::default() }], ..Graph::default() }
    }

    #[test]
    fn what_a_scan_repeats_is_the_only_graph_inside_a_node() {
        assert_eq!(check_self_contained(&around("Scan", "", Graph::default()), Depth::Graph), Ok(()));
        for (kind, domain) in [("Loop", ""), ("If", ""), ("Scan", MICROSOFT)] {
            let error = check_self_contained(&around(kind, domain, Graph::default()), Depth::Graph);
            assert!(error.unwrap_err().contains("graph or tensor inside"), "{kind} of {domain:?}");
        }
        let twice = around("Scan", "", around("Scan", "", Graph::default()));
        assert!(check_self_contained(&twice, Depth::Graph).unwrap_err().contains("graph or tensor inside"));
    }

    #[test]
    fn what_a_scan_repeats_brings_no_tensors() {
        let weight = vec![Tensor::default()];
        let body = around("Scan", "", Graph { initializer: weight, ..Graph::default() });
        assert!(check_self_contained(&body, Depth::Graph).unwrap_err().contains("tensors inside"));
        let attribute = vec![Attribute { t: Some(crate::onnx::Opaque {}), ..Attribute::default() }];
        let node = vec![Node { op_type: "Constant".into(), attribute, ..Node::default() }];
        let body = around("Scan", "", Graph { node, ..Graph::default() });
        assert!(check_self_contained(&body, Depth::Graph).unwrap_err().contains("node Constant"));
    }
}
