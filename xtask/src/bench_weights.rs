//! What `cargo xtask bench` measures on: random weights of musicgen-small's sizes, as a checkpoint for the other programs
//! and imported as a bundle. What a step costs does not depend on what the weights are.

use crate::{process, python, stages::Stages, workspace::Workspace};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The weights, and the Python that runs the other programs.
pub struct Weights {
    /// In the Hugging Face layout.
    pub checkpoint: PathBuf,
    /// The same, imported.
    pub bundle: PathBuf,
    /// A Python.
    pub python: String,
    /// The folder of its packages, where they were installed for this. Set it as `PYTHONPATH`.
    pub packages: Option<PathBuf>,
}

/// Brings PyTorch and transformers, unless `python` has them, makes the weights and imports them, in three stages.
///
/// # Errors
/// Packages that cannot be installed, or no room on disk: the checkpoint takes 2.4 GB, the bundle a further 3.
pub fn prepare(
    workspace: &Workspace,
    stages: &mut Stages,
    tiller: &Path,
    runtime: &Path,
    python: Option<&str>,
    layers: usize,
    precisions: &[&str],
) -> Result<Weights> {
    let (python, packages) = stages.run("Python packages", || match python {
        Some(python) => Ok((python.to_owned(), None)),
        None => Ok((python::interpreter()?.to_owned(), Some(python::bench(workspace)?))),
    })?;
    let folder = workspace.target.join("bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} could not be made", folder.display()))?;
    let checkpoint = folder.join(format!("random-{layers}"));
    stages.run("Weights", || {
        if checkpoint.is_dir() {
            return Ok(());
        }
        // Made beside its place, so that half of it is never taken for it.
        let unfinished = folder.join(format!("random-{layers}.part"));
        clear(&unfinished)?;
        let mut command = Command::new(&python);
        command
            .arg(workspace.root.join("models/bench/make_random.py"))
            .arg(&unfinished)
            .args(["--layers", &layers.to_string()]);
        if let Some(packages) = &packages {
            command.env("PYTHONPATH", packages);
        }
        process::run(&mut command)
            .context("the weights were not made; --python needs a Python with PyTorch and transformers")?;
        std::fs::rename(&unfinished, &checkpoint)
            .with_context(|| format!("{} could not be put into its place", checkpoint.display()))
    })?;
    let bundle = folder.join(format!("bundle-{layers}"));
    stages.run("Import", || {
        // Each time, because it is what the present import writes that is measured.
        clear(&bundle)?;
        process::run(
            Command::new(tiller)
                .arg("import")
                .args([&checkpoint, &bundle])
                .args(["--precisions", &precisions.join(",")])
                .env("TILLER_ONNXRUNTIME", runtime),
        )
        .context("the weights were not imported")
    })?;
    Ok(Weights { checkpoint, bundle, python, packages })
}

fn clear(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("{} could not be cleared", folder.display()))?;
    }
    Ok(())
}
