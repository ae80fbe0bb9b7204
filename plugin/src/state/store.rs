//! The one place a project lives in memory, and how hosts save and restore it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nice_plug::prelude::{ParamPtr, Params};
use parking_lot::{Mutex, RwLock};

use super::{Project, Waiting, migrate};
use crate::params::Momentary;

/// Name of the project's field in the plugin's state.
pub const FIELD: &str = "project";

/// A project that could not be read. Its text is kept as it came, and saved again until something is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong and what to do, for people.
    pub message: String,
    verbatim: String,
}

/// The project and what was wrong with it, behind one lock: with one each, whoever saves takes them in one order and
/// whoever edits in the other, and both wait for ever.
#[derive(Default)]
struct Held {
    project: Arc<Project>,
    problem: Option<Problem>,
}

type Listener = Box<dyn Fn() + Send + Sync>;

/// The project, readable and replaceable from any thread but the audio thread.
///
/// Hosts save and restore on any thread, some on the process thread while it renders offline; so nothing here is ever
/// held while something is waited for. Readers get the project as it is at that moment.
#[derive(Default)]
pub struct Store {
    held: RwLock<Held>,
    version: AtomicU64,
    edits: AtomicU64,
    /// Whether and how long audio is waited for, for the audio thread.
    pub waiting: Waiting,
    /// The Generate parameter's presses. Here, because restoring a state moves the parameter and presses nothing.
    pub generate: Momentary,
    listener: Mutex<Option<Listener>>,
}

impl Store {
    /// The project now.
    #[must_use]
    pub fn project(&self) -> Arc<Project> {
        self.held.read().project.clone()
    }

    /// Counts changes.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Counts changes made here, as opposed to those that a host restored.
    #[must_use]
    pub fn edits(&self) -> u64 {
        self.edits.load(Ordering::Acquire)
    }

    /// What was wrong with the project that was restored last.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        self.held.read().problem.clone()
    }

    /// Changes the project. A project that could not be read is given up for the new one.
    pub fn edit<R>(&self, change: impl FnOnce(&mut Project) -> R) -> R {
        let result = {
            let mut held = self.held.write();
            let result = change(Arc::make_mut(&mut held.project));
            self.waiting.set(&held.project.settings);
            held.problem = None;
            self.edits.fetch_add(1, Ordering::Release);
            self.version.fetch_add(1, Ordering::Release);
            result
        };
        self.tell();
        result
    }

    /// Called after every change, on the thread that made it. For the renderer.
    pub fn on_change(&self, listener: impl Fn() + Send + Sync + 'static) {
        *self.listener.lock() = Some(Box::new(listener));
    }

    fn restore(&self, text: &str) {
        let read = migrate::read(text);
        {
            let mut held = self.held.write();
            match read {
                Ok(project) => {
                    held.problem = None;
                    if *held.project == project {
                        return;
                    }
                    held.project = Arc::new(project);
                }
                Err(message) => {
                    *held = Held {
                        project: Arc::default(),
                        problem: Some(Problem { message, verbatim: text.to_owned() }),
                    };
                }
            }
            self.waiting.set(&held.project.settings);
            self.version.fetch_add(1, Ordering::Release);
        }
        self.tell();
    }

    fn tell(&self) {
        if let Some(listener) = &*self.listener.lock() {
            listener();
        }
    }
}

// SAFETY: there are no parameters in the map, so no pointer can outlive this.
unsafe impl Params for Store {
    fn param_map(&self) -> Vec<(String, ParamPtr, String)> {
        Vec::new()
    }

    fn serialize_fields(&self) -> BTreeMap<String, String> {
        let (project, problem) = {
            let held = self.held.read();
            (held.project.clone(), held.problem.clone())
        };
        if let Some(problem) = problem {
            return BTreeMap::from([(FIELD.to_owned(), problem.verbatim)]);
        }
        match serde_json::to_string(&*project) {
            Ok(text) => BTreeMap::from([(FIELD.to_owned(), text)]),
            Err(error) => {
                tracing::error!("the project could not be written: {error}");
                BTreeMap::new()
            }
        }
    }

    fn deserialize_fields(&self, fields: &BTreeMap<String, String>) {
        // Parameters were set before this: one that went on by it was not pressed by anyone.
        self.generate.pressed();
        if let Some(text) = fields.get(FIELD) {
            self.restore(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn fields(text: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(FIELD.to_owned(), text.to_owned())])
    }

    #[test]
    fn restoring_an_equal_state_wakes_nobody() {
        let store = Store::default();
        store.edit(|project| project.prompt = "bells".into());
        let saved = store.serialize_fields();
        let told = Arc::new(AtomicUsize::new(0));
        let counter = told.clone();
        store.on_change(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let version = store.version();
        store.deserialize_fields(&saved);
        assert_eq!((store.version(), told.load(Ordering::Relaxed)), (version, 0));
    }

    #[test]
    fn saving_and_editing_at_the_same_time_wait_for_each_other_only_in_turn() {
        let store = Arc::new(Store::default());
        let (done, ends) = std::sync::mpsc::channel();
        let begin = |work: fn(&Store)| {
            let (store, done) = (store.clone(), done.clone());
            std::thread::spawn(move || {
                (0..20_000).for_each(|_| work(&store));
                done.send(()).unwrap();
            });
        };
        begin(|store| drop(store.serialize_fields()));
        begin(|store| store.edit(|project| project.prompt = "bells".into()));
        begin(|store| store.restore("damaged"));
        for _ in 0..3 {
            ends.recv_timeout(std::time::Duration::from_secs(60)).expect("a thread waits for ever");
        }
    }

    #[test]
    fn a_newer_schema_is_explained_and_saved_again_unchanged() {
        let newer = r#"{"schema":7,"prompt":"x","wonders":[1,2,3]}"#;
        let store = Store::default();
        store.deserialize_fields(&fields(newer));
        assert!(store.problem().unwrap().message.contains("schema 7"));
        assert_eq!(store.serialize_fields()[FIELD], newer);
        store.edit(|project| project.prompt = "new".into());
        assert!(store.problem().is_none());
        assert!(store.serialize_fields()[FIELD].contains("\"schema\":2"));
    }

    #[test]
    fn a_state_cut_short_is_explained_and_kept() {
        let store = Store::default();
        store.edit(|project| project.prompt = "bells".into());
        let whole = store.serialize_fields()[FIELD].clone();
        for end in 0..whole.len() {
            store.deserialize_fields(&fields(&whole[..end]));
            assert!(store.problem().unwrap().message.contains("damaged"), "cut at {end}");
            assert_eq!(store.serialize_fields()[FIELD], whole[..end]);
        }
        store.deserialize_fields(&fields(&whole));
        assert!(store.problem().is_none());
        assert_eq!(store.project().prompt, "bells");
    }

    #[test]
    fn a_state_without_a_project_leaves_it_alone() {
        let store = Store::default();
        store.edit(|project| project.prompt = "bells".into());
        store.deserialize_fields(&BTreeMap::new());
        assert_eq!(store.project().prompt, "bells");
    }
}
