//! Two folders of audio as a data set of two classes.

use std::path::{Path, PathBuf};

use crate::lab::audio::number;
use crate::lab::layout::recordings;
use crate::lab::{Dataset, LabError};

/// Names of the classes, where the vector leads to first.
pub(super) struct Sides {
    pub names: [String; 2],
    pub dataset: Dataset,
}

impl Sides {
    /// What people call the two sides of a vector that is called `name`: by that name, and by the other folder's.
    pub fn called(&self, name: &str) -> [String; 2] {
        let [folder, other] = &self.names;
        let is_taken = name.to_lowercase() == other.to_lowercase();
        [if is_taken { folder } else { name }.to_owned(), other.clone()]
    }
}

/// Lists the audio of both folders; files are not opened yet.
///
/// # Errors
/// [`LabError::Read`]; [`LabError::Request`] for a folder without audio, and for the same folder twice.
pub(super) fn list(plus: &Path, minus: &Path) -> Result<Sides, LabError> {
    let same =
        |a: &Path, b: &Path| a.canonicalize().ok().is_some_and(|a| b.canonicalize().is_ok_and(|b| a == b));
    if same(plus, minus) {
        return Err(LabError::request(format!(
            "{} is named twice; name a folder with the concept and another one without it",
            plus.display()
        )));
    }
    let [one, other] = [plus, minus].map(name);
    let names = match one == other {
        // Two folders may be called "loops".
        true => [plus, minus].map(|folder| folder.display().to_string()),
        false => [one, other],
    };
    let mut found: Vec<(String, PathBuf, Option<i64>)> = Vec::new();
    for (folder, name) in [plus, minus].into_iter().zip(&names) {
        let files = recordings(folder)?;
        if files.is_empty() {
            return Err(LabError::request(format!(
                "{} holds no audio file; put WAV, AIFF, FLAC, MP3, Ogg or M4A files there, ten or more",
                folder.display()
            )));
        }
        found.extend(files.into_iter().map(|path| (name.clone(), path, None)));
    }
    Ok(Sides { names, dataset: Dataset::new(found) })
}

/// Name of the file for what is read of the data set. Other recordings have another one, so that whoever adds some to a
/// folder need not remove what an interrupted lesson left.
pub(super) fn partial(dataset: &Dataset, bundle: &str, frames: usize) -> String {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let files: Vec<_> = dataset
        .recordings
        .iter()
        .map(|recording| (recording.class, &recording.path, size(&recording.path)))
        .collect();
    let identity = serde_json::json!([dataset.classes, files, bundle, frames]);
    format!("activations-{:x}.partial", number(identity.to_string()))
}

fn name(folder: &Path) -> String {
    // "." has no name of its own.
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn folders_are_classes_whatever_they_are_called() {
        let root = tempfile::tempdir().unwrap();
        for file in ["b/loops/1.wav", "b/loops/2.MP3", "b/loops/read.me", "a/loops/3.flac", "c/4.wav"] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        let folder = |name: &str| root.path().join(name);
        let sides = list(&folder("b/loops"), &folder("c")).unwrap();
        assert_eq!(sides.called("Rhodes"), ["Rhodes", "c"]);
        assert_eq!(sides.called("C"), ["loops", "c"], "one name does not mean both");
        let Sides { names, dataset } = sides;
        assert_eq!(names, ["loops", "c"]);
        assert_eq!(dataset.recordings.len(), 3);
        let Sides { names, dataset } = list(&folder("b/loops"), &folder("a/loops")).unwrap();
        assert!(names[0] != names[1] && dataset.classes.len() == 2);

        fs::create_dir(folder("empty")).unwrap();
        let refused =
            |plus: &str, minus: &str| list(&folder(plus), &folder(minus)).err().unwrap().to_string();
        assert!(refused("empty", "c").contains("holds no audio file"));
        assert!(refused("c", "a/../c").contains("named twice"));
        assert!(refused("c", "nowhere").contains("cannot read"));
    }
}
