//! Sufficient statistics of a share of the rows, in files: what machines that each read a part of the data hand over, so
//! that together they know of it what one that read all would.
//!
//! Every share knows the labels and tracks of all rows, which are small, so that it splits them into the same folds; the
//! activations it reads are those of its own rows. The statistics of the shares add up to those of the whole: difference in
//! means, squared error and principal components take no other first reading. Files have the format
//! `tiller-statistics/1`: safetensors in 64 bits with, for each place and F folds, `PLACE/sums` `[F, 4]` (weight, norm, y,
//! y squared), `PLACE/x`, `PLACE/squares` and `PLACE/xy` `[F, D]`, and where Gram matrices are there, `PLACE/xx`
//! `[F, D, D]`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use ndarray::{Array1, Array2, Axis};
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::moments::Moments;
use super::{LabError, Place, Shard, Study};
use crate::tensor_file;

/// The `format` of a file.
const FORMAT: &str = "tiller-statistics/1";

/// What the statistics are of: equal in all shares, and in the study that learns from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    labels: [String; 2],
    folds: usize,
    seed: u64,
    fingerprint: String,
    places: Vec<String>,
    width: usize,
}

impl Run {
    fn of(study: &Study<'_>) -> Self {
        let activations = study.activations();
        Self {
            labels: study.contrast.names().clone(),
            folds: study.folds(),
            seed: study.settings.seed,
            fingerprint: activations.fingerprint(),
            places: study.places(Shard::WHOLE).iter().map(|place| place.tensor()).collect(),
            width: activations.width(),
        }
    }
}

/// The rows of a share: a stretch of them, so that each reads its own part of the files.
fn rows(all: usize, shard: Shard) -> Range<usize> {
    let bound = |index: usize| (all as u128 * index as u128 / shard.count() as u128) as usize;
    bound(shard.index() - 1)..bound(shard.index())
}

/// Writes the statistics of a share of a study's rows, with Gram matrices if its method needs them. `progress` is called
/// after each place.
///
/// # Errors
/// [`LabError::Request`] for a method without sufficient statistics; a value that is not finite; [`LabError::Write`].
pub fn write_statistics(
    study: &Study<'_>,
    shard: Shard,
    out: &mut impl Write,
    mut progress: impl FnMut(),
) -> Result<(), LabError> {
    check_method(study)?;
    let (run, gram) = (Run::of(study), study.settings.method.needs_gram());
    let metadata: BTreeMap<String, String> =
        [("format", FORMAT.to_owned()), ("run", json!(run).to_string()), ("shard", json!(shard).to_string())]
            .map(|(key, value)| (key.to_owned(), value))
            .into();
    let shapes: Vec<(&str, Vec<usize>)> = parts(run.folds, run.width, gram);
    let tensors: Vec<(String, Dtype, Vec<usize>)> = run
        .places
        .iter()
        .flat_map(|place| {
            shapes.iter().map(move |(part, shape)| (format!("{place}/{part}"), Dtype::F64, shape.clone()))
        })
        .collect();
    let mut write = |bytes: &[u8]| {
        let written = |source| LabError::Write { path: "the file of statistics".into(), source };
        out.write_all(bytes).map_err(written)
    };
    write(&tensor_file::header(&metadata, &tensors))?;
    let rows = rows(study.activations().samples().rows(), shard);
    for place in study.places(Shard::WHOLE) {
        let folds = study.read_moments(place, gram, rows.clone())?;
        for (part, _) in &shapes {
            for moments in &folds {
                let bytes: Vec<u8> = match *part {
                    "sums" => [moments.weight, moments.norm, moments.y[0], moments.yy[0]]
                        .iter()
                        .flat_map(|value| value.to_le_bytes())
                        .collect(),
                    "x" => moments.x.iter().flat_map(|value| value.to_le_bytes()).collect(),
                    "squares" => moments.squares.iter().flat_map(|value| value.to_le_bytes()).collect(),
                    "xy" => moments.xy.iter().flat_map(|value| value.to_le_bytes()).collect(),
                    _ => moments.xx.iter().flat_map(|value| value.to_le_bytes()).collect(),
                };
                write(&bytes)?;
            }
        }
        progress();
    }
    Ok(())
}

fn check_method(study: &Study<'_>) -> Result<(), LabError> {
    match study.settings.method.has_statistics() {
        true => Ok(()),
        false => Err(LabError::request(
            "the logistic loss of bce has no sufficient statistics; use dim, mse or pca, or shards of places",
        )),
    }
}

/// The tensors of a place and their shapes.
fn parts(folds: usize, width: usize, gram: bool) -> Vec<(&'static str, Vec<usize>)> {
    let vectors = vec![folds, width];
    let mut parts =
        vec![("sums", vec![folds, 4]), ("x", vectors.clone()), ("squares", vectors.clone()), ("xy", vectors)];
    if gram {
        parts.push(("xx", vec![folds, width, width]));
    }
    parts
}

/// The files of all shares of a study's rows.
#[derive(Debug)]
pub struct RowStatistics {
    /// In the order of the shares.
    files: Vec<OneFile>,
    run: Run,
    gram: bool,
}

#[derive(Debug)]
struct OneFile {
    path: PathBuf,
    bytes: Mmap,
    start: usize,
    header: Metadata,
    shard: Shard,
}

