//! ONNX Runtime: finding its library, the one environment of the process, and sessions fit to live inside a host.
//!
//! The library is not linked. It is looked for when the first model is loaded (see [`Runtime::get`]), so a plugin is
//! scanned and instantiated without it. An environment cannot be replaced once made: the first library that loads
//! stays for the life of the process. A failure leaves nothing behind, and the next call looks again.

mod background;
mod cancel;
mod cuda;
mod denormals;
mod library;
mod module;
mod processor;
mod provider;
mod search;
mod session;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ort::environment::Environment;
use ort::logging::LogLevel;
use parking_lot::Mutex;

pub use background::give_way;
pub use cancel::Cancel;
pub use cuda::{CUDA_GRAPHS_VARIABLE, CUDA_VARIABLE};
pub use library::Version;
pub use module::module_file;
pub use processor::processor;
pub use provider::{Provider, UnknownProvider};
pub use search::LIBRARY_VARIABLE;
pub(crate) use session::{Graph, SessionOptions};

use crate::bundle::discovery::data_folder;

use library::NoLibrary;

/// What went wrong below a model.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RuntimeError {
    /// No library anywhere.
    #[error(
        "ONNX Runtime was not found: put its library, version 1.{} or newer (the Python package onnxruntime has it \
         inside), into {}, or set {LIBRARY_VARIABLE} to its path{tried}", ort::MINOR_VERSION, folder.display()
    )]
    Missing {
        /// Where it would be found.
        folder: PathBuf,
        /// What was tried and why it failed, empty or beginning with a separator.
        tried: String,
    },
    /// The library that was asked for cannot be used.
    #[error("{LIBRARY_VARIABLE} is {}, which {reason}", path.display())]
    Refused {
        /// The path given.
        path: PathBuf,
        /// The rest of the sentence.
        reason: String,
    },
    /// The library loads, but ONNX Runtime does not start.
    #[error("ONNX Runtime at {} does not start: {reason}", path.display())]
    Start {
        /// The library.
        path: PathBuf,
        /// ONNX Runtime's own words.
        reason: String,
    },
    /// DirectML was asked for on another system.
    #[error("the provider directml exists on Windows only: choose cpu, or cuda where there is an NVIDIA GPU")]
    NotWindows,
    /// The provider is not in this ONNX Runtime, or not in this build of Tiller.
    #[error(
        "the provider {provider} is not available: {reason}; choose cpu, or install ONNX Runtime's {provider} build \
         and set {LIBRARY_VARIABLE} to its library"
    )]
    Provider {
        /// The provider asked for.
        provider: Provider,
        /// What is missing.
        reason: String,
    },
    /// The provider is in this ONNX Runtime and does not start: its card, driver or libraries are missing.
    #[error(
        "the provider {provider} does not start: {reason}; install its driver and libraries (for cuda those that \
         Python's nvidia-* packages hold; {CUDA_VARIABLE} names their folder), or choose cpu"
    )]
    Driver {
        /// The provider asked for.
        provider: Provider,
        /// ONNX Runtime's or the loader's own words.
        reason: String,
    },
    /// A graph does not load.
    #[error("the graph {} does not load on {provider}: {reason}", path.display())]
    Graph {
        /// The graph's file.
        path: PathBuf,
        /// The provider it was loaded on.
        provider: Provider,
        /// ONNX Runtime's own words.
        reason: String,
    },
}

/// ONNX Runtime, loaded.
#[derive(Debug)]
pub struct Runtime {
    environment: Environment,
    path: PathBuf,
    version: Version,
}

