//! What each attention head mixes, read out of a decoder graph that has no such output.
//!
//! A bundle's graphs hand out what steering needs. Heads are for looking: the graph is loaded with one output more,
//! `heads_out` `[L, P, D]`, what the heads of each layer's self-attention mixed at P positions, side by side, before their
//! projection. The importer has always called that value `mixed_{layer}`, so that every bundle has it.

use crate::onnx::{
    Attribute, Dimension, Element, Graph, Kind, Node, Shape, TensorKind, ValueInfo, attribute_kind,
};

/// The output that is added.
pub const OUTPUT: &str = "heads_out";

/// Adds the output, of one row at `positions`, the name of their indices; or why it cannot be, as the rest of a sentence.
pub fn add_output(graph: &mut Graph, positions: &str) -> Result<(), String> {
    let attention = graph.output.iter().find(|output| output.name == "attention_out");
    let dims = attention
        .and_then(|output| output.kind.as_ref()?.tensor.as_ref()?.shape.as_ref())
        .filter(|shape| shape.dim.len() == 3)
        .ok_or("it has no output attention_out")?
        .dim
        .clone();
    let layers = dims[0].value.and_then(|layers| usize::try_from(layers).ok()).unwrap_or(0);
    for layer in 0..layers {
        let mixed = format!("mixed_{layer}");
        if !graph.node.iter().any(|node| node.output.contains(&mixed)) {
            return Err(format!(
                "it does not name what the heads of layer {layer} mix; import the model again, or leave heads out"
            ));
        }
    }
    add(graph, positions, layers, dims);
    Ok(())
}

fn add(graph: &mut Graph, positions: &str, layers: usize, dims: Vec<Dimension>) {
    let mut node = |kind: &str, inputs: Vec<String>, output: &str, attribute: Attribute| {
        graph.node.push(Node {
            input: inputs,
            output: vec![output.to_owned()],
            name: format!("of {output}"),
            op_type: kind.to_owned(),
            attribute: vec![attribute],
            ..Node::default()
        });
    };
    let axis = || Attribute { i: Some(1), ..named("axis", attribute_kind::INT) };
    let of_layer = |layer: usize| format!("heads_{layer}");
    for layer in 0..layers {
        // [1, S, D] to [1, P, D].
        node("Gather", vec![format!("mixed_{layer}"), positions.to_owned()], &of_layer(layer), axis());
    }
    let first = Attribute { i: Some(0), ..named("axis", attribute_kind::INT) };
    node("Concat", (0..layers).map(of_layer).collect(), "heads_together", first);
    let float = Attribute { i: Some(Element::Float as i64), ..named("to", attribute_kind::INT) };
    node("Cast", vec!["heads_together".to_owned()], OUTPUT, float);
    let tensor = TensorKind { element: Element::Float as i32, shape: Some(Shape { dim: dims }) };
    graph.output.push(ValueInfo { name: OUTPUT.to_owned(), kind: Some(Kind { tensor: Some(tensor) }) });
}

fn named(name: &str, kind: i32) -> Attribute {
    Attribute { name: name.to_owned(), kind, ..Attribute::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_whose_heads_have_no_name_is_refused() {
        let dims = [2, 1, 8].map(|value| Dimension { value: Some(value), symbol: None }).to_vec();
        let tensor = TensorKind { element: 1, shape: Some(Shape { dim: dims }) };
        let output =
            ValueInfo { name: "attention_out".to_owned(), kind: Some(Kind { tensor: Some(tensor) }) };
        let mixed = Node { output: vec!["mixed_0".to_owned()], ..Node::default() };
        let mut graph = Graph { output: vec![output], node: vec![mixed], ..Graph::default() };
        let error = add_output(&mut graph, "positions").unwrap_err();
        assert!(error.contains("the heads of layer 1"), "{error}");
    }
}
