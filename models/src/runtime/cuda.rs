//! CUDA's own libraries, loaded before ONNX Runtime's provider asks the system's loader for them.
//!
//! They are seldom where that looks: Python's `nvidia-*` packages keep them in folders of their own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libloading::Library;

/// Names folders with the libraries of CUDA and cuDNN, separated as in `PATH`. Folders below them that are named
/// `lib`, `lib64` or `bin` count too, and those of the folders in them, as `nvidia/` among Python's packages has them.
pub const CUDA_VARIABLE: &str = "TILLER_CUDA";

/// Set to 1, the steps of a decoder on CUDA are recorded once and replayed: less work for the processor, some memory of
/// the card for each take under way.
pub const CUDA_GRAPHS_VARIABLE: &str = "TILLER_CUDA_GRAPHS";

/// What the provider needs, each after what it needs itself.
const LIBRARIES: [&str; 8] =
    ["cudart", "nvJitLink", "nvrtc", "cublasLt", "cublas", "curand", "cufft", "cudnn"];

/// Whether steps are to be recorded.
pub(super) fn graphs() -> bool {
    std::env::var_os(CUDA_GRAPHS_VARIABLE).is_some_and(|value| value == "1")
}

/// Loads what is found of them in the folders of `TILLER_CUDA` or, where that is not set, beside ONNX Runtime's
/// `library`, for good; what is not found is left to the system's loader. The first call decides.
///
/// # Errors
/// The rest of a sentence: a folder without any of them, or the library that does not load.
pub(super) fn preload(library: &Path) -> Result<(), String> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    LOADED.get_or_init(|| load(library)).clone()
}

fn load(library: &Path) -> Result<(), String> {
    let named = std::env::var_os(CUDA_VARIABLE).filter(|value| !value.is_empty());
    let roots: Vec<PathBuf> = match &named {
        Some(value) => std::env::split_paths(value).collect(),
        None => library.parent().map(Path::to_owned).into_iter().collect(),
    };
    let folders: Vec<PathBuf> = roots.iter().flat_map(|root| with_lib_folders(root)).collect();
    let files: Vec<PathBuf> = LIBRARIES.iter().flat_map(|name| in_folders(&folders, name)).collect();
    if let (Some(value), true) = (&named, files.is_empty()) {
        return Err(format!(
            "{CUDA_VARIABLE} is {}, where no library of CUDA lies: name the folders of CUDA's and cuDNN's \
             libraries, or unset it",
            Path::new(value).display()
        ));
    }
    for file in files {
        // SAFETY: loading runs the library's initialisers. It is NVIDIA's, from a folder chosen for exactly this
        // purpose, and its initialisers have no preconditions.
        let loaded = unsafe { Library::new(&file) };
        let loaded = loaded.map_err(|error| format!("{} does not load ({error})", file.display()))?;
        tracing::debug!(path = %file.display(), "a library of CUDA loaded");
        // It has to stay until the process ends: ONNX Runtime keeps pointers into it.
        std::mem::forget(loaded);
    }
    Ok(())
}

/// `root`, its folders of libraries, and those of the folders in it.
fn with_lib_folders(root: &Path) -> Vec<PathBuf> {
    let own = |folder: &Path| ["lib", "lib64", "bin"].map(|name| folder.join(name));
    let inside = std::fs::read_dir(root).into_iter().flatten().filter_map(Result::ok);
    let mut children: Vec<PathBuf> = inside.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    children.sort();
    let below = children.iter().flat_map(|child| own(child));
    [root.to_owned()].into_iter().chain(own(root)).chain(below).filter(|folder| folder.is_dir()).collect()
}

/// The library `name` in each version found, from the first folder that has one.
fn in_folders(folders: &[PathBuf], name: &str) -> Vec<PathBuf> {
    let found = folders.iter().map(|folder| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.file_name().is_some_and(|file| is_library(file, name)))
            .collect();
        files.sort();
        files
    });
    found.into_iter().find(|files| !files.is_empty()).unwrap_or_default()
}

/// Whether `file` is `name` under the name that others ask for it by, which has its major version only.
fn is_library(file: &OsStr, name: &str) -> bool {
    let Some(file) = file.to_str() else { return false };
    let version = if cfg!(windows) {
        file.strip_prefix(name)
            .and_then(|rest| rest.strip_prefix("64_").or_else(|| rest.strip_prefix('_')))
            .and_then(|rest| rest.strip_suffix(".dll"))
    } else {
        file.strip_prefix("lib")
            .and_then(|rest| rest.strip_prefix(name))
            .and_then(|rest| rest.strip_prefix(".so."))
    };
    version.is_some_and(|version| {
        !version.is_empty()
            && version.bytes().all(|byte| byte.is_ascii_digit() || (cfg!(windows) && byte == b'_'))
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_as_pythons_packages_have_them() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["cu13/lib", "cudnn/lib"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for file in [
            "cu13/lib/libcudart.so.13",
            "cu13/lib/libcudart.so.13.0.96",
            "cu13/lib/libcublasLt.so.13",
            "cudnn/lib/libcudnn.so.9",
            "cudnn/lib/libcudnn_ops.so.9",
        ] {
            std::fs::write(root.path().join(file), "").unwrap();
        }
        let folders = with_lib_folders(root.path());
        let found: Vec<PathBuf> = LIBRARIES.iter().flat_map(|name| in_folders(&folders, name)).collect();
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["libcudart.so.13", "libcublasLt.so.13", "libcudnn.so.9"]);
    }

    #[test]
    fn a_file_that_is_no_library_is_named() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("libcudart.so.13"), "").unwrap();
        let error = load(&root.path().join("libonnxruntime.so")).unwrap_err();
        assert!(error.contains("libcudart.so.13 does not load"), "{error}");
    }
}
