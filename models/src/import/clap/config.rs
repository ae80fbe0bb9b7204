//! `config.json` and `preprocessor_config.json` of a CLAP checkpoint, as Hugging Face transformers writes them.
//!
//! Absent keys have transformers' defaults. What the graphs cannot express is refused here, by name.

use std::path::Path;

use serde::Deserialize;

use super::super::ImportError;
use super::super::config::{json, refuse, sane};
use crate::clap::{FeatureSettings, Padding};

/// The epsilon of norms whose own is not in the configuration.
pub const EPSILON: f32 = 1e-5;

/// `ClapConfig`.
#[derive(Debug, Clone, Deserialize)]
pub struct ClapConfig {
    pub text_config: TextConfig,
    pub audio_config: AudioConfig,
    #[serde(default = "default_projection")]
    pub projection_dim: usize,
    #[serde(default = "default_activation")]
    projection_hidden_act: String,
}

fn default_projection() -> usize {
    512
}

fn default_activation() -> String {
    "relu".into()
}

/// `ClapTextConfig`: RoBERTa.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct TextConfig {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub hidden_act: String,
    pub max_position_embeddings: usize,
    pub type_vocab_size: usize,
    pub layer_norm_eps: f32,
    pub pad_token_id: usize,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 50_265,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3_072,
            hidden_act: "gelu".into(),
            max_position_embeddings: 514,
            type_vocab_size: 1,
            layer_norm_eps: 1e-12,
            pad_token_id: 1,
        }
    }
}

impl TextConfig {
    /// Where the positions of tokens begin: RoBERTa's come after the padding's.
    pub fn first_position(&self) -> usize {
        self.pad_token_id + 1
    }

    /// Most tokens of a text.
    pub fn positions(&self) -> usize {
        self.max_position_embeddings.saturating_sub(self.first_position())
    }
}

/// `ClapAudioConfig`: HTSAT, a Swin transformer that sees the spectrogram as a square image.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct AudioConfig {
    pub window_size: usize,
    pub num_mel_bins: usize,
    pub spec_size: usize,
    pub hidden_act: String,
    patch_size: Sides,
    patch_stride: Sides,
    pub depths: Vec<usize>,
    pub num_attention_heads: Vec<usize>,
    pub enable_fusion: bool,
    pub patch_embed_input_channels: usize,
    pub flatten_patch_embeds: bool,
    pub patch_embeds_hidden_size: usize,
    pub enable_patch_layer_norm: bool,
    pub qkv_bias: bool,
    pub mlp_ratio: f64,
    pub layer_norm_eps: f32,
}

impl Default for AudioConfig {
    fn default() -> Self {
        Self {
            window_size: 8,
            num_mel_bins: 64,
            spec_size: 256,
            hidden_act: "gelu".into(),
            patch_size: Sides::Equal(4),
            patch_stride: Sides::Equal(4),
            depths: vec![2, 2, 6, 2],
            num_attention_heads: vec![4, 8, 16, 32],
            enable_fusion: false,
            patch_embed_input_channels: 1,
            flatten_patch_embeds: true,
            patch_embeds_hidden_size: 96,
            enable_patch_layer_norm: true,
            qkv_bias: true,
            mlp_ratio: 4.0,
            layer_norm_eps: EPSILON,
        }
    }
}

/// One number for both sides, or one for each.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Sides {
    Equal(usize),
    Each([usize; 2]),
}

impl Sides {
    fn first(self) -> usize {
        match self {
            Self::Equal(side) | Self::Each([side, _]) => side,
        }
    }

    fn are_equal(self) -> bool {
        matches!(self, Self::Equal(_)) || matches!(self, Self::Each([a, b]) if a == b)
    }
}

impl AudioConfig {
    /// Side of a patch.
    pub fn patch(&self) -> usize {
        self.patch_size.first()
    }

    /// From one patch to the next.
    pub fn stride(&self) -> usize {
        self.patch_stride.first()
    }

    /// How many pieces of the spectrogram are stacked to make it square.
    pub fn pieces(&self) -> usize {
        self.spec_size / self.num_mel_bins
    }

    /// Side of the grid of a stage.
    pub fn side(&self, stage: usize) -> usize {
        (self.spec_size / self.stride()) >> stage
    }

    /// Width of a stage.
    pub fn width(&self, stage: usize) -> usize {
        self.patch_embeds_hidden_size << stage
    }
}

/// `ClapFeatureExtractor`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
struct Preprocessor {
    feature_size: usize,
    sampling_rate: u32,
    hop_length: usize,
    max_length_s: usize,
    fft_window_size: usize,
    frequency_min: f64,
    frequency_max: f64,
    truncation: String,
    padding: String,
}

impl Default for Preprocessor {
    fn default() -> Self {
        Self {
            feature_size: 64,
            sampling_rate: 48_000,
            hop_length: 480,
            max_length_s: 10,
            fft_window_size: 1_024,
            frequency_min: 0.0,
            frequency_max: 14_000.0,
            truncation: "fusion".into(),
            padding: "repeatpad".into(),
        }
    }
}

