//! The tensors of a checkpoint: one safetensors file, or several with an index.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::{Dtype, Metadata, SafeTensors};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::ImportError;
use crate::bundle::hexadecimal;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Opened weight files of a checkpoint. Tensors are read and converted one at a time, so that memory stays bounded by the
/// largest of them, and not by what the system keeps of a file that is mapped.
pub struct Checkpoint {
    shards: Vec<Shard>,
    /// Which shard holds a tensor.
    home: HashMap<String, usize>,
}

struct Shard {
    path: PathBuf,
    file: File,
    /// Where the tensors' bytes begin.
    start: usize,
    metadata: Metadata,
}

impl Checkpoint {
    /// Opens the weight files in `folder`.
    pub fn open(folder: &Path) -> Result<Self, ImportError> {
        let mut checkpoint = Self { shards: Vec::new(), home: HashMap::new() };
        for path in weight_files(folder)? {
            let shard = Shard::open(&path)?;
            for name in shard.metadata.tensors().keys() {
                checkpoint.home.insert(name.clone(), checkpoint.shards.len());
            }
            checkpoint.shards.push(shard);
        }
        Ok(checkpoint)
    }

    /// SHA-256 over the weight files in the order of their names, hexadecimal.
    pub fn sha256(&self) -> Result<String, ImportError> {
        let mut hasher = Sha256::new();
        let mut block = vec![0; 1 << 20];
        for shard in &self.shards {
            let mut file = &shard.file;
            file.rewind().map_err(ImportError::reading(&shard.path))?;
            loop {
                match file.read(&mut block).map_err(ImportError::reading(&shard.path))? {
                    0 => break,
                    count => hasher.update(&block[..count]),
                }
            }
        }
        Ok(hexadecimal(&hasher.finalize()))
    }

    /// Weights whose name begins with `prefix`, whatever their number format.
    pub fn count(&self, prefix: &str) -> u64 {
        let of = |shard: &Shard| -> u64 {
            let tensors = shard.metadata.tensors();
            let counted = tensors.iter().filter(|(name, _)| name.starts_with(prefix));
            counted.map(|(_, info)| info.shape.iter().product::<usize>() as u64).sum()
        };
        self.shards.iter().map(of).sum()
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.home.contains_key(name)
    }

    /// A tensor as `f32` in row-major order. Its shape must be `expected` and every value finite.
    pub fn tensor(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, ImportError> {
        let found = self
            .home
            .get(name)
            .and_then(|&shard| Some((&self.shards[shard], self.shards[shard].metadata.info(name)?)));
        let Some((shard, info)) = found else {
            return Err(ImportError::MissingTensor { name: name.into(), expected: expected.into() });
        };
        if info.shape != expected {
            let found = info.shape.clone();
            return Err(ImportError::TensorShape { name: name.into(), expected: expected.into(), found });
        }
        let (first, last) = info.data_offsets;
        let values: Vec<f32> = match info.dtype {
            Dtype::F32 => shard.read(first..last, f32::from_le_bytes)?,
            Dtype::F16 => shard.read(first..last, |bytes| f16::from_le_bytes(bytes).to_f32())?,
            Dtype::BF16 => shard.read(first..last, |bytes| bf16::from_le_bytes(bytes).to_f32())?,
            other => return Err(ImportError::TensorType { name: name.into(), found: format!("{other:?}") }),
        };
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(ImportError::NotFinite { name: name.into(), value: values[index], index }),
            None => Ok(values),
        }
    }

