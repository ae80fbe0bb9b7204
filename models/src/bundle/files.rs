//! Names, sizes and hashes of a bundle's files.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::manifest::{FileEntry, Manifest};
use super::{BundleError, MANIFEST_FILE, limits};

/// Checks that the folder holds exactly the files of the manifest, with their sizes and hashes.
///
/// Files whose name begins with a dot are left to the system that put them there (`.DS_Store`): nothing in a bundle
/// may refer to them.
/// `cancelled` is asked between reads; once it says yes the check fails.
pub fn check(root: &Path, manifest: &Manifest, cancelled: &dyn Fn() -> bool) -> Result<(), BundleError> {
    let invalid = |what: String| BundleError::Invalid { root: root.to_owned(), what };
    if manifest.files.len() > limits::FILES {
        return Err(invalid(format!("it lists {} files, more than {}", manifest.files.len(), limits::FILES)));
    }
    let mut total = 0_u64;
    for (name, entry) in &manifest.files {
        check_name(name).map_err(&invalid)?;
        let limit = if name.ends_with(".onnx") {
            limits::GRAPH_BYTES
        } else if name.ends_with(".onnx.data") {
            limits::BUNDLE_BYTES
        } else {
            limits::SMALL_FILE_BYTES
        };
        if entry.size > limit {
            return Err(invalid(format!("{name} is listed with {} bytes, more than {limit}", entry.size)));
        }
        total = total.saturating_add(entry.size);
    }
    if total > limits::BUNDLE_BYTES {
        return Err(invalid(format!(
            "its files add up to {total} bytes, more than {}",
            limits::BUNDLE_BYTES
        )));
    }
    check_listed(root, root, manifest)?;
    // Sizes first: a wrong one is found without reading gigabytes.
    for (name, entry) in &manifest.files {
        let path = root.join(name);
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                return Err(invalid(format!("{name} is missing")));
            }
            Err(source) => return Err(BundleError::Read { path, source }),
        };
        if !found.is_file() {
            return Err(invalid(format!("{name} is no ordinary file")));
        }
        if found.len() != entry.size {
            return Err(invalid(format!("{name} has {} bytes where {} are listed", found.len(), entry.size)));
        }
    }
    for (name, entry) in &manifest.files {
        if known_hash(&root.join(name), cancelled)? != entry.sha256 {
            return Err(invalid(format!("the contents of {name} do not match their SHA-256")));
        }
    }
    Ok(())
}

/// A relative path of plain names separated by `/`; anything that could leave the bundle on any system is refused.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |part: &str| {
        !part.is_empty()
            && part != ".."
            && !part.starts_with('.')
            && !part.ends_with(['.', ' '])
            && !part.contains(['\\', ':', '\0'])
    };
    let relative = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if name.len() > 512 || !relative || !name.split('/').all(plain) {
        return Err(format!("the path {name:?} does not stay inside it"));
    }
    if name == MANIFEST_FILE {
        return Err(format!("{MANIFEST_FILE} lists itself"));
    }
    Ok(())
}

/// Every file below `folder` is listed and no link leads elsewhere.
fn check_listed(root: &Path, folder: &Path, manifest: &Manifest) -> Result<(), BundleError> {
    let invalid = |what: String| BundleError::Invalid { root: root.to_owned(), what };
    let read = |source| BundleError::Read { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let path = entry.path();
        let name = relative_name(root, &path)
            .ok_or_else(|| invalid(format!("the file name {} is no Unicode", path.display())))?;
        if entry.file_name().to_string_lossy().starts_with('.') || name == MANIFEST_FILE {
            continue;
        }
        let kind = entry.file_type().map_err(read)?;
        if kind.is_symlink() {
            return Err(invalid(format!("{name} is a symbolic link; a bundle holds ordinary files only")));
        }
        if kind.is_dir() {
            // A listed path has at most 256 parts, so deeper folders cannot hold a listed file.
            if !manifest.files.keys().any(|listed| listed.starts_with(&format!("{name}/"))) {
                return Err(invalid(format!("the folder {name} is not listed in {MANIFEST_FILE}")));
            }
            check_listed(root, &path, manifest)?;
        } else if !manifest.files.contains_key(&name) {
            return Err(invalid(format!("{name} is not listed in {MANIFEST_FILE}")));
        }
    }
    Ok(())
}

/// `path` relative to `root`, with `/` between its parts.
pub fn relative_name(root: &Path, path: &Path) -> Option<String> {
    let parts: Option<Vec<_>> = path.strip_prefix(root).ok()?.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}

/// Size and SHA-256 of a file.
pub fn describe(path: &Path) -> Result<FileEntry, BundleError> {
    describe_unless(path, &|| false)
}

fn describe_unless(path: &Path, cancelled: &dyn Fn() -> bool) -> Result<FileEntry, BundleError> {
    let read = |source| BundleError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(read)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer).map_err(read)?;
        if count == 0 {
            break;
        }
        if cancelled() {
            return Err(BundleError::Cancelled);
        }
        hasher.update(&buffer[..count]);
        size += count as u64;
    }
    Ok(FileEntry { size, sha256: hexadecimal(&hasher.finalize()) })
}

/// Bytes as lower-case hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a file looked like when it was hashed.
type Seen = (u64, Option<SystemTime>);

/// SHA-256 of a file, remembered for the process as long as size and time of change stay: a plugin opens the same
/// bundle for every instance, and a gigabyte takes a second.
fn known_hash(path: &Path, cancelled: &dyn Fn() -> bool) -> Result<String, BundleError> {
    static KNOWN: OnceLock<Mutex<HashMap<PathBuf, (Seen, String)>>> = OnceLock::new();
    let read = |source| BundleError::Read { path: path.to_owned(), source };
    let found = fs::metadata(path).map_err(read)?;
    let seen = (found.len(), found.modified().ok());
    let known = KNOWN.get_or_init(Mutex::default);
    if let Some((then, hash)) = known.lock().get(path)
        && *then == seen
    {
        return Ok(hash.clone());
    }
    let hash = describe_unless(path, cancelled)?.sha256;
    if seen.1.is_some() {
        known.lock().insert(path.to_owned(), (seen, hash.clone()));
    }
    Ok(hash)
}
