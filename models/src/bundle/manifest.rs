//! `bundle.json`: what a bundle says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The schema this build writes, and the newest it reads.
pub const SCHEMA: u32 = 1;

/// The whole of `bundle.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Schema version, [`SCHEMA`] at writing.
    pub schema: u32,
    /// Name shown to people.
    pub name: String,
    /// Licence of the weights, as SPDX expression or free text.
    pub licence: String,
    /// The checkpoint this was made from.
    pub source: Source,
    /// Every number the code needs to run the graphs.
    pub architecture: Architecture,
    /// Which graph file plays which part.
    pub graphs: Graphs,
    /// Precision used when nobody asks for one.
    pub default_precision: Precision,
    /// Mean L2 norm per layer of what steering touches, over a short unsteered generation.
    pub norms: Norms,
    /// Every file but this one, by relative path with `/`: size and SHA-256.
    pub files: BTreeMap<String, FileEntry>,
}

/// Where a bundle came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Folder or hub name of the checkpoint.
    pub checkpoint: String,
    /// SHA-256 over the checkpoint's weight files, hexadecimal.
    pub sha256: String,
}

/// Numbers of the model, all read from the checkpoint's `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Architecture {
    /// Decoder layers, L.
    pub layers: usize,
    /// Decoder width, D.
    pub width: usize,
    /// Decoder attention heads, H; each is `width / heads` wide.
    pub heads: usize,
    /// Codebooks, K.
    pub codebooks: usize,
    /// Entries of each codebook, V; index V is the pad and begin token of the delay pattern.
    pub vocabulary: usize,
    /// Delay of each codebook in steps, `[K]`; MusicGen's is `0, 1, .., K-1`, and in stereo `0, 0, 1, 1, ..`.
    pub delays: Vec<usize>,
    /// Positions the decoder was made for (`max_position_embeddings`).
    pub max_positions: usize,
    /// Frames of one generation window (`generation_config.max_length`, at most `max_positions`).
    pub window: usize,
    /// Width of the text encoder's states, E.
    pub text_width: usize,
    /// How melodies are heard, in a model that is conditioned on them: then what it is told is prepended to the music.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chroma: Option<Chroma>,
    /// The codec.
    pub codec: Codec,
}

/// Numbers of the melody that a model is conditioned on: which pitch class is loudest, frame after frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chroma {
    /// Pitch classes, the first of which is C.
    pub classes: usize,
    /// Frames that the model is given; a shorter melody is repeated.
    pub frames: usize,
    /// Samples a second of the audio that is listened to.
    pub sample_rate: u32,
    /// Samples of a Fourier transform.
    pub window: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
}

/// Numbers of the codec (EnCodec and what stands around it).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Codec {
    /// Samples a second of the audio.
    pub sample_rate: u32,
    /// Samples of one frame; `sample_rate / samples_per_frame` frames a second.
    pub samples_per_frame: usize,
    /// Audio channels, of all streams together.
    pub channels: usize,
    /// Pieces of audio that the same codec codes side by side, R: 2 in stereo MusicGen, whose codec is mono, else 1.
    /// Codebook k and channel c belong to stream `k % R` and `c / (channels / R)`.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub streams: usize,
    /// Width of the latent between `encodec_latent` and `encodec_wave`.
    pub latent_width: usize,
    /// LSTM layers whose state a streaming decode carries; each state is `[1, R, latent_width]`.
    pub lstm_layers: usize,
    /// Code frames of context `encodec_latent` needs on each side of a chunk: what its first convolution sees there on
    /// the wider side.
    pub code_context: usize,
    /// Latent frames of context `encodec_wave` needs on each side of a chunk for an exact join.
    pub latent_context: usize,
    /// The fixed filter bank around the codec, if there is one. Both halves are folded into the graphs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_bank: Option<FilterBank>,
}

/// A fixed perfect-reconstruction filter bank around the codec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterBank {
    /// Sub-bands.
    pub bands: usize,
    /// Window, in samples.
    pub window: usize,
    /// Hop, in samples.
    pub hop: usize,
    /// Zero padding on each side, in samples.
    pub padding: usize,
}

/// Which graph file plays which part; paths relative to the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graphs {
    /// Text encoder.
    pub text_encoder: String,
    /// Cross-attention keys and values of a prompt; none in a model conditioned on melodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross: Option<String>,
    /// What a melody and a prompt become before the music, in a model conditioned on melodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Decoder, one for each precision.
    pub decoder: BTreeMap<Precision, String>,
    /// Audio to codes.
    pub encodec_encode: String,
    /// Codes to latent, with carried LSTM state.
    pub encodec_latent: String,
    /// The same with an LSTM of 8-bit weights, for processors. Bundles without it are decoded in single precision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encodec_latent_int8: Option<String>,
    /// Latent to audio.
    pub encodec_wave: String,
}

/// Mean L2 norms over positions of an unsteered run, `[L]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Norms {
    /// Of the residual stream as it leaves each layer.
    pub residual: Vec<f32>,
    /// Of the self-attention output before it joins the stream.
    pub attention: Vec<f32>,
}

/// Size and hash of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Bytes.
    pub size: u64,
    /// SHA-256, hexadecimal, lower case.
    pub sha256: String,
}

/// Number format of the decoder's weights, from the most exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 16-bit floats, also for keys and values: what GPUs compute fastest.
    F16,
    /// 8-bit integers in blocks of 32 (MatMulNBits).
    Int8,
    /// 4-bit integers in blocks of 32, heads of 8 bits, and keys and values kept as 8-bit integers.
    Int4,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_one(number: &usize) -> bool {
    *number == 1
}

impl Codec {
    /// Channels of one stream.
    #[must_use]
    pub fn channels_of_stream(&self) -> usize {
        self.channels / self.streams
    }
}

impl Graphs {
    /// The graph of what the decoder is told: `cross`, or `prefix` in a model conditioned on melodies.
    #[must_use]
    pub fn condition(&self) -> Option<&str> {
        self.prefix.as_deref().or(self.cross.as_deref())
    }
}

impl Chroma {
    /// Frames a second.
    #[must_use]
    pub fn frame_rate(&self) -> f64 {
        f64::from(self.sample_rate) / self.hop as f64
    }
}

/// A model that hears no melodies was given one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this model hears no melodies: leave the melody out, or take a melody model such as facebook/musicgen-melody"
)]
pub struct HearsNoMelodies;

impl Architecture {
    /// How the model hears melodies.
    ///
    /// # Errors
    /// [`HearsNoMelodies`].
    pub fn hearing(&self) -> Result<&Chroma, HearsNoMelodies> {
        self.chroma.as_ref().ok_or(HearsNoMelodies)
    }

    /// Codebooks of one of the codec's streams.
    #[must_use]
    pub fn codebooks_of_stream(&self) -> usize {
        self.codebooks / self.codec.streams
    }

    /// Width of one head.
    #[must_use]
    pub fn head_width(&self) -> usize {
        self.width / self.heads
    }

    /// Frames a second.
    #[must_use]
    pub fn frame_rate(&self) -> f64 {
        f64::from(self.codec.sample_rate) / self.codec.samples_per_frame as f64
    }

    /// The largest delay: steps after which a frame is complete.
    #[must_use]
    pub fn largest_delay(&self) -> usize {
        self.delays.iter().copied().max().unwrap_or(0)
    }
}

impl std::fmt::Display for Precision {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        })
    }
}

impl std::str::FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            "int8" => Ok(Self::Int8),
            "int4" => Ok(Self::Int4),
            _ => Err(format!("{text:?} is no precision: choose f32, f16, int8 or int4")),
        }
    }
}
