//! Builds one ONNX graph: nodes in memory, weights streamed into a file beside it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use half::f16;
use prost::Message;

use super::ImportError;
use crate::bundle::contract::{Dim, Port, Signature};
use crate::onnx::{
    self, Attribute, Dimension, EXTERNAL, Element, Entry, Kind, MICROSOFT, Model, Node, OperatorSet, Shape,
    Tensor, TensorKind, ValueInfo, attribute_kind, signed,
};

/// Tensors up to this many bytes stay inside the `.onnx` file.
const INLINE_BYTES: usize = 4096;
/// External tensors begin at multiples of a memory page, so that they can be mapped.
const ALIGNMENT: u64 = 4096;

/// The name of a tensor inside a graph.
#[derive(Debug, Clone)]
pub struct Value(String);

impl Value {
    /// An optional input that is left out.
    pub fn absent() -> Self {
        Self(String::new())
    }
}

/// A graph under construction.
pub struct GraphBuilder {
    path: PathBuf,
    graph: onnx::Graph,
    /// The graph inside a node that is being built, if one is.
    body: Option<onnx::Graph>,
    data: DataFile,
    constants: HashMap<(Element, Vec<i64>, Vec<u8>), Value>,
}

impl GraphBuilder {
    /// Begins `folder/name.onnx` with the inputs and outputs of `signature`.
    pub fn create(folder: &Path, name: &str, signature: &Signature) -> Result<Self, ImportError> {
        let graph = onnx::Graph {
            name: name.into(),
            input: signature.inputs.iter().map(value_info).collect(),
            output: signature.outputs.iter().map(value_info).collect(),
            ..onnx::Graph::default()
        };
        let data = DataFile::create(folder, format!("{name}.onnx.data"))?;
        let path = folder.join(format!("{name}.onnx"));
        Ok(Self { path, graph, body: None, data, constants: HashMap::new() })
    }

    /// Whether the signature has an input of this name.
    pub fn has_input(&self, name: &str) -> bool {
        self.graph.input.iter().any(|input| input.name == name)
    }

    /// An input of the signature.
    pub fn input(&self, name: impl Into<String>) -> Value {
        Value(name.into())
    }

