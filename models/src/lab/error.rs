//! Why the lab cannot do what it was asked.

use std::path::PathBuf;

use crate::clap::ClapError;
use crate::musicgen::GenerateError;

/// Why the lab cannot do what it was asked. Every message is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The operating system refused.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The operating system refused.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The model failed.
    #[error(transparent)]
    Model(#[from] GenerateError),
    /// The judge failed.
    #[error(transparent)]
    Clap(#[from] ClapError),
    /// A file is not what it should be.
    #[error("{file} cannot be used: {reason}")]
    File {
        /// The file.
        file: String,
        /// What is wrong in it.
        reason: String,
    },
    /// What was asked for cannot be had from these data.
    #[error("{0}")]
    Request(String),
}

impl LabError {
    pub(super) fn request(sentence: impl Into<String>) -> Self {
        Self::Request(sentence.into())
    }
}
