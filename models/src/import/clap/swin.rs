//! A stage of a Swin transformer: blocks whose attention is confined to windows, every other block's windows shifted by
//! half, and the merging of four neighbours into one. The grid is `[side, side, width]` throughout.

use super::super::ImportError;
use super::super::graph::Value;
use super::audio::ENCODER;
use super::config::{AudioConfig, EPSILON};
use super::layers::Layers;
use super::windows::Windows;

/// One stage: its blocks, and after all stages but the last the merging.
pub fn stage(
    layers: &mut Layers<'_>,
    audio: &AudioConfig,
    x: &Value,
    stage: usize,
) -> Result<Value, ImportError> {
    let mut x = x.clone();
    for number in 0..audio.depths[stage] {
        // A grid that is one window has nothing to shift.
        let shifted = number % 2 == 1 && audio.side(stage) > audio.window_size;
        let windows = Windows::new(audio.side(stage), audio.window_size, shifted);
        x = block(layers, audio, &x, stage, number, &windows)?;
    }
    if stage + 1 == audio.depths.len() { Ok(x) } else { merged(layers, audio, &x, stage) }
}

fn block(
    layers: &mut Layers<'_>,
    audio: &AudioConfig,
    x: &Value,
    stage: usize,
    number: usize,
    windows: &Windows,
) -> Result<Value, ImportError> {
    let prefix = format!("{ENCODER}.layers.{stage}.blocks.{number}");
    let (width, epsilon) = (audio.width(stage), audio.layer_norm_eps);
    let heads = audio.num_attention_heads[stage];
    let normed = layers.norm(x, &format!("{prefix}.layernorm_before"), width, epsilon)?;
    let parts = windows.partition(layers, &normed, width);
    let bias = windows.bias(layers, &format!("{prefix}.attention.self"), heads)?;
    let mixed = layers.attention(&parts, &format!("{prefix}.attention"), width, heads, &bias)?;
    let mixed = windows.reverse(layers, &mixed, width);
    let x = layers.graph.op("Add", &[x, &mixed]).one();
    let normed = layers.norm(&x, &format!("{prefix}.layernorm_after"), width, epsilon)?;
    // Truncated as Python does.
    let inner = (audio.mlp_ratio * width as f64) as usize;
    let fed = layers.feed_forward(&normed, &prefix, width, inner)?;
    Ok(layers.graph.op("Add", &[&x, &fed]).one())
}

/// Four neighbours side by side, first down, then right, then projected to twice the width.
fn merged(
    layers: &mut Layers<'_>,
    audio: &AudioConfig,
    x: &Value,
    stage: usize,
) -> Result<Value, ImportError> {
    let prefix = format!("{ENCODER}.layers.{stage}.downsample");
    let (half, width) = (audio.side(stage) / 2, audio.width(stage));
    let x = layers.reshape(x, &[half, 2, half, 2, width]);
    let x = layers.transpose(&x, &[0, 2, 3, 1, 4]);
    let x = layers.reshape(&x, &[half, half, 4 * width]);
    let x = layers.norm(&x, &format!("{prefix}.norm"), 4 * width, EPSILON)?;
    layers.product(&x, &format!("{prefix}.reduction"), 2 * width, 4 * width)
}
