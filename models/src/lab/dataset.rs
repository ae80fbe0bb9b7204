//! What there is to learn from: files, the class of each, and the track that it belongs to.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Recordings in classes, as one of the [layouts](super::Layout) lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Names of the classes, sorted: the label is the place in the list.
    pub classes: Vec<String>,
    /// The files, by class and path.
    pub recordings: Vec<Recording>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recording {
    /// Its class, an index into the classes.
    pub class: usize,
    /// Where it is.
    pub path: PathBuf,
    /// What no split may part, as a number: recordings of one artist have the same. Without one a recording is a track of
    /// its own, known by a hash of the file's contents, so that it keeps it wherever it lies.
    pub track: Option<i64>,
}

impl Dataset {
    /// Sorts what a layout found: class, file and track.
    pub(super) fn new(found: impl IntoIterator<Item = (String, PathBuf, Option<i64>)>) -> Self {
        let mut by_class: BTreeMap<String, Vec<(PathBuf, Option<i64>)>> = BTreeMap::new();
        for (class, path, track) in found {
            by_class.entry(class).or_default().push((path, track));
        }
        let mut dataset = Self { classes: Vec::new(), recordings: Vec::new() };
        for (class, (name, files)) in by_class.into_iter().enumerate() {
            dataset.classes.push(name);
            dataset.recordings.extend(files.into_iter().map(|(path, track)| Recording {
                class,
                path,
                track,
            }));
        }
        dataset.recordings.sort();
        dataset
    }
}
