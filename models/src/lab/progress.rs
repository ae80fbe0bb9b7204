//! How far long work of the lab is.

use std::fmt;

use serde::Serialize;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Audio is read with the model.
    Reading,
    /// Directions are learnt.
    Learning,
    /// Sites and ranges of layers are tried.
    Scouting,
    /// Strengths and neighbouring layers are tried.
    Refining,
    /// What was chosen is heard on other seeds, beside random directions.
    Confirming,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reading => "reading audio",
            Self::Learning => "learning directions",
            Self::Scouting => "trying where to steer",
            Self::Refining => "trying how strongly",
            Self::Confirming => "confirming on other seeds",
        })
    }
}

/// How far a stage is; stages follow each other in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The stage.
    pub stage: Stage,
    /// Steps of it that are done.
    pub done: usize,
    /// Steps it has.
    pub total: usize,
}
