//! `config.json` and `generation_config.json` of a MusicGen checkpoint, as Hugging Face transformers writes them.
//!
//! Absent keys have transformers' defaults. What the graphs cannot express is refused here, by name.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{ImportError, chroma};
use crate::bundle::manifest::{Architecture, Codec, FilterBank};

/// The whole of `config.json`, as far as it matters.
#[derive(Debug, Clone, Deserialize)]
pub struct ModelConfig {
    /// T5's encoder.
    pub text_encoder: TextConfig,
    /// EnCodec.
    pub audio_encoder: CodecConfig,
    /// MusicGen's decoder.
    pub decoder: DecoderConfig,
}

/// `T5Config`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct TextConfig {
    pub model_type: String,
    pub vocab_size: usize,
    pub d_model: usize,
    pub d_kv: usize,
    pub d_ff: usize,
    pub num_layers: usize,
    pub num_heads: usize,
    pub relative_attention_num_buckets: usize,
    pub relative_attention_max_distance: usize,
    pub layer_norm_epsilon: f32,
    pub feed_forward_proj: String,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            model_type: "t5".into(),
            vocab_size: 32_128,
            d_model: 512,
            d_kv: 64,
            d_ff: 2_048,
            num_layers: 6,
            num_heads: 8,
            relative_attention_num_buckets: 32,
            relative_attention_max_distance: 128,
            layer_norm_epsilon: 1e-6,
            feed_forward_proj: "relu".into(),
        }
    }
}

/// `EncodecConfig`, and Tiller's own filter bank around it.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct CodecConfig {
    pub model_type: String,
    pub sampling_rate: u32,
    pub audio_channels: usize,
    pub normalize: bool,
    pub chunk_length_s: Option<f64>,
    pub hidden_size: usize,
    pub num_filters: usize,
    pub num_residual_layers: usize,
    pub upsampling_ratios: Vec<usize>,
    pub norm_type: String,
    pub kernel_size: usize,
    pub last_kernel_size: usize,
    pub residual_kernel_size: usize,
    pub dilation_growth_rate: usize,
    pub use_causal_conv: bool,
    pub pad_mode: String,
    pub compress: usize,
    pub num_lstm_layers: usize,
    pub trim_right_ratio: f64,
    pub codebook_size: usize,
    pub codebook_dim: Option<usize>,
    pub use_conv_shortcut: bool,
    pub filter_bank: Option<FilterBankConfig>,
}

impl Default for CodecConfig {
    fn default() -> Self {
        Self {
            model_type: "encodec".into(),
            sampling_rate: 24_000,
            audio_channels: 1,
            normalize: false,
            chunk_length_s: None,
            hidden_size: 128,
            num_filters: 32,
            num_residual_layers: 1,
            upsampling_ratios: vec![8, 5, 4, 2],
            norm_type: "weight_norm".into(),
            kernel_size: 7,
            last_kernel_size: 7,
            residual_kernel_size: 3,
            dilation_growth_rate: 2,
            use_causal_conv: true,
            pad_mode: "reflect".into(),
            compress: 2,
            num_lstm_layers: 2,
            trim_right_ratio: 1.0,
            codebook_size: 1_024,
            codebook_dim: None,
            use_conv_shortcut: true,
            filter_bank: None,
        }
    }
}

/// Tiller's extension: a fixed filter bank between the audio and EnCodec, which then codes its sub-bands.
///
/// Analysis is a strided convolution of one channel into `bands`, synthesis its transpose; both pad with zeros.
#[derive(Debug, Clone, Deserialize)]
pub struct FilterBankConfig {
    pub bands: usize,
    pub window: usize,
    pub hop: usize,
    pub padding: usize,
    pub sampling_rate: u32,
}

/// `MusicgenDecoderConfig`. Its `scale_embedding` is read by no version of transformers' model, nor here.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct DecoderConfig {
    pub model_type: String,
    pub vocab_size: usize,
    pub max_position_embeddings: usize,
    pub num_hidden_layers: usize,
    pub ffn_dim: usize,
    pub num_attention_heads: usize,
    pub activation_function: String,
    pub hidden_size: usize,
    pub num_codebooks: usize,
    pub audio_channels: usize,
    pub pad_token_id: Option<usize>,
}

