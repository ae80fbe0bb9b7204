//! Why a checkpoint could not be fetched.

use std::path::{Path, PathBuf};

/// Why a checkpoint could not be fetched. Every message names the cure if there is one.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// No answer.
    #[error(
        "cannot reach {url} ({reason}): check the network, or import a folder that holds the checkpoint (HF_ENDPOINT \
         names another hub, HTTPS_PROXY a proxy)"
    )]
    Unreachable {
        /// What was asked.
        url: String,
        /// What the connection met.
        reason: String,
    },
    /// The hub says the same of what does not exist and of what it hides.
    #[error(
        "the hub has no model {id}, or gives it only to people it knows: check the name at {endpoint}/{id}, and log in \
         with `hf auth login` or set HF_TOKEN"
    )]
    NotLoggedIn {
        /// The model.
        id: String,
        /// The hub.
        endpoint: String,
    },
    /// The model is gated, and this account has not been let in.
    #[error("the hub does not give {id} to this account: ask for access at {endpoint}/{id}, then try again")]
    Forbidden {
        /// The model.
        id: String,
        /// The hub.
        endpoint: String,
    },
    /// There is no such model or revision.
    #[error("the hub has no model {id} with a revision {revision}: see {endpoint}/{id}/tree/main")]
    NotFound {
        /// The model.
        id: String,
        /// Branch, tag or commit.
        revision: String,
        /// The hub.
        endpoint: String,
    },
    /// Another answer than the protocol has.
    #[error("{url} answered with status {status}: try again later")]
    Status {
        /// What was asked.
        url: String,
        /// HTTP's number.
        status: u16,
    },
    /// What the hub says of a model makes no sense.
    #[error("what {url} says of the model cannot be understood: {what}")]
    Listing {
        /// What was asked.
        url: String,
        /// What is wrong.
        what: String,
    },
    /// The weights are pickled, which can run code when read.
    #[error(
        "{id} holds its weights as {found} only, which Tiller does not read because such files can run code. Name a \
         revision that has model.safetensors with --revision (conversions often wait in pull requests: --revision \
         refs/pr/1; see {endpoint}/{id}/discussions), or convert the weights (in Python: \
         model.save_pretrained(folder, safe_serialization=True)) and import the folder."
    )]
    PickleOnly {
        /// The model.
        id: String,
        /// A file that is pickled.
        found: String,
        /// The hub.
        endpoint: String,
    },
    /// A file that a MusicGen checkpoint has is not there.
    #[error(
        "{id} has no {file} at revision {revision}: it is no MusicGen of the transformers library. Name another model, \
         or another revision with --revision"
    )]
    MissingFile {
        /// The model.
        id: String,
        /// What is missing.
        file: &'static str,
        /// Branch, tag or commit.
        revision: String,
    },
    /// The connection broke, again and again.
    #[error(
        "{file} stopped at {have} of {size} bytes ({reason}): run the same command again, and it goes on from there"
    )]
    Interrupted {
        /// The file.
        file: String,
        /// Bytes that are kept.
        have: u64,
        /// Bytes of the whole file.
        size: u64,
        /// What the connection met.
        reason: String,
    },
    /// All bytes are there, and they are others than the hub says.
    #[error(
        "{file} arrived damaged twice: its hash is not the one the hub states. Something on the way changes files, \
         perhaps a proxy; it was not kept"
    )]
    Damaged {
        /// The file.
        file: String,
    },
    /// Another process fetches the same file.
    #[error(
        "another program is fetching {file} at this moment: wait for it, then run the same command again"
    )]
    Busy {
        /// The file.
        file: String,
    },
    /// The disk is too full.
    #[error(
        "{folder} has {free:.1} GB free and the download needs {needed:.1}: make room, or set HF_HOME to a folder on \
         another disk"
    )]
    DiskFull {
        /// The hub's cache.
        folder: PathBuf,
        /// GB that are free.
        free: f64,
        /// GB that are missing from the cache.
        needed: f64,
    },
    /// The operating system refused to write or to read back.
    #[error("cannot keep a file of the hub as {path}: {source}")]
    Store {
        /// File or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl HubError {
    /// Attaches a path to the system's refusal.
    pub(super) fn storing(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Store { path: path.to_owned(), source }
    }
}
