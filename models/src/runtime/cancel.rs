//! Stopping work from another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use ort::session::RunOptions;
use ort::session::builder::LoadCanceler;
use parking_lot::Mutex;

use super::session::RECORDING;

/// A switch that ends the work it was given to, within a few milliseconds and also inside a long graph run or while a
/// graph is loaded.
///
/// Clones are the same switch. Once on it stays on.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    cancelled: AtomicBool,
    runs: Mutex<Vec<Weak<RunOptions>>>,
    load: Mutex<Option<LoadCanceler>>,
}

impl Cancel {
    /// A switch that is off.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Turns it on.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        for run in self.0.runs.lock().iter().filter_map(Weak::upgrade) {
            if let Err(error) = run.terminate() {
                tracing::debug!(%error, "a run could not be ended early; it ends by itself");
            }
        }
        if let Some(load) = &*self.0.load.lock()
            && let Err(error) = load.cancel()
        {
            tracing::debug!(%error, "a load could not be ended early; it ends by itself");
        }
    }

    /// Whether it is on.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Does `load` as long as it takes or until the switch is turned on; `canceler` ends it.
    pub(super) fn during<T>(&self, canceler: LoadCanceler, load: impl FnOnce() -> T) -> T {
        *self.0.load.lock() = Some(canceler.clone());
        // Turned on before the line above, it did not see this load.
        if self.is_cancelled() {
            let _ = canceler.cancel();
        }
        let result = load();
        *self.0.load.lock() = None;
        result
    }

    /// Run options that end their run when the switch is turned on. ONNX Runtime must be loaded.
    pub(crate) fn run_options(&self) -> ort::Result<Arc<RunOptions>> {
        let mut options = RunOptions::new()?;
        options.set(RECORDING, "-1")?;
        let options = Arc::new(options);
        let mut runs = self.0.runs.lock();
        runs.retain(|run| run.strong_count() > 0);
        runs.push(Arc::downgrade(&options));
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_the_same_switch() {
        let cancel = Cancel::new();
        let clone = cancel.clone();
        assert!(!clone.is_cancelled());
        cancel.cancel();
        assert!(clone.is_cancelled());
    }
}
