//! Lessons: a vector learnt from two folders of recordings, while the host goes on.
//!
//! One at a time in a process, on a thread of its own that gives way to others. It belongs to everyone who holds the
//! [`School`]; whoever lets go of it last ends the lesson and waits for the thread, because a host may unload the plugin's
//! code right after. An ended lesson goes on where it was when it is begun again.

mod tutor;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use tiller_models::lab::Progress;
use tiller_models::musicgen::Cancel;
use tiller_models::runtime;

pub use tutor::ModelTutor;

use crate::state::Settings;

/// What is to be learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What to call the vector.
    pub name: String,
    /// Folder of recordings that have the concept.
    pub plus: PathBuf,
    /// Folder of recordings that have not.
    pub minus: PathBuf,
    /// What to play while it is tried; empty for whatever the model likes.
    pub prompt: String,
}

/// What a lesson came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taught {
    /// What the vector is called.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
    /// The page about it.
    pub page: PathBuf,
    /// Whether it works.
    pub works: bool,
    /// What to think of it, and why.
    pub verdict: String,
    /// What should make one doubt it, a sentence each.
    pub doubts: Vec<String>,
    /// Files that were of no use, or in part.
    pub skipped: usize,
}

/// Who teaches. The real one is [`ModelTutor`]; tests bring one that learns nothing.
pub trait Tutor: Send + Sync {
    /// Learns a vector and puts it among the musician's own.
    ///
    /// # Errors
    /// A sentence that says what to do; anything after a cancel.
    fn teach(
        &self,
        request: &Request,
        settings: &Settings,
        cancel: &Cancel,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Taught, String>;
}

/// How the lesson of this process stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Lesson {
    /// There is none.
    #[default]
    None,
    /// It is under way.
    Underway {
        /// What is being learnt.
        name: String,
        /// How far it is, when that is known.
        progress: Option<Progress>,
    },
    /// It is over. The sentence says what went wrong and what to do.
    Over(Result<Taught, String>),
}

/// Gives the lessons of everyone who holds it, one after the other.
pub struct School {
    tutor: Arc<dyn Tutor>,
    lesson: Arc<Mutex<Lesson>>,
    thread: Mutex<Option<Underway>>,
}

struct Underway {
    handle: JoinHandle<()>,
    cancel: Cancel,
}

impl School {
    /// The school of this process. Starts nothing.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<School>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock();
        shared.upgrade().unwrap_or_else(|| {
            let school = Self::with(ModelTutor);
            *shared = Arc::downgrade(&school);
            school
        })
    }

    /// A school of one's own.
    #[must_use]
    pub fn with(tutor: impl Tutor + 'static) -> Arc<Self> {
        Arc::new(Self { tutor: Arc::new(tutor), lesson: Arc::default(), thread: Mutex::default() })
    }

    /// How its lesson stands.
    #[must_use]
    pub fn lesson(&self) -> Lesson {
        self.lesson.lock().clone()
    }

    /// Begins a lesson. `changed` is called on its thread whenever it stands otherwise; what it is given says whether
    /// there is a new vector. Not for the audio thread.
    ///
    /// # Errors
    /// A sentence, if one is under way or the system gives no thread.
    pub fn begin(
        &self,
        request: Request,
        settings: Settings,
        changed: impl Fn(bool) + Send + 'static,
    ) -> Result<(), String> {
        let mut thread = self.thread.lock();
        if thread.as_ref().is_some_and(|underway| !underway.handle.is_finished()) {
            return Err("One lesson is under way already; wait for its end or cancel it.".to_owned());
        }
        *self.lesson.lock() = Lesson::Underway { name: request.name.clone(), progress: None };
        let (tutor, lesson, cancel) = (self.tutor.clone(), self.lesson.clone(), Cancel::new());
        let ends = cancel.clone();
        let give = move || {
            runtime::give_way();
            let mut note = |progress| {
                let name = request.name.clone();
                *lesson.lock() = Lesson::Underway { name, progress: Some(progress) };
                changed(false);
            };
            let given = catch_unwind(AssertUnwindSafe(|| tutor.teach(&request, &settings, &ends, &mut note)));
            let outcome = given.unwrap_or_else(|_| {
                Err("The lesson ended by an error of Tiller's own; the log has more. Begin it again."
                    .to_owned())
            });
            let is_new = outcome.is_ok();
            if let Err(message) = &outcome
                && !ends.is_cancelled()
            {
                tracing::warn!("{message}");
            }
            *lesson.lock() =
                if ends.is_cancelled() && !is_new { Lesson::None } else { Lesson::Over(outcome) };
            changed(is_new);
        };
        match thread::Builder::new().name("tiller-lesson".into()).spawn(give) {
            Ok(handle) => {
                *thread = Some(Underway { handle, cancel });
                Ok(())
            }
            Err(error) => {
                *self.lesson.lock() = Lesson::None;
                Err(format!("The lesson cannot begin: {error}. Close something, and try again."))
            }
        }
    }

    /// Ends the lesson under way. It stops within moments, and can go on later.
    pub fn cancel(&self) {
        if let Some(underway) = &*self.thread.lock() {
            underway.cancel.cancel();
        }
    }

    /// Forgets the lesson that is over.
    pub fn dismiss(&self) {
        let mut lesson = self.lesson.lock();
        if matches!(*lesson, Lesson::Over(_)) {
            *lesson = Lesson::None;
        }
    }
}

impl Drop for School {
    fn drop(&mut self) {
        if let Some(Underway { handle, cancel }) = self.thread.get_mut().take() {
            cancel.cancel();
            if handle.join().is_err() {
                tracing::error!("the lesson's thread panicked");
            }
        }
    }
}
