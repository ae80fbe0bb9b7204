//! Python: which one, the two VST3 hosts it brings to the tests, and the packages of the model's report.
//!
//! Packages are installed with `pip install --target` into folders of their own. That works with Debian's
//! externally managed Python and needs no `python3-venv`.

use crate::{process, workspace::Workspace};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

/// The name of a Python 3 on the PATH.
pub fn interpreter() -> Result<&'static str> {
    ["python3", "python"]
        .into_iter()
        .find(|name| {
            process::output(Command::new(name).arg("--version"))
                .is_some_and(|text| text.starts_with("Python 3."))
        })
        .context("no Python 3 was found on the PATH")
}

/// The folder that holds the VST3 hosts, installing them if need be. Set it as `PYTHONPATH`.
pub fn hosts(workspace: &Workspace) -> Result<PathBuf> {
    packages(workspace, "tests/python/requirements.txt", "python-hosts")
        .context("pip could not install the VST3 test hosts; they exist for Python 3.11 to 3.14")
}

/// The folder that holds what the model's report imports, installing it if need be. Set it as `PYTHONPATH`.
pub fn report(workspace: &Workspace) -> Result<PathBuf> {
    packages(workspace, "models/train/report/requirements.txt", "python-report").context(
        "pip could not install the packages of the report; check the network, and use Python 3.11 or newer",
    )
}

/// The folder that holds what Tiller is measured against, installing it if need be. Set it as `PYTHONPATH`.
pub fn bench(workspace: &Workspace) -> Result<PathBuf> {
    packages(workspace, "models/bench/requirements.txt", "python-bench").context(
        "pip could not install PyTorch and transformers; check the network, give a Python that has them with --python, \
         or measure --without-peers",
    )
}

/// The folder of the target folder that holds the packages of a requirements file.
fn packages(workspace: &Workspace, requirements: &str, folder: &str) -> Result<PathBuf> {
    let python = interpreter()?;
    let requirements = workspace.root.join(requirements);
    let wanted = std::fs::read_to_string(&requirements)
        .with_context(|| format!("{} could not be read", requirements.display()))?;
    let version = process::output(Command::new(python).arg("--version")).unwrap_or_default();
    let stamp = format!("{version}{wanted}");
    let folder = workspace.target.join(folder);
    let stamp_file = folder.join("installed.txt");
    if std::fs::read_to_string(&stamp_file).is_ok_and(|installed| installed == stamp) {
        return Ok(folder);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)
            .with_context(|| format!("{} could not be cleared", folder.display()))?;
    }
    process::run(
        Command::new(python)
            .args([
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "--only-binary=:all:",
                "--quiet",
                "--target",
            ])
            .arg(&folder)
            .arg("--requirement")
            .arg(&requirements)
            // Only a folder of the project's own is written, so pip need not warn root.
            .env("PIP_ROOT_USER_ACTION", "ignore"),
    )?;
    std::fs::write(&stamp_file, stamp)
        .with_context(|| format!("{} could not be written", stamp_file.display()))?;
    Ok(folder)
}
