//! Reading a shared library's version before anything is built on it.

use std::error::Error;
use std::ffi::CStr;
use std::fmt;
use std::path::Path;

use libloading::{Library, Symbol};

/// ONNX Runtime's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    text: String,
    minor: u32,
}

impl Version {
    /// Whether this build of Tiller can use it: 1.x with x at least [`ort::MINOR_VERSION`].
    #[must_use]
    pub fn is_supported(&self) -> bool {
        self.text.starts_with("1.") && self.minor >= ort::MINOR_VERSION
    }

    /// Whether its attention reads keys and values of 8-bit integers on the processor: 1.27 on. Before it, 1.24 does not know
    /// them, and 1.25 and 1.26 load such a graph and fail when it runs.
    #[must_use]
    pub fn has_byte_caches(&self) -> bool {
        self.minor >= 27
    }

    fn parse(text: &str) -> Self {
        let minor = text.split('.').nth(1).and_then(|part| part.parse().ok()).unwrap_or(0);
        Self { text: text.to_owned(), minor }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a file is not a usable library.
#[derive(Debug)]
pub(super) enum NoLibrary {
    /// The loader refused it; its words.
    Unloadable(String),
    /// It loads, but is not ONNX Runtime.
    Foreign,
}

/// Loads the library at `path` and asks its version. The library is released again, which leaves it loaded where
/// someone else holds it.
pub(super) fn version(path: &Path) -> Result<Version, NoLibrary> {
    // SAFETY: loading runs the library's initialisers. The path is one that the user or the installation chose for
    // exactly this purpose, and ONNX Runtime's initialisers have no preconditions.
    let library = unsafe { Library::new(path) }.map_err(|error| NoLibrary::Unloadable(words(&error)))?;
    // SAFETY: in ONNX Runtime's C API, stable since 1.0, a symbol of this name has this signature.
    let base: Symbol<'_, unsafe extern "C" fn() -> *const ort::sys::OrtApiBase> =
        unsafe { library.get(b"OrtGetApiBase\0") }.map_err(|_| NoLibrary::Foreign)?;
    // SAFETY: it takes nothing and returns a pointer to a static, or null.
    let base = unsafe { base().as_ref() }.ok_or(NoLibrary::Foreign)?;
    // SAFETY: the function takes nothing and returns a static, NUL-terminated string.
    let text = unsafe { CStr::from_ptr((base.GetVersionString)()) };
    Ok(Version::parse(&text.to_string_lossy()))
}

/// The loader's own words, which stand in the error's source.
fn words(error: &libloading::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_caches_came_later_than_the_interface() {
        assert!(!Version::parse("1.26.0").has_byte_caches());
        assert!(Version::parse("1.27.0").has_byte_caches());
    }

    #[test]
    fn versions_below_the_interface_are_refused() {
        assert!(Version::parse("1.24.4").is_supported());
        assert!(Version::parse("1.100.0").is_supported());
        assert!(!Version::parse("1.23.2").is_supported());
        assert!(!Version::parse("2.24.0").is_supported());
        assert!(!Version::parse("nightly").is_supported());
    }
}
