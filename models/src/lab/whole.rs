//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::LabError;

/// Writes a file beside its place and moves it there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    write_by(path, |out| {
        out.write_all(bytes).map_err(|source| LabError::Write { path: path.to_owned(), source })
    })
}

/// Has `fill` write a file beside its place and moves it there.
pub fn write_by(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&File>) -> Result<(), LabError>,
) -> Result<(), LabError> {
    let failed = |source| LabError::Write { path: path.to_owned(), source };
    // The parent of a bare name is empty.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let mut out = BufWriter::new(file.as_file());
    fill(&mut out)?;
    out.flush().map_err(failed)?;
    drop(out);
    file.persist(path).map(drop).map_err(|error| failed(error.error))
}
