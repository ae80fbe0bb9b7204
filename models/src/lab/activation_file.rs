//! One activation file: what it says of itself, and its rows.
//!
//! It is untrusted: shapes, labels and tracks are checked when it is opened, and every value when it is read. It is
//! memory-mapped and read in chunks, so that its length does not matter.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
#[cfg(unix)]
use memmap2::UncheckedAdvice;
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};

use super::labels::{Label, MORE, labels};
use super::{LabError, Place};
use crate::steering::Site;

/// An activation file, mapped.
#[derive(Debug)]
pub struct ActivationFile {
    path: PathBuf,
    bytes: Mmap,
    /// Where the tensors' bytes begin.
    start: usize,
    header: Metadata,
    /// The rows it holds, counted over all files.
    pub rows: Range<usize>,
}

impl ActivationFile {
    /// Opens a file whose rows are counted from `first_row`; [`read_rows`](Self::read_rows) counts them.
    pub fn open(path: &Path, first_row: usize) -> Result<Self, LabError> {
        let read = |source| LabError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        // SAFETY: the map is read-only and private to this run. Should another process cut the file short meanwhile,
        // reading beyond its end raises SIGBUS; activation files are put in place whole and not edited.
        let bytes = unsafe { Mmap::map(&file) }.map_err(read)?;
        let (header_length, header) = SafeTensors::read_metadata(&bytes).map_err(|error| LabError::File {
            file: path.display().to_string(),
            reason: format!("it is no safetensors file ({error})"),
        })?;
        // The header is preceded by its length in eight bytes.
        Ok(Self {
            path: path.to_owned(),
            bytes,
            start: header_length + 8,
            header,
            rows: first_row..first_row,
        })
    }

    /// Appends the numbers of the label called `name`, or of the first, the tracks, and what these belong to, if that is
    /// there. Returns the label.
    pub fn read_rows(
        &mut self,
        name: Option<&str>,
        numbers: &mut Vec<i64>,
        tracks: &mut Vec<i64>,
        groups: &mut Vec<i64>,
    ) -> Result<Label, LabError> {
        let all = self.labels()?;
        let names = || all.iter().map(|label| label.name.as_str()).collect::<Vec<_>>().join(", ");
        let label = match name {
            Some(name) => all.iter().find(|label| label.name == name).ok_or_else(|| {
                LabError::request(format!("there is no label called {name:?}; there are: {}", names()))
            })?,
            None if all[0].is_one_of_columns() => {
                return Err(LabError::request(format!(
                    "a row may be of several classes here; choose the label to ask about: {}",
                    names()
                )));
            }
            None => &all[0],
        };
        let (tensor, first, step) = label.numbers(&self.header);
        let values = self.integers(tensor);
        let before = numbers.len();
        numbers.extend(values.into_iter().skip(first).step_by(step));
        let (rows, shape) =
            (numbers.len() - before, self.header.info("track").map(|info| (info.dtype, &info.shape)));
        match shape {
            Some((Dtype::I64, shape)) if shape.len() == 1 => tracks.extend(self.integers("track")),
            Some((dtype, shape)) => {
                return Err(self.wrong(format!(
                    "the tensor \"track\" is {dtype:?} of shape {shape:?} and should be I64 with one axis"
                )));
            }
            None => {
                return Err(
                    self.wrong("the tensor \"track\" is missing; it is i64, with one number for each row")
                );
            }
        }
        let found = tracks.len() - before;
        if rows != found {
            return Err(
                self.wrong(format!("it has {rows} labels and {found} tracks; both are one for each row"))
            );
        }
        match self.header.info("group").map(|info| (info.dtype, info.shape.as_slice())) {
            None => {}
            Some((Dtype::I64, &[length])) if length == rows => groups.extend(self.integers("group")),
            Some((dtype, shape)) => {
                return Err(self.wrong(format!(
                    "the tensor \"group\" is {dtype:?} of shape {shape:?} and should be I64 with one number for each of \
                     the {rows} rows"
                )));
            }
        }
        self.rows.end += rows;
        Ok(label.clone())
    }

    pub fn wrong(&self, reason: impl Into<String>) -> LabError {
        LabError::File { file: self.path.display().to_string(), reason: reason.into() }
    }

    pub fn metadata(&self, key: &str) -> Option<String> {
        self.header.metadata().as_ref()?.get(key).cloned()
    }

