//! Why a checkpoint could not be imported.

use std::path::{Path, PathBuf};

use crate::bundle::BundleError;
use crate::runtime::RuntimeError;

/// Why a checkpoint could not be imported. Every message names the file, tensor or setting, and the cure if there is one.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The operating system refused to read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// File or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The operating system refused to write.
    #[error("cannot write {path}: {source}")]
    Write {
        /// File or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file of the checkpoint that must exist does not.
    #[error(
        "{folder} holds no {file}: it is no checkpoint in the Hugging Face layout, or its download is incomplete"
    )]
    MissingFile {
        /// The checkpoint.
        folder: PathBuf,
        /// What is missing.
        file: &'static str,
    },
    /// The weights are pickled, which can run code when read.
    #[error(
        "{0} holds its weights as pytorch_model.bin only, which Tiller does not read because such files can run code. \
         Convert them to safetensors (in Python: model.save_pretrained(folder, safe_serialization=True)) or download \
         the revision that has model.safetensors."
    )]
    PickleOnly(PathBuf),
    /// A JSON file cannot be understood.
    #[error("{path} cannot be understood: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser met.
        source: serde_json::Error,
    },
    /// A file of weights is damaged.
    #[error("{path} is no complete safetensors file ({source}): download it again")]
    Weights {
        /// The file.
        path: PathBuf,
        /// What the parser met.
        source: safetensors::SafeTensorError,
    },
    /// The index of the shards is wrong.
    #[error("{path} is wrong: {what}. Download the checkpoint again.")]
    Index {
        /// The index.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A kind of model, or a setting, that this build does not import.
    #[error("this checkpoint cannot be imported: {0}")]
    Unsupported(String),
    /// A tensor that the configuration calls for is not there.
    #[error("the checkpoint has no tensor {name:?} (expected with shape {expected:?})")]
    MissingTensor {
        /// Its name.
        name: String,
        /// The shape that config.json calls for.
        expected: Vec<usize>,
    },
    /// A tensor has not the shape that the configuration calls for.
    #[error("the tensor {name:?} has shape {found:?} where config.json calls for {expected:?}")]
    TensorShape {
        /// Its name.
        name: String,
        /// The shape that config.json calls for.
        expected: Vec<usize>,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// A tensor is stored in a number format that is not read.
    #[error("the tensor {name:?} is stored as {found}; Tiller reads F32, F16 and BF16")]
    TensorType {
        /// Its name.
        name: String,
        /// Its format.
        found: String,
    },
    /// A weight is NaN or infinite.
    #[error(
        "the tensor {name:?} holds {value} at index {index}: the checkpoint is damaged or its training diverged"
    )]
    NotFinite {
        /// Its name.
        name: String,
        /// NaN or an infinity.
        value: f32,
        /// Flat index of the first such value.
        index: usize,
    },
    /// A weight is beyond the largest number of half precision.
    #[error(
        "the weight {name:?} holds {value} at index {index}, and half precision ends at 65504: leave f16 out of the \
         precisions"
    )]
    HalfOverflow {
        /// Its name in the graph; several weights that are multiplied at once are stacked under one.
        name: String,
        /// The first value beyond.
        value: f32,
        /// Its flat index.
        index: usize,
    },
    /// The disk is too full.
    #[error(
        "{folder} has {free:.1} GB free and the bundle needs {needed:.1}: make room, choose another destination, or \
         import fewer precisions (--precisions int8 takes least)"
    )]
    DiskFull {
        /// Where the bundle is written.
        folder: PathBuf,
        /// GB of the bundle.
        needed: f64,
        /// GB that are free.
        free: f64,
    },
    /// The memory is too full.
    #[error(
        "{free:.1} GB of memory are free and trying out the model needs {needed:.1}: close other programs, or import \
         fewer precisions (--precisions int8 takes least)"
    )]
    MemoryFull {
        /// GB the model takes.
        needed: f64,
        /// GB that are free.
        free: f64,
    },
    /// Something else is already where the result is to go.
    #[error("{0} exists and is nothing that such an import made: choose another destination or remove it")]
    Destination(PathBuf),
    /// ONNX Runtime, which the imported model is tried on, is missing or does not start.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The model ran and gave what no model should.
    #[error("the imported model does not work: {0}")]
    Verification(String),
    /// The written bundle did not pass its own checks.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

impl ImportError {
    /// Attaches a path to the system's refusal to read it.
    pub(super) fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), source }
    }

    /// Attaches a path to the system's refusal to write it.
    pub(super) fn writing(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Write { path: path.to_owned(), source }
    }
}
