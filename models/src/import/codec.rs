//! EnCodec as three graphs (`EncodecModel` of transformers): audio to codes, codes to latent, latent to audio.
//!
//! A filter bank around the codec, if the checkpoint has one, is folded into the first and the last.

use std::path::Path;

use super::ImportError;
use super::checkpoint::Checkpoint;
use super::codec_layers::{Layers, Place};
use super::config::CodecConfig;
use super::graph::GraphBuilder;
use crate::bundle::Precision;
use crate::bundle::contract::Signature;

/// Writes `encodec_encode.onnx`.
pub fn write_encode(
    folder: &Path,
    signature: &Signature,
    checkpoint: &Checkpoint,
    config: &CodecConfig,
    codebooks: usize,
) -> Result<(), ImportError> {
    let graph = GraphBuilder::create(folder, "encodec_encode", signature)?;
    let mut layers = Layers { graph, checkpoint, config };
    let mut place = Place::new("encoder");
    // Positions of one frame at this scale.
    let mut rate = config.upsampling_ratios.iter().product();
    let mut width = config.num_filters;
    let mut x = layers.graph.input("audio");
    x = layers.analyse(&x)?;
    x = layers.convolution(
        &x,
        &place.next(),
        [width, config.audio_channels, config.kernel_size],
        1,
        1,
        rate,
    )?;
    for &ratio in config.upsampling_ratios.iter().rev() {
        for dilation in config.dilations() {
            x = layers.residual_block(&x, &place.next(), width, dilation, rate)?;
        }
        x = layers.elu(&x, &mut place);
        x = layers.convolution(&x, &place.next(), [2 * width, width, 2 * ratio], ratio, 1, rate)?;
        width *= 2;
        rate /= ratio;
    }
    x = layers.lstm(&x, &place.next(), width, false)?;
    x = layers.elu(&x, &mut place);
    x = layers.convolution(
        &x,
        &place.next(),
        [config.hidden_size, width, config.last_kernel_size],
        1,
        1,
        rate,
    )?;
    layers.quantise(&x, codebooks)?;
    layers.graph.finish()
}

/// Writes `{name}.onnx`, from codes to latent. Its LSTM is in single precision if `precision` is, else of 8 bits.
pub fn write_latent(
    folder: &Path,
    name: &str,
    signature: &Signature,
    checkpoint: &Checkpoint,
    config: &CodecConfig,
    codebooks: usize,
    precision: Precision,
) -> Result<(), ImportError> {
    let graph = GraphBuilder::create(folder, name, signature)?;
    let mut layers = Layers { graph, checkpoint, config };
    let mut place = Place::new("decoder");
    let width = config.latent_width();
    let mut x = layers.embed(codebooks)?;
    x = layers.trim_context(&x);
    x = layers.bare_convolution(&x, &place.next(), [width, config.hidden_size, config.kernel_size], 1, 1)?;
    x = match precision {
        Precision::F32 | Precision::F16 => layers.lstm(&x, &place.next(), width, true)?,
        Precision::Int8 | Precision::Int4 => layers.quantised_lstm(&x, &place.next(), width)?,
    };
    layers.graph.op("Identity", &[&x]).named("latent");
    layers.graph.finish()
}

/// Writes `encodec_wave.onnx`.
pub fn write_wave(
    folder: &Path,
    signature: &Signature,
    checkpoint: &Checkpoint,
    config: &CodecConfig,
) -> Result<(), ImportError> {
    let graph = GraphBuilder::create(folder, "encodec_wave", signature)?;
    let mut layers = Layers { graph, checkpoint, config };
    let mut place = Place::new("decoder");
    // The first convolution and the LSTM are in the other graph.
    place.skip(2);
    let mut rate = 1;
    let mut width = config.latent_width();
    let mut x = layers.graph.input("latent");
    for &ratio in &config.upsampling_ratios {
        x = layers.elu(&x, &mut place);
        x = layers.transposed_convolution(&x, &place.next(), width, ratio)?;
        width /= 2;
        rate *= ratio;
        for dilation in config.dilations() {
            x = layers.residual_block(&x, &place.next(), width, dilation, rate)?;
        }
    }
    x = layers.elu(&x, &mut place);
    x = layers.convolution(
        &x,
        &place.next(),
        [config.audio_channels, width, config.last_kernel_size],
        1,
        1,
        rate,
    )?;
    x = layers.synthesise(&x)?;
    layers.graph.op("Identity", &[&x]).named("audio");
    layers.graph.finish()
}
