//! Decoded audio on disk, so that a song that was heard before is heard again at once.
//!
//! Rules, each held by a test:
//! 1. An entry is named by the hash of everything that decides its samples ([`Key`]), so it is never out of date:
//!    whoever finds one has what decoding would give, to the bit.
//! 2. An entry appears whole or not at all: it is written under another name in the same folder and then renamed.
//!    There is no lock that a killed process could leave behind; two who write the same entry write the same bytes.
//! 3. What is read is checked. An entry that is damaged or cut short is deleted and its take decoded again.
//! 4. The folder is bounded: after each new entry those unused for longest are deleted until the rest fits.
//! 5. Nothing needs the cache. Where it cannot be read or written (no folder, no permission, a full disk) that is said
//!    once in the log, and takes are decoded as if there were none.

mod entry;
mod kept;
mod key;

pub use kept::Kept;
pub use key::Key;

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tiller_models::bundle::discovery;

use super::studio::Audio;
use crate::preferences::Preferences;
use entry::Unread;

/// Ends the name of an entry.
const ENTRY: &str = ".audio";
/// Ends the name of an entry that is being written.
const PART: &str = ".part";
/// After this long without a change, a part's writer is gone.
const STALE: Duration = Duration::from_secs(600);

/// A folder of decoded audio.
pub struct Cache {
    folder: Option<PathBuf>,
    /// Most that it may take, bytes. Asked for anew each time, because the musician may change it.
    limit: Box<dyn Fn() -> u64>,
    warned: Cell<bool>,
}

impl Cache {
    /// The user's own, shared by all hosts and instances, as large as the [`Preferences`] say.
    #[must_use]
    pub fn of_user() -> Self {
        let limit = Box::new(|| Preferences::in_force().cache_bytes());
        let folder = discovery::cache_folder().map(|folder| folder.join("audio"));
        Self { folder, limit, warned: Cell::new(false) }
    }

    /// One in `folder`, which is made when it is first needed, of at most `limit` bytes; 0 reads and writes nothing.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>, limit: u64) -> Self {
        Self { folder: Some(folder.into()), limit: Box::new(move || limit), warned: Cell::new(false) }
    }

    /// Whether anything is kept at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.folder.is_some() && (self.limit)() > 0
    }

    /// The audio kept under `key`, if it is there and whole.
    #[must_use]
    pub fn find(&self, key: &Key) -> Option<Audio> {
        let path = self.path(key)?;
        match entry::read(&path, key) {
            Ok(audio) => {
                // Where this fails the entry counts as older than it is.
                let _ = touch(&path);
                Some(audio)
            }
            Err(Unread::Missing) => None,
            Err(Unread::Damaged) => {
                tracing::warn!("{} is damaged: it is deleted and decoded again", path.display());
                if let Err(error) = fs::remove_file(&path) {
                    self.warn(&error);
                }
                None
            }
            Err(Unread::Failed(error)) => {
                self.warn(&error);
                None
            }
        }
    }

    /// Keeps `audio` under `key`, and makes room for it. What cannot be kept is not.
    pub fn keep(&self, key: &Key, audio: &Audio) {
        let (Some(folder), Some(path)) = (&self.folder, self.path(key)) else { return };
        let bytes = entry::bytes(key, audio);
        if bytes.len() as u64 > (self.limit)() {
            return;
        }
        if let Err(error) = write(folder, &path, &bytes).and_then(|()| self.trim(folder)) {
            self.warn(&error);
        }
    }

    fn path(&self, key: &Key) -> Option<PathBuf> {
        self.folder.as_ref().filter(|_| self.is_on()).map(|folder| folder.join(format!("{key}{ENTRY}")))
    }

    /// Deletes what was used longest ago until the rest fits, and what killed writers left.
    fn trim(&self, folder: &Path) -> io::Result<()> {
        let mut entries = Vec::new();
        let mut total = 0;
        for found in fs::read_dir(folder)? {
            let path = found?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            // Whoever shares the folder may have deleted it by now.
            let Ok(about) = fs::metadata(&path) else { continue };
            let used = about.modified()?;
            if name.ends_with(ENTRY) {
                total += about.len();
                entries.push((used, path, about.len()));
            } else if name.ends_with(PART) && used.elapsed().is_ok_and(|age| age >= STALE) {
                delete(&path)?;
            }
        }
        entries.sort();
        let limit = (self.limit)();
        for (_, path, size) in entries {
            if total <= limit {
                break;
            }
            delete(&path)?;
            total -= size;
        }
        Ok(())
    }

    fn warn(&self, error: &io::Error) {
        if !self.warned.replace(true) {
            let folder = self.folder.as_deref().unwrap_or(Path::new("")).display();
            tracing::warn!(
                "the audio cache in {folder} cannot be used ({error}); takes are decoded each time a project opens. \
                 Free space or set {} to another folder.",
                discovery::CACHE_VARIABLE
            );
        }
    }
}

fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // Deleted again if anything goes wrong before its renaming. Not synced: an entry that a power cut emptied is
    // found damaged.
    let mut part = tempfile::Builder::new().suffix(PART).tempfile_in(folder)?;
    part.write_all(bytes)?;
    part.persist(path).map(drop).map_err(|error| error.error)
}

fn touch(path: &Path) -> io::Result<()> {
    File::options().append(true).open(path)?.set_modified(SystemTime::now())
}

/// Deletes a file that another process may be deleting as well.
fn delete(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
