//! What the window shows of the renderer's work.

use std::sync::Arc;

use super::studio::{ModelCard, Stage};
use crate::audio::Rendition;

/// A snapshot of an instance's takes and model.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// One for each take of the project, in its order.
    pub takes: Vec<TakeView>,
    /// The model in use, or what is wrong with it.
    pub model: Option<Result<ModelCard, String>>,
}

/// How a take stands.
#[derive(Debug, Clone)]
pub struct TakeView {
    /// What is being done, or has been.
    pub status: Status,
    /// Seconds until it is made, rounded up, while it is being made and as far as that can be told.
    pub seconds_left: Option<u32>,
    /// Its audio, as far as it goes.
    pub audio: Option<Arc<Rendition>>,
}

/// How far a take is.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// Its turn has not come.
    Waiting,
    /// It is being made.
    Working(Stage),
    /// It sounds.
    Ready,
    /// It cannot be made; the sentence says why and what to do.
    Failed(String),
}

impl PartialEq for View {
    fn eq(&self, other: &Self) -> bool {
        self.model == other.model && self.takes == other.takes
    }
}

impl PartialEq for TakeView {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &Arc<Rendition>, b: &Arc<Rendition>| Arc::ptr_eq(a, b) && a.ready() == b.ready();
        self.status == other.status
            && self.seconds_left == other.seconds_left
            && match (&self.audio, &other.audio) {
                (Some(a), Some(b)) => same(a, b),
                (a, b) => a.is_none() && b.is_none(),
            }
    }
}

impl View {
    /// What is being made right now, and how many seconds that still takes, if that can be told.
    #[must_use]
    pub fn working(&self) -> Option<(Stage, Option<u32>)> {
        self.takes.iter().find_map(|take| match take.status {
            Status::Working(stage) => Some((stage, take.seconds_left)),
            _ => None,
        })
    }

    /// Whether something is being made or waits to be.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.takes.iter().any(|take| matches!(take.status, Status::Working(_) | Status::Waiting))
    }
}
