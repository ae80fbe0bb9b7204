//! Telling the host that the project has changed, so that it asks before it throws the change away.

use std::time::{Duration, Instant};

use super::number;
use super::scene::Scene;
use crate::instance::Instance;

/// A pause after which an edit is over: typing a prompt is one change, not fifty.
const PAUSE: Duration = Duration::from_millis(700);

/// What the host knows of.
#[derive(Default)]
pub struct Dirty {
    told: u64,
    seen: u64,
    since: Option<Instant>,
}

impl Dirty {
    /// Nothing to tell yet.
    pub fn clean(instance: &Instance) -> Self {
        let edits = instance.store().edits();
        Self { told: edits, seen: edits, since: None }
    }

    /// Moves the parameter that counts edits, once they pause.
    pub fn tell(&mut self, ui: &egui::Ui, scene: &Scene) {
        let edits = scene.instance.store().edits();
        if edits == self.told {
            return;
        }
        if edits != self.seen {
            (self.seen, self.since) = (edits, Some(Instant::now()));
        }
        if self.since.is_some_and(|since| since.elapsed() < PAUSE) {
            ui.ctx().request_repaint_after(PAUSE);
            return;
        }
        self.told = edits;
        let param = &scene.params.edits;
        number::set(&scene.setter, param, (param.value() + 1) % 65_536);
    }
}
