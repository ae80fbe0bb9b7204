//! A bundle: one model as files that ONNX Runtime can run, with a manifest that vouches for every byte.
//!
//! A bundle is untrusted input. [`Bundle::open`] checks names, sizes, hashes, numbers and graph headers before
//! anything else reads a byte of it; whoever holds a [`Bundle`] holds files that passed.

pub(crate) mod contract;
pub mod discovery;
mod error;
mod files;
mod graphs;
mod limits;
pub mod manifest;
mod open;
mod words;
pub mod writer;

pub use error::BundleError;
pub(crate) use files::hexadecimal;
pub use manifest::{Architecture, Chroma, Codec, HearsNoMelodies, Manifest, Precision};
pub use open::Bundle;
pub use words::Words;

/// Name of the manifest inside a bundle.
pub const MANIFEST_FILE: &str = "bundle.json";
/// Name of the tokenizer inside a bundle.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// Name of the list of words the model was taught, a word a line; a bundle may lack it.
pub const WORDS_FILE: &str = "words.txt";
/// Name of the folder with steering vectors inside a bundle.
pub const VECTORS_FOLDER: &str = "vectors";
