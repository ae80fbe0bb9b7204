//! HTSAT as a graph (`ClapAudioModel` of transformers, not fused): features of one window in, its embedding out.

use std::path::Path;

use super::super::ImportError;
use super::super::checkpoint::Checkpoint;
use super::super::graph::Value;
use super::config::{AudioConfig, ClapConfig, EPSILON};
use super::layers::Layers;
use super::swin;
use crate::bundle::contract::{Dim, Port};
use crate::clap::{AUDIO_GRAPH, FeatureSettings};
use crate::onnx::{Element, signed};

/// Where the encoder's tensors are.
pub const ENCODER: &str = "audio_model.audio_encoder";
/// PyTorch's bicubic interpolation is this one of the family.
const CUBIC: f32 = -0.75;

/// Writes `audio.onnx`.
pub fn write(
    folder: &Path,
    checkpoint: &Checkpoint,
    config: &ClapConfig,
    features: &FeatureSettings,
) -> Result<(), ImportError> {
    let (audio, projection) = (&config.audio_config, config.projection_dim);
    let dims = [1, 1, features.frames(), features.bands].map(Dim::Fixed).to_vec();
    let input = Port { name: "features".into(), element: Element::Float, dims };
    let mut layers = Layers::create(folder, AUDIO_GRAPH, input, projection, checkpoint)?;
    let x = normalised(&mut layers, audio.num_mel_bins)?;
    let x = image(&mut layers, audio, &x, features.frames());
    let mut x = patches(&mut layers, audio, &x)?;
    for stage in 0..audio.depths.len() {
        x = swin::stage(&mut layers, audio, &x, stage)?;
    }
    let last = audio.depths.len() - 1;
    let (side, width) = (audio.side(last), audio.width(last));
    let x = layers.norm(&x, &format!("{ENCODER}.norm"), width, EPSILON)?;
    // The mean over all places: that transformers first sorts them by frequency changes nothing.
    let x = layers.reshape(&x, &[1, side * side, width]);
    let axis = layers.graph.ints(&[1]);
    let pooled = layers.graph.op("ReduceMean", &[&x, &axis]).int("keepdims", 0).one();
    layers.finish(&pooled, "audio_projection", projection, width)
}

/// Batch normalisation of each mel band with the statistics of training, as one product and one sum.
fn normalised(layers: &mut Layers<'_>, bands: usize) -> Result<Value, ImportError> {
    let part = |which: &str| layers.checkpoint.tensor(&format!("{ENCODER}.batch_norm.{which}"), &[bands]);
    let (weight, bias) = (part("weight")?, part("bias")?);
    let (mean, variance) = (part("running_mean")?, part("running_var")?);
    let mut scales = Vec::with_capacity(bands);
    let mut shifts = Vec::with_capacity(bands);
    for (((weight, bias), mean), variance) in weight.into_iter().zip(bias).zip(mean).zip(variance) {
        if variance < 0.0 {
            return Err(ImportError::Unsupported("its batch_norm.running_var is negative".into()));
        }
        let scale = f64::from(weight) / (f64::from(variance) + f64::from(EPSILON)).sqrt();
        scales.push(scale as f32);
        shifts.push((f64::from(bias) - f64::from(mean) * scale) as f32);
    }
    let scales = layers.graph.floats("batch_norm.scale", &[bands], &scales)?;
    let shifts = layers.graph.floats("batch_norm.shift", &[bands], &shifts)?;
    let features = layers.graph.input("features");
    let scaled = layers.graph.op("Mul", &[&features, &scales]).one();
    Ok(layers.graph.op("Add", &[&scaled, &shifts]).one())
}

/// The spectrogram `[1, 1, frames, bands]` stretched in time and cut into pieces that lie above each other in a square
/// image `[1, 1, frequency, time]`.
fn image(layers: &mut Layers<'_>, audio: &AudioConfig, x: &Value, frames: usize) -> Value {
    let (bands, pieces, size) = (audio.num_mel_bins, audio.pieces(), audio.spec_size);
    let mut x = x.clone();
    if frames < size * pieces {
        let none = Value::absent();
        let sizes = layers.graph.ints(&[1, 1, signed(size * pieces), signed(bands)]);
        let op = layers.graph.op("Resize", &[&x, &none, &none, &sizes]).text("mode", "cubic");
        let op = op.text("coordinate_transformation_mode", "align_corners");
        x = op.float("cubic_coeff_a", CUBIC).one();
    }
    let x = layers.reshape(&x, &[1, pieces, size, bands]);
    let x = layers.transpose(&x, &[0, 1, 3, 2]);
    layers.reshape(&x, &[1, 1, size, size])
}

/// Patches of the image as vectors, `[side, side, width]`.
fn patches(layers: &mut Layers<'_>, audio: &AudioConfig, x: &Value) -> Result<Value, ImportError> {
    let prefix = format!("{ENCODER}.patch_embed");
    let (patch, stride) = (audio.patch(), audio.stride());
    let (side, width) = (audio.side(0), audio.width(0));
    let weight = layers.weight(&format!("{prefix}.proj.weight"), &[width, 1, patch, patch])?;
    let bias = layers.weight(&format!("{prefix}.proj.bias"), &[width])?;
    let op = layers.graph.op("Conv", &[x, &weight, &bias]).ints("strides", &[stride; 2]);
    let x = op.ints("pads", &[(patch - stride) / 2; 4]).one();
    let x = layers.transpose(&x, &[0, 2, 3, 1]);
    let x = layers.reshape(&x, &[side, side, width]);
    if !audio.enable_patch_layer_norm {
        return Ok(x);
    }
    layers.norm(&x, &format!("{prefix}.norm"), width, EPSILON)
}
