//! What an evaluation was asked for, kept with its clips, so that its tables can be made again from the folder alone.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Experiment;
use crate::bundle::Precision;
use crate::lab::{LabError, whole};
use crate::musicgen::Engine;
use crate::steering::Vector;

/// The `format` that this build writes and reads.
const FORMAT: &str = "tiller-evaluation/1";

/// Far more than a record has.
const LARGEST_FILE: u64 = 1 << 20;

/// What an evaluation was asked for, beside its vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    format: String,
    /// SHA-256 of the vector's file.
    vector: String,
    /// Id of the bundle.
    pub bundle: String,
    /// Its name, for people.
    pub bundle_name: String,
    /// Number format of the decoder's weights.
    pub precision: Precision,
    /// Where the judge is.
    pub judge: PathBuf,
    /// The sentence that a CLAP reads of each label.
    pub template: String,
    /// What was compared.
    pub experiment: Experiment,
}

impl Record {
    /// Of an evaluation of `vector` on `engine`, heard by the judge at `judge`.
    #[must_use]
    pub fn new(
        vector: &Vector,
        engine: &Engine,
        judge: PathBuf,
        template: String,
        experiment: Experiment,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            vector: vector.hash().to_owned(),
            bundle: engine.bundle().id().to_owned(),
            bundle_name: engine.bundle().manifest().name.clone(),
            precision: engine.precision(),
            judge,
            template,
            experiment,
        }
    }

    /// Writes `experiment.json` and `vector.safetensors`, the bytes of the vector's file, into `folder`.
    ///
    /// # Errors
    /// [`LabError::Write`].
    pub fn write(&self, vector: &[u8], folder: &Path) -> Result<(), LabError> {
        fs::create_dir_all(folder).map_err(|source| LabError::Write { path: folder.to_owned(), source })?;
        whole::write(&folder.join("vector.safetensors"), vector)?;
        // A record is made of strings, numbers, lists and structs, which serde_json cannot fail on.
        whole::write(&folder.join("experiment.json"), &serde_json::to_vec_pretty(self).unwrap_or_default())
    }

    /// Reads what is kept in `folder`, and its vector.
    ///
    /// # Errors
    /// [`LabError::Request`] if there is none, as in folders of earlier versions; [`LabError::File`] for a damaged one or
    /// a vector that is not the one that was evaluated; [`LabError::Read`].
    pub fn read(folder: &Path) -> Result<(Self, Vector), LabError> {
        let path = folder.join("experiment.json");
        let off = |path: &Path, reason: String| LabError::File { file: path.display().to_string(), reason };
        let failed = |source| LabError::Read { path: path.clone(), source };
        let size = match fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(LabError::request(format!(
                    "{} has no experiment.json, which this Tiller leaves beside the clips; give the arguments of the \
                     evaluation again with --out, and it goes on with the clips that are there",
                    folder.display()
                )));
            }
            found => found.map_err(failed)?.len(),
        };
        if size > LARGEST_FILE {
            return Err(off(&path, format!("it is {size} bytes long, and the limit is {LARGEST_FILE}")));
        }
        let text = fs::read_to_string(&path).map_err(failed)?;
        let record: Self =
            serde_json::from_str(&text).map_err(|error| off(&path, format!("it is no record ({error})")))?;
        if record.format != FORMAT {
            let reason = format!("its format is {:?}, and this Tiller reads {FORMAT:?}", record.format);
            return Err(off(&path, reason));
        }
        let path = folder.join("vector.safetensors");
        let vector = Vector::open(&path).map_err(|error| LabError::request(error.to_string()))?;
        if vector.hash() != record.vector {
            return Err(off(&path, "it is not the vector that was evaluated".to_owned()));
        }
        Ok((record, vector))
    }
}