    /// Begins a node of the standard operator set.
    pub fn op<'graph>(&'graph mut self, kind: &str, inputs: &[&Value]) -> Op<'graph> {
        let (prefix, graph) = match &mut self.body {
            Some(body) => (format!("{}_", body.name), body),
            None => (String::new(), &mut self.graph),
        };
        let number = graph.node.len();
        let node = Node {
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            name: format!("{prefix}{kind}_{number}"),
            op_type: kind.into(),
            ..Node::default()
        };
        Op { graph, node }
    }

    /// A graph for a node to hold, with a name that no other has; `build` adds its nodes. Its tensors stay in the graph
    /// around it, whose values it sees.
    pub fn body(
        &mut self,
        name: &str,
        signature: &Signature,
        build: impl FnOnce(&mut Self) -> Result<(), ImportError>,
    ) -> Result<Body, ImportError> {
        self.body = Some(onnx::Graph {
            name: name.into(),
            input: signature.inputs.iter().map(value_info).collect(),
            output: signature.outputs.iter().map(value_info).collect(),
            ..onnx::Graph::default()
        });
        let built = build(self);
        let body = self.body.take().unwrap_or_default();
        built.map(|()| Body(body))
    }

    /// A weight.
    pub fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Result<Value, ImportError> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, Element::Float, dims, bytes)
    }

    /// A weight rounded to half precision, which must hold it.
    pub fn halves(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Result<Value, ImportError> {
        if let Some(index) = values.iter().position(|&value| f16::from_f32(value).is_infinite()) {
            return Err(ImportError::HalfOverflow { name: name.into(), value: values[index], index });
        }
        let bytes: Vec<u8> = values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect();
        self.tensor(name, Element::Half, dims, bytes)
    }

    /// A quantised weight.
    pub fn bytes(&mut self, name: &str, dims: &[usize], values: Vec<u8>) -> Result<Value, ImportError> {
        self.tensor(name, Element::Uint8, dims, values)
    }

    /// A list of integers, such as a shape or axes. Equal constants share one tensor.
    pub fn ints(&mut self, values: &[i64]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(Element::Int64, vec![signed(values.len())], bytes)
    }

    /// A list of integers in another shape.
    pub fn ints_shaped(&mut self, dims: &[usize], values: &[i64]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(Element::Int64, dims.iter().map(|&dim| signed(dim)).collect(), bytes)
    }

    /// One integer without dimensions.
    pub fn int(&mut self, value: i64) -> Value {
        self.constant(Element::Int64, Vec::new(), value.to_le_bytes().to_vec())
    }

    /// One float without dimensions.
    pub fn float(&mut self, value: f32) -> Value {
        self.constant(Element::Float, Vec::new(), value.to_le_bytes().to_vec())
    }

    /// Ones in half precision, `[count]`.
    pub fn half_ones(&mut self, count: usize) -> Value {
        let bytes = f16::ONE.to_le_bytes().repeat(count);
        self.constant(Element::Half, vec![signed(count)], bytes)
    }

    /// Writes the `.onnx` file and closes the weights.
    pub fn finish(self) -> Result<(), ImportError> {
        self.data.finish()?;
        let operator_set = |domain: &str, version| OperatorSet { domain: domain.into(), version };
        let model = Model {
            ir_version: onnx::IR_VERSION,
            producer_name: "tiller".into(),
            graph: Some(self.graph),
            opset_import: vec![operator_set("", onnx::OPSET), operator_set(MICROSOFT, 1)],
            ..Model::default()
        };
        fs::write(&self.path, model.encode_to_vec()).map_err(ImportError::writing(&self.path))
    }

    fn constant(&mut self, element: Element, dims: Vec<i64>, bytes: Vec<u8>) -> Value {
        let fresh = Value(format!("constant_{}", self.constants.len()));
        let value = self.constants.entry((element, dims.clone(), bytes.clone())).or_insert(fresh).clone();
        if !self.graph.initializer.iter().any(|tensor| tensor.name == value.0) {
            self.graph.initializer.push(Tensor {
                dims,
                data_type: element as i32,
                name: value.0.clone(),
                raw_data: bytes,
                ..Tensor::default()
            });
        }
        value
    }

    fn tensor(
        &mut self,
        name: &str,
        element: Element,
        dims: &[usize],
        bytes: Vec<u8>,
    ) -> Result<Value, ImportError> {
        debug_assert_eq!(dims.iter().product::<usize>() * element.size(), bytes.len(), "{name}");
        let mut tensor = Tensor {
            dims: dims.iter().map(|&dim| signed(dim)).collect(),
            data_type: element as i32,
            name: name.into(),
            ..Tensor::default()
        };
        if bytes.len() <= INLINE_BYTES {
            tensor.raw_data = bytes;
        } else {
            tensor.external_data = self.data.append(&bytes)?;
            tensor.data_location = EXTERNAL;
        }
        self.graph.initializer.push(tensor);
        Ok(Value(name.into()))
    }
}

/// A graph inside a node.
pub struct Body(onnx::Graph);

/// A node under construction; it joins the graph when its outputs are named.
pub struct Op<'graph> {
    graph: &'graph mut onnx::Graph,
    node: Node,
}

