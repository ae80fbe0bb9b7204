//! How data sets lie on disk: a folder for each class, or as GTZAN, FMA and SynTheory are published.

use std::fs;
use std::path::{Path, PathBuf};

use super::audio::is_audio;
use super::{Dataset, LabError, fma, parquet_rows, table};

/// How a data set lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// A folder for each class, and audio files in it; others and hidden ones are passed over. A table beside the folders,
    /// as [`Layout::Table`] has it, may say in a column `pair` which files belong together.
    Folders,
    /// `genres_original/rock/rock.00000.wav`, or without the first folder, or with `genres` in its place.
    Gtzan,
    /// `fma_metadata/tracks.csv` beside `fma_small/000/000002.mp3`, or one of the larger sets, of which the largest is
    /// read. The class is the top genre; recordings without one are passed over. What no split may part are the
    /// recordings of one artist in one genre.
    Fma,
    /// Files with a table about them, as in SynTheory: `info.csv`, `info.jsonl`, `metadata.csv` or `metadata.jsonl`.
    Table {
        /// The columns of the table that hold the classes: of the first label and of further ones, at least one.
        classes: Vec<String>,
    },
    /// Parquet files, there or in a folder below, with a column `audio` of files in bytes, as music_genres on the Hugging
    /// Face hub.
    Parquet {
        /// The columns that hold the classes, at least one.
        classes: Vec<String>,
    },
}

impl Layout {
    /// Lists the data set in the folder `root`. Files are not opened yet.
    ///
    /// # Errors
    /// [`LabError::Read`], [`LabError::File`] for a damaged table; [`LabError::Request`] for fewer than two classes, or a
    /// folder that is laid out otherwise.
    pub fn list(&self, root: &Path) -> Result<Dataset, LabError> {
        let dataset = match self {
            Self::Folders => return folders(root),
            Self::Gtzan => gtzan(root)?,
            Self::Fma => fma::list(root)?,
            Self::Parquet { classes } => parquet_rows::list(root, classes)?,
            Self::Table { classes } => table::list(root, classes)?,
        };
        let further = dataset.more.iter().map(|label| (label.classes.len(), format!(" for {}", label.name)));
        let mut all = std::iter::once((dataset.classes.len(), String::new())).chain(further);
        if let Some((few, label)) = all.find(|(classes, _)| *classes < 2) {
            return Err(LabError::request(format!(
                "{} holds recordings of {few} classes in this layout{label}; two or more are needed",
                root.display(),
            )));
        }
        Ok(dataset)
    }
}

fn folders(root: &Path) -> Result<Dataset, LabError> {
    let folders = folders_of(root)?;
    if folders.len() < 2 {
        return Err(LabError::request(format!(
            "{} holds {} folders; make one for each of two classes or more and put their audio there",
            root.display(),
            folders.len()
        )));
    }
    let mut found = Vec::new();
    for folder in folders {
        let files = recordings(&folder)?;
        if files.is_empty() {
            return Err(LabError::request(format!(
                "{} holds no audio file; put the class's audio there",
                folder.display()
            )));
        }
        found.extend(files.into_iter().map(|path| (name(&folder), path, None)));
    }
    Ok(Dataset::new(found).grouped(&table::pairs(root)?))
}

/// The audio files of a folder, sorted.
///
/// # Errors
/// [`LabError::Read`].
pub(super) fn recordings(folder: &Path) -> Result<Vec<PathBuf>, LabError> {
    Ok(entries(folder)?.into_iter().filter(|path| path.is_file() && is_audio(path)).collect())
}

