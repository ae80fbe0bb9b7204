//! Why CLAP cannot hear or read.

use std::path::PathBuf;

use crate::runtime::RuntimeError;

/// Why CLAP cannot hear or read. Every message is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClapError {
    /// The operating system refused.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A folder that is no imported CLAP, or is damaged.
    #[error(
        "{} cannot be used as a CLAP judge: {reason}. Make it with `tiller lab judge-import CHECKPOINT {}`.",
        folder.display(), folder.display()
    )]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// ONNX Runtime or a graph does not load.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A graph ran and failed.
    #[error("the {graph} graph of the judge in {} failed ({reason}): import it again", folder.display())]
    Run {
        /// Which graph.
        graph: &'static str,
        /// The judge.
        folder: PathBuf,
        /// ONNX Runtime's own words, or what was wrong with its result.
        reason: String,
    },
    /// A clip without samples.
    #[error("the clip cannot be judged: it has no samples")]
    Empty,
    /// A clip with NaN or an infinity.
    #[error("the clip cannot be judged: it has samples that are no finite numbers")]
    NotFinite,
}