/// Reads both files.
pub fn read(folder: &Path) -> Result<(ClapConfig, FeatureSettings), ImportError> {
    let kind: Kind = json(folder, "config.json")?;
    if kind.model_type != "clap" {
        return refuse(format!("its model_type is {:?}, and a judge is made of \"clap\"", kind.model_type));
    }
    let config: ClapConfig = json(folder, "config.json")?;
    if config.audio_config.enable_fusion {
        return refuse(
            "it is a fused CLAP, which hears several crops at once; use an unfused one, such as \
             laion/clap-htsat-unfused",
        );
    }
    if config.projection_hidden_act != "relu" {
        return refuse(format!(
            "its projection_hidden_act is {:?}, not \"relu\"",
            config.projection_hidden_act
        ));
    }
    sane("config", &[("projection_dim", config.projection_dim)])?;
    check_text(&config.text_config)?;
    check_audio(&config.audio_config)?;
    let features = features(json(folder, "preprocessor_config.json")?, &config.audio_config)?;
    Ok((config, features))
}

/// Which kind of model, read first: the rest of another's configuration would fail with a riddle.
#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    model_type: String,
}

fn check_text(text: &TextConfig) -> Result<(), ImportError> {
    sane(
        "text_config",
        &[
            ("vocab_size", text.vocab_size),
            ("hidden_size", text.hidden_size),
            ("num_hidden_layers", text.num_hidden_layers),
            ("num_attention_heads", text.num_attention_heads),
            ("intermediate_size", text.intermediate_size),
            ("max_position_embeddings", text.max_position_embeddings),
            ("type_vocab_size", text.type_vocab_size),
        ],
    )?;
    if text.hidden_act != "gelu" {
        return refuse(format!("its text_config.hidden_act is {:?}, not \"gelu\"", text.hidden_act));
    }
    if !text.hidden_size.is_multiple_of(text.num_attention_heads) {
        return refuse("its text_config.hidden_size is no multiple of its num_attention_heads");
    }
    if text.pad_token_id >= text.vocab_size || text.positions() < 3 {
        return refuse("its text_config.max_position_embeddings leaves no room for a text");
    }
    Ok(())
}

fn check_audio(audio: &AudioConfig) -> Result<(), ImportError> {
    let stages = audio.depths.len();
    sane(
        "audio_config",
        &[
            ("window_size", audio.window_size),
            ("num_mel_bins", audio.num_mel_bins),
            ("spec_size", audio.spec_size),
            ("patch_size", audio.patch()),
            ("patch_stride", audio.stride()),
            ("patch_embeds_hidden_size", audio.patch_embeds_hidden_size),
            ("depths", stages),
        ],
    )?;
    if stages > 8
        || audio.num_attention_heads.len() != stages
        || audio.depths.iter().any(|depth| *depth > 1_000)
    {
        return refuse(
            "its audio_config.depths and num_attention_heads are not one sane number for each stage",
        );
    }
    if audio.hidden_act != "gelu" || !audio.qkv_bias || !audio.flatten_patch_embeds {
        return refuse(
            "its audio_config has another hidden_act, qkv_bias or flatten_patch_embeds than HTSAT",
        );
    }
    if audio.patch_embed_input_channels != 1 {
        return refuse("its audio_config.patch_embed_input_channels is not 1");
    }
    let (patch, stride) = (audio.patch(), audio.stride());
    let square = audio.patch_size.are_equal() && audio.patch_stride.are_equal();
    let padded_evenly = patch >= stride && (patch - stride).is_multiple_of(2);
    if !square || !padded_evenly || !audio.spec_size.is_multiple_of(stride) {
        return refuse("its audio_config has patches that do not tile the image");
    }
    if !audio.spec_size.is_multiple_of(audio.num_mel_bins) {
        return refuse("its audio_config.spec_size is no multiple of its num_mel_bins");
    }
    let whole = audio.side(0).is_multiple_of(1 << (stages - 1));
    if !whole
        || (0..stages)
            .any(|stage| audio.side(stage) == 0 || !audio.side(stage).is_multiple_of(audio.window_size))
    {
        return refuse("its audio_config.window_size does not divide the grid of every stage");
    }
    for (stage, heads) in audio.num_attention_heads.iter().enumerate() {
        if *heads == 0 || !audio.width(stage).is_multiple_of(*heads) {
            return refuse(format!(
                "its audio_config.num_attention_heads do not divide the width of stage {stage}"
            ));
        }
    }
    if !(audio.mlp_ratio > 0.0 && audio.mlp_ratio <= 64.0) {
        return refuse(format!("its audio_config.mlp_ratio is {}", audio.mlp_ratio));
    }
    Ok(())
}

fn features(found: Preprocessor, audio: &AudioConfig) -> Result<FeatureSettings, ImportError> {
    if found.truncation != "rand_trunc" {
        return refuse(format!(
            "its preprocessor_config.json says truncation {:?}, and an unfused CLAP has \"rand_trunc\"",
            found.truncation
        ));
    }
    let padding = match found.padding.as_str() {
        "repeatpad" => Padding::RepeatPad,
        "repeat" => Padding::Repeat,
        "pad" => Padding::Pad,
        other => return refuse(format!("its preprocessor_config.json says padding {other:?}")),
    };
    if found.feature_size != audio.num_mel_bins {
        return refuse("its feature_size is not its audio_config.num_mel_bins");
    }
    let settings = FeatureSettings {
        sample_rate: found.sampling_rate,
        samples: found.max_length_s.saturating_mul(found.sampling_rate as usize),
        transform: found.fft_window_size,
        hop: found.hop_length,
        bands: found.feature_size,
        lowest: found.frequency_min,
        highest: found.frequency_max,
        padding,
    };
    settings.check().map_err(ImportError::Unsupported)?;
    let longest = audio.spec_size * audio.pieces();
    if settings.frames() > longest {
        return refuse(format!(
            "its window has {} feature frames, and the image {longest}",
            settings.frames()
        ));
    }
    Ok(settings)
}
