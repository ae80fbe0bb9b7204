//! The melody that a take follows, in models that hear melodies.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tiller_models::musicgen;

use super::PackedCodes;

/// The melody that a take follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Melody {
    /// What people call it: a file's name, or a take's prompt.
    pub name: String,
    /// Where it is to be heard; absent once it was, so that a take never depends on a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What was heard, the loudest pitch class of each eighth of a second; absent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<musicgen::Melody>,
}

/// Where a melody is to be heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// In a recording.
    File(PathBuf),
    /// In a take with these tokens.
    Take(Arc<PackedCodes>),
}

impl Melody {
    /// That of a recording.
    #[must_use]
    pub fn of_file(file: PathBuf) -> Self {
        let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Self { name, source: Some(Source::File(file)), heard: None }
    }

    /// That of a take.
    #[must_use]
    pub fn of_take(prompt: &str, codes: Arc<PackedCodes>) -> Self {
        let name = if prompt.trim().is_empty() { "a take" } else { prompt.trim() }.to_owned();
        Self { name, source: Some(Source::Take(codes)), heard: None }
    }
}