fn gtzan(root: &Path) -> Result<Dataset, LabError> {
    let genres = ["genres_original", "genres"].map(|name| root.join(name));
    let root = genres.iter().find(|folder| folder.is_dir()).map_or(root, PathBuf::as_path);
    let mut found = Vec::new();
    for folder in folders_of(root)? {
        let genre = name(&folder);
        // genre.00000.wav
        let is_track = |path: &PathBuf| {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let number = stem.strip_prefix(&genre).and_then(|rest| rest.strip_prefix('.'));
            is_audio(path) && number.is_some_and(|number| number.parse::<u32>().is_ok())
        };
        let files = entries(&folder)?.into_iter().filter(is_track);
        found.extend(files.map(|path| (genre.clone(), path, None)));
    }
    Ok(Dataset::new(found))
}

fn folders_of(root: &Path) -> Result<Vec<PathBuf>, LabError> {
    Ok(entries(root)?.into_iter().filter(|path| path.is_dir()).collect())
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}

/// What is in a folder, sorted, without hidden entries.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, LabError> {
    let read = |source| LabError::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(root: &Path, files: &[&str]) {
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
    }

    fn listed(root: &Path, dataset: &Dataset) -> Vec<(usize, String)> {
        let inside = |path: &Path| path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        dataset.recordings.iter().map(|found| (found.class, inside(&found.path))).collect()
    }

    #[test]
    fn folders_hold_audio_of_every_format_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        touch(
            root,
            &["pop/a.MP3", "pop/b.flac", "pop/notes.txt", "rock/.hidden.wav", "rock/c.m4a", "read.me"],
        );
        let dataset = Layout::Folders.list(root).unwrap();
        assert_eq!(dataset.classes, ["pop", "rock"]);
        let expected = [(0, "pop/a.MP3"), (0, "pop/b.flac"), (1, "rock/c.m4a")];
        assert_eq!(listed(root, &dataset), expected.map(|(class, path)| (class, path.to_owned())));
        assert!(dataset.recordings.iter().all(|recording| recording.track.is_none()));
    }

    #[test]
    fn a_table_beside_the_folders_says_which_files_belong_together() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        touch(root, &["calm/0.wav", "busy/0.wav", "busy/1.wav"]);
        let groups = || -> Vec<Option<i64>> {
            let dataset = Layout::Folders.list(root).unwrap();
            dataset.recordings.iter().map(|recording| recording.group).collect()
        };
        fs::write(root.join("info.csv"), "file,bpm\nbusy/0.wav,9\n").unwrap();
        assert_eq!(groups(), [None; 3]);
        fs::write(root.join("info.csv"), "file,pair\nbusy/0.wav,0\nbusy/1.wav,\ncalm/0.wav,0\n").unwrap();
        let [busy, alone, calm] = groups().try_into().unwrap();
        assert!(busy.is_some() && busy == calm && alone.is_none());
        fs::write(root.join("info.csv"), "bpm,pair\n9,0\n").unwrap();
        let error = Layout::Folders.list(root).unwrap_err().to_string();
        assert!(error.contains("row 1 names no file"), "{error}");
    }

    #[test]
    fn gtzan_is_found_as_published_and_bare() {
        for above in ["genres_original/", "genres/", ""] {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path();
            let files = ["blues/blues.00000.wav", "blues/blues.00001.wav", "rock/rock.00000.wav"];
            touch(root, &files.map(|file| format!("{above}{file}")).each_ref().map(String::as_str));
            touch(root, &["images_original/blues/blues00000.png", "features_30_sec.csv"]);
            touch(root, &[&format!("{above}rock/mix of mine.wav")]);
            let dataset = Layout::Gtzan.list(root).unwrap();
            assert_eq!(dataset.classes, ["blues", "rock"]);
            let expected = [(0, files[0]), (0, files[1]), (1, files[2])];
            assert_eq!(
                listed(root, &dataset),
                expected.map(|(class, file)| (class, format!("{above}{file}")))
            );
        }
        let empty = tempfile::tempdir().unwrap();
        let error = Layout::Gtzan.list(empty.path()).unwrap_err().to_string();
        assert!(error.contains("0 classes in this layout"), "{error}");
    }
}
