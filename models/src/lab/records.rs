//! Activations on their way to disk: a file of records that grows, and can go on after an interruption.
//!
//! Safetensors keeps each place's rows together, which cannot be appended to. So every segment of audio becomes a record
//! of fixed size (label, track, and its rows with all places side by side) at the end of the file; when all are there,
//! the tensors are read out of it. The file begins with what it is a record of; one that begins otherwise is refused, and
//! a record cut short at its end is dropped.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::Dtype;

use super::{LabError, Place};
use crate::tensor_file;

/// What a record holds.
#[derive(Debug, Clone)]
pub struct Layout {
    /// In the order of a row's values, each with its width.
    pub places: Vec<(Place, usize)>,
    /// Rows of a record.
    pub rows: usize,
    /// Names of the tensors of the labels, the first label's first.
    pub labels: Vec<String>,
    /// Whether tracks belong together: then what a track belongs to is a tensor, too.
    pub is_grouped: bool,
}

impl Layout {
    fn row_bytes(&self) -> usize {
        self.places.iter().map(|(_, width)| width * 4).sum()
    }

    /// Names of the tensors of whole numbers: the labels, the track, and what it belongs to.
    fn numbers(&self) -> Vec<String> {
        let group = self.is_grouped.then_some("group");
        self.labels.iter().cloned().chain(std::iter::once("track").chain(group).map(str::to_owned)).collect()
    }

    fn head(&self) -> usize {
        8 * self.numbers().len()
    }

    fn bytes(&self) -> usize {
        self.head() + self.rows * self.row_bytes()
    }
}

/// The file, open at its end.
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    file: File,
    layout: Layout,
    /// Where the records begin.
    start: usize,
    count: usize,
}