    /// The labels of its rows; or what is wrong.
    pub fn labels(&self) -> Result<Vec<Label>, LabError> {
        labels(&self.header).map_err(|reason| self.wrong(reason))
    }

    /// What decides a split and a fingerprint: the header, labels, tracks and groups.
    pub fn identity(&self) -> Vec<&[u8]> {
        let mut more: Vec<String> =
            self.header.tensors().into_keys().filter(|name| name.starts_with(MORE)).collect();
        more.sort();
        let mut parts =
            vec![&self.bytes[..self.start], self.data("label"), self.data("track"), self.data("group")];
        parts.extend(more.iter().map(|name| self.data(name)));
        parts
    }

    /// The bytes of a tensor that is there.
    fn data(&self, name: &str) -> &[u8] {
        // Inside the file: `SafeTensors::read_metadata` has checked the offsets.
        self.header.info(name).map_or(&[], |info| {
            let (first, end) = info.data_offsets;
            &self.bytes[self.start + first..self.start + end]
        })
    }

    /// The values of an i64 tensor.
    fn integers(&self, name: &str) -> Vec<i64> {
        let (found, _) = self.data(name).as_chunks();
        found.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
    }

    /// The places with activations and the width of each, which is one for the sites and one for the heads; or what is
    /// wrong.
    pub fn places(&self) -> Result<BTreeMap<Place, usize>, String> {
        let rows = self.rows.len();
        let mut places: BTreeMap<Place, usize> = BTreeMap::new();
        for (name, info) in self.header.tensors() {
            if !Site::ALL.iter().any(|site| name.split('.').next() == Some(site.name())) {
                continue;
            }
            let place = Place::of_tensor(&name).filter(|place| place.tensor() == name).ok_or_else(|| {
                format!(
                    "the tensor {name:?} names no layer; tensors are called residual.0, attention.0, \
                     attention.0.head.0 and so on"
                )
            })?;
            let found = format!("{:?} of shape {:?}", info.dtype, info.shape);
            match info.shape.as_slice() {
                &[length, width] if info.dtype == Dtype::F32 && length == rows && width > 0 => {
                    let mut alike =
                        places.iter().filter(|(other, _)| other.head.is_some() == place.head.is_some());
                    if alike.any(|(_, &other)| other != width) {
                        return Err(format!("the tensor {name:?} is {width} wide, and another one is not"));
                    }
                    places.insert(place, width);
                }
                _ => {
                    return Err(format!(
                        "the tensor {name:?} is {found} and should be F32 with {rows} rows, as many as labels"
                    ));
                }
            }
        }
        match places.is_empty() {
            true => {
                Err("it holds no activations: no tensor is called residual.LAYER or attention.LAYER"
                    .to_owned())
            }
            false => Ok(places),
        }
    }

    /// Appends the values of some of its rows, counted over all files.
    pub fn append(
        &self,
        tensor: &str,
        width: usize,
        rows: &[usize],
        values: &mut Vec<f64>,
    ) -> Result<(), LabError> {
        let data = self.data(tensor);
        for &row in rows {
            let from = (row - self.rows.start) * width * 4;
            let (numbers, _) = data[from..from + width * 4].as_chunks();
            let before = values.len();
            values.extend(numbers.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))));
            if let Some(wrong) = values[before..].iter().find(|value| !value.is_finite()) {
                let row = row - self.rows.start;
                return Err(self.wrong(format!("row {row} of {tensor:?} holds {wrong}; extract it again")));
            }
        }
        if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
            let row = |row: &usize| (row - self.rows.start) * width * 4;
            let start = data.as_ptr().addr() - self.bytes.as_ptr().addr();
            self.release(start + row(first), row(last) - row(first) + width * 4);
        }
        Ok(())
    }

    /// Gives the memory of a part of the map back at once: else the process grows with the file until the system wants
    /// the memory for something else. Where it cannot be given back, that is what happens.
    #[cfg(unix)]
    fn release(&self, offset: usize, length: usize) {
        // SAFETY: the map is of a file and read-only, so that what is dropped is read from the file again when needed.
        let _ = unsafe { self.bytes.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, length) };
    }

    /// Windows takes the pages of a mapped file back by itself.
    #[cfg(not(unix))]
    fn release(&self, _offset: usize, _length: usize) {}
}
