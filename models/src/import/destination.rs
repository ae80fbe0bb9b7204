//! Where an import is written until it is whole.

use std::fs;
use std::path::{Path, PathBuf};

use super::ImportError;

/// A folder beside the destination. Dropped without [`Destination::commit`] it is removed.
pub struct Destination {
    place: PathBuf,
    folder: PathBuf,
}

impl Destination {
    /// Makes the folder; what is at `place` must be replaceable, an empty folder or nothing.
    pub fn prepare(place: &Path, replaceable: impl FnOnce(&Path) -> bool) -> Result<Self, ImportError> {
        let place = std::path::absolute(place).map_err(ImportError::writing(place))?;
        let Some(name) = place.file_name() else { return Err(ImportError::Destination(place)) };
        if place.exists() && !replaceable(&place) && !is_empty_folder(&place) {
            return Err(ImportError::Destination(place));
        }
        // Hidden, and on the same file system, so that renaming is all that is left to do.
        let folder =
            place.with_file_name(format!(".{}.importing-{}", name.to_string_lossy(), std::process::id()));
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent).map_err(ImportError::writing(parent))?;
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(ImportError::writing(&folder))?;
        }
        fs::create_dir(&folder).map_err(ImportError::writing(&folder))?;
        Ok(Self { place, folder })
    }

    /// The folder to write into.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts the folder in its place, which is returned. What was there is put aside until then.
    pub fn commit(self) -> Result<PathBuf, ImportError> {
        // Distinct from the folder's own name, and no leftover of an earlier import: that had another process number.
        let old = self.folder.with_extension(format!("replaced-{}", std::process::id()));
        let replaces = self.place.exists();
        if replaces {
            fs::rename(&self.place, &old).map_err(ImportError::writing(&self.place))?;
        }
        if let Err(source) = fs::rename(&self.folder, &self.place) {
            if replaces {
                // The first error is the one to report.
                let _ = fs::rename(&old, &self.place);
            }
            return Err(ImportError::Write { path: self.place.clone(), source });
        }
        if replaces {
            fs::remove_dir_all(&old).map_err(ImportError::writing(&old))?;
        }
        Ok(self.place.clone())
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        // After a commit there is nothing left to remove; else the reason for dropping is the error to report.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn is_empty_folder(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}
