//! Sessions fit to live inside a host: few threads, no spinning, no denormals, created when first needed.

use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use ort::logging::LogLevel;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{RunOptions, Session};
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};

use super::background::Background;
use super::denormals::FlushToZero;
use super::{Cancel, Provider, Runtime, RuntimeError, cuda};

/// The run option that names a recording; -1 for a run that is none.
pub(super) const RECORDING: &str = "gpu_graph_id";

/// How a graph is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionOptions {
    /// What runs it.
    pub provider: Provider,
    /// Threads that share one operation's work, at least 1.
    pub threads: NonZeroUsize,
    /// Whether those threads give way to others.
    pub background: bool,
}

impl SessionOptions {
    /// `threads` as asked for, else half of the processor's threads, from 2 to 4: a decoder step is too small to feed
    /// more, and the host's audio needs the rest.
    pub fn new(provider: Provider, threads: Option<NonZeroUsize>, background: bool) -> Self {
        let available = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let few =
            || NonZeroUsize::new((available() / 2).clamp(2, 4).min(available())).unwrap_or(NonZeroUsize::MIN);
        Self { provider, threads: threads.unwrap_or_else(few), background }
    }
}

/// What is added to a graph's bytes; or why it cannot be.
pub(crate) type Edit = fn(&[u8]) -> Result<Vec<u8>, String>;

/// ONNX Runtime's option for the folder of a graph's weights where the graph is in memory.
const WEIGHTS_FOLDER: &str = "session.model_external_initializers_file_folder_path";

/// A graph of a bundle, and its session once somebody needed it. One session serves everybody: ONNX Runtime's `run`
/// is exclusive in `ort`, so callers take turns by a lock.
#[derive(Debug)]
pub(crate) struct Graph {
    path: PathBuf,
    options: SessionOptions,
    edit: Option<Edit>,
    /// Whether runs may be recorded.
    recorded: bool,
    session: Mutex<Option<Session>>,
}

impl Graph {
    pub fn new(path: PathBuf, options: SessionOptions) -> Self {
        Self { path, options, edit: None, recorded: false, session: Mutex::new(None) }
    }

    /// The graph with something added when it is loaded.
    pub fn edited(path: PathBuf, options: SessionOptions, edit: Edit) -> Self {
        Self { edit: Some(edit), ..Self::new(path, options) }
    }

    /// As [`Self::new`], for a graph that is run over and over with inputs and outputs of fixed shapes at fixed places.
    pub fn repeated(path: PathBuf, options: SessionOptions) -> Self {
        Self { recorded: options.provider == Provider::Cuda && cuda::graphs(), ..Self::new(path, options) }
    }

    /// Options for runs that are all alike but for the contents of their inputs: the provider records the first and
    /// replays it. `None` where that is not possible or not wanted. Each call stands for another recording.
    pub fn replay(&self) -> ort::Result<Option<RunOptions>> {
        static RECORDINGS: AtomicUsize = AtomicUsize::new(1);
        if !self.recorded {
            return Ok(None);
        }
        let mut options = RunOptions::new()?;
        options.set(RECORDING, RECORDINGS.fetch_add(1, Ordering::Relaxed).to_string())?;
        Ok(Some(options))
    }

    /// The session, loading the graph at the first call; held until the guard is dropped.
    pub fn session(&self) -> Result<Held<'_>, RuntimeError> {
        self.session_unless(&Cancel::new())
    }

    /// As [`Self::session`]; a load fails when `cancel` is turned on.
    pub fn session_unless(&self, cancel: &Cancel) -> Result<Held<'_>, RuntimeError> {
        let mut session = self.session.lock();
        let flush_to_zero = FlushToZero::new();
        if session.is_none() {
            *session = Some(load(&self.path, self.options, self.edit, self.recorded, cancel)?);
        }
        match MutexGuard::try_map(session, Option::as_mut) {
            Ok(session) => Ok(Held { session, _flush_to_zero: flush_to_zero }),
            Err(_) => Err(RuntimeError::Graph {
                path: self.path.clone(),
                provider: self.options.provider,
                reason: "its session is gone".to_owned(),
            }),
        }
    }
}

/// A session that belongs to the holder, whose thread treats denormals as zero meanwhile.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    session: MappedMutexGuard<'a, Session>,
    _flush_to_zero: FlushToZero,
}

impl Deref for Held<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

fn load(
    path: &Path,
    options: SessionOptions,
    edit: Option<Edit>,
    recorded: bool,
    cancel: &Cancel,
) -> Result<Session, RuntimeError> {
    let provider = options.provider;
    let runtime = Runtime::get()?;
    runtime.require(provider)?;
    let mut builder = builder(runtime, options).map_err(|error| RuntimeError::Graph {
        path: path.to_owned(),
        provider,
        reason: error.to_string(),
    })?;
    if let Some(dispatch) = provider.dispatch(recorded) {
        builder = builder
            .with_execution_providers([dispatch])
            .map_err(|error| RuntimeError::Driver { provider, reason: without_place(&error.to_string()) })?;
    }
    let started = std::time::Instant::now();
    let edited = edit.map(|edit| edited(path, edit)).transpose();
    let edited = edited.map_err(|reason| RuntimeError::Graph { path: path.to_owned(), provider, reason })?;
    if edited.is_some() {
        // Its weights stay where they are: beside the file that it was made from.
        let folder = path.parent().unwrap_or(Path::new(".")).to_string_lossy();
        builder = builder.with_config_entry(WEIGHTS_FOLDER, folder).map_err(|error| RuntimeError::Graph {
            path: path.to_owned(),
            provider,
            reason: error.to_string(),
        })?;
    }
    let loaded = cancel.during(builder.canceler(), || match &edited {
        Some(bytes) => builder.commit_from_memory(bytes),
        None => builder.commit_from_file(path),
    });
    let session = loaded.map_err(|error| RuntimeError::Graph {
        path: path.to_owned(),
        provider,
        reason: error.to_string(),
    })?;
    tracing::debug!(path = %path.display(), %provider, milliseconds = started.elapsed().as_millis(), "graph loaded");
    Ok(session)
}

fn edited(path: &Path, edit: Edit) -> Result<Vec<u8>, String> {
    edit(&std::fs::read(path).map_err(|error| error.to_string())?)
}

/// ONNX Runtime's words without the line of its source that comes before them, and on one line.
fn without_place(words: &str) -> String {
    let words = words.rsplit_once(" : FAIL : ").map_or(words, |(_, words)| words);
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Spinning threads would burn a core while nothing is generated and slow every step on a loaded machine.
fn builder(runtime: &Runtime, options: SessionOptions) -> ort::Result<SessionBuilder> {
    let builder = Session::builder(&runtime.environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(options.threads.get())?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_flush_to_zero()?
        .with_log_level(LogLevel::Warning)?;
    let builder = match options.provider {
        // It refuses sessions that plan their memory ahead or run several nodes at once.
        Provider::DirectMl => builder.with_memory_pattern(false)?.with_parallel_execution(false)?,
        Provider::Cpu | Provider::Cuda => builder,
    };
    Ok(if options.background { builder.with_thread_manager(Background)? } else { builder })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_onnx_runtime_come_without_its_source() {
        let words =
            "/src/bridge.cc:2043 Get() [ONNXRuntimeError] : 1 : FAIL : libcurand.so.10: cannot open\n";
        assert_eq!(without_place(words), "libcurand.so.10: cannot open");
        assert_eq!(without_place("as it is"), "as it is");
    }
}
