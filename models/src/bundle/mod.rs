//! A bundle: one model as files that ONNX Runtime can run, with a manifest that vouches for every byte.

pub mod manifest;

pub use manifest::{Architecture, Codec, Manifest, Precision};