impl RowStatistics {
    /// Opens the files of all shares and checks that they are of `study`.
    ///
    /// # Errors
    /// [`LabError::Read`]; [`LabError::File`] for what is no such file or of something else; [`LabError::Request`] for a
    /// method without sufficient statistics, or if a share is missing or there twice.
    pub fn open(paths: &[PathBuf], study: &Study<'_>) -> Result<Self, LabError> {
        check_method(study)?;
        let (run, gram) = (Run::of(study), study.settings.method.needs_gram());
        let mut files =
            paths.iter().map(|path| OneFile::open(path, &run, gram)).collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(|file| file.shard);
        let count = files.first().map_or(1, |file| file.shard.count());
        for index in 1..=count {
            let found =
                files.iter().filter(|file| file.shard.index() == index && file.shard.count() == count);
            match found.count() {
                1 => {}
                0 => {
                    return Err(LabError::request(format!(
                        "the statistics are not all there: those of the share {index}/{count} are missing"
                    )));
                }
                _ => {
                    return Err(LabError::request(format!(
                        "the statistics of the share {index}/{count} are there twice; name each file once"
                    )));
                }
            }
        }
        if files.len() != count {
            return Err(LabError::request("the statistics are of different shares; name those of one run"));
        }
        Ok(Self { files, run, gram })
    }

    /// The moments of every fold at a place, of all shares together.
    ///
    /// # Errors
    /// [`LabError::File`] for a value that is not finite.
    pub(super) fn moments(&self, place: Place) -> Result<Vec<Moments>, LabError> {
        let Run { folds, width, .. } = self.run;
        let mut sums: Option<Vec<Moments>> = None;
        for file in &self.files {
            let found = (0..folds)
                .map(|fold| file.moments(&place.tensor(), fold, width, self.gram))
                .collect::<Result<Vec<_>, _>>()?;
            match &mut sums {
                None => sums = Some(found),
                Some(sums) => sums.iter_mut().zip(&found).for_each(|(sum, found)| sum.merge(found)),
            }
        }
        sums.ok_or_else(|| LabError::request("name the files of statistics"))
    }
}

impl OneFile {
    fn open(path: &Path, run: &Run, gram: bool) -> Result<Self, LabError> {
        let read = |source| LabError::Read { path: path.to_owned(), source };
        let wrong =
            |reason: &str| LabError::File { file: path.display().to_string(), reason: reason.to_owned() };
        let file = File::open(path).map_err(read)?;
        // SAFETY: the map is read-only and private to this run. Should another process cut the file short meanwhile,
        // reading beyond its end raises SIGBUS; files of statistics are put in place whole and not edited.
        let bytes = unsafe { Mmap::map(&file) }.map_err(read)?;
        let (header_length, header) = SafeTensors::read_metadata(&bytes)
            .map_err(|error| wrong(&format!("it is no safetensors file ({error})")))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        if metadata.get("format").map(String::as_str) != Some(FORMAT) {
            return Err(wrong("it holds no statistics of rows, as tiller lab statistics writes them"));
        }
        let found: Option<Run> = metadata.get("run").and_then(|text| serde_json::from_str(text).ok());
        let shard: Option<Shard> = metadata.get("shard").and_then(|text| serde_json::from_str(text).ok());
        let (Some(found), Some(shard)) = (found, shard) else {
            return Err(wrong("its metadata are damaged; make it again"));
        };
        if found != *run {
            return Err(wrong(
                "it was made of other data, classes, folds or seed than are asked for; make it again with the same",
            ));
        }
        for place in &run.places {
            for (part, shape) in parts(run.folds, run.width, gram) {
                let info = header.info(&format!("{place}/{part}"));
                match info {
                    Some(info) if info.dtype == Dtype::F64 && info.shape == shape => {}
                    None if part == "xx" => {
                        return Err(wrong(
                            "it has no Gram matrices, which mse and pca take; make it with --method mse or pca",
                        ));
                    }
                    _ => {
                        return Err(wrong(&format!(
                            "its tensor {place}/{part} is missing or of another shape"
                        )));
                    }
                }
            }
        }
        Ok(Self { path: path.to_owned(), start: header_length + 8, bytes, header, shard })
    }

    fn moments(&self, place: &str, fold: usize, width: usize, gram: bool) -> Result<Moments, LabError> {
        let sums = self.values(place, "sums", fold, 4)?;
        let vector = |part| self.values(place, part, fold, width).map(Array1::from_vec);
        let matrix = |values: Vec<f64>, side: usize| {
            Array2::from_shape_vec((side, side), values).expect("as many as were asked for")
        };
        let xx = if gram { self.values(place, "xx", fold, width * width)? } else { Vec::new() };
        Ok(Moments {
            weight: sums[0],
            norm: sums[1],
            x: vector("x")?,
            squares: vector("squares")?,
            y: Array1::from_elem(1, sums[2]),
            yy: Array1::from_elem(1, sums[3]),
            xy: vector("xy")?.insert_axis(Axis(1)),
            xx: matrix(xx, if gram { width } else { 0 }),
        })
    }

    /// The values of one fold in a tensor that is there.
    fn values(&self, place: &str, part: &str, fold: usize, length: usize) -> Result<Vec<f64>, LabError> {
        // Inside the file: `SafeTensors::read_metadata` has checked the offsets, `open` the shapes.
        let (first, _) =
            self.header.info(&format!("{place}/{part}")).map_or((0, 0), |info| info.data_offsets);
        let from = self.start + first + fold * length * 8;
        let (numbers, _) = self.bytes[from..from + length * 8].as_chunks();
        let values: Vec<f64> = numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(LabError::File {
                file: self.path.display().to_string(),
                reason: format!("{place}/{part} holds what is no finite number; make it again"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_stretches_that_hold_every_row_once() {
        for (all, count) in [(10, 3), (2, 5), (0, 2), (1_000_003, 7)] {
            let of = |index: usize| rows(all, format!("{index}/{count}").parse().unwrap());
            assert_eq!((of(1).start, of(count).end), (0, all));
            assert!((1..count).all(|index| of(index).end == of(index + 1).start));
        }
    }
}
