//! What is chosen for this machine rather than for a song: how many threads generate, how large the cache may grow.
//!
//! They lie as JSON in `preferences.json` of the data folder, are shared by all hosts, and are read anew for every take.

use std::fs;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Once;

use serde::{Deserialize, Serialize};
use tiller_models::bundle::discovery;

/// Name of the file.
const FILE: &str = "preferences.json";
/// Most threads taken without being asked for: a decoder step is too small to feed more.
const MOST: usize = 4;

/// What is chosen for this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// Threads that generate; 0: one less than the processor has, from 1 to 4, so that the host's audio keeps one.
    /// The music does not depend on it.
    pub threads: usize,
    /// Most that the cache of decoded audio may take, megabytes; 0: nothing is kept.
    pub cache_megabytes: u64,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { threads: 0, cache_megabytes: 2_000 }
    }
}

impl Preferences {
    /// Those of this user; the defaults where there are none.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the file and what to do.
    pub fn load() -> Result<Self, String> {
        path().map_or(Ok(Self::default()), |path| Self::read(&path))
    }

    /// Those of this user, or the defaults if they cannot be read, which is said once in the log.
    #[must_use]
    pub fn in_force() -> Self {
        static SAID: Once = Once::new();
        Self::load().unwrap_or_else(|message| {
            SAID.call_once(|| tracing::warn!("{message}"));
            Self::default()
        })
    }

    /// Makes these the user's.
    ///
    /// # Errors
    /// A sentence that says why they could not be written.
    pub fn save(&self) -> Result<(), String> {
        let path = path().ok_or("The system names no home folder, so preferences cannot be kept.")?;
        self.write(&path).map_err(|error| format!("{} cannot be written: {error}.", path.display()))
    }

    /// Threads that generate.
    #[must_use]
    pub fn threads(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.threads).unwrap_or_else(|| {
            let available = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
            NonZeroUsize::new((available - 1).min(MOST)).unwrap_or(NonZeroUsize::MIN)
        })
    }

    /// Most that the cache may take, bytes.
    #[must_use]
    pub fn cache_bytes(&self) -> u64 {
        self.cache_megabytes.saturating_mul(1_000_000)
    }

    fn read(path: &Path) -> Result<Self, String> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.map_err(|error| format!("{} cannot be read: {error}.", path.display()))?,
        };
        serde_json::from_str(&text).map_err(|error| {
            format!("{} is damaged ({error}). Set the preferences again, or delete the file.", path.display())
        })
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.persist(path).map(drop).map_err(|error| error.error)
    }
}

fn path() -> Option<PathBuf> {
    discovery::data_folder().map(|folder| folder.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_missing_is_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/preferences.json");
        assert_eq!(Preferences::read(&path), Ok(Preferences::default()));
        let chosen = Preferences { threads: 3, cache_megabytes: 0 };
        chosen.write(&path).unwrap();
        assert_eq!(Preferences::read(&path), Ok(chosen));
        fs::write(&path, r#"{"threads":2,"colour":"blue"}"#).unwrap();
        assert_eq!(Preferences::read(&path), Ok(Preferences { threads: 2, ..Preferences::default() }));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "something is left over");
    }

    #[test]
    fn a_damaged_file_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        for text in ["", "{", r#"{"threads":-1}"#, r#"{"cache_megabytes":"much"}"#] {
            fs::write(&path, text).unwrap();
            let message = Preferences::read(&path).unwrap_err();
            assert!(message.contains(FILE) && message.contains("delete the file"), "{message}");
        }
    }

    #[test]
    fn the_host_keeps_a_core_unless_someone_wants_it_otherwise() {
        let available = std::thread::available_parallelism().unwrap().get();
        let threads = Preferences::default().threads().get();
        assert!(threads <= MOST && (threads < available || available == 1));
        assert_eq!(Preferences { threads: 7, ..Preferences::default() }.threads().get(), 7);
    }
}
