//! Activation files: what the decoder's layers held while it read examples of some classes.
//!
//! Safetensors with `residual.{L}` and `attention.{L}` (f32, `[N, D]`, layers L from 0, any of them) or
//! `attention.{L}.head.{H}` (f32, `[N, D/H]`), `label` (i64, `[N]`,
//! the class from 0; [`labels`](super::labels) has what else is understood) and `track` (i64, `[N]`, the recording a row was cut from). Metadata: `classes`, a JSON list of
//! names (other spellings are understood too), and optionally `model`, hash of the weights. `group` (i64, `[N]`) is optional:
//! tracks of one group stay together in every split, also those of different classes. Several files are read as one, rows
//! after rows; numbers of tracks and groups mean the same in all of them.
//!
//! Files are untrusted: shapes, labels and tracks are checked when they are opened, and every value when it is read.
//! They are memory-mapped and read in chunks, so that their length does not matter.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use ndarray::ArrayView2;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::activation_file::ActivationFile;
use super::labels::Label;
use super::{LabError, Place, Pooling, Samples};
use crate::bundle::hexadecimal;

/// Bytes of a chunk of rows in memory, and how many rows it has at most.
const CHUNK: usize = 8 << 20;
const CHUNK_ROWS: usize = 1_024;

/// How audio was read, as the metadata `reading` say it.
#[derive(Deserialize)]
pub struct Read {
    /// What the decoder attended to; empty for nothing.
    #[serde(default)]
    pub prompt: String,
    /// Which positions became rows.
    pub pooling: Pooling,
    /// n of every n-th position.
    pub every: NonZeroUsize,
}

/// Activation files, opened and checked.
#[derive(Debug)]
pub struct Activations {
    files: Arc<[ActivationFile]>,
    /// The rows that take part, counted over all files, ascending; `None` for all.
    kept: Option<Vec<usize>>,
    places: Vec<Place>,
    /// For each of them.
    widths: Vec<usize>,
    label: String,
    samples: Samples,
    model: Option<String>,
}

impl Activations {
    /// Opens the files, with their only label or the first of several.
    ///
    /// # Errors
    /// [`LabError::Read`]; [`LabError::File`] with what is wrong in it or does not fit the file before;
    /// [`LabError::Request`] if rows may be of several classes at once, so that one must be chosen.
    pub fn open(paths: &[PathBuf]) -> Result<Self, LabError> {
        Self::open_by(paths, None)
    }

    /// Opens the files with the label called `name`.
    ///
    /// # Errors
    /// As [`Activations::open`], and [`LabError::Request`] if there is no such label.
    pub fn open_label(paths: &[PathBuf], name: &str) -> Result<Self, LabError> {
        Self::open_by(paths, Some(name))
    }

    /// The labels of the files that are to be asked about unless one is named: none by name where the first label has a
    /// class for each row, or each of several that a row may have at once.
    ///
    /// # Errors
    /// As [`Activations::open`].
    pub fn labels(paths: &[PathBuf]) -> Result<Vec<Option<String>>, LabError> {
        let [first, ..] = paths else { return Err(LabError::request("name a file of activations")) };
        let file = ActivationFile::open(first, 0)?;
        let columns = file.labels()?.into_iter().filter(Label::is_one_of_columns);
        let columns: Vec<_> = columns.map(|label| Some(label.name)).collect();
        Ok(if columns.is_empty() { vec![None] } else { columns })
    }

    fn open_by(paths: &[PathBuf], name: Option<&str>) -> Result<Self, LabError> {
        let [first, others @ ..] = paths else {
            return Err(LabError::request("name a file of activations"));
        };
        let mut numbers = Vec::new();
        let (mut tracks, mut groups) = (Vec::new(), Vec::new());
        let mut files = vec![ActivationFile::open(first, 0)?];
        let label = files[0].read_rows(name, &mut numbers, &mut tracks, &mut groups)?;
        let places = files[0].places().map_err(|reason| files[0].wrong(reason))?;
        let model = files[0].metadata("model");
        for path in others {
            let mut file = ActivationFile::open(path, numbers.len())?;
            let found = file.read_rows(name, &mut numbers, &mut tracks, &mut groups)?;
            if file.places().map_err(|reason| file.wrong(reason))? != places {
                return Err(
                    file.wrong(format!("it has other layers or another width than {}", first.display()))
                );
            }
            if found.classes != label.classes {
                return Err(file.wrong(format!("it names other classes than {}", first.display())));
            }
            if groups.len() != if groups.is_empty() { 0 } else { numbers.len() } {
                return Err(file.wrong(format!(
                    "one of {} and it says which tracks belong together, and the other does not",
                    first.display()
                )));
            }
            if file.metadata("model") != model {
                return Err(file.wrong(format!("it is of another model than {}", first.display())));
            }
            files.push(file);
        }
        let samples = Samples::new(label.classes, &numbers, &tracks);
        let samples = samples.and_then(|samples| samples.grouped(&groups)).map_err(|reason| {
            let files: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            LabError::File { file: files.join(", "), reason }
        })?;
        let widths = places.values().copied().collect();
        Ok(Self {
            files: files.into(),
            kept: None,
            places: places.into_keys().collect(),
            widths,
            label: label.name,
            samples,
            model,
        })
    }

