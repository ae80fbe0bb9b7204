//! ONNX Runtime: the library named by `TILLER_ONNXRUNTIME`, or the one inside the PyPI wheel. Its builds for GPUs are
//! wheels of their own and lie beside it, in `target/runtime-PROVIDER/`.

use crate::{process, python, workspace::Workspace};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version fetched. Tiller runs on 1.24 and newer; one version everywhere makes renders comparable.
const VERSION: &str = "1.32.0";
/// Wheels differ by Python only in a file Tiller does not use, so one tag serves whatever Python is here.
const WHEEL_PYTHON: &str = "3.12";

/// A build of ONNX Runtime: what runs graphs beside the processor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Nothing.
    Cpu,
    /// NVIDIA GPUs. CUDA's own libraries are not in the wheel.
    Cuda,
    /// Any DirectX 12 GPU of Windows.
    DirectMl,
}

impl Provider {
    /// The provider of this name, which `tiller --provider` takes too.
    pub fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "cpu" => Self::Cpu,
            "cuda" => Self::Cuda,
            "directml" => Self::DirectMl,
            _ => bail!("there is no provider named `{name}`; use cpu, cuda or directml"),
        })
    }

    /// The wheel: its package and its newest version that Tiller runs on.
    fn wheel(self) -> (&'static str, &'static str) {
        match self {
            Self::Cpu => ("onnxruntime", VERSION),
            // For CUDA 13. 1.26 is the last for CUDA 12.
            Self::Cuda => ("onnxruntime-gpu", "1.31.1"),
            Self::DirectMl => ("onnxruntime-directml", "1.24.4"),
        }
    }

    /// Where it is kept, below the target folder.
    fn folder(self) -> &'static str {
        match self {
            Self::Cpu => "runtime",
            Self::Cuda => "runtime-cuda",
            Self::DirectMl => "runtime-directml",
        }
    }

    /// Whether the wheel exists for this system; the reason if not.
    fn check(self) -> Result<()> {
        match self {
            Self::Cuda if cfg!(target_os = "macos") => bail!("CUDA does not exist on macOS; use cpu"),
            Self::DirectMl if !cfg!(windows) => {
                bail!("DirectML exists on Windows only; run this there, or use cpu or cuda")
            }
            _ => Ok(()),
        }
    }
}

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
    fetched(workspace, Provider::Cpu)
}

/// The build for `provider` in its folder below `target/`, fetched if it is not there.
pub fn fetched(workspace: &Workspace, provider: Provider) -> Result<Runtime> {
    provider.check()?;
    let folder = workspace.target.join(provider.folder());
    let version = fs::read_to_string(folder.join("VERSION")).unwrap_or_default();
    if version != provider.wheel().1 || library_in(&folder).is_none() {
        fetch(&folder, provider)?;
    }
    let library = library_in(&folder)
        .with_context(|| format!("{} holds no library after fetching", folder.display()))?;
    Ok(Runtime { library, notices: notices_in(&folder) })
}

/// Downloads the wheel and keeps its libraries and notices. The folder appears only when it is complete.
fn fetch(folder: &Path, provider: Provider) -> Result<()> {
    let (package, version) = provider.wheel();
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
            .arg(format!("{package}=={version}")),
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
    let capi = inside.join("capi");
    let library = library_in(&capi).context("the ONNX Runtime wheel holds no library for this system")?;
    let beside = provider_libraries_in(&capi, provider)?;
    for file in notices_in(&inside).into_iter().chain([library]).chain(beside) {
        let name = file.file_name().context("a file in the wheel has no name")?;
        fs::rename(&file, kept.join(name))?;
    }
    fs::write(kept.join("VERSION"), version)?;
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

/// What the main library loads from beside itself for `provider`.
fn provider_libraries_in(folder: &Path, provider: Provider) -> Result<Vec<PathBuf>> {
    let names: &[&str] = match (provider, cfg!(windows)) {
        (Provider::Cpu, _) => &[],
        (Provider::Cuda, true) => &["onnxruntime_providers_shared.dll", "onnxruntime_providers_cuda.dll"],
        (Provider::Cuda, false) => {
            &["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"]
        }
        (Provider::DirectMl, _) => &["DirectML.dll"],
    };
    let files: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    match files.iter().find(|file| !file.is_file()) {
        Some(missing) => bail!("the ONNX Runtime wheel lacks {}", missing.display()),
        None => Ok(files),
    }
}

fn notices_in(folder: &Path) -> Vec<PathBuf> {
    ["LICENSE", "ThirdPartyNotices.txt"]
        .map(|name| folder.join(name))
        .into_iter()
        .filter(|path| path.is_file())
        .collect()
}
