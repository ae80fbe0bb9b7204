//! Activation files: what the decoder's layers held while it read examples of some classes.
//!
//! Safetensors with `residual.{L}` and `attention.{L}` (f32, `[N, D]`, layers L from 0, any of them), `label` (i64, `[N]`,
//! the class from 0) and `track` (i64, `[N]`, the recording a row was cut from). Metadata: `classes`, a JSON list of
//! names (other spellings are understood too), and optionally `model`, hash of the weights. Several files are read as
//! one, rows after rows; a track number means the same track in all of them.
//!
//! Files are untrusted: shapes, labels and tracks are checked when they are opened, and every value when it is read.
//! They are memory-mapped and read in chunks, so that their length does not matter.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
#[cfg(unix)]
use memmap2::UncheckedAdvice;
use ndarray::ArrayView2;
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::metadata::class_names;
use super::{LabError, Samples};
use crate::bundle::hexadecimal;
use crate::steering::Site;

/// More layers than any decoder has.
const MOST_LAYERS: usize = 1_024;

/// Bytes of a chunk of rows in memory, and how many rows it has at most.
const CHUNK: usize = 8 << 20;
const CHUNK_ROWS: usize = 1_024;

/// A site of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Which of the layer's sites.
    pub site: Site,
    /// The layer, from 0.
    pub layer: usize,
}

impl Place {
    /// The place that a tensor is named after.
    pub(super) fn of_tensor(name: &str) -> Option<Self> {
        let (site, layer) = name.split_once('.')?;
        let site = Site::ALL.into_iter().find(|known| known.name() == site)?;
        let layer = layer.parse().ok().filter(|&layer| layer < MOST_LAYERS)?;
        Some(Self { site, layer })
    }

    /// The name of its tensor.
    pub(super) fn tensor(self) -> String {
        format!("{}.{}", self.site, self.layer)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let site = match self.site {
            Site::Residual => "residual stream",
            Site::Attention => "attention output",
        };
        write!(f, "the {site} of layer {}", self.layer)
    }
}

/// Activation files, opened and checked.
#[derive(Debug)]
pub struct Activations {
    files: Vec<OneFile>,
    places: Vec<Place>,
    width: usize,
    samples: Samples,
    model: Option<String>,
}

#[derive(Debug)]
struct OneFile {
    path: PathBuf,
    bytes: Mmap,
    /// Where the tensors' bytes begin.
    start: usize,
    header: Metadata,
    /// The rows it holds, counted over all files.
    rows: Range<usize>,
}

impl Activations {
    /// Opens the files.
    ///
    /// # Errors
    /// [`LabError::Read`]; [`LabError::File`] with what is wrong in it or does not fit the file before.
    pub fn open(paths: &[PathBuf]) -> Result<Self, LabError> {
        let [first, others @ ..] = paths else {
            return Err(LabError::request("name a file of activations"));
        };
        let mut labels = Vec::new();
        let mut tracks = Vec::new();
        let mut files = vec![OneFile::open(first, 0, &mut labels, &mut tracks)?];
        let (places, width) = files[0].places().map_err(|reason| files[0].wrong(reason))?;
        let names = files[0].class_names()?;
        let model = files[0].metadata("model");
        for path in others {
            let file = OneFile::open(path, labels.len(), &mut labels, &mut tracks)?;
            if file.places().map_err(|reason| file.wrong(reason))? != (places.clone(), width) {
                return Err(
                    file.wrong(format!("it has other layers or another width than {}", first.display()))
                );
            }
            if file.class_names()? != names {
                return Err(file.wrong(format!("it names other classes than {}", first.display())));
            }
            if file.metadata("model") != model {
                return Err(file.wrong(format!("it is of another model than {}", first.display())));
            }
            files.push(file);
        }
        let samples = Samples::new(names, &labels, &tracks).map_err(|reason| {
            let files: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            LabError::File { file: files.join(", "), reason }
        })?;
        Ok(Self { files, places, width, samples, model })
    }

    /// The places that the files have activations of, in order, at least one.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The width of every activation, D.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
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