    /// The weight `{prefix}.weight` of a convolution under weight normalisation, in either of PyTorch's namings, or
    /// with the norm already folded in. `expected` is its shape; the norm runs over all dimensions but the first.
    pub fn weight_normed(&self, prefix: &str, expected: &[usize]) -> Result<Vec<f32>, ImportError> {
        let plain = format!("{prefix}.weight");
        if self.has(&plain) {
            return self.tensor(&plain, expected);
        }
        let older = (format!("{prefix}.weight_g"), format!("{prefix}.weight_v"));
        let (scale, direction) = if self.has(&older.0) || self.has(&older.1) {
            older
        } else {
            let newer = format!("{prefix}.parametrizations.weight");
            (format!("{newer}.original0"), format!("{newer}.original1"))
        };
        let rows = expected.first().copied().unwrap_or(1).max(1);
        let mut scale_shape = vec![1; expected.len()];
        scale_shape[..1].copy_from_slice(&[rows]);
        let scale = self.tensor(&scale, &scale_shape)?;
        let mut weight = self.tensor(&direction, expected)?;
        let row_length = weight.len() / rows;
        for (row, scale) in weight.chunks_exact_mut(row_length).zip(scale) {
            let norm = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            if norm == 0.0 {
                let what =
                    format!("{direction:?} has a row of zeros, which weight normalisation cannot scale");
                return Err(ImportError::Unsupported(what));
            }
            let factor = f64::from(scale) / norm;
            row.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
        }
        Ok(weight)
    }
}

impl Shard {
    fn open(path: &Path) -> Result<Self, ImportError> {
        let file = File::open(path).map_err(ImportError::reading(path))?;
        // SAFETY: the map is read-only and gone when the header is read. Should another process cut the file short in
        // that moment, reading beyond its end raises SIGBUS; nobody edits a checkpoint in place while importing it.
        let bytes = unsafe { Mmap::map(&file) }.map_err(ImportError::reading(path))?;
        let (header, metadata) = SafeTensors::read_metadata(&bytes)
            .map_err(|source| ImportError::Weights { path: path.to_owned(), source })?;
        // The header is preceded by its length in eight bytes.
        Ok(Self { path: path.to_owned(), file, start: header + 8, metadata })
    }

    /// Numbers of `WIDTH` bytes each, from a range of the tensors' bytes. That it lies inside the file,
    /// `SafeTensors::read_metadata` has checked.
    fn read<const WIDTH: usize>(
        &self,
        range: Range<usize>,
        convert: impl Fn([u8; WIDTH]) -> f32,
    ) -> Result<Vec<f32>, ImportError> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start((self.start + range.start) as u64))
            .map_err(ImportError::reading(&self.path))?;
        let mut values = Vec::with_capacity(range.len() / WIDTH);
        // Of any width: a multiple of each number's.
        let mut block = vec![0; 1 << 20];
        let mut left = range.len();
        while left > 0 {
            let part = left.min(block.len());
            file.read_exact(&mut block[..part]).map_err(ImportError::reading(&self.path))?;
            let (numbers, _) = block[..part].as_chunks::<WIDTH>();
            values.extend(numbers.iter().map(|number| convert(*number)));
            left -= part;
        }
        Ok(values)
    }
}

/// The weight files in `folder`, sorted by name.
fn weight_files(folder: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let index = folder.join(INDEX);
    if index.is_file() {
        return shards(folder, &index);
    }
    let single = folder.join(SINGLE);
    if single.is_file() {
        return Ok(vec![single]);
    }
    let pickled =
        ["pytorch_model.bin", "pytorch_model.bin.index.json", "state_dict.bin", "compression_state_dict.bin"];
    if pickled.iter().any(|name| folder.join(name).is_file()) {
        return Err(ImportError::PickleOnly(folder.to_owned()));
    }
    Err(ImportError::MissingFile { folder: folder.to_owned(), file: SINGLE })
}

fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>, ImportError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let text = fs::read(index).map_err(ImportError::reading(index))?;
    let Index { weight_map } = serde_json::from_slice(&text)
        .map_err(|source| ImportError::Json { path: index.to_owned(), source })?;
    let wrong = |what| ImportError::Index { path: index.to_owned(), what };
    let mut names: Vec<_> = weight_map.into_values().collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Err(wrong("it lists no files".into()));
    }
    for name in &names {
        if name.contains(['/', '\\']) || !name.ends_with(".safetensors") {
            return Err(wrong(format!("it lists {name:?}, which is no safetensors file beside it")));
        }
        if !folder.join(name).is_file() {
            return Err(wrong(format!("it lists {name}, which is missing")));
        }
    }
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}
