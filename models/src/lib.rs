//! MusicGen with activation steering on ONNX Runtime: a prompt and steering in, tokens and audio out.
//!
//! Arrows point one way: [`bundle`] and [`steering`] know nothing of ONNX Runtime, [`runtime`] nothing of music,
//! [`musicgen`] and [`encodec`] stand on them, [`import`] writes what they read from a checkpoint that [`hub`] may have
//! fetched, [`verify`] compares a bundle's precisions, and [`lab`] learns vectors. [`clap`] is another model, which judges
//! for the lab. The crate knows no plugin.

pub mod bundle;
pub mod clap;
pub mod codes;
pub mod encodec;
pub mod hub;
pub mod import;
pub mod lab;
mod mel;
pub mod musicgen;
mod onnx;
pub mod resample;
pub mod runtime;
pub mod steering;
mod tensor_file;
pub mod verify;
pub mod wav;