    /// The same with the rows of some tracks alone; `tracks` are indices into those of the
    /// [samples](Self::samples).
    ///
    /// # Errors
    /// [`LabError::Request`] if they are of fewer than two classes.
    pub fn of_tracks(&self, tracks: &BTreeSet<usize>) -> Result<Self, LabError> {
        let rows: Vec<usize> =
            (0..self.samples.rows()).filter(|&row| tracks.contains(&self.samples.track_of(row))).collect();
        let of = |row: &usize| &self.samples.tracks()[self.samples.track_of(*row)];
        let labels: Vec<i64> =
            rows.iter().map(|row| i64::try_from(of(row).class).unwrap_or(i64::MAX)).collect();
        let ids: Vec<i64> = rows.iter().map(|row| of(row).id).collect();
        let groups: Vec<i64> = rows.iter().map(|row| of(row).group).collect();
        let names = self.samples.classes().to_vec();
        let samples = Samples::new(Some(names), &labels, &ids);
        let samples = samples.and_then(|samples| samples.grouped(&groups)).map_err(|reason| {
            LabError::request(format!("some of the tracks cannot be used alone: {reason}"))
        })?;
        Ok(Self {
            files: Arc::clone(&self.files),
            kept: Some(rows.iter().map(|&row| self.row(row)).collect()),
            places: self.places.clone(),
            widths: self.widths.clone(),
            label: self.label.clone(),
            samples,
            model: self.model.clone(),
        })
    }

    /// The row of the files that a row is.
    fn row(&self, row: usize) -> usize {
        self.kept.as_ref().map_or(row, |kept| kept[row])
    }

    /// How the audio was read, if the files say so.
    pub(super) fn reading(&self) -> Option<Read> {
        serde_json::from_str(&self.files[0].metadata("reading")?).ok()
    }

    /// The places that the files have activations of, in order, at least one.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The width of the activations at a place: D at a site, that of a head where it is one's; 0 where there are none.
    #[must_use]
    pub fn width_at(&self, place: Place) -> usize {
        self.places.binary_search(&place).map_or(0, |index| self.widths[index])
    }

    /// The width at the sites of the layers, D; of heads if there are no others.
    #[must_use]
    pub fn width(&self) -> usize {
        self.places
            .iter()
            .zip(&self.widths)
            .find(|(place, _)| place.head.is_none())
            .map_or(self.widths[0], |(_, &width)| width)
    }

    /// The name of the label that sorts the rows into classes; empty if it has none.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Classes and tracks of the rows.
    #[must_use]
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// Hash of the weights that the activations are of, if the files say so.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Which positions of a segment the rows are of, in words, if the files say so.
    #[must_use]
    pub fn positions(&self) -> Option<String> {
        let Read { pooling, every, .. } = self.reading()?;
        Some(match pooling {
            Pooling::Last => "the last position".to_owned(),
            Pooling::Mean => format!("the mean over every {every}th position"),
            Pooling::Each => format!("every {every}th position"),
        })
    }

    /// Hash of the files' headers, labels and tracks, and of which rows take part if not all do: equal for two runs on
    /// the same data, wherever they lie.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        for file in &*self.files {
            file.identity().into_iter().for_each(|bytes| hasher.update(bytes));
        }
        for &row in self.kept.iter().flatten() {
            hasher.update((row as u64).to_le_bytes());
        }
        hexadecimal(&hasher.finalize())
    }

    /// Calls `each` with chunks of `rows`, which ascend: the rows' numbers, and their activations at `place`, one a row.
    ///
    /// # Errors
    /// [`LabError::File`] for a value that is not finite; whatever `each` returns.
    pub fn read(
        &self,
        place: Place,
        rows: &[usize],
        mut each: impl FnMut(&[usize], ArrayView2<'_, f64>) -> Result<(), LabError>,
    ) -> Result<(), LabError> {
        let (tensor, width) = (place.tensor(), self.width_at(place).max(1));
        let mut values = Vec::new();
        for chunk in rows.chunks((CHUNK / (8 * width)).clamp(1, CHUNK_ROWS)) {
            values.clear();
            let rows: Vec<usize> = chunk.iter().map(|&row| self.row(row)).collect();
            for file in &*self.files {
                let first = rows.partition_point(|&row| row < file.rows.start);
                let end = rows.partition_point(|&row| row < file.rows.end);
                file.append(&tensor, width, &rows[first..end], &mut values)?;
            }
            let matrix = ArrayView2::from_shape((chunk.len(), width), &values)
                .map_err(|_| LabError::request(format!("{place} has no such rows")))?;
            each(chunk, matrix)?;
        }
        Ok(())
    }
}
