//! Where the default bundle is, and where the user's files are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Bundle, BundleError, MANIFEST_FILE};

/// Environment variable that names a bundle's folder and wins over every other place.
pub const BUNDLE_VARIABLE: &str = "TILLER_BUNDLE";
/// Environment variable that replaces the user's data folder.
pub const DATA_VARIABLE: &str = "TILLER_DATA";

/// Environment variable that replaces the user's cache folder.
pub const CACHE_VARIABLE: &str = "TILLER_CACHE";

/// The user's data folder of Tiller; it need not exist. `None` if the system names no home.
///
/// [`DATA_VARIABLE`] if set; else `%APPDATA%\Tiller` on Windows, `~/Library/Application Support/Tiller` on macOS and
/// `$XDG_DATA_HOME/tiller` (by default `~/.local/share/tiller`) elsewhere.
#[must_use]
pub fn data_folder() -> Option<PathBuf> {
    if let Some(folder) = folder_from(DATA_VARIABLE) {
        return Some(folder);
    }
    if cfg!(windows) {
        return folder_from("APPDATA").map(|folder| folder.join("Tiller"));
    }
    let home = folder_from("HOME");
    if cfg!(target_os = "macos") {
        return home.map(|home| home.join("Library/Application Support/Tiller"));
    }
    xdg("XDG_DATA_HOME")
        .or_else(|| home.map(|home| home.join(".local/share")))
        .map(|folder| folder.join("tiller"))
}

/// The user's folder for what Tiller can make again; it need not exist. `None` if the system names no home.
///
/// [`CACHE_VARIABLE`] if set; else `%LOCALAPPDATA%\Tiller\Cache` on Windows, `~/Library/Caches/Tiller` on macOS and
/// `$XDG_CACHE_HOME/tiller` (by default `~/.cache/tiller`) elsewhere.
#[must_use]
pub fn cache_folder() -> Option<PathBuf> {
    if let Some(folder) = folder_from(CACHE_VARIABLE) {
        return Some(folder);
    }
    if cfg!(windows) {
        return folder_from("LOCALAPPDATA").map(|folder| folder.join("Tiller").join("Cache"));
    }
    let home = folder_from("HOME");
    if cfg!(target_os = "macos") {
        return home.map(|home| home.join("Library/Caches/Tiller"));
    }
    xdg("XDG_CACHE_HOME").or_else(|| home.map(|home| home.join(".cache"))).map(|folder| folder.join("tiller"))
}

/// The folder of the user's bundles, in the data folder; it need not exist. `None` if the system names no home.
#[must_use]
pub fn bundles_folder() -> Option<PathBuf> {
    data_folder().map(|data| data.join("bundles"))
}

/// A bundle among the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Name shown to people.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
}

/// The bundles in [`bundles_folder`], by name. Only their manifests are looked at: opening one may still fail.
#[must_use]
pub fn installed() -> Vec<Installed> {
    bundles_folder().map_or_else(Vec::new, |folder| installed_in(&folder))
}

fn installed_in(folder: &Path) -> Vec<Installed> {
    let folders = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<Installed> = folders
        // Hidden is an import that is under way.
        .filter(|folder| folder.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')))
        .filter_map(|folder| Some(Installed { name: Bundle::stated_name(&folder)?, folder }))
        .collect();
    found.sort_by(|a, b| (&a.name, &a.folder).cmp(&(&b.name, &b.folder)));
    found
}

/// A folder of the XDG specification, by which a relative path is to be ignored.
fn xdg(variable: &str) -> Option<PathBuf> {
    folder_from(variable).filter(|folder| folder.is_absolute())
}

/// The places where a default bundle may be, best first; they need not exist.
///
/// `module` is the file the running code was loaded from: the plugin's own library, or the executable. The places
/// are [`BUNDLE_VARIABLE`]; the `Resources` folder of the VST3 or macOS package around `module`; the data folder's
/// `bundles/default`; and, for development, `models/default` of the repository above `module`.
#[must_use]
pub fn candidates(module: Option<&Path>) -> Vec<PathBuf> {
    // dladdr may give a relative path.
    let module = module.map(|module| module.canonicalize().unwrap_or_else(|_| module.to_owned()));
    places(folder_from(BUNDLE_VARIABLE), data_folder(), module)
}

fn places(named: Option<PathBuf>, data: Option<PathBuf>, module: Option<PathBuf>) -> Vec<PathBuf> {
    // Whoever names a bundle means that one: an error about it helps more than another bundle in its place.
    if let Some(folder) = named {
        return vec![folder];
    }
    let mut places = Vec::new();
    let above = || module.iter().flat_map(|module| module.ancestors().skip(1));
    let contents = above().filter(|folder| folder.file_name().is_some_and(|name| name == "Contents"));
    places.extend(contents.map(|contents| contents.join("Resources/bundle")));
    places.extend(data.map(|data| data.join("bundles/default")));
    places.extend(
        above()
            .filter(|folder| folder.join("Cargo.toml").is_file())
            .map(|folder| folder.join("models/default")),
    );
    places
}

/// Opens the first default bundle there is; see [`candidates`].
///
/// # Errors
/// [`BundleError::NoneFound`] if there is none, and whatever is wrong with the first there is.
pub fn open_default(module: Option<&Path>) -> Result<Bundle, BundleError> {
    Bundle::open(&find_default(module)?)
}

/// The first default bundle's folder; see [`candidates`].
///
/// # Errors
/// [`BundleError::NoneFound`] if there is none.
pub fn find_default(module: Option<&Path>) -> Result<PathBuf, BundleError> {
    let places = candidates(module);
    let found = places.iter().find(|place| place.join(MANIFEST_FILE).is_file());
    found.cloned().ok_or_else(|| {
        let looked: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
        BundleError::NoneFound { looked: looked.join(", ") }
    })
}

fn folder_from(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_bundle_is_the_only_place() {
        let places =
            places(Some("/mine".into()), Some("/data".into()), Some("/a/Contents/x/tiller.so".into()));
        assert_eq!(places, [Path::new("/mine")]);
    }

    #[test]
    fn a_package_comes_before_the_data_folder() {
        let module = "/vst3/Tiller.vst3/Contents/x86_64-linux/Tiller.so";
        let places = places(None, Some("/data".into()), Some(module.into()));
        let expected = ["/vst3/Tiller.vst3/Contents/Resources/bundle", "/data/bundles/default"];
        assert_eq!(places, expected.map(Path::new));
    }

    #[test]
    fn the_users_bundles_are_listed_by_name_and_half_imported_ones_are_not() {
        let bundles = tempfile::tempdir().unwrap();
        let manifest = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("default/bundle.json")).unwrap();
        for folder in ["zither", ".zither.importing-12", "empty", "broken"] {
            fs::create_dir(bundles.path().join(folder)).unwrap();
        }
        for folder in ["zither", ".zither.importing-12"] {
            fs::write(bundles.path().join(folder).join(MANIFEST_FILE), &manifest).unwrap();
        }
        fs::write(bundles.path().join("broken").join(MANIFEST_FILE), "{}").unwrap();
        let found = installed_in(bundles.path());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].folder, bundles.path().join("zither"));
        assert!(!found[0].name.is_empty());
        assert_eq!(installed_in(&bundles.path().join("none")), []);
    }

    #[test]
    fn a_development_build_finds_the_bundle_of_its_repository() {
        let repository = tempfile::tempdir().unwrap();
        std::fs::write(repository.path().join("Cargo.toml"), "").unwrap();
        let module = repository.path().join("target/debug/tiller");
        assert_eq!(places(None, None, Some(module)), [repository.path().join("models/default")]);
    }
}