impl Op<'_> {
    /// Takes the operator from ONNX Runtime's own set.
    pub fn contrib(mut self) -> Self {
        self.node.domain = MICROSOFT.into();
        self
    }

    /// Sets an integer attribute.
    pub fn int(mut self, name: &str, value: usize) -> Self {
        let attribute = Attribute { i: Some(signed(value)), ..named(name, attribute_kind::INT) };
        self.node.attribute.push(attribute);
        self
    }

    /// Sets an integer attribute that may be negative, such as an axis.
    pub fn signed(mut self, name: &str, value: i64) -> Self {
        self.node.attribute.push(Attribute { i: Some(value), ..named(name, attribute_kind::INT) });
        self
    }

    /// Sets a list of integers.
    pub fn ints(mut self, name: &str, values: &[usize]) -> Self {
        let ints = values.iter().map(|&value| signed(value)).collect();
        self.node.attribute.push(Attribute { ints, ..named(name, attribute_kind::INTS) });
        self
    }

    /// Sets a float attribute.
    pub fn float(mut self, name: &str, value: f32) -> Self {
        self.node.attribute.push(Attribute { f: Some(value), ..named(name, attribute_kind::FLOAT) });
        self
    }

    /// Sets a text attribute.
    pub fn text(mut self, name: &str, value: &str) -> Self {
        let s = Some(value.as_bytes().to_vec());
        self.node.attribute.push(Attribute { s, ..named(name, attribute_kind::STRING) });
        self
    }

    /// Sets a graph that the node runs.
    pub fn body(mut self, name: &str, body: Body) -> Self {
        let g = Some(Box::new(body.0));
        self.node.attribute.push(Attribute { g, ..named(name, attribute_kind::GRAPH) });
        self
    }

    /// The node's name, which no other has.
    pub fn name(&self) -> &str {
        &self.node.name
    }

    /// Ends the node with one output.
    pub fn one(self) -> Value {
        let name = format!("{}_out", self.node.name);
        self.named(&name)
    }

    /// Ends the node with one output of a given name: an output of the graph.
    pub fn named(self, name: &str) -> Value {
        let [value] = self.all_named([name.to_owned()]);
        value
    }

    /// Ends the node with several outputs of given names; an empty name leaves an optional one out.
    pub fn all_named<const COUNT: usize>(mut self, names: [String; COUNT]) -> [Value; COUNT] {
        self.node.output = names.to_vec();
        self.graph.node.push(self.node);
        names.map(Value)
    }

    /// Ends the node with as many outputs as there are names.
    pub fn list(mut self, names: Vec<String>) -> Vec<Value> {
        self.node.output.clone_from(&names);
        self.graph.node.push(self.node);
        names.into_iter().map(Value).collect()
    }
}

fn named(name: &str, kind: i32) -> Attribute {
    Attribute { name: name.into(), kind, ..Attribute::default() }
}

fn value_info(port: &Port) -> ValueInfo {
    let dim = |dim: &Dim| match dim {
        Dim::Fixed(size) => Dimension { value: Some(signed(*size)), symbol: None },
        Dim::Free(symbol) => Dimension { value: None, symbol: Some((*symbol).into()) },
    };
    let shape = Some(Shape { dim: port.dims.iter().map(dim).collect() });
    let tensor = Some(TensorKind { element: port.element as i32, shape });
    ValueInfo { name: port.name.clone(), kind: Some(Kind { tensor }) }
}

/// The file with a graph's large tensors.
struct DataFile {
    path: PathBuf,
    name: String,
    file: BufWriter<File>,
    position: u64,
}

impl DataFile {
    fn create(folder: &Path, name: String) -> Result<Self, ImportError> {
        let path = folder.join(&name);
        let file = BufWriter::new(File::create(&path).map_err(ImportError::writing(&path))?);
        Ok(Self { path, name, file, position: 0 })
    }

    /// Appends a tensor and returns where it is.
    fn append(&mut self, bytes: &[u8]) -> Result<Vec<Entry>, ImportError> {
        let offset = self.position.next_multiple_of(ALIGNMENT);
        // Less than one alignment, hence small.
        let gap = vec![0; (offset - self.position) as usize];
        let write = self.file.write_all(&gap).and_then(|()| self.file.write_all(bytes));
        write.map_err(ImportError::writing(&self.path))?;
        self.position = offset + bytes.len() as u64;
        let entry = |key: &str, value: String| Entry { key: key.into(), value };
        Ok(vec![
            entry("location", self.name.clone()),
            entry("offset", offset.to_string()),
            entry("length", bytes.len().to_string()),
        ])
    }

    /// Flushes the file; one without tensors is removed.
    fn finish(mut self) -> Result<(), ImportError> {
        self.file.flush().map_err(ImportError::writing(&self.path))?;
        if self.position == 0 {
            fs::remove_file(&self.path).map_err(ImportError::writing(&self.path))?;
        }
        Ok(())
    }
}
