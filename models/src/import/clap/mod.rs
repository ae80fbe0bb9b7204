//! Imports a CLAP checkpoint (the layout of laion/clap-htsat-unfused) as a judge, without Python.
//!
//! As with MusicGen, graphs are written node by node from the configuration, and tested against what transformers makes
//! of a small random checkpoint.

mod audio;
mod config;
mod layers;
mod swin;
mod text;
mod windows;

use std::fs;
use std::path::Path;

use super::checkpoint::Checkpoint;
use super::destination::Destination;
use super::{ImportError, folder_name, stated_licence};
use crate::bundle::TOKENIZER_FILE;
use crate::bundle::manifest::Source;
use crate::clap::{Clap, ClapError, KIND, MANIFEST_FILE, Manifest, SCHEMA};
use crate::runtime::Runtime;

/// Imports the CLAP checkpoint in folder `source` as a judge in folder `dest`, replacing a CLAP judge that is there.
///
/// The folder is written beside `dest` and takes its place when it is whole and has heard and read something; an import
/// that fails or is killed leaves `dest` as it was.
///
/// # Errors
/// [`ImportError`] names the file, setting or tensor that is missing, misshapen, not finite or not supported.
pub fn import_clap(source: &Path, dest: &Path) -> Result<Clap, ImportError> {
    // Needed last: to fail for it then would waste the import.
    Runtime::get()?;
    let (config, features) = config::read(source)?;
    let checkpoint = Checkpoint::open(source)?;
    let tokenizer = source.join(TOKENIZER_FILE);
    if !tokenizer.is_file() {
        return Err(ImportError::MissingFile { folder: source.to_owned(), file: TOKENIZER_FILE });
    }
    let destination = Destination::prepare(dest, is_judge)?;
    let folder = destination.folder();
    audio::write(folder, &checkpoint, &config, &features)?;
    text::write(folder, &checkpoint, &config)?;
    let inside = folder.join(TOKENIZER_FILE);
    fs::copy(&tokenizer, &inside).map_err(ImportError::writing(&inside))?;

    let logit_scale =
        checkpoint.tensor("logit_scale_a", &[])?.first().map_or(0.0, |scale| f64::from(*scale).exp());
    let manifest = Manifest {
        kind: KIND.to_owned(),
        schema: SCHEMA,
        licence: stated_licence(source).unwrap_or_else(|| "unknown".into()),
        source: Source { checkpoint: folder_name(source), sha256: checkpoint.sha256()? },
        width: config.projection_dim,
        tokens: config.text_config.positions(),
        logit_scale,
        features,
    };
    let path = folder.join(MANIFEST_FILE);
    let file = fs::File::create(&path).map_err(ImportError::writing(&path))?;
    serde_json::to_writer_pretty(file, &manifest)
        .map_err(|error| ImportError::Write { path, source: error.into() })?;
    drop(checkpoint);
    try_out(&Clap::open(folder)?, manifest.features.samples)?;
    Ok(Clap::open(&destination.commit()?)?)
}

/// Hears a ramp and reads a word: graphs that load but do not work, and weights that overflow, fail here.
fn try_out(clap: &Clap, samples: usize) -> Result<(), ClapError> {
    let ramp: Vec<f32> = (0..samples).map(|time| (time % 100) as f32 / 100.0 - 0.5).collect();
    clap.hear(&ramp)?;
    clap.read("music")?;
    Ok(())
}

/// Whether a folder is a CLAP judge, which another may replace.
fn is_judge(folder: &Path) -> bool {
    let kind = || {
        let manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join(MANIFEST_FILE)).ok()?).ok()?;
        Some(manifest.get("kind")?.as_str()? == KIND)
    };
    kind().unwrap_or(false)
}

impl From<ClapError> for ImportError {
    fn from(error: ClapError) -> Self {
        match error {
            ClapError::Runtime(error) => Self::Runtime(error),
            other => Self::Verification(other.to_string()),
        }
    }
}
