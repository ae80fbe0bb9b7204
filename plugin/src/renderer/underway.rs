//! The step that is being done, so that others can end it.
//!
//! The renderer's thread looks around between two steps. A step can last longer than anyone wants to wait for a cancel:
//! loading a model, or one run of a large graph. So whoever changes a project, detaches an instance or ends the renderer
//! looks here whether that takes the ground from under the step, and if so ends it from its own thread.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tiller_models::musicgen::Cancel;

use crate::instance::Instance;
use crate::state::Project;

/// What a step is for, and its end.
pub(super) struct Doing {
    /// For whom.
    pub instance: Weak<Instance>,
    /// The host's sample rate.
    pub rate: u32,
    /// Whether a project still wants it.
    pub wanted: Arc<dyn Fn(&Project) -> bool + Send + Sync>,
    /// Ends it.
    pub cancel: Cancel,
}

/// The step that is being done, if one is.
#[derive(Default)]
pub(super) struct Underway(Mutex<Option<Doing>>);

impl Underway {
    /// Does a step that others may end; `None` is one so short that they need not.
    pub fn during<R>(&self, doing: Option<Doing>, step: impl FnOnce() -> R) -> R {
        if doing.is_none() {
            return step();
        }
        *self.0.lock() = doing;
        // What became unwanted just before has found nothing to end.
        self.end_unwanted();
        let result = step();
        *self.0.lock() = None;
        result
    }

    /// Ends the step if its take is gone from the project, or its instance from the process.
    pub fn end_unwanted(&self) {
        self.end_if(|doing| {
            doing.instance.upgrade().is_none_or(|instance| {
                instance.clock().sample_rate != doing.rate || !(doing.wanted)(&instance.store().project())
            })
        });
    }

    /// Ends the step if it is for `instance`.
    pub fn end_for(&self, instance: &Arc<Instance>) {
        self.end_if(|doing| doing.instance.as_ptr() == Arc::as_ptr(instance));
    }

    /// Ends the step, whatever it is.
    pub fn end(&self) {
        self.end_if(|_| true);
    }

    fn end_if(&self, unwanted: impl FnOnce(&Doing) -> bool) {
        if let Some(doing) = &*self.0.lock()
            && unwanted(doing)
        {
            doing.cancel.cancel();
        }
    }
}