impl Runtime {
    /// The process's ONNX Runtime, loading it at the first call.
    ///
    /// Looks at `TILLER_ONNXRUNTIME` (a library, or the folder it is in) and, where that is not set, beside this
    /// binary, in its `lib/` or the VST3 bundle's `Contents/Resources`, in `runtime/` of the
    /// [data folder](crate::bundle::discovery::data_folder), in `target/runtime/` of an enclosing workspace, and last where the
    /// system's loader looks.
    ///
    /// # Errors
    /// A sentence that says what to install or set. A later call tries again.
    pub fn get() -> Result<&'static Self, RuntimeError> {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        static LOADING: Mutex<()> = Mutex::new(());
        if let Some(runtime) = RUNTIME.get() {
            return Ok(runtime);
        }
        let _one_at_a_time = LOADING.lock();
        if let Some(runtime) = RUNTIME.get() {
            return Ok(runtime);
        }
        let runtime = Self::load()?;
        tracing::info!(version = %runtime.version, path = %runtime.path.display(), "ONNX Runtime loaded");
        Ok(RUNTIME.get_or_init(|| runtime))
    }

    /// The library's file, or its bare name if the system's loader found it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The library's version.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The environment of every session in this process, for running graphs that this crate does not run by itself.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The providers that this ONNX Runtime was built with. Their drivers may still be missing.
    #[must_use]
    pub fn providers(&self) -> Vec<Provider> {
        Provider::ALL.into_iter().filter(|provider| provider.is_compiled_in()).collect()
    }

    /// Fails unless this ONNX Runtime was built with `provider` and the libraries named for it load.
    pub(crate) fn require(&self, provider: Provider) -> Result<(), RuntimeError> {
        if provider == Provider::Cuda && provider.is_compiled_in() {
            let loaded = cuda::preload(&self.path);
            return loaded.map_err(|reason| RuntimeError::Driver { provider, reason });
        }
        if provider.is_compiled_in() {
            return Ok(());
        }
        if provider == Provider::DirectMl && !cfg!(windows) {
            return Err(RuntimeError::NotWindows);
        }
        let reason = format!("ONNX Runtime {} at {} was built without it", self.version, self.path.display());
        Err(RuntimeError::Provider { provider, reason })
    }

    fn load() -> Result<Self, RuntimeError> {
        let asked_for = std::env::var_os(LIBRARY_VARIABLE).is_some_and(|value| !value.is_empty());
        let mut tried = String::new();
        for path in search::candidates() {
            match usable(&path) {
                Ok(version) => return Self::start(path, version),
                Err(reason) if asked_for => return Err(RuntimeError::Refused { path, reason }),
                Err(reason) => tried.push_str(&format!("; {} {reason}", path.display())),
            }
        }
        let folder = data_folder().map_or_else(|| PathBuf::from("lib"), |data| data.join("runtime"));
        Err(RuntimeError::Missing { folder, tried })
    }

    fn start(path: PathBuf, version: Version) -> Result<Self, RuntimeError> {
        let build = || -> ort::Result<Environment> {
            let environment = ort::init_from(&path)
                .map_err(ort::Error::wrap)?
                .with_name("tiller")
                .with_telemetry(false)
                .with_logger(Arc::new(log))
                .build()?;
            environment.set_log_level(LogLevel::Warning);
            Ok(environment)
        };
        match build() {
            Ok(environment) => Ok(Self { environment, path, version }),
            Err(error) => Err(RuntimeError::Start { path, reason: error.to_string() }),
        }
    }
}

/// The version of the library at `path` if Tiller can use it, else the rest of the sentence "PATH ...".
fn usable(path: &Path) -> Result<Version, String> {
    match library::version(path) {
        Ok(version) if version.is_supported() => Ok(version),
        Ok(version) => {
            Err(format!("is ONNX Runtime {version}, and Tiller needs 1.{} or newer", ort::MINOR_VERSION))
        }
        Err(NoLibrary::Foreign) => Err("is not ONNX Runtime's library".to_owned()),
        Err(NoLibrary::Unloadable(_)) if path.is_dir() => {
            Err("is a folder without ONNX Runtime's library in it".to_owned())
        }
        Err(NoLibrary::Unloadable(_)) if path.is_absolute() && !path.exists() => {
            Err("does not exist".to_owned())
        }
        Err(NoLibrary::Unloadable(words)) => Err(format!("does not load ({words})")),
    }
}

/// ONNX Runtime's messages as `tracing` events. Its warnings are about graph optimisation and say nothing to a
/// musician, and a cancelled run logs an error: both become debug events.
fn log(level: LogLevel, category: &str, _id: &str, location: &str, message: &str) {
    let cancelled = message.contains("terminate flag");
    match level {
        LogLevel::Fatal | LogLevel::Error if !cancelled => {
            tracing::error!(target: "onnxruntime", category, location, "{message}");
        }
        LogLevel::Fatal | LogLevel::Error | LogLevel::Warning => {
            tracing::debug!(target: "onnxruntime", category, location, "{message}");
        }
        LogLevel::Info | LogLevel::Verbose => tracing::trace!(target: "onnxruntime", category, "{message}"),
    }
}