    /// Hash of the files' headers, labels and tracks: equal for two runs on the same data, wherever they lie.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        for file in &self.files {
            hasher.update(&file.bytes[..file.start]);
            for name in ["label", "track"] {
                hasher.update(file.data(name));
            }
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
        let tensor = place.tensor();
        let mut values = Vec::new();
        for chunk in rows.chunks((CHUNK / (8 * self.width)).clamp(1, CHUNK_ROWS)) {
            values.clear();
            for file in &self.files {
                let first = chunk.partition_point(|&row| row < file.rows.start);
                let end = chunk.partition_point(|&row| row < file.rows.end);
                file.append(&tensor, self.width, &chunk[first..end], &mut values)?;
            }
            let matrix = ArrayView2::from_shape((chunk.len(), self.width), &values)
                .map_err(|_| LabError::request(format!("{place} has no such rows")))?;
            each(chunk, matrix)?;
        }
        Ok(())
    }
}

impl OneFile {
    /// Opens a file whose rows are counted from `first_row`, and appends its labels and tracks.
    fn open(
        path: &Path,
        first_row: usize,
        labels: &mut Vec<i64>,
        tracks: &mut Vec<i64>,
    ) -> Result<Self, LabError> {
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
        let mut file = Self {
            path: path.to_owned(),
            bytes,
            start: header_length + 8,
            header,
            rows: first_row..first_row,
        };
        let rows = file.integers("label", labels)?;
        let found = file.integers("track", tracks)?;
        if rows != found {
            return Err(
                file.wrong(format!("it has {rows} labels and {found} tracks; both are one for each row"))
            );
        }
        file.rows.end += rows;
        Ok(file)
    }

    fn wrong(&self, reason: impl Into<String>) -> LabError {
        LabError::File { file: self.path.display().to_string(), reason: reason.into() }
    }

    fn metadata(&self, key: &str) -> Option<String> {
        self.header.metadata().as_ref()?.get(key).cloned()
    }

    fn class_names(&self) -> Result<Option<Vec<String>>, LabError> {
        let metadata = self.header.metadata().as_ref();
        metadata.map_or(Ok(None), class_names).map_err(|reason| self.wrong(reason))
    }

    /// The bytes of a tensor that is there.
    fn data(&self, name: &str) -> &[u8] {
        // Inside the file: `SafeTensors::read_metadata` has checked the offsets.
        self.header.info(name).map_or(&[], |info| {
            let (first, end) = info.data_offsets;
            &self.bytes[self.start + first..self.start + end]
        })
    }

    /// Appends the values of an i64 tensor with one axis; returns how many they are.
    fn integers(&self, name: &str, values: &mut Vec<i64>) -> Result<usize, LabError> {
        let info = self.header.info(name).ok_or_else(|| {
            self.wrong(format!("the tensor {name:?} is missing; it is i64, with one number for each row"))
        })?;
        if info.dtype != Dtype::I64 || info.shape.len() != 1 {
            let found = format!("{:?} of shape {:?}", info.dtype, info.shape);
            return Err(self.wrong(format!("the tensor {name:?} is {found} and should be I64 with one axis")));
        }
        let (found, _) = self.data(name).as_chunks();
        values.extend(found.iter().map(|bytes| i64::from_le_bytes(*bytes)));
        Ok(found.len())
    }

    /// The places with activations, and their width; or what is wrong.
    fn places(&self) -> Result<(Vec<Place>, usize), String> {
        let rows = self.rows.len();
        let mut width = None;
        let mut places = BTreeSet::new();
        for (name, info) in self.header.tensors() {
            if !Site::ALL.iter().any(|site| name.split('.').next() == Some(site.name())) {
                continue;
            }
            let place = Place::of_tensor(&name).filter(|place| place.tensor() == name).ok_or_else(|| {
                format!(
                    "the tensor {name:?} names no layer; tensors are called residual.0, attention.0 and so on"
                )
            })?;
            let found = format!("{:?} of shape {:?}", info.dtype, info.shape);
            match info.shape.as_slice() {
                &[length, found] if info.dtype == Dtype::F32 && length == rows && found > 0 => {
                    if *width.get_or_insert(found) != found {
                        return Err(format!("the tensor {name:?} is {found} wide, and another one is not"));
                    }
                }
                _ => {
                    return Err(format!(
                        "the tensor {name:?} is {found} and should be F32 with {rows} rows, as many as labels"
                    ));
                }
            }
            places.insert(place);
        }
        let width =
            width.ok_or("it holds no activations: no tensor is called residual.LAYER or attention.LAYER")?;
        Ok((places.into_iter().collect(), width))
    }

    /// Appends the values of some of its rows, counted over all files.
    fn append(
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
