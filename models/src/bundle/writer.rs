//! Writing a bundle's manifest.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::manifest::{FileEntry, Manifest};
use super::{BundleError, MANIFEST_FILE, files};

/// Describes every file under `root` in the manifest's `files` and writes it as `bundle.json`.
///
/// The manifest comes last and by renaming: a folder with a manifest is a whole bundle.
///
/// # Errors
/// [`BundleError::Read`] and [`BundleError::Write`] if the system refuses; [`BundleError::Invalid`] if a file has a
/// name that a bundle cannot hold.
pub fn write(root: &Path, mut manifest: Manifest) -> Result<Manifest, BundleError> {
    manifest.files.clear();
    describe_folder(root, root, &mut manifest)?;
    write_manifest(root, &manifest)?;
    Ok(manifest)
}

/// Writes the manifest of files that have been described.
pub(crate) fn write_manifest(root: &Path, manifest: &Manifest) -> Result<(), BundleError> {
    let path = root.join(MANIFEST_FILE);
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|source| BundleError::Manifest { path: path.clone(), source })?;
    let unfinished = root.join(format!(".{MANIFEST_FILE}"));
    let written = File::create(&unfinished).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()
    });
    written.map_err(|source| BundleError::Write { path: unfinished.clone(), source })?;
    fs::rename(&unfinished, &path).map_err(|source| BundleError::Write { path, source })
}

fn describe_folder(root: &Path, folder: &Path, manifest: &mut Manifest) -> Result<(), BundleError> {
    let read = |source| BundleError::Read { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.is_dir() {
            describe_folder(root, &path, manifest)?;
            continue;
        }
        let invalid = |what| BundleError::Invalid { root: root.to_owned(), what };
        let name = files::relative_name(root, &path)
            .ok_or_else(|| invalid(format!("the file name {} is no Unicode", path.display())))?;
        if name == MANIFEST_FILE || name == format!(".{MANIFEST_FILE}") {
            continue;
        }
        files::check_name(&name).map_err(invalid)?;
        let entry: FileEntry = files::describe(&path)?;
        manifest.files.insert(name, entry);
    }
    Ok(())
}
