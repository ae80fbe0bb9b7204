//! The thread, and who may use it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tiller_models::runtime;

use super::desk::Desk;
use super::studio::Studio;
use super::underway::Underway;
use super::{Cache, Kept, Models, manners};
use crate::instance::Instance;

/// How long models stay loaded after the last work, so that a pause in a session does not cost a reload.
const REST: Duration = Duration::from_secs(300);

/// Makes the studio, on the renderer's thread.
type Factory = dyn Fn() -> Box<dyn Studio> + Send + Sync;

/// The background thread of everyone who holds this. It starts with the first instance that needs it, and whoever
/// lets go of it last waits for its end: a host may unload the plugin's code right after.
pub struct Renderer {
    core: Arc<Core>,
    factory: Arc<Factory>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Core {
    instances: Mutex<Vec<Weak<Instance>>>,
    stop: AtomicBool,
    thread: OnceLock<Thread>,
    underway: Underway,
    /// Counts the times that there were other vectors than before.
    vectors: AtomicU64,
}

/// Rouses the renderer, from any thread.
#[derive(Clone)]
pub struct Waker(Arc<Core>);

impl Waker {
    /// The renderer looks for work. At most one system call, and only if it sleeps; it waits for nothing.
    pub fn wake(&self) {
        if let Some(thread) = self.0.thread.get() {
            thread.unpark();
        }
    }

    /// Whether the renderer's own thread asks.
    #[must_use]
    pub fn is_asked_by_the_renderer(&self) -> bool {
        self.0.thread.get().is_some_and(|thread| thread.id() == thread::current().id())
    }

    /// There is a new vector file: whoever shows which there are looks again.
    pub fn vectors_changed(&self) {
        self.0.vectors.fetch_add(1, Ordering::Release);
        self.wake();
    }
}

impl Renderer {
    /// The renderer of this process. Starts nothing.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Renderer>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock();
        shared.upgrade().unwrap_or_else(|| {
            let renderer = Self::with(|| Box::new(Kept::new(Models::default(), Cache::of_user())));
            *shared = Arc::downgrade(&renderer);
            renderer
        })
    }

    /// A renderer of one's own.
    #[must_use]
    pub fn with(studio: impl Fn() -> Box<dyn Studio> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            core: Arc::new(Core {
                instances: Mutex::default(),
                stop: AtomicBool::new(false),
                thread: OnceLock::new(),
                underway: Underway::default(),
                vectors: AtomicU64::new(0),
            }),
            factory: Arc::new(studio),
            thread: Mutex::default(),
        })
    }

    /// Rouses this renderer.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(self.core.clone())
    }

    /// Serves `instance` until it is dropped or detached. Called again whenever its project or sample rate changes, so
    /// that a step for what was changed ends at once. Not for the audio thread.
    pub fn attach(&self, instance: &Arc<Instance>) {
        {
            let mut instances = self.core.instances.lock();
            if !instances.iter().any(|known| known.as_ptr() == Arc::as_ptr(instance)) {
                instances.push(Arc::downgrade(instance));
            }
        }
        self.core.underway.end_unwanted();
        self.start();
        self.waker().wake();
    }

    /// Attaches `instance` whenever its project changes: hosts restore a project without activating.
    pub fn attach_on_change(self: &Arc<Self>, instance: &Arc<Instance>) {
        let (waker, renderer, changed) = (self.waker(), Arc::downgrade(self), Arc::downgrade(instance));
        instance.store().on_change(move || {
            // Whom its own thread serves is attached. And it must never hold the renderer: whoever lets go of it last waits for
            // that thread's end.
            if waker.is_asked_by_the_renderer() {
                waker.wake();
            } else if let (Some(instance), Some(renderer)) = (changed.upgrade(), renderer.upgrade()) {
                renderer.attach(&instance);
            }
        });
    }

    /// Stops serving `instance`: a step for it ends at once, and the rest of its work is dropped.
    pub fn detach(&self, instance: &Arc<Instance>) {
        self.core.instances.lock().retain(|known| known.as_ptr() != Arc::as_ptr(instance));
        self.core.underway.end_for(instance);
        self.waker().wake();
    }

    fn start(&self) {
        let mut thread = self.thread.lock();
        if thread.is_some() {
            return;
        }
        let (core, factory) = (self.core.clone(), self.factory.clone());
        match thread::Builder::new().name("tiller-renderer".into()).spawn(move || run(&core, &*factory)) {
            Ok(handle) => {
                self.core.thread.get_or_init(|| handle.thread().clone());
                *thread = Some(handle);
            }
            Err(error) => tracing::error!("the renderer's thread does not start: {error}"),
        }
    }
}

impl Drop for Renderer {
    fn drop(&mut self) {
        self.core.stop.store(true, Ordering::Release);
        self.core.underway.end();
        self.waker().wake();
        if let Some(thread) = self.thread.get_mut().take()
            && thread.join().is_err()
        {
            tracing::error!("the renderer's thread panicked");
        }
    }
}

fn run(core: &Core, factory: &Factory) {
    core.thread.get_or_init(thread::current);
    runtime::give_way();
    let mut studio = factory();
    let mut desks: Vec<Desk> = Vec::new();
    let mut loaded = false;
    let mut vectors = 0;
    while !core.stop.load(Ordering::Acquire) {
        seat(core, &mut desks);
        let changes = core.vectors.load(Ordering::Acquire);
        if changes != vectors {
            vectors = changes;
            desks.iter_mut().for_each(Desk::forget_model);
        }
        for desk in &mut desks {
            desk.attend(&mut *studio);
        }
        let most_urgent = desks
            .iter_mut()
            .filter_map(|desk| desk.most_urgent().map(|urgency| (urgency, desk)))
            .min_by(|(a, _), (b, _)| a.order(b));
        match most_urgent {
            Some((urgency, desk)) => {
                loaded = true;
                let began = Instant::now();
                desk.work(urgency.index(), &mut *studio, &core.underway);
                let took = began.elapsed();
                // Whoever waits for a turn sees that turns are taken.
                desks.iter().for_each(Desk::note_progress);
                // Whoever rouses this thread also ends its pause.
                if let Some(pause) = manners::pause(took, desks.iter().filter_map(Desk::host)) {
                    thread::park_timeout(pause);
                }
            }
            None if loaded => {
                desks.iter().for_each(Desk::log_misses);
                let asleep = Instant::now();
                thread::park_timeout(REST);
                if asleep.elapsed() >= REST {
                    studio.rest();
                    loaded = false;
                }
            }
            None => thread::park(),
        }
    }
}

/// A desk for every instance, none for those that are gone.
fn seat(core: &Core, desks: &mut Vec<Desk>) {
    let instances = core.instances.lock().clone();
    desks
        .retain(|desk| instances.iter().any(|instance| desk.serves(instance) && instance.strong_count() > 0));
    for instance in &instances {
        if !desks.iter().any(|desk| desk.serves(instance)) {
            desks.push(Desk::for_instance(instance.clone()));
        }
    }
}
