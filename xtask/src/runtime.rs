//! ONNX Runtime: the library named by `TILLER_ONNXRUNTIME`, or the one inside the PyPI wheel.

use crate::{process, python, workspace::Workspace};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version fetched. Tiller runs on 1.24 and newer; one version everywhere makes renders comparable.
const VERSION: &str = "1.32.0";
/// Wheels differ by Python only in a file Tiller does not use, so one tag serves whatever Python is here.
const WHEEL_PYTHON: &str = "3.12";

/// ONNX Runtime as found or fetched.
pub struct Runtime {
    /// The shared library.
    pub library: PathBuf,
    /// ONNX Runtime's own licence texts, to be shipped with it. Empty if the library came without.
    pub notices: Vec<PathBuf>,
}

/// Finds the runtime, or fetches it into `target/runtime/`.
pub fn ensure(workspace: &Workspace) -> Result<Runtime> {
    if let Some(path) = std::env::var_os("TILLER_ONNXRUNTIME") {
        let library = PathBuf::from(path);
        if !library.is_file() {
            bail!(
                "TILLER_ONNXRUNTIME names {}, which is not a file. Point it at the ONNX Runtime library itself, or unset it to fetch one.",
                library.display()
            );
        }
        let folders = library.ancestors().skip(1).take(2);
        return Ok(Runtime { notices: folders.flat_map(notices_in).collect(), library });
    }
    // The `tiller` command and the plugin look here too when they run from the target folder.
    let folder = workspace.target.join("runtime");
    let version = fs::read_to_string(folder.join("VERSION")).unwrap_or_default();
    if version != VERSION || library_in(&folder).is_none() {
        fetch(&folder)?;
    }
    let library = library_in(&folder)
        .with_context(|| format!("{} holds no library after fetching", folder.display()))?;
    Ok(Runtime { library, notices: notices_in(&folder) })
}

/// Downloads the wheel and keeps the library and its notices. The folder appears only when it is complete.
fn fetch(folder: &Path) -> Result<()> {
    let python = python::interpreter()?;
    let scratch = folder.with_extension("partial");
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    let (download, wheel, kept) = (scratch.join("download"), scratch.join("wheel"), scratch.join("kept"));
    fs::create_dir_all(&kept).with_context(|| format!("{} could not be made", kept.display()))?;
    process::run(
        Command::new(python)
            .args(["-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"])
            .args(["--python-version", WHEEL_PYTHON, "--dest"])
            .arg(&download)
            .arg(format!("onnxruntime=={VERSION}")),
    )
    .context(
        "ONNX Runtime could not be downloaded. Check the network, or set TILLER_ONNXRUNTIME to an ONNX Runtime library (1.24 or newer)",
    )?;
    let archive = fs::read_dir(&download)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip reported success but left no wheel")?;
    process::run(Command::new(python).args(["-m", "zipfile", "--extract"]).arg(&archive).arg(&wheel))
        .context("the ONNX Runtime wheel could not be unpacked")?;
    let inside = wheel.join("onnxruntime");
    let library = library_in(&inside.join("capi"))
        .context("the ONNX Runtime wheel holds no library for this system")?;
    for file in notices_in(&inside).into_iter().chain([library]) {
        let name = file.file_name().context("a file in the wheel has no name")?;
        fs::rename(&file, kept.join(name))?;
    }
    fs::write(kept.join("VERSION"), VERSION)?;
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("{} could not be replaced", folder.display()))?;
    }
    fs::rename(&kept, folder).with_context(|| format!("{} could not be put in place", folder.display()))?;
    fs::remove_dir_all(&scratch)?;
    Ok(())
}

/// The runtime's main library in `folder`, not the provider plugins beside it.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let is_library = |name: &str| {
        if cfg!(windows) {
            name == "onnxruntime.dll"
        } else if cfg!(target_os = "macos") {
            name.starts_with("libonnxruntime.") && name.ends_with(".dylib")
        } else {
            name.starts_with("libonnxruntime.so")
        }
    };
    fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.file_name().is_some_and(|name| is_library(&name.to_string_lossy())))
}

fn notices_in(folder: &Path) -> Vec<PathBuf> {
    ["LICENSE", "ThirdPartyNotices.txt"]
        .map(|name| folder.join(name))
        .into_iter()
        .filter(|path| path.is_file())
        .collect()
}
