//! Where the things under test are.

use crate::PluginFile;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tiller_models::steering::Vector;

/// The packaged CLAP: `target/bundled/Tiller.clap`, which `cargo xtask bundle` writes.
pub fn clap_path() -> Result<PathBuf> {
    let path = target()?.join("bundled/Tiller.clap");
    ensure!(path.exists(), "{} is not there: run `cargo xtask bundle` first", path.display());
    Ok(path)
}

/// The packaged CLAP, loaded.
pub fn plugin() -> Result<PluginFile> {
    PluginFile::load(&clap_path()?)
}

/// The folder cargo builds into, which this program is in.
pub fn target() -> Result<PathBuf> {
    // A test is in <target>/<profile>/deps/, a program in <target>/<profile>/.
    let program = std::env::current_exe()?;
    let mut folders = program.ancestors().skip(1).filter(|folder| !folder.ends_with("deps"));
    let target =
        folders.nth(1).with_context(|| format!("{} is not inside a target folder", program.display()))?;
    Ok(target.to_path_buf())
}

/// The bundle under test: `TILLER_BUNDLE`, or the checkout's `models/default`.
pub fn bundle() -> PathBuf {
    std::env::var_os("TILLER_BUNDLE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/default"), PathBuf::from)
}

/// The steering vectors that come with the bundle under test, by file name.
pub fn vectors() -> Result<Vec<Vector>> {
    let folder = bundle().join("vectors");
    let entries =
        std::fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
        .collect();
    files.sort();
    files.iter().map(|file| Ok(Vector::open(file)?)).collect()
}

/// The vector of `concept`, or the bundle's first.
pub fn vector(concept: &str) -> Result<Vector> {
    let mut vectors = vectors()?;
    ensure!(!vectors.is_empty(), "{} comes without steering vectors", bundle().display());
    let place = vectors.iter().position(|vector| vector.concept() == concept).unwrap_or(0);
    Ok(vectors.swap_remove(place))
}

/// Frames of tokens a second of the bundle under test.
pub fn frame_rate() -> Result<f64> {
    let codec = codec()?;
    let number = |field: &str| codec[field].as_f64().with_context(|| format!("the bundle names no {field}"));
    Ok(number("sample_rate")? / number("samples_per_frame")?)
}

/// How many frames before a changed token the decoded audio may change: the context its codec looks at.
pub fn look_ahead() -> Result<usize> {
    let codec = codec()?;
    let frames = |field: &str| codec[field].as_u64().with_context(|| format!("the bundle names no {field}"));
    Ok((frames("code_context")? + frames("latent_context")?) as usize)
}

fn codec() -> Result<Value> {
    let path = bundle().join("bundle.json");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let manifest: Value = serde_json::from_str(&text).context("bundle.json is not JSON")?;
    Ok(manifest["architecture"]["codec"].clone())
}
