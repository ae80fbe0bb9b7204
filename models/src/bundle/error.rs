//! Why a folder is not a bundle that can be used.

use std::path::PathBuf;

use super::Precision;

/// Why a folder is not a bundle that can be used. Every message names the file and the cure.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The folder has no manifest.
    #[error("{0} is no bundle: it holds no bundle.json. Make one with `tiller import CHECKPOINT {0}`.")]
    NotABundle(PathBuf),
    /// The operating system refused.
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
    /// The manifest is no JSON of the expected form.
    #[error("{path} cannot be understood: {source}. Import the checkpoint again.")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What the parser met.
        source: serde_json::Error,
    },
    /// The manifest is of another schema.
    #[error(
        "{path} has schema {found}, this Tiller reads up to {newest}: update Tiller, or import again with it"
    )]
    Schema {
        /// The manifest.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest this build knows.
        newest: u32,
    },
    /// A file or number of the bundle is not what the manifest or the graph contract says.
    #[error("the bundle {root} is damaged or was tampered with: {what}. Fetch or import it again.")]
    Invalid {
        /// Folder of the bundle.
        root: PathBuf,
        /// What is wrong, naming the file or number.
        what: String,
    },
    /// The bundle has no decoder of this precision.
    #[error(
        "the bundle {root} has no {wanted} decoder, only {present}: choose one of those, or import it again with --precisions {wanted}"
    )]
    NoPrecision {
        /// Folder of the bundle.
        root: PathBuf,
        /// What was asked for.
        wanted: Precision,
        /// What there is.
        present: String,
    },
    /// There is no bundle at any place looked at.
    #[error(
        "no bundle found; looked at {looked}. Set TILLER_BUNDLE to a bundle's folder, or import a checkpoint there."
    )]
    NoneFound {
        /// The places, in order.
        looked: String,
    },
    /// Somebody cancelled.
    #[error("cancelled")]
    Cancelled,
}
