//! Generations that are over, kept so that a take whose strengths change goes on from the first changed frame: their
//! keys and values would cost nearly as much to compute again as the take did.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tiller_models::musicgen::{self, Engine};

use super::frames::Frames;

/// Memory that all of them may take, bytes: some takes of a small model. The latest one stays, whatever it takes.
const MOST_BYTES: usize = 256 << 20;

/// What was generated lately, the latest last. Clones are the same shelf.
#[derive(Clone, Default)]
pub(super) struct Shelf(Rc<RefCell<Vec<Frames>>>);

impl Shelf {
    /// Keeps frames, and lets go of the oldest there is no room for and of those of other engines.
    pub fn put(&self, frames: Frames) {
        let mut kept = self.0.borrow_mut();
        kept.retain(|other| Arc::ptr_eq(other.engine(), frames.engine()));
        kept.push(frames);
        while kept.len() > 1 && kept.iter().map(Frames::bytes).sum::<usize>() > MOST_BYTES {
            kept.remove(0);
        }
    }

    /// The frames that share most with a recipe, and how many they share; `None` if none share any.
    pub fn take(&self, engine: &Arc<Engine>, recipe: &musicgen::Recipe) -> Option<(Frames, usize)> {
        let mut kept = self.0.borrow_mut();
        let shared = kept.iter().map(|frames| frames.shared_with(engine, recipe)).enumerate();
        let (index, frame) = shared.max_by_key(|&(_, shared)| shared).filter(|&(_, shared)| shared > 0)?;
        Some((kept.remove(index), frame))
    }

    /// Frees everything.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}
