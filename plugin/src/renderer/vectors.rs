//! Steering vectors: which there are, and the one a slot means.

use std::path::{Path, PathBuf};

use tiller_models::bundle::{Bundle, discovery};
use tiller_models::steering::Vector;

use super::studio::VectorChoice;
use crate::state::Slot;

/// The musician's own vectors: `vectors/*.safetensors` in the data folder, sorted by name.
fn own_files() -> Vec<PathBuf> {
    let folder = discovery::data_folder().map(|data| data.join("vectors"));
    let mut files: Vec<_> = folder
        .iter()
        .flat_map(std::fs::read_dir)
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
        .collect();
    files.sort();
    files
}

/// Every vector that fits the bundle; one that does not is told in the log.
pub(super) fn choices(bundle: &Bundle) -> Vec<VectorChoice> {
    let bundled = bundle.vectors().into_iter().map(|path| (path, false));
    let own = own_files().into_iter().map(|path| (path, true));
    bundled
        .chain(own)
        .filter_map(|(path, own)| match open(&path, bundle) {
            Ok(vector) => Some(choice(&vector, bundle, own.then_some(path))),
            Err(message) => {
                tracing::warn!("{message}");
                None
            }
        })
        .collect()
}

/// The vector a slot means.
///
/// # Errors
/// A sentence that says which vector is missing or does not fit.
pub(super) fn find(slot: &Slot, bundle: &Bundle) -> Result<Vector, String> {
    let meant = |vector: &Vector| {
        if slot.sha256.is_empty() { vector.concept() == slot.name } else { vector.hash() == slot.sha256 }
    };
    if let Some(file) = slot.file.as_deref().filter(|file| Path::new(file).exists()) {
        let vector = open(Path::new(file), bundle)?;
        if !slot.sha256.is_empty() && vector.hash() != slot.sha256 {
            return Err(format!(
                "The vector file {file} has changed since this project chose it. Choose it again for its slot, or put \
                 the old file back."
            ));
        }
        return Ok(vector);
    }
    let files = bundle.vectors().into_iter().chain(own_files());
    files.filter_map(|path| open(&path, bundle).ok()).find(meant).ok_or_else(|| {
        let hash = slot.sha256.get(..12).map(|hash| format!(" ({hash})")).unwrap_or_default();
        format!(
            "The vector \u{201c}{}\u{201d}{hash} is neither in the model {} nor in the data folder. Choose another one \
             for its slot, or put its file into the data folder's vectors.",
            slot.name,
            bundle.manifest().name,
        )
    })
}

fn open(path: &Path, bundle: &Bundle) -> Result<Vector, String> {
    let vector = Vector::open(path).map_err(|error| error.to_string())?;
    vector.check(bundle.architecture()).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(vector)
}

fn choice(vector: &Vector, bundle: &Bundle, file: Option<PathBuf>) -> VectorChoice {
    VectorChoice {
        name: vector.concept().to_owned(),
        sha256: vector.hash().to_owned(),
        file,
        warning: vector.warning(bundle),
        readable: vector.is_readable(),
    }
}