impl Records {
    /// Opens or makes the file of what `identity` says.
    ///
    /// # Errors
    /// [`LabError::Write`]; [`LabError::File`] for a file of something else.
    pub fn open(path: &Path, identity: &str, layout: Layout) -> Result<Self, LabError> {
        let written = |source| LabError::Write { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(written)?;
        let start = 8 + identity.len();
        let mut expected = (identity.len() as u64).to_le_bytes().to_vec();
        expected.extend_from_slice(identity.as_bytes());
        let mut found = Vec::with_capacity(start);
        (&mut file).take(start as u64).read_to_end(&mut found).map_err(written)?;
        if found != expected && !expected.starts_with(&found) {
            return Err(LabError::File {
                file: path.display().to_string(),
                reason: "it is what is left of another extraction, with other audio, options or model; finish that one \
                         or delete the file"
                    .to_owned(),
            });
        }
        let length = file.metadata().map_err(written)?.len() as usize;
        let count = length.saturating_sub(start) / layout.bytes();
        let end = (start + count * layout.bytes()) as u64;
        if found != expected {
            file.seek(SeekFrom::Start(0)).map_err(written)?;
            file.write_all(&expected).map_err(written)?;
        }
        file.set_len(end).map_err(written)?;
        file.seek(SeekFrom::Start(end)).map_err(written)?;
        Ok(Self { path: path.to_owned(), file, layout, start, count })
    }

    /// Records there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Appends a record: its class for each label, its track, what that belongs to where tracks do, and its rows, each with
    /// all places side by side.
    ///
    /// # Errors
    /// [`LabError::Write`].
    pub fn append(
        &mut self,
        classes: &[usize],
        track: i64,
        group: i64,
        values: &[f32],
    ) -> Result<(), LabError> {
        debug_assert_eq!(values.len() * 4 + self.layout.head(), self.layout.bytes());
        let mut bytes = Vec::with_capacity(self.layout.bytes());
        bytes.extend(classes.iter().flat_map(|&class| (class as u64).to_le_bytes()));
        bytes.extend_from_slice(&track.to_le_bytes());
        if self.layout.is_grouped {
            bytes.extend_from_slice(&group.to_le_bytes());
        }
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let written = |source| LabError::Write { path: self.path.clone(), source };
        self.file.write_all(&bytes).map_err(written)?;
        self.count += 1;
        Ok(())
    }

    /// Writes those of each record's rows that are in `range` as an activation file.
    ///
    /// # Errors
    /// [`LabError::Read`]; [`LabError::Write`] for what `out` refuses.
    pub fn write(
        &self,
        metadata: &BTreeMap<String, String>,
        range: Range<usize>,
        out: &mut impl Write,
    ) -> Result<(), LabError> {
        let places = &self.layout.places;
        let row_bytes = self.layout.row_bytes();
        let written = |source| LabError::Write { path: "the activation file".into(), source };
        // SAFETY: the map is read-only, and this run is the only one to write the file: it is made beside the result and
        // removed with it. Cut short by somebody else meanwhile, it raises SIGBUS.
        let bytes = unsafe { Mmap::map(&self.file) }
            .map_err(|source| LabError::Read { path: self.path.clone(), source })?;
        let records = || bytes[self.start..].chunks_exact(self.layout.bytes());
        let all = self.count * range.len();
        let numbers = self.layout.numbers();
        let mut tensors: Vec<_> = numbers.iter().map(|name| (name.clone(), Dtype::I64, vec![all])).collect();
        tensors.extend(places.iter().map(|(place, width)| (place.tensor(), Dtype::F32, vec![all, *width])));
        out.write_all(&tensor_file::header(metadata, &tensors)).map_err(written)?;
        for number in 0..numbers.len() {
            for record in records() {
                for _ in range.clone() {
                    out.write_all(&record[number * 8..][..8]).map_err(written)?;
                }
            }
        }
        let mut from = 0;
        for (_, width) in places {
            for record in records() {
                let rows = &record[self.layout.head()..][range.start * row_bytes..range.end * row_bytes];
                for row in rows.chunks_exact(row_bytes) {
                    out.write_all(&row[from..][..width * 4]).map_err(written)?;
                }
            }
            from += width * 4;
        }
        out.flush().map_err(written)
    }

    /// Removes the file.
    ///
    /// # Errors
    /// [`LabError::Write`].
    pub fn remove(self) -> Result<(), LabError> {
        std::fs::remove_file(&self.path).map_err(|source| LabError::Write { path: self.path, source })
    }
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;
    use crate::steering::Site;

    fn layout() -> Layout {
        Layout {
            places: vec![(Place::new(Site::Residual, 0), 2), (Place::new(Site::Attention, 2), 2)],
            rows: 2,
            labels: ["label", "label.root"].map(str::to_owned).to_vec(),
            is_grouped: true,
        }
    }

    fn record(records: &mut Records, number: u8) {
        let values: Vec<f32> = (0..8).map(|value| f32::from(number * 10 + value)).collect();
        let track = i64::from(number);
        records.append(&[usize::from(number % 2), 7], track, 40 + track, &values).unwrap();
    }

    fn written(records: &Records) -> Vec<u8> {
        written_rows(records, 0..2)
    }

    fn written_rows(records: &Records, rows: Range<usize>) -> Vec<u8> {
        let mut bytes = Vec::new();
        records.write(&BTreeMap::new(), rows, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn records_become_tensors_and_go_on_after_an_interruption() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("partial");
        let mut records = Records::open(&path, "this", layout()).unwrap();
        record(&mut records, 0);
        record(&mut records, 1);
        let whole = written(&records);
        let tensors = SafeTensors::deserialize(&whole).unwrap();
        let attention = [[2.0_f32, 3.0], [6.0, 7.0], [12.0, 13.0], [16.0, 17.0]].concat();
        let bytes: Vec<u8> = attention.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(tensors.tensor("attention.2").unwrap().data(), bytes);
        assert_eq!(tensors.tensor("track").unwrap().shape(), [4]);
        assert_eq!(tensors.tensor("label.root").unwrap().data(), [7_i64; 4].map(i64::to_le_bytes).concat());
        let groups = [40_i64, 40, 41, 41].map(i64::to_le_bytes).concat();
        assert_eq!(tensors.tensor("group").unwrap().data(), groups);
        let second = written_rows(&records, 1..2);
        let second = SafeTensors::deserialize(&second).unwrap();
        assert_eq!(second.tensor("attention.2").unwrap().data(), [&bytes[8..16], &bytes[24..32]].concat());
        assert_eq!(second.tensor("track").unwrap().shape(), [2]);

        // Cut inside the second record, and once more inside the beginning.
        for (cut, left) in [(5, 1), (200, 0)] {
            let length = std::fs::metadata(&path).unwrap().len();
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(length.saturating_sub(cut).max(3)).unwrap();
            let mut records = Records::open(&path, "this", layout()).unwrap();
            assert_eq!(records.count(), left);
            (left..2).for_each(|number| record(&mut records, u8::try_from(number).unwrap()));
            assert_eq!(written(&records), whole);
        }
        let error = Records::open(&path, "that", layout()).unwrap_err().to_string();
        assert!(error.contains("another extraction"), "{error}");
        Records::open(&path, "this", layout()).unwrap().remove().unwrap();
        assert!(!path.exists());
    }
}
