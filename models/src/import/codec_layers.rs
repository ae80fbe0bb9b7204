//! The layers of EnCodec as nodes. Tensors are `[R, channels, positions]` throughout, R streams coded
//! side by side; when audio is encoded, one.

use super::ImportError;
use super::checkpoint::Checkpoint;
use super::codec_geometry::Margins;
use super::config::CodecConfig;
use super::graph::{GraphBuilder, Value};
use crate::onnx::signed;

const QUANTIZER: &str = "audio_encoder.quantizer.layers";

/// Names the layers of one half of the codec in the order in which PyTorch numbers them.
pub struct Place {
    half: &'static str,
    next: usize,
}

impl Place {
    /// Begins with the first layer of `"encoder"` or `"decoder"`.
    pub fn new(half: &'static str) -> Self {
        Self { half, next: 0 }
    }

    /// The next layer's prefix.
    pub fn next(&mut self) -> String {
        let number = self.next;
        self.next += 1;
        format!("audio_encoder.{}.layers.{number}", self.half)
    }

    /// Passes over layers that have no weights or are in another graph.
    pub fn skip(&mut self, layers: usize) {
        self.next += layers;
    }
}

/// Adds layers of one checkpoint to one graph.
pub struct Layers<'a> {
    pub graph: GraphBuilder,
    pub checkpoint: &'a Checkpoint,
    pub config: &'a CodecConfig,
}

