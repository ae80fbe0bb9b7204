//! EnCodec's LSTM with weights of 8 bits, for processors: it reads all its weights again for every frame.
//!
//! ONNX Runtime's own quantised LSTM rounds its input in one range for all frames of a run, so that a frame would depend on
//! later ones. Here each frame's product is rounded by itself, in blocks, as the decoder's are.

use super::ImportError;
use super::codec_layers::Layers;
use super::graph::Value;
use super::linear::{Matrix, linear};
use crate::bundle::Precision;
use crate::bundle::contract::{Dim, Port, Signature};
use crate::onnx::Element;

impl Layers<'_> {
    /// `EncodecLSTM` of `x [R, width, N]` with states that come from and go to the graph's `h_{j}_in` and so on: its input
    /// plus what the LSTM makes of it.
    pub fn quantised_lstm(&mut self, x: &Value, prefix: &str, width: usize) -> Result<Value, ImportError> {
        let input = self.graph.op("Transpose", &[x]).ints("perm", &[2, 0, 1]).one();
        let mut y = input.clone();
        for layer in 0..self.config.num_lstm_layers {
            y = self.quantised_lstm_layer(&y, prefix, layer, width)?;
        }
        let sum = self.graph.op("Add", &[&y, &input]).one();
        Ok(self.graph.op("Transpose", &[&sum]).ints("perm", &[1, 2, 0]).one())
    }

    /// One layer, `[N, R, width]` to the same.
    fn quantised_lstm_layer(
        &mut self,
        x: &Value,
        prefix: &str,
        layer: usize,
        width: usize,
    ) -> Result<Value, ImportError> {
        let name = |part: &str| format!("{prefix}.lstm.{part}_l{layer}");
        let [from_input, from_state] = [name("weight_ih"), name("weight_hh")].map(|name| {
            let values = self.checkpoint.tensor(&name, &[4 * width, width])?;
            Ok::<_, ImportError>((name, Matrix { outputs: 4 * width, inputs: width, values }))
        });
        let [of_input, of_state] =
            [name("bias_ih"), name("bias_hh")].map(|name| self.checkpoint.tensor(&name, &[4 * width]));
        let bias: Vec<f32> = of_input?.iter().zip(&of_state?).map(|(a, b)| a + b).collect();

        let (weight, matrix) = from_input?;
        let gates = linear(&mut self.graph, Precision::Int8, x, &weight, &matrix)?;
        let bias = self.graph.floats(&name("bias"), &[4 * width], &bias)?;
        let gates = self.graph.op("Add", &[&gates, &bias]).one();
        let first = self.graph.ints(&[0]);
        let states = ["h", "c"].map(|state| {
            let state = self.graph.input(format!("{state}_{layer}_in"));
            self.graph.op("Squeeze", &[&state, &first]).one()
        });

        let (weight, matrix) = from_state?;
        let inside = |name: &str, width: usize| Port {
            name: format!("lstm_{layer}_{name}"),
            element: Element::Float,
            dims: vec![Dim::Free("R"), Dim::Fixed(width)],
        };
        let signature = Signature {
            inputs: vec![inside("h", width), inside("c", width), inside("gates", 4 * width)],
            outputs: vec![inside("h_next", width), inside("c_next", width), inside("y", width)],
        };
        let [h, c, added] = ["h", "c", "gates"].map(|name| self.graph.input(format!("lstm_{layer}_{name}")));
        let body = self.graph.body(&format!("lstm_{layer}_frame"), &signature, |graph| {
            let gates = linear(graph, Precision::Int8, &h, &weight, &matrix)?;
            let gates = graph.op("Add", &[&gates, &added]).one();
            // As PyTorch stacks them.
            let parts = ["input", "forget", "cell", "output"].map(|gate| format!("lstm_{layer}_{gate}"));
            let op = graph.op("Split", &[&gates]).int("axis", 1).int("num_outputs", 4);
            let [let_in, keep, cell, let_out] = op.all_named(parts);
            let [let_in, keep, let_out] =
                [let_in, keep, let_out].map(|gate| graph.op("Sigmoid", &[&gate]).one());
            let cell = graph.op("Tanh", &[&cell]).one();
            let kept = graph.op("Mul", &[&keep, &c]).one();
            let new = graph.op("Mul", &[&let_in, &cell]).one();
            let c = graph.op("Add", &[&kept, &new]).named(&format!("lstm_{layer}_c_next"));
            let c = graph.op("Tanh", &[&c]).one();
            let h = graph.op("Mul", &[&let_out, &c]).named(&format!("lstm_{layer}_h_next"));
            graph.op("Identity", &[&h]).named(&format!("lstm_{layer}_y"));
            Ok(())
        })?;
        let op = self.graph.op("Scan", &[&states[0], &states[1], &gates]).body("body", body);
        let last = ["h", "c"].map(|state| format!("lstm_{layer}_{state}_last"));
        let [h, c, y] = op.int("num_scan_inputs", 1).all_named([
            last[0].clone(),
            last[1].clone(),
            format!("lstm_{layer}"),
        ]);
        for (state, value) in [("h", h), ("c", c)] {
            self.graph.op("Unsqueeze", &[&value, &first]).named(&format!("{state}_{layer}_out"));
        }
        Ok(y)
    }
}
