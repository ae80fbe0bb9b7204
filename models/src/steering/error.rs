//! Why a vector cannot steer.

use std::path::PathBuf;

/// Why a vector cannot steer. Every message is a sentence that names the file or vector.
#[derive(Debug, thiserror::Error)]
pub enum SteeringError {
    /// The operating system refused.
    #[error("cannot read the vector file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is no vector file.
    #[error("{file} is no usable vector file: {reason}")]
    File {
        /// The file, or where its bytes came from.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// Another model's vector.
    #[error(
        "the vector {concept} is {found} wide and the decoder {expected}: it was made for another model; choose a \
         vector made for this one"
    )]
    Width {
        /// The vector's concept.
        concept: String,
        /// Its width.
        found: usize,
        /// The decoder's.
        expected: usize,
    },
    /// A layer that is not there.
    #[error(
        "the vector {concept} has a direction for layer {layer}, and the decoder's layers are 0 to {last}"
    )]
    Layer {
        /// The vector's concept.
        concept: String,
        /// The layer asked for.
        layer: usize,
        /// The decoder's last layer.
        last: usize,
    },
    /// The chosen layers are not in the file.
    #[error(
        "the vector {concept} has no direction for the layers chosen ({chosen}); it has them for {present}"
    )]
    NoDirection {
        /// The vector's concept.
        concept: String,
        /// The choice.
        chosen: String,
        /// Layers in the file.
        present: String,
    },
    /// The choice of layers is not understood.
    #[error("{0:?} is no choice of layers; use recommended, all, one layer (12) or a range (10-14)")]
    Layers(String),
    /// A slot names a vector that nobody gave.
    #[error("the vector {name} is missing (its hash begins {}); put its file where it was, or clear the slot", hash.get(..12).unwrap_or(hash))]
    Missing {
        /// Name in the slot.
        name: String,
        /// Its hash.
        hash: String,
    },
    /// What was asked of vectors cannot be had from them.
    #[error("{0}")]
    Request(String),
    /// A number that steering cannot use.
    #[error("{0}")]
    Number(String),
}