impl Layers<'_> {
    /// ELU, which counts as a layer.
    pub fn elu(&mut self, x: &Value, place: &mut Place) -> Value {
        place.skip(1);
        self.graph.op("Elu", &[x]).one()
    }

    /// `EncodecConv1d` of a weight `[outputs, inputs, kernel]`. `rate` is the length of one frame at its input, the
    /// shortest input there is.
    pub fn convolution(
        &mut self,
        x: &Value,
        prefix: &str,
        weight: [usize; 3],
        stride: usize,
        dilation: usize,
        rate: usize,
    ) -> Result<Value, ImportError> {
        let padding = self.config.convolution_padding(weight[2], stride, dilation);
        let padded = self.reflect(x, padding, rate);
        self.bare_convolution(&padded, prefix, weight, stride, dilation)
    }

    /// The convolution of `EncodecConv1d` without its padding.
    pub fn bare_convolution(
        &mut self,
        x: &Value,
        prefix: &str,
        weight: [usize; 3],
        stride: usize,
        dilation: usize,
    ) -> Result<Value, ImportError> {
        let (kernel, bias) = self.normed_weight(prefix, weight, weight[0])?;
        let op = self.graph.op("Conv", &[x, &kernel, &bias]).ints("kernel_shape", &weight[2..]);
        Ok(op.ints("strides", &[stride]).ints("dilations", &[dilation]).one())
    }

    /// `EncodecConvTranspose1d` that halves the width and multiplies the positions by `ratio`.
    pub fn transposed_convolution(
        &mut self,
        x: &Value,
        prefix: &str,
        width: usize,
        ratio: usize,
    ) -> Result<Value, ImportError> {
        let (kernel, bias) = self.normed_weight(prefix, [width, width / 2, 2 * ratio], width / 2)?;
        let trim = self.config.transposed_trim(2 * ratio, ratio);
        // CUDA knows no padding that differs between the sides: what is more on one of them is cut off afterwards.
        let both = trim.left.min(trim.right);
        let op = self.graph.op("ConvTranspose", &[x, &kernel, &bias]).ints("kernel_shape", &[2 * ratio]);
        let y = op.ints("strides", &[ratio]).ints("pads", &[both, both]).one();
        Ok(self.trimmed(y, Margins { left: trim.left - both, right: trim.right - both }))
    }

    /// `EncodecResnetBlock`.
    pub fn residual_block(
        &mut self,
        x: &Value,
        prefix: &str,
        width: usize,
        dilation: usize,
        rate: usize,
    ) -> Result<Value, ImportError> {
        let hidden = width / self.config.compress;
        let kernel = self.config.residual_kernel_size;
        let y = self.graph.op("Elu", &[x]).one();
        let y =
            self.convolution(&y, &format!("{prefix}.block.1"), [hidden, width, kernel], 1, dilation, rate)?;
        let y = self.graph.op("Elu", &[&y]).one();
        let y = self.bare_convolution(&y, &format!("{prefix}.block.3"), [width, hidden, 1], 1, 1)?;
        if !self.config.use_conv_shortcut {
            return Ok(self.graph.op("Add", &[x, &y]).one());
        }
        let x = self.bare_convolution(x, &format!("{prefix}.shortcut"), [width, width, 1], 1, 1)?;
        Ok(self.graph.op("Add", &[&x, &y]).one())
    }

    /// `EncodecLSTM`: its input plus what the LSTM makes of it. With `carried`, states come from and go to the graph's
    /// `h_{j}_in` and so on; else they begin at zero.
    pub fn lstm(
        &mut self,
        x: &Value,
        prefix: &str,
        width: usize,
        carried: bool,
    ) -> Result<Value, ImportError> {
        let input = self.graph.op("Transpose", &[x]).ints("perm", &[2, 0, 1]).one();
        let mut y = input.clone();
        let direction = self.graph.ints(&[1]);
        for layer in 0..self.config.num_lstm_layers {
            let [from_input, from_state] = ["ih", "hh"].map(|part| {
                let name = format!("{prefix}.lstm.weight_{part}_l{layer}");
                let values = self.checkpoint.tensor(&name, &[4 * width, width])?;
                self.graph.floats(&name, &[1, 4 * width, width], &onnx_gates(&values))
            });
            let mut biases = Vec::with_capacity(8 * width);
            for part in ["ih", "hh"] {
                let name = format!("{prefix}.lstm.bias_{part}_l{layer}");
                biases.extend(onnx_gates(&self.checkpoint.tensor(&name, &[4 * width])?));
            }
            let bias =
                self.graph.floats(&format!("{prefix}.lstm.bias_l{layer}"), &[1, 8 * width], &biases)?;
            let (from_input, from_state, none) = (from_input?, from_state?, Value::absent());
            let mut inputs = vec![&y, &from_input, &from_state, &bias];
            let states = ["h", "c"].map(|state| self.graph.input(format!("{state}_{layer}_in")));
            if carried {
                inputs.extend([&none, &states[0], &states[1]]);
            }
            let op = self.graph.op("LSTM", &inputs).int("hidden_size", width);
            let out = if carried {
                let names = [format!("lstm_{layer}"), format!("h_{layer}_out"), format!("c_{layer}_out")];
                let [out, ..] = op.all_named(names);
                out
            } else {
                op.one()
            };
            y = self.graph.op("Squeeze", &[&out, &direction]).one();
        }
        let sum = self.graph.op("Add", &[&y, &input]).one();
        Ok(self.graph.op("Transpose", &[&sum]).ints("perm", &[1, 2, 0]).one())
    }

    /// `EncodecResidualVectorQuantizer.encode`: the nearest entry of each codebook in turn, as the graph's `codes`.
    pub fn quantise(&mut self, x: &Value, codebooks: usize) -> Result<(), ImportError> {
        let batch = self.graph.ints(&[0]);
        let mut rest = self.graph.op("Squeeze", &[x, &batch]).one();
        rest = self.graph.op("Transpose", &[&rest]).ints("perm", &[1, 0]).one();
        let dims = [self.config.codebook_size, self.config.hidden_size];
        let mut rows = Vec::with_capacity(codebooks);
        for codebook in 0..codebooks {
            let name = format!("{QUANTIZER}.{codebook}.codebook.embed");
            let entries = self.checkpoint.tensor(&name, &dims)?;
            let square = |entry: &[f32]| -entry.iter().map(|value| value * value).sum::<f32>();
            let squares: Vec<f32> = entries.chunks_exact(dims[1]).map(square).collect();
            let entries = self.graph.floats(&name, &dims, &entries)?;
            let squares = self.graph.floats(&format!("{name}.negative_squares"), &dims[..1], &squares)?;
            // Largest 2xe - ee is least (x - e)(x - e); of equals, PyTorch and ONNX both take the first.
            let op = self.graph.op("Gemm", &[&rest, &entries, &squares]).float("alpha", 2.0).int("transB", 1);
            let nearness = op.one();
            let row = self.graph.op("ArgMax", &[&nearness]).int("axis", 1).int("keepdims", 0).one();
            if codebook + 1 < codebooks {
                let entry = self.graph.op("Gather", &[&entries, &row]).one();
                rest = self.graph.op("Sub", &[&rest, &entry]).one();
            }
            rows.push(self.graph.op("Unsqueeze", &[&row, &batch]).one());
        }
        let codes = self.graph.op("Concat", &rows.iter().collect::<Vec<_>>()).int("axis", 0).one();
        self.graph.op("Unsqueeze", &[&codes, &batch]).named("codes");
        Ok(())
    }

    /// `EncodecResidualVectorQuantizer.decode` of the graph's `codes`.
    pub fn embed(&mut self, codebooks: usize) -> Result<Value, ImportError> {
        let [size, width] = [self.config.codebook_size, self.config.hidden_size];
        let mut table = Vec::with_capacity(codebooks * size * width);
        for codebook in 0..codebooks {
            let name = format!("{QUANTIZER}.{codebook}.codebook.embed");
            table.extend(self.checkpoint.tensor(&name, &[size, width])?);
        }
        let table = self.graph.floats("codebooks", &[codebooks * size, width], &table)?;
        let offsets: Vec<i64> = (0..codebooks).map(|codebook| signed(codebook * size)).collect();
        let offsets = self.graph.ints_shaped(&[1, codebooks, 1], &offsets);
        let codes = self.graph.input("codes");
        let rows = self.graph.op("Add", &[&codes, &offsets]).one();
        let entries = self.graph.op("Gather", &[&table, &rows]).one();
        let axis = self.graph.ints(&[1]);
        let sum = self.graph.op("ReduceSum", &[&entries, &axis]).int("keepdims", 0).one();
        Ok(self.graph.op("Transpose", &[&sum]).ints("perm", &[0, 2, 1]).one())
    }

    /// Cuts the context that the contract gives on both sides down to what the first convolution pads by.
    pub fn trim_context(&mut self, x: &Value) -> Value {
        let context = self.config.code_context();
        let padding = self.config.convolution_padding(self.config.kernel_size, 1, 1);
        self.trimmed(x.clone(), Margins { left: context - padding.left, right: context - padding.right })
    }

    /// `x` without `margins` positions.
    fn trimmed(&mut self, x: Value, margins: Margins) -> Value {
        let Margins { left, right } = margins;
        if (left, right) == (0, 0) {
            return x;
        }
        let end = if right == 0 { i64::MAX } else { -signed(right) };
        let (start, end, axis) =
            (self.graph.ints(&[signed(left)]), self.graph.ints(&[end]), self.graph.ints(&[2]));
        self.graph.op("Slice", &[&x, &start, &end, &axis]).one()
    }

    /// The filter bank's sub-bands of the audio; the audio itself without one.
    pub fn analyse(&mut self, x: &Value) -> Result<Value, ImportError> {
        let Some(bank) = &self.config.filter_bank else { return Ok(x.clone()) };
        let name = "audio_encoder.filter_bank.analysis.weight";
        let dims = [bank.bands, 1, bank.window];
        let weight = self.graph.floats(name, &dims, &self.checkpoint.tensor(name, &dims)?)?;
        let op = self.graph.op("Conv", &[x, &weight]).ints("kernel_shape", &[bank.window]);
        Ok(op.ints("strides", &[bank.hop]).ints("pads", &[bank.padding, bank.padding]).one())
    }

    /// Audio from the filter bank's sub-bands; the sub-bands themselves without one.
    pub fn synthesise(&mut self, x: &Value) -> Result<Value, ImportError> {
        let Some(bank) = &self.config.filter_bank else { return Ok(x.clone()) };
        let name = "audio_encoder.filter_bank.synthesis.weight";
        let dims = [bank.bands, 1, bank.window];
        let weight = self.graph.floats(name, &dims, &self.checkpoint.tensor(name, &dims)?)?;
        let op = self.graph.op("ConvTranspose", &[x, &weight]).ints("kernel_shape", &[bank.window]);
        Ok(op.ints("strides", &[bank.hop]).ints("pads", &[bank.padding, bank.padding]).one())
    }

    /// `EncodecConv1d._pad1d` in its mode `reflect`: an input no longer than the padding is first extended by zeros,
    /// which the result loses again.
    fn reflect(&mut self, x: &Value, padding: Margins, shortest: usize) -> Value {
        let widest = padding.left.max(padding.right);
        if widest == 0 {
            return x.clone();
        }
        let graph = &mut self.graph;
        let (left, right) = (signed(padding.left), signed(padding.right));
        let pads = graph.ints(&[0, 0, left, 0, 0, right]);
        if shortest > widest {
            return graph.op("Pad", &[x, &pads]).text("mode", "reflect").one();
        }
        let length = graph.op("Shape", &[x]).int("start", 2).int("end", 3).one();
        let (enough, zero) = (graph.ints(&[signed(widest) + 1]), graph.ints(&[0]));
        let lacking = graph.op("Sub", &[&enough, &length]).one();
        let lacking = graph.op("Max", &[&lacking, &zero]).one();
        let none = graph.ints(&[0, 0, 0, 0, 0]);
        let extension = graph.op("Concat", &[&none, &lacking]).int("axis", 0).one();
        let extended = graph.op("Pad", &[x, &extension]).one();
        let padded = graph.op("Pad", &[&extended, &pads]).text("mode", "reflect").one();
        let (both, axis) = (graph.ints(&[left + right]), graph.ints(&[2]));
        let end = graph.op("Add", &[&length, &both]).one();
        graph.op("Slice", &[&padded, &zero, &end, &axis]).one()
    }

    /// The weight of `dims` under weight normalisation and the bias of a convolution.
    fn normed_weight(
        &mut self,
        prefix: &str,
        dims: [usize; 3],
        outputs: usize,
    ) -> Result<(Value, Value), ImportError> {
        let values = self.checkpoint.weight_normed(&format!("{prefix}.conv"), &dims)?;
        let weight = self.graph.floats(&format!("{prefix}.weight"), &dims, &values)?;
        let name = format!("{prefix}.conv.bias");
        let bias = self.graph.floats(&name, &[outputs], &self.checkpoint.tensor(&name, &[outputs])?)?;
        Ok((weight, bias))
    }
}

/// Reorders the four gates that are stacked in `values`: PyTorch has input, forget, cell, output; ONNX input, output,
/// forget, cell.
fn onnx_gates(values: &[f32]) -> Vec<f32> {
    let gate = values.len() / 4;
    [0, 3, 1, 2].into_iter().flat_map(|index| &values[index * gate..(index + 1) * gate]).copied().collect()
}
