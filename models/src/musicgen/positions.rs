//! What the layers hold at chosen positions of a run, read out of a decoder graph that hands out the last one only.
//!
//! Steering and generating need the last position. Reading music that exists needs every n-th, and a run that ends at each
//! of them costs a start each. So the graph is loaded a second time with one input more, `positions` `[P]`: the new
//! positions whose activations are handed out, `[L, P, D]` for the one row of a reading. The importer has always taken the
//! last position by one `Gather` for all layers of a site, so that this works with every bundle.

use prost::Message;

use super::heads;
use crate::onnx::{Dimension, Element, Graph, Kind, Model, Node, Shape, TensorKind, ValueInfo};
use crate::steering::Site;

/// The input that is added: indices among the new positions of a run.
pub const INPUT: &str = "positions";

/// The graph in `bytes` with the input added; or why it cannot be, as the rest of a sentence.
pub fn chosen(bytes: &[u8]) -> Result<Vec<u8>, String> {
    edited(bytes, choose)
}

/// The same, which also hands out what the attention heads mix at those positions.
pub fn chosen_with_heads(bytes: &[u8]) -> Result<Vec<u8>, String> {
    edited(bytes, |graph| {
        choose(graph)?;
        heads::add_output(graph, INPUT)
    })
}

fn edited(bytes: &[u8], edit: impl FnOnce(&mut Graph) -> Result<(), String>) -> Result<Vec<u8>, String> {
    let mut model = Model::decode(bytes).map_err(|error| format!("it is no ONNX file: {error}"))?;
    edit(model.graph.as_mut().ok_or("it holds no graph")?)?;
    Ok(model.encode_to_vec())
}

fn choose(graph: &mut Graph) -> Result<(), String> {
    for site in Site::ALL {
        let name = format!("{site}_out");
        let output = graph.output.iter_mut().find(|output| output.name == name);
        let shape = output.and_then(|output| output.kind.as_mut()?.tensor.as_mut()?.shape.as_mut());
        let dims = shape.map(|shape| &mut shape.dim).filter(|dims| dims.len() == 3);
        dims.ok_or(format!("it has no output {name}"))?[1] = some_positions();
        let gather = last_position(graph, &name).ok_or_else(|| {
            format!("it does not take {name} from the last position at once; import the model again")
        })?;
        graph.node[gather].input[1] = INPUT.to_owned();
    }
    let shape = Some(Shape { dim: vec![some_positions()] });
    let tensor = TensorKind { element: Element::Int64 as i32, shape };
    graph.input.push(ValueInfo { name: INPUT.to_owned(), kind: Some(Kind { tensor: Some(tensor) }) });
    Ok(())
}

fn some_positions() -> Dimension {
    Dimension { value: None, symbol: Some("P".to_owned()) }
}

/// The node that takes an output's last position, from which only a cast and a shape lead to the output.
fn last_position(graph: &Graph, output: &str) -> Option<usize> {
    let made_by = |name: &String| graph.node.iter().position(|node: &Node| node.output.contains(name));
    let mut at = made_by(&output.to_owned())?;
    loop {
        let node = &graph.node[at];
        match node.op_type.as_str() {
            "Gather" => return Some(at).filter(|_| node.input.len() == 2),
            "Reshape" | "Cast" => at = made_by(node.input.first()?)?,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kind: &str, input: &str, output: &str) -> Node {
        Node {
            op_type: kind.to_owned(),
            input: vec![input.to_owned(), "last".to_owned()],
            output: vec![output.to_owned()],
            ..Node::default()
        }
    }

    fn graph(taken_by: &str) -> Model {
        let dims = [2, 1, 8].map(|value| Dimension { value: Some(value), symbol: None }).to_vec();
        let output = |name: &str| ValueInfo {
            name: name.to_owned(),
            kind: Some(Kind {
                tensor: Some(TensorKind { element: 1, shape: Some(Shape { dim: dims.clone() }) }),
            }),
        };
        let node = ["residual_out", "attention_out"]
            .iter()
            .flat_map(|name| {
                [
                    node(taken_by, "all", &format!("{name} taken")),
                    node("Reshape", &format!("{name} taken"), name),
                ]
            })
            .collect();
        let output = ["residual_out", "attention_out"].map(output).to_vec();
        Model { graph: Some(Graph { node, output, ..Graph::default() }), ..Model::default() }
    }

    #[test]
    fn both_sites_are_taken_at_the_positions_that_are_asked_for() {
        let edited =
            Model::decode(&*chosen(&graph("Gather").encode_to_vec()).unwrap()).unwrap().graph.unwrap();
        let gathers: Vec<_> = edited.node.iter().filter(|node| node.op_type == "Gather").collect();
        assert_eq!(gathers.len(), 2);
        assert!(gathers.iter().all(|gather| gather.input == ["all", INPUT]));
        assert_eq!(edited.input.iter().map(|input| &*input.name).collect::<Vec<_>>(), [INPUT]);
    }

    #[test]
    fn a_graph_that_takes_them_otherwise_is_refused() {
        assert!(chosen(b"\xff\xff").unwrap_err().contains("no ONNX file"));
        let error = chosen(&graph("Slice").encode_to_vec()).unwrap_err();
        assert!(error.contains("import the model again"), "{error}");
        assert!(
            chosen(&Model { graph: Some(Graph::default()), ..Model::default() }.encode_to_vec())
                .unwrap_err()
                .contains("no output residual_out")
        );
    }
}
