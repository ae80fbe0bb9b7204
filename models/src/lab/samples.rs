//! What each row of an activation file is an example of, and which track it was cut from.

use std::collections::BTreeMap;

use super::LabError;

/// Without names a class is known by its number, and numbers beyond this are taken for a mistake.
const MOST_CLASSES: usize = 65_536;

/// The class and the track of every row. There are two classes with rows or more, and each track is of one class.
#[derive(Debug, Clone)]
pub struct Samples {
    classes: Vec<String>,
    tracks: Vec<Track>,
    /// For each row, the index of its track.
    track: Vec<u32>,
}

/// One recording, of which rows are segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Track {
    /// Its number in the file.
    pub id: i64,
    /// Its class.
    pub class: usize,
    /// Number of what it belongs to: no split parts tracks of one group, which may be of several classes. Its own number,
    /// unless the file says otherwise.
    pub group: i64,
    /// How many rows are cut from it.
    pub rows: usize,
}

impl Samples {
    /// Checks labels and tracks, one of each for a row. Without `names` classes are called by their numbers.
    ///
    /// # Errors
    /// What is wrong, as the rest of the sentence "FILE cannot be used: ...".
    pub fn new(names: Option<Vec<String>>, labels: &[i64], tracks: &[i64]) -> Result<Self, String> {
        let limit = names.as_ref().map_or(MOST_CLASSES, Vec::len);
        let mut found: BTreeMap<i64, Track> = BTreeMap::new();
        let mut highest = 0;
        for (row, (&label, &id)) in labels.iter().zip(tracks).enumerate() {
            let class = usize::try_from(label).ok().filter(|&class| class < limit).ok_or_else(|| {
                format!("the label of row {row} is {label}, and labels here go from 0 to {}", limit - 1)
            })?;
            highest = highest.max(class);
            let track = found.entry(id).or_insert(Track { id, class, group: id, rows: 0 });
            if track.class != class {
                return Err(format!(
                    "track {id} has rows of class {} and of class {class}; a track can be of one class only, else \
                     held-out rows could be recognised by their track",
                    track.class
                ));
            }
            track.rows += 1;
        }
        let classes = names.unwrap_or_else(|| (0..=highest).map(|class| class.to_string()).collect());
        let numbers: BTreeMap<i64, u32> = found.keys().copied().zip(0..).collect();
        let samples = Self {
            classes,
            track: tracks.iter().map(|id| numbers[id]).collect(),
            tracks: found.into_values().collect(),
        };
        match samples.present().as_slice() {
            [] => Err("it has no rows".to_owned()),
            &[only] => Err(format!(
                "all its rows are of the class {}; a direction needs examples of another class too",
                samples.classes[only]
            )),
            _ => Ok(samples),
        }
    }

    /// The same with tracks that belong together: `groups` has a number for each row, or none at all.
    ///
    /// # Errors
    /// What is wrong, as the rest of the sentence "FILE cannot be used: ...".
    pub fn grouped(mut self, groups: &[i64]) -> Result<Self, String> {
        let mut is_known = vec![false; self.tracks.len()];
        for (&track, &group) in self.track.iter().zip(groups) {
            let found = &mut self.tracks[track as usize];
            if std::mem::replace(&mut is_known[track as usize], true) && found.group != group {
                return Err(format!(
                    "track {} has rows of group {} and of group {group}; a track can be of one group only, else held-out \
                     rows could be recognised by their track",
                    found.id, found.group
                ));
            }
            found.group = group;
        }
        Ok(self)
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.track.len()
    }

    /// Names of the classes, by label.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The classes that have rows, at least two.
    #[must_use]
    pub fn present(&self) -> Vec<usize> {
        let mut present: Vec<usize> = self.tracks.iter().map(|track| track.class).collect();
        present.sort_unstable();
        present.dedup();
        present
    }

    /// All tracks, ascending by id.
    #[must_use]
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Index in [`tracks`](Self::tracks) of the track of `row`.
    #[must_use]
    pub fn track_of(&self, row: usize) -> usize {
        self.track[row] as usize
    }

    /// The class of `row`.
    #[must_use]
    pub fn class_of(&self, row: usize) -> usize {
        self.tracks[self.track_of(row)].class
    }

    /// Number of rows of `class`.
    #[must_use]
    pub fn rows_of(&self, class: usize) -> usize {
        self.tracks.iter().filter(|track| track.class == class).map(|track| track.rows).sum()
    }

