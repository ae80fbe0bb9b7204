//! Two folders of audio as a data set of two classes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::lab::audio::number;
use crate::lab::layout::recordings;
use crate::lab::{Dataset, LabError, table};

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

/// Lists the audio of both folders; files are not opened yet. Where both lie in one folder, a table in it may say which
/// recordings belong together.
///
/// # Errors
/// [`LabError::Read`]; [`LabError::Request`] for a folder without audio, and for the same folder twice; [`LabError::File`]
/// for a damaged table.
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
    let dataset = Dataset::new(found);
    let groups = pairs(&dataset, plus, minus)?;
    Ok(Sides { names, dataset: dataset.grouped(&groups) })
}

/// What recordings belong to, by their files as they are listed; none where the folders do not lie side by side.
fn pairs(dataset: &Dataset, plus: &Path, minus: &Path) -> Result<BTreeMap<PathBuf, i64>, LabError> {
    let whole = |folder: &Path| {
        folder.canonicalize().map_err(|source| LabError::Read { path: folder.to_owned(), source })
    };
    let folders = [(plus, whole(plus)?), (minus, whole(minus)?)];
    let [Some(parent), Some(other)] = folders.each_ref().map(|(_, whole)| whole.parent()) else {
        return Ok(BTreeMap::new());
    };
    if parent != other {
        return Ok(BTreeMap::new());
    }
    let named = table::pairs(parent)?;
    let group = |path: &Path| {
        let (_, whole) = folders.iter().find(|(folder, _)| path.parent() == Some(folder))?;
        named.get(&whole.join(path.file_name()?)).copied()
    };
    let files = dataset.recordings.iter().map(|recording| &recording.path);
    Ok(files.filter_map(|path| Some((path.clone(), group(path)?))).collect())
}

/// Name of the file for what is read of the data set. Other recordings have another one, so that whoever adds some to a
/// folder need not remove what an interrupted lesson left.
pub(super) fn partial(dataset: &Dataset, bundle: &str, frames: usize) -> String {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let files: Vec<_> = dataset
        .recordings
        .iter()
        .map(|recording| (recording.class, recording.group, &recording.path, size(&recording.path)))
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

        assert!(!dataset.is_grouped());

        fs::create_dir(folder("empty")).unwrap();
        let refused =
            |plus: &str, minus: &str| list(&folder(plus), &folder(minus)).err().unwrap().to_string();
        assert!(refused("empty", "c").contains("holds no audio file"));
        assert!(refused("c", "a/../c").contains("named twice"));
        assert!(refused("c", "nowhere").contains("cannot read"));
    }
    #[test]
    fn a_table_beside_both_folders_says_what_belongs_together() {
        let root = tempfile::tempdir().unwrap();
        for file in ["busy/0.wav", "busy/1.wav", "calm/0.wav", "far/calm/0.wav"] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        fs::write(root.path().join("info.csv"), "file,pair\nbusy/0.wav,7\nbusy/1.wav,8\ncalm/0.wav,7\n")
            .unwrap();
        let groups = |minus: &str| -> Vec<Option<i64>> {
            let listed = list(&root.path().join("busy"), &root.path().join(minus)).unwrap();
            listed.dataset.recordings.iter().map(|recording| recording.group).collect()
        };
        // However the folder is called; busy/0, busy/1, calm/0.
        for minus in ["calm", "far/../calm"] {
            let found = groups(minus);
            assert!(found[0].is_some() && found[1].is_some() && found[0] != found[1], "{found:?}");
            assert_eq!(found[2], found[0]);
        }
        assert_eq!(groups("far/calm"), [None; 3]);
        fs::write(root.path().join("info.csv"), "pair\n7\n").unwrap();
        let error = list(&root.path().join("busy"), &root.path().join("calm")).err().unwrap().to_string();
        assert!(error.contains("names no file"), "{error}");
    }
}
