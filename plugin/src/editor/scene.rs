//! What every view reads and does.

use std::path::Path;
use std::sync::{Arc, Weak};

use nice_plug::prelude::ParamSetter;

use crate::instance::{Clock, Instance, Press};
use crate::listening::Listening;
use crate::params::TillerParams;
use crate::renderer::{ModelCard, Renderer, Status, View, again, continue_take};
use crate::state::{Melody, Project, Slot, Take};

/// One frame's snapshot of an instance, and the ways to change it.
pub struct Scene<'a> {
    pub instance: &'a Arc<Instance>,
    pub params: &'a TillerParams,
    pub setter: ParamSetter<'a>,
    pub project: Arc<Project>,
    pub view: Arc<View>,
    pub clock: Clock,
    renderer: &'a Weak<Renderer>,
}

impl<'a> Scene<'a> {
    pub fn now(instance: &'a Arc<Instance>, renderer: &'a Weak<Renderer>, setter: ParamSetter<'a>) -> Self {
        Self {
            instance,
            params: &instance.params,
            setter,
            project: instance.store().project(),
            view: instance.view(),
            clock: instance.clock(),
            renderer,
        }
    }

    /// Changes the project.
    pub fn edit<R>(&self, change: impl FnOnce(&mut Project) -> R) -> R {
        self.instance.store().edit(change)
    }

    /// Presses Generate.
    pub fn generate(&self) {
        self.instance.presses.push(Press::now(self.params, self.clock.host));
        self.rouse();
    }

    /// Gives up what is being made.
    pub fn cancel(&self) {
        let underway = |status: &Status| matches!(status, Status::Waiting | Status::Working(_));
        let takes = self.project.takes.iter().zip(&self.view.takes);
        let given_up: Vec<_> =
            takes.filter(|(_, view)| underway(&view.status)).map(|(take, _)| take.clone()).collect();
        if given_up.is_empty() {
            return;
        }
        let is_given_up = |take: &Arc<Take>| given_up.iter().any(|given_up| Arc::ptr_eq(given_up, take));
        self.edit(|project| {
            project.takes.retain(|take| take.codes.is_some() || !is_given_up(take));
            for take in project.takes.iter_mut().filter(|take| take.wanted.is_some() && is_given_up(take)) {
                Arc::make_mut(take).wanted = None;
            }
        });
    }

    /// Asks for a new version of a take from the words, vectors and parameters of now.
    pub fn make_again(&self, take: &Arc<Take>) {
        let press = Press::now(self.params, self.clock.host);
        let recipe = Arc::new(again(take, &press, &self.project));
        self.edit(|project| {
            if let Some(take) = project.takes.iter_mut().find(|other| Arc::ptr_eq(other, take)) {
                Arc::make_mut(take).wanted = Some(recipe);
            }
        });
    }

    /// Makes a take that goes on from another one, behind the first `frame` frames of it.
    pub fn continue_take(&self, take: &Arc<Take>, frame: usize) {
        continue_take(self.instance, take, frame);
    }

    /// Presses Generate for a take that goes on from a recording.
    pub fn continue_recording(&self, recording: &Path) {
        let press = Press::now(self.params, self.clock.host);
        self.instance.recordings.push((press, recording.to_owned()));
        self.rouse();
    }

    /// Tries again what failed.
    pub fn try_again(&self) {
        self.instance.ask_retry();
        self.rouse();
    }

    /// The model, if it is known and there.
    pub fn model(&self) -> Option<&ModelCard> {
        self.view.model.as_ref().and_then(|model| model.as_ref().ok())
    }

    /// Has the next takes follow a melody.
    pub fn follow_melody(&self, melody: Melody) {
        self.edit(|project| project.melody = Some(Arc::new(melody)));
    }

    /// Listens to the sidechain.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub fn listen(&self) -> Result<(), String> {
        self.instance.listening.begin(Listening::folder()?, self.clock.sample_rate)
    }

    /// Ends listening; what was heard becomes the melody.
    pub fn stop_listening(&self) {
        self.instance.listening.stop();
        self.rouse();
    }

    /// Puts a vector file into the first free slot.
    pub fn drop_vector(&self, path: &Path) {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let file = Some(path.to_string_lossy().into_owned());
        self.edit(|project| {
            if let Some(free) = project.slots.iter_mut().find(|slot| slot.is_none()) {
                *free = Some(Slot { name, file, ..Slot::default() });
            }
        });
    }

    /// What to call when a lesson stands otherwise, from any thread.
    pub fn on_lesson(&self) -> impl Fn(bool) + Send + 'static {
        let repaint = self.instance.repaint.clone();
        let waker = self.renderer.upgrade().map(|renderer| renderer.waker());
        move |is_new| {
            if let Some(waker) = waker.as_ref().filter(|_| is_new) {
                waker.vectors_changed();
            }
            repaint.request_repaint();
        }
    }

    fn rouse(&self) {
        if let Some(renderer) = self.renderer.upgrade() {
            renderer.attach(self.instance);
        }
    }
}