    /// Indices of the tracks of `class`, ascending.
    #[must_use]
    pub fn tracks_of(&self, class: usize) -> Vec<usize> {
        (0..self.tracks.len()).filter(|&track| self.tracks[track].class == class).collect()
    }

    /// The class called `name` that has rows.
    ///
    /// # Errors
    /// [`LabError::Request`] with the names there are.
    pub fn class_named(&self, name: &str) -> Result<usize, LabError> {
        let present = self.present();
        present.iter().copied().find(|&class| self.classes[class] == name).ok_or_else(|| {
            let names: Vec<&str> = present.iter().map(|&class| self.classes[class].as_str()).collect();
            LabError::request(format!(
                "there are no examples of a class called {name:?}; the classes here are {}",
                names.join(", ")
            ))
        })
    }

    /// How far scores on few tracks can be trusted: a sentence for each of `classes` with fewer than ten of them.
    #[must_use]
    pub fn doubts(&self, classes: &[usize]) -> Vec<String> {
        let few = classes.iter().map(|&class| (class, self.tracks_of(class).len()));
        few.filter(|&(_, tracks)| tracks < 10)
            .map(|(class, tracks)| {
                // Clopper and Pearson's lower bound when all of n independent examples come out right.
                let bound = 0.025_f64.powf(1.0 / tracks as f64);
                format!(
                    "the class {} has only {tracks} tracks: were they all told right, its true accuracy might still \
                     be {bound:.2} (95 % confidence); use ten tracks or more",
                    self.classes[class]
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(names: Option<&[&str]>, labels: &[i64], tracks: &[i64]) -> String {
        let names = names.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        Samples::new(names, labels, tracks).unwrap_err()
    }

    #[test]
    fn rows_know_their_class_and_track() {
        let samples = Samples::new(None, &[2, 0, 2, 2], &[7, -1, 7, 9]).unwrap();
        assert_eq!(samples.classes(), ["0", "1", "2"]);
        assert_eq!(samples.present(), [0, 2]);
        assert_eq!([0, 1, 2, 3].map(|row| samples.class_of(row)), [2, 0, 2, 2]);
        assert_eq!([0, 1, 2, 3].map(|row| samples.tracks()[samples.track_of(row)].id), [7, -1, 7, 9]);
        assert_eq!((samples.rows_of(2), samples.tracks_of(2).len()), (3, 2));
        assert!(samples.class_named("1").unwrap_err().to_string().contains("0, 2"));
    }

    #[test]
    fn labels_and_tracks_that_cannot_be_are_named() {
        assert!(reason(None, &[], &[]).contains("no rows"));
        assert!(reason(None, &[1, 1], &[0, 1]).contains("class 1;"));
        assert!(reason(None, &[0, -1], &[0, 1]).contains("row 1 is -1"));
        assert!(reason(Some(&["rock", "pop"]), &[0, 2], &[0, 1]).contains("from 0 to 1"));
        assert!(reason(None, &[0, 1], &[5, 5]).contains("track 5 has rows of class 0 and of class 1"));
    }

    #[test]
    fn tracks_of_several_classes_may_belong_together_and_a_track_to_one_group() {
        let samples = || Samples::new(None, &[0, 0, 1, 1], &[1, 1, 2, 3]).unwrap();
        let groups = |samples: Samples| samples.tracks().iter().map(|track| track.group).collect::<Vec<_>>();
        assert_eq!(groups(samples().grouped(&[]).unwrap()), [1, 2, 3]);
        assert_eq!(groups(samples().grouped(&[7, 7, 7, 3]).unwrap()), [7, 7, 3]);
        let error = samples().grouped(&[7, 8, 7, 3]).unwrap_err();
        assert!(error.contains("track 1 has rows of group 7 and of group 8"), "{error}");
    }

    #[test]
    fn few_tracks_are_a_doubt_with_a_number() {
        let samples = Samples::new(None, &[0, 0, 0, 1], &[1, 2, 3, 4]).unwrap();
        let doubts = samples.doubts(&[0]);
        assert!(doubts[0].contains("only 3 tracks") && doubts[0].contains("0.29"), "{doubts:?}");
        let many: Vec<i64> = (0..20).collect();
        let labels: Vec<i64> = many.iter().map(|id| id % 2).collect();
        assert!(Samples::new(None, &labels, &many).unwrap().doubts(&[0, 1]).is_empty());
    }
}
