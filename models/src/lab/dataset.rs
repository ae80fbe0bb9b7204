//! What there is to learn from: files, the class of each, and the track that it belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Serialize;

use super::LabError;
use super::audio::number;
use super::random::Random;

/// Recordings in classes, as one of the [layouts](super::Layout) lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Names of the classes, sorted: the label is the place in the list.
    pub classes: Vec<String>,
    /// The files, by class and path.
    pub recordings: Vec<Recording>,
    /// Name of the label that the classes are of; empty where there is only one.
    pub label: String,
    /// Further labels, each with classes of its own.
    pub more: Vec<DatasetLabel>,
}

/// One way in which the recordings are sorted into classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetLabel {
    /// Its name; empty where there is only one.
    pub name: String,
    /// Names of its classes, sorted.
    pub classes: Vec<String>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Recording {
    /// Its class, an index into the classes.
    pub class: usize,
    /// Where it is.
    pub path: PathBuf,
    /// Which row of a Parquet file it is, from 0, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<usize>,
    /// What no split may part, as a number: recordings of one artist have the same. Without one a recording is a track of
    /// its own, known by a hash of the file's contents, so that it keeps it wherever it lies.
    pub track: Option<i64>,
    /// What no split may part though it is of several classes, as a number: the two renders of one piece have the same.
    /// Where a data set names such groups, a recording without one is a group of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<i64>,
    /// Its class for each further label.
    pub more: Vec<usize>,
}

/// What a layout found of a recording.
pub struct Found {
    /// The class for each label.
    pub classes: Vec<String>,
    /// The file.
    pub path: PathBuf,
    /// The row of a Parquet file.
    pub row: Option<usize>,
    /// What no split may part.
    pub track: Option<i64>,
    /// What no split may part though it is of several classes.
    pub group: Option<i64>,
}

impl Dataset {
    /// Sorts what a layout found: class, file and track.
    pub(super) fn new(found: impl IntoIterator<Item = (String, PathBuf, Option<i64>)>) -> Self {
        let found = found.into_iter().map(|(class, path, track)| Found {
            classes: vec![class],
            path,
            row: None,
            track,
            group: None,
        });
        Self::with_labels(&[], found.collect())
    }

    /// Sorts what a layout found for labels of these names.
    pub(super) fn with_labels(names: &[String], found: Vec<Found>) -> Self {
        let classes_of = |label: usize| -> Vec<String> {
            let classes: BTreeSet<&String> = found.iter().map(|found| &found.classes[label]).collect();
            classes.into_iter().cloned().collect()
        };
        let classes = classes_of(0);
        let further = |(label, name): (usize, &String)| DatasetLabel {
            name: name.clone(),
            classes: classes_of(label + 1),
        };
        let more: Vec<DatasetLabel> = names.iter().skip(1).enumerate().map(further).collect();
        let number = |classes: &[String], class: &String| classes.partition_point(|other| other < class);
        let mut recordings: Vec<Recording> = found
            .iter()
            .map(|found| Recording {
                class: number(&classes, &found.classes[0]),
                path: found.path.clone(),
                row: found.row,
                track: found.track,
                group: found.group,
                more: more
                    .iter()
                    .zip(&found.classes[1..])
                    .map(|(label, name)| number(&label.classes, name))
                    .collect(),
            })
            .collect();
        recordings.sort();
        Self { classes, recordings, label: names.first().cloned().unwrap_or_default(), more }
    }

    /// All labels, the first one first.
    #[must_use]
    pub fn labels(&self) -> Vec<DatasetLabel> {
        let first = DatasetLabel { name: self.label.clone(), classes: self.classes.clone() };
        std::iter::once(first).chain(self.more.iter().cloned()).collect()
    }

    /// Whether recordings of several classes belong together.
    #[must_use]
    pub fn is_grouped(&self) -> bool {
        self.recordings.iter().any(|recording| recording.group.is_some())
    }

    /// Puts recordings into groups by their files.
    pub(super) fn grouped(mut self, groups: &BTreeMap<PathBuf, i64>) -> Self {
        for recording in &mut self.recordings {
            recording.group = groups.get(&recording.path).copied();
        }
        self
    }

    /// Keeps as many recordings of each class, drawn without replacement. What is drawn depends on the seed and the
    /// names alone, and a class's draw on no other class.
    ///
    /// # Errors
    /// [`LabError::Request`] for a class that has fewer.
    pub fn balanced(mut self, per_class: NonZeroUsize, seed: u64) -> Result<Self, LabError> {
        let mut kept = BTreeSet::new();
        for (class, name) in self.classes.iter().enumerate() {
            let mut files: Vec<Recording> =
                self.recordings.iter().filter(|recording| recording.class == class).cloned().collect();
            if files.len() < per_class.get() {
                return Err(LabError::request(format!(
                    "the class {name} has {} recordings and {per_class} are to be drawn from each; ask for at most {}",
                    files.len(),
                    files.len()
                )));
            }
            Random::new(seed, &format!("draw {:x}", number(name)), 0).shuffle(&mut files);
            kept.extend(files.into_iter().take(per_class.get()));
        }
        self.recordings.retain(|recording| kept.contains(recording));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(classes: &[(&str, usize)]) -> Dataset {
        let of_class = |&(class, count): &(&str, usize)| {
            let name = class.to_owned();
            (0..count).map(move |file| (name.clone(), PathBuf::from(format!("{file:03}.wav")), None))
        };
        Dataset::new(classes.iter().flat_map(of_class))
    }

    fn drawn(dataset: &Dataset, class: &str) -> Vec<PathBuf> {
        let class = dataset.classes.iter().position(|name| name == class).unwrap();
        let of_class = dataset.recordings.iter().filter(|recording| recording.class == class);
        of_class.map(|recording| recording.path.clone()).collect()
    }

    #[test]
    fn a_draw_is_balanced_seeded_and_of_each_class_alone() {
        let twenty = NonZeroUsize::new(20).unwrap();
        let draw = |classes: &[(&str, usize)], seed| dataset(classes).balanced(twenty, seed).unwrap();
        let first = draw(&[("pop", 100), ("rock", 30)], 1);
        for class in ["pop", "rock"] {
            let mut files = drawn(&first, class);
            files.dedup();
            assert_eq!(files.len(), 20);
        }
        assert_eq!(first, draw(&[("pop", 100), ("rock", 30)], 1));
        assert_ne!(drawn(&first, "pop"), drawn(&draw(&[("pop", 100), ("rock", 30)], 2), "pop"));
        // Not the first ones, and the same beside another class.
        assert_ne!(drawn(&first, "pop"), drawn(&dataset(&[("pop", 20)]), "pop"));
        assert_eq!(drawn(&first, "pop"), drawn(&draw(&[("folk", 20), ("pop", 100)], 1), "pop"));
        assert_eq!(drawn(&draw(&[("pop", 20), ("rock", 20)], 3), "rock").len(), 20);

        let error = dataset(&[("pop", 100), ("rock", 19)]).balanced(twenty, 1).unwrap_err().to_string();
        assert!(error.contains("the class rock has 19 recordings"), "{error}");
    }
}
