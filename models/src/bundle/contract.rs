//! The graph contract of ARCHITECTURE.md as data: what goes into each graph and what comes out.
//!
//! The importer declares its graphs from here and [`super::Bundle::open`] compares a bundle's graphs with it.

use super::manifest::{Architecture, Chroma, Precision};
use crate::onnx::{Element, signed};

/// One dimension of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dim {
    /// Fixed by the architecture.
    Fixed(usize),
    /// Chosen at every run.
    Free(&'static str),
}

/// An input or output of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Type of its elements.
    pub element: Element,
    /// Its dimensions.
    pub dims: Vec<Dim>,
}

/// All inputs and outputs of a graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signature {
    /// Inputs.
    pub inputs: Vec<Port>,
    /// Outputs.
    pub outputs: Vec<Port>,
}

use Dim::{Fixed, Free};
use Element::{Float, Half, Int8, Int32, Int64};

const B: Dim = Free("B");
const C: Dim = Free("C");
const M: Dim = Free("M");
const N: Dim = Free("N");
const S: Dim = Free("S");
const T: Dim = Free("T");
const ONE: Dim = Fixed(1);

fn port(name: impl Into<String>, element: Element, dims: impl Into<Vec<Dim>>) -> Port {
    Port { name: name.into(), element, dims: dims.into() }
}

/// `text_encoder`: token ids to text states.
pub fn text_encoder(architecture: &Architecture) -> Signature {
    Signature {
        inputs: vec![port("input_ids", Int64, [B, T]), port("attention_mask", Float, [B, T])],
        outputs: vec![port("text_states", Float, [B, T, Fixed(architecture.text_width)])],
    }
}

/// `cross`: text states to the cross-attention's keys and values of every layer.
pub fn cross(architecture: &Architecture) -> Signature {
    Signature {
        inputs: vec![
            port("text_states", Float, [B, T, Fixed(architecture.text_width)]),
            port("text_mask", Float, [B, T, ONE]),
        ],
        outputs: heads(architecture, "cross", T, Float),
    }
}

/// `prefix`: a melody and text states to what is prepended to the music.
pub fn prefix(architecture: &Architecture, chroma: &Chroma) -> Signature {
    Signature {
        inputs: vec![
            port("text_states", Float, [B, T, Fixed(architecture.text_width)]),
            port("text_mask", Float, [B, T, ONE]),
            port("melody", Float, [B, Fixed(chroma.frames), Fixed(chroma.classes)]),
        ],
        outputs: vec![port("prefix_states", Float, [B, Free("P"), Fixed(architecture.width)])],
    }
}

/// What stands in `input_ids` of every codebook at the positions of a prefix: beyond the vocabulary and its pad token.
pub fn prefix_token(vocabulary: usize) -> i64 {
    signed(vocabulary + 1)
}

/// The graph of what the decoder is told: [`prefix`] in a model conditioned on melodies, otherwise [`cross`].
pub fn condition(architecture: &Architecture) -> Signature {
    architecture.chroma.as_ref().map_or_else(|| cross(architecture), |chroma| prefix(architecture, chroma))
}

/// Type of what the cross-attention of a precision attends to: keys, values and biases.
pub fn attended(precision: Precision) -> Element {
    match precision {
        Precision::F32 | Precision::Int8 | Precision::Int4 => Float,
        Precision::F16 => Half,
    }
}

/// Type of the keys and values that the decoder of a precision keeps of its own positions.
pub fn cached(precision: Precision) -> Element {
    match precision {
        Precision::F32 | Precision::Int8 => Float,
        Precision::F16 => Half,
        Precision::Int4 => Int8,
    }
}

/// `decoder`: tokens and cache to logits, with steering at two sites of every layer.
pub fn decoder(architecture: &Architecture, precision: Precision) -> Signature {
    let (attended, cached) = (attended(precision), cached(precision));
    let layers = Fixed(architecture.layers);
    let width = Fixed(architecture.width);
    let mut inputs = vec![
        port("input_ids", Int64, [B, Fixed(architecture.codebooks), S]),
        port("position_ids", Int64, [S]),
        port("seqlens_k", Int32, [B]),
        port("total_sequence_length", Int32, []),
    ];
    inputs.extend(heads(architecture, "past", M, cached));
    if architecture.chroma.is_some() {
        inputs.push(port("prefix_states", Float, [B, S, width.clone()]));
    } else {
        inputs.extend(heads(architecture, "cross", T, attended));
        inputs.push(port("cross_bias", attended, [B, ONE, S, T]));
    }
    let mut outputs =
        vec![port("logits", Float, [B, Fixed(architecture.codebooks), Fixed(architecture.vocabulary)])];
    for site in ["residual", "attention"] {
        inputs.push(port(format!("{site}_add"), Float, [layers.clone(), C, ONE, width.clone()]));
        inputs.push(port(format!("{site}_gain"), Float, [layers.clone(), C, ONE, ONE]));
        inputs.push(port(format!("{site}_relative"), Float, [layers.clone(), C, ONE, ONE]));
        outputs.push(port(format!("{site}_out"), Float, [layers.clone(), B, width.clone()]));
    }
    outputs.extend(heads(architecture, "present", M, cached));
    Signature { inputs, outputs }
}

/// `encodec_encode`: audio of one stream to its codes.
pub fn encodec_encode(architecture: &Architecture) -> Signature {
    let channels = Fixed(architecture.codec.channels_of_stream());
    Signature {
        inputs: vec![port("audio", Float, [ONE, channels, Free("samples")])],
        outputs: vec![port("codes", Int64, [ONE, Fixed(architecture.codebooks_of_stream()), N])],
    }
}

/// `encodec_latent`: codes of all streams to latent, carrying the LSTM's state.
pub fn encodec_latent(architecture: &Architecture) -> Signature {
    let (streams, width) = (Fixed(architecture.codec.streams), Fixed(architecture.codec.latent_width));
    let codebooks = Fixed(architecture.codebooks_of_stream());
    let mut inputs = vec![port("codes", Int64, [streams.clone(), codebooks, Free("N_and_context")])];
    let mut outputs = vec![port("latent", Float, [streams.clone(), width.clone(), N])];
    for layer in 0..architecture.codec.lstm_layers {
        for state in ["h", "c"] {
            inputs.push(port(format!("{state}_{layer}_in"), Float, [ONE, streams.clone(), width.clone()]));
            outputs.push(port(format!("{state}_{layer}_out"), Float, [ONE, streams.clone(), width.clone()]));
        }
    }
    Signature { inputs, outputs }
}

/// `encodec_wave`: latent of all streams to audio.
pub fn encodec_wave(architecture: &Architecture) -> Signature {
    let codec = &architecture.codec;
    let (streams, channels) = (Fixed(codec.streams), Fixed(codec.channels_of_stream()));
    Signature {
        inputs: vec![port("latent", Float, [streams.clone(), Fixed(codec.latent_width), N])],
        outputs: vec![port("audio", Float, [streams, channels, Free("samples")])],
    }
}

/// `{prefix}_key_{i}` and `{prefix}_value_{i}` of every layer.
fn heads(architecture: &Architecture, prefix: &str, positions: Dim, element: Element) -> Vec<Port> {
    let dims = [B, Fixed(architecture.heads), positions, Fixed(architecture.head_width())];
    (0..architecture.layers)
        .flat_map(|layer| ["key", "value"].map(|half| format!("{prefix}_{half}_{layer}")))
        .map(|name| port(name, element, dims.clone()))
        .collect()
}
