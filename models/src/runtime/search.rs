//! Where ONNX Runtime's shared library may lie.

use std::path::{Path, PathBuf};

use crate::bundle::discovery::data_folder;

use super::module::module_file;

/// Names the library, or the folder it is in; when set, no other place is looked at.
pub const LIBRARY_VARIABLE: &str = "TILLER_ONNXRUNTIME";

/// Every library to try, best first.
///
/// In this order: `TILLER_ONNXRUNTIME` alone if it is set; beside this binary (`.`, `lib/`, and a VST3 bundle's
/// `Contents/Resources`); the data folder's `runtime/`; `target/runtime/` of the workspace the binary was built in;
/// last the bare name, which the system's loader resolves.
pub(super) fn candidates() -> Vec<PathBuf> {
    if let Some(named) = std::env::var_os(LIBRARY_VARIABLE).filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        return if named.is_dir() { vec![in_folder(&named).unwrap_or(named)] } else { vec![named] };
    }
    let mut found: Vec<PathBuf> =
        folders_to_look_in().iter().filter_map(|folder| in_folder(folder)).collect();
    found.push(PathBuf::from(system_name()));
    found
}

fn folders_to_look_in() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let module = module_file();
    if let Some(beside) = module.as_deref().and_then(Path::parent) {
        // A VST3 bundle is Contents/<architecture>/plugin and Contents/Resources.
        folders.extend([
            beside.to_owned(),
            beside.join("lib"),
            beside.join("../Resources"),
            beside.join("../Resources/lib"),
        ]);
    }
    if let Some(data) = data_folder() {
        folders.push(data.join("runtime"));
    }
    let working = std::env::current_dir().ok();
    for start in [module, working].into_iter().flatten() {
        // Tests and tools run from target/<profile>/ or from inside the workspace.
        folders
            .extend(start.ancestors().filter(|a| a.ends_with("target")).map(|target| target.join("runtime")));
        folders.extend(start.ancestors().map(|folder| folder.join("target/runtime")));
    }
    folders
}

/// The newest library in `folder`, by the version in its name; a name without version is taken first, because it is
/// the link that packages set to the version they mean.
fn in_folder(folder: &Path) -> Option<PathBuf> {
    let mut found: Vec<(bool, Vec<u32>, PathBuf)> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = version_in_name(path.file_name()?.to_str()?)?;
            path.is_file().then_some((version.is_empty(), version, path))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, _, path)| path)
}

/// The version in a library's file name, empty without one; `None` if the file is not ONNX Runtime's library.
fn version_in_name(name: &str) -> Option<Vec<u32>> {
    let version = if cfg!(target_os = "windows") {
        name.eq_ignore_ascii_case("onnxruntime.dll").then_some("")?
    } else if cfg!(target_os = "macos") {
        name.strip_prefix("libonnxruntime")?.strip_suffix(".dylib")?
    } else {
        name.strip_prefix("libonnxruntime.so")?
    };
    let numbers = version.split('.').filter(|part| !part.is_empty()).map(|part| part.parse::<u32>().ok());
    numbers.collect()
}

fn system_name() -> String {
    format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_newest_library_of_a_folder_is_taken_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["libonnxruntime.so.1.9.0", "libonnxruntime.so.1.24.4", "libonnxruntime_providers_shared.so", "x"]
        {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(in_folder(folder.path()).unwrap().file_name().unwrap(), "libonnxruntime.so.1.24.4");
        std::fs::write(folder.path().join("libonnxruntime.so"), "").unwrap();
        assert_eq!(in_folder(folder.path()).unwrap().file_name().unwrap(), "libonnxruntime.so");
    }

    #[test]
    fn an_empty_folder_holds_no_library() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(in_folder(folder.path()), None);
    }
}