impl Default for DecoderConfig {
    fn default() -> Self {
        Self {
            model_type: "musicgen_decoder".into(),
            vocab_size: 2_048,
            max_position_embeddings: 2_048,
            num_hidden_layers: 24,
            ffn_dim: 4_096,
            num_attention_heads: 16,
            activation_function: "gelu".into(),
            hidden_size: 1_024,
            num_codebooks: 4,
            audio_channels: 1,
            pad_token_id: None,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
struct GenerationConfig {
    max_length: Option<usize>,
    decoder_start_token_id: Option<usize>,
}

/// Reads and checks both configurations; the numbers of the manifest follow from them.
pub fn read(folder: &Path) -> Result<(ModelConfig, Architecture), ImportError> {
    #[derive(Deserialize)]
    struct Kind {
        model_type: Option<String>,
    }
    let Kind { model_type } = json(folder, "config.json")?;
    let chroma = match model_type.as_deref() {
        Some("musicgen") => None,
        Some("musicgen_melody") => Some(chroma::read(folder)?),
        Some(other) => {
            return refuse(format!("its model_type is {other:?}, not \"musicgen\" or \"musicgen_melody\""));
        }
        None => return refuse("its config.json names no model_type"),
    };
    let config: ModelConfig = json(folder, "config.json")?;
    let generation: GenerationConfig = json(folder, "generation_config.json")?;
    check_text(&config.text_encoder)?;
    check_codec(&config.audio_encoder)?;
    check_decoder(&config.decoder, &config.audio_encoder)?;
    let decoder = &config.decoder;
    if generation.decoder_start_token_id.is_some_and(|token| token != decoder.vocab_size) {
        return refuse(
            "its decoder_start_token_id is not its vocab_size, which MusicGen begins and pads with",
        );
    }
    let codec = &config.audio_encoder;
    let architecture = Architecture {
        layers: decoder.num_hidden_layers,
        width: decoder.hidden_size,
        heads: decoder.num_attention_heads,
        codebooks: decoder.num_codebooks,
        vocabulary: decoder.vocab_size,
        // The codebooks of left and right take turns, and those of the same level are drawn at the same step.
        delays: (0..decoder.num_codebooks).map(|codebook| codebook / decoder.audio_channels).collect(),
        max_positions: decoder.max_position_embeddings,
        window: generation.max_length.unwrap_or(usize::MAX).min(decoder.max_position_embeddings),
        text_width: config.text_encoder.d_model,
        chroma,
        codec: Codec {
            sample_rate: codec.outer_rate(),
            samples_per_frame: codec.samples_per_frame(),
            channels: decoder.audio_channels,
            streams: decoder.audio_channels,
            latent_width: codec.latent_width(),
            lstm_layers: codec.num_lstm_layers,
            code_context: codec.code_context(),
            latent_context: codec.latent_context(),
            filter_bank: codec.filter_bank.as_ref().map(|bank| FilterBank {
                bands: bank.bands,
                window: bank.window,
                hop: bank.hop,
                padding: bank.padding,
            }),
        },
    };
    Ok((config, architecture))
}

pub(super) fn json<T: DeserializeOwned>(folder: &Path, file: &'static str) -> Result<T, ImportError> {
    let path = folder.join(file);
    if !path.is_file() {
        return Err(ImportError::MissingFile { folder: folder.to_owned(), file });
    }
    let text = std::fs::read(&path).map_err(ImportError::reading(&path))?;
    serde_json::from_slice(&text).map_err(|source| ImportError::Json { path, source })
}

pub(super) fn refuse<T>(why: impl Into<String>) -> Result<T, ImportError> {
    Err(ImportError::Unsupported(why.into()))
}

/// A number that sizes tensors: never zero, never so large that products of a few overflow.
pub(super) fn sane(section: &str, numbers: &[(&str, usize)]) -> Result<(), ImportError> {
    match numbers.iter().find(|(_, number)| !(1..=1 << 20).contains(number)) {
        Some((name, number)) => refuse(format!("its {section}.{name} is {number}")),
        None => Ok(()),
    }
}

fn check_text(text: &TextConfig) -> Result<(), ImportError> {
    if text.model_type != "t5" {
        return refuse(format!("its text encoder is {:?}; only \"t5\" is imported", text.model_type));
    }
    sane(
        "text_encoder",
        &[
            ("vocab_size", text.vocab_size),
            ("d_model", text.d_model),
            ("d_kv", text.d_kv),
            ("d_ff", text.d_ff),
            ("num_layers", text.num_layers),
            ("num_heads", text.num_heads),
            ("relative_attention_max_distance", text.relative_attention_max_distance),
        ],
    )?;
    let buckets = text.relative_attention_num_buckets;
    if buckets < 4 || !buckets.is_multiple_of(4) || text.relative_attention_max_distance <= buckets / 4 {
        return refuse(format!("its text encoder has {buckets} relative position buckets"));
    }
    if !["relu", "gated-gelu"].contains(&&*text.feed_forward_proj) {
        let found = &text.feed_forward_proj;
        return refuse(format!(
            "its text encoder's feed_forward_proj is {found:?}, not \"relu\" or \"gated-gelu\""
        ));
    }
    Ok(())
}

fn check_codec(codec: &CodecConfig) -> Result<(), ImportError> {
    if codec.model_type != "encodec" {
        return refuse(format!("its audio encoder is {:?}; only \"encodec\" is imported", codec.model_type));
    }
    sane(
        "audio_encoder",
        &[
            ("sampling_rate", codec.sampling_rate as usize),
            ("audio_channels", codec.audio_channels),
            ("hidden_size", codec.hidden_size),
            ("num_filters", codec.num_filters),
            ("kernel_size", codec.kernel_size),
            ("last_kernel_size", codec.last_kernel_size),
            ("residual_kernel_size", codec.residual_kernel_size),
            ("dilation_growth_rate", codec.dilation_growth_rate),
            ("compress", codec.compress),
            ("num_lstm_layers", codec.num_lstm_layers),
            ("codebook_size", codec.codebook_size),
        ],
    )?;
    let ratios = &codec.upsampling_ratios;
    if ratios.is_empty() || ratios.len() > 8 || ratios.iter().any(|ratio| !(1..=64).contains(ratio)) {
        return refuse(format!("its audio_encoder.upsampling_ratios are {ratios:?}"));
    }
    if codec.num_residual_layers > 8 || codec.dilation_growth_rate > 16 || codec.kernel_size > 4_096 {
        return refuse("its audio encoder's residual layers or kernels are too many or too large");
    }
    if codec.norm_type != "weight_norm" {
        return refuse(format!(
            "its audio encoder uses {:?}, whose statistics run over the whole piece, so it cannot be decoded as a stream",
            codec.norm_type
        ));
    }
    if codec.normalize || codec.chunk_length_s.is_some() {
        return refuse("its audio encoder normalises or chunks its input, which no MusicGen does");
    }
    if codec.pad_mode != "reflect" {
        return refuse(format!("its audio encoder pads by {:?}, not \"reflect\"", codec.pad_mode));
    }
    if codec.codebook_dim.is_some_and(|width| width != codec.hidden_size) {
        return refuse("its audio encoder's codebook_dim is not its hidden_size");
    }
    if !(0.0..=1.0).contains(&codec.trim_right_ratio)
        || (!codec.use_causal_conv && codec.trim_right_ratio != 1.0)
    {
        return refuse(format!("its audio_encoder.trim_right_ratio is {}", codec.trim_right_ratio));
    }
    match &codec.filter_bank {
        None if codec.audio_channels != 1 => refuse("its audio encoder is not mono"),
        None => Ok(()),
        Some(bank) => check_filter_bank(bank, codec),
    }
}

fn check_filter_bank(bank: &FilterBankConfig, codec: &CodecConfig) -> Result<(), ImportError> {
    sane("audio_encoder.filter_bank", &[("bands", bank.bands), ("window", bank.window), ("hop", bank.hop)])?;
    if codec.audio_channels != bank.bands {
        return refuse("its audio_encoder.audio_channels is not the number of bands of its filter bank");
    }
    // Otherwise a whole number of frames would not come back as the same number of samples.
    if bank.hop + 2 * bank.padding != bank.window {
        return refuse("its filter bank's window is not its hop plus twice its padding");
    }
    if u64::from(codec.sampling_rate) * bank.hop as u64 != u64::from(bank.sampling_rate) {
        return refuse("its filter bank's sampling_rate is not its hop times that of the audio encoder");
    }
    Ok(())
}

fn check_decoder(decoder: &DecoderConfig, codec: &CodecConfig) -> Result<(), ImportError> {
    let (channels, codebooks) = (decoder.audio_channels, decoder.num_codebooks);
    if !(1..=2).contains(&channels) || codebooks % channels != 0 {
        return refuse(format!(
            "its decoder has {codebooks} codebooks for {channels} audio channels; MusicGen is mono, or stereo with as many for either side"
        ));
    }
    sane(
        "decoder",
        &[
            ("vocab_size", decoder.vocab_size),
            ("max_position_embeddings", decoder.max_position_embeddings),
            ("num_hidden_layers", decoder.num_hidden_layers),
            ("ffn_dim", decoder.ffn_dim),
            ("num_attention_heads", decoder.num_attention_heads),
            ("hidden_size", decoder.hidden_size),
            ("num_codebooks", decoder.num_codebooks),
        ],
    )?;
    let (width, heads) = (decoder.hidden_size, decoder.num_attention_heads);
    if width % heads != 0 || (width / heads) % 8 != 0 {
        return refuse(format!(
            "its decoder is {width} wide with {heads} heads; ONNX Runtime's attention needs heads of a multiple of 8"
        ));
    }
    if decoder.vocab_size != codec.codebook_size {
        return refuse("its decoder's vocab_size is not its audio encoder's codebook_size");
    }
    if decoder.pad_token_id.is_some_and(|token| token != decoder.vocab_size) {
        return refuse(
            "its decoder's pad_token_id is not its vocab_size, which MusicGen begins and pads with",
        );
    }
    Ok(())
}
