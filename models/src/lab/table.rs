//! Files with a table about them, a row for each, as SynTheory is made: `notes/info.csv` beside the rendered WAV files.
//! Tables of JSON lines, and those of Hugging Face's audio folders (`metadata.csv`), are read too.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::audio::{is_audio, number as hash};
use super::dataset::Found;
use super::{Dataset, LabError};

/// The table's name, the first that is there.
const TABLES: [&str; 4] = ["info.csv", "info.jsonl", "metadata.csv", "metadata.jsonl"];

/// The column that says which files belong together, whatever their classes, if it is there.
const PAIR: &str = "pair";

/// The column with the file's name, the first that is there.
const FILES: [&str; 5] = ["synth_file_path", "file_name", "filename", "file", "path"];

pub fn list(root: &Path, columns: &[String]) -> Result<Dataset, LabError> {
    for (at, column) in columns.iter().enumerate() {
        if columns[..at].contains(column) {
            return Err(LabError::request(format!("the column {column} is there twice; name each once")));
        }
    }
    let path = table(root).ok_or_else(|| {
        LabError::request(format!(
            "{} holds no table of its files: none of {}",
            root.display(),
            TABLES.join(", ")
        ))
    })?;
    let damaged = |reason: String| LabError::File { file: path.display().to_string(), reason };
    let rows = rows(&path)?;
    let of_row = |(number, row): (usize, Map<String, Value>)| {
        let all = || row.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let file = file(number, &row).map_err(damaged)?;
        let class = |column: &String| {
            row.get(column).and_then(text).ok_or_else(|| {
                let (row, all) = (number + 1, all());
                damaged(format!("row {row} has nothing in a column {column}; its columns are {all}"))
            })
        };
        let classes = columns.iter().map(class).collect::<Result<Vec<_>, _>>()?;
        Ok(Found { classes, path: place(root, &file), row: None, track: None, group: group(&row) })
    };
    let mut found: Vec<Found> = rows.into_iter().enumerate().map(of_row).collect::<Result<_, LabError>>()?;
    found.retain(|found| is_audio(&found.path));
    Ok(Dataset::with_labels(columns, found))
}

/// The groups that a table names, by the files in them; none if there is no table, or no column of groups in it.
///
/// # Errors
/// [`LabError::Read`]; [`LabError::File`] for a damaged table, or one of groups that names no files.
pub fn pairs(root: &Path) -> Result<BTreeMap<PathBuf, i64>, LabError> {
    let Some(path) = table(root) else { return Ok(BTreeMap::new()) };
    let damaged = |reason: String| LabError::File { file: path.display().to_string(), reason };
    let of_row = |(number, row): (usize, Map<String, Value>)| {
        let named = group(&row).map(|group| Ok((place(root, &file(number, &row)?), group)));
        named.transpose().map_err(damaged).transpose()
    };
    rows(&path)?.into_iter().enumerate().filter_map(of_row).collect()
}

fn table(root: &Path) -> Option<PathBuf> {
    TABLES.iter().map(|name| root.join(name)).find(|path| path.is_file())
}

/// The name of the file that a row is about, or what is wrong.
fn file(number: usize, row: &Map<String, Value>) -> Result<String, String> {
    FILES.iter().find_map(|&name| text(row.get(name)?)).ok_or_else(|| {
        format!("row {} names no file: one of the columns {} must", number + 1, FILES.join(", "))
    })
}

fn group(row: &Map<String, Value>) -> Option<i64> {
    row.get(PAIR).and_then(text).map(|pair| hash(format!("pair {pair}")))
}

/// Where a file is: SynTheory's table names it as it was where it was made, and it lies beside the table.
fn place(root: &Path, file: &str) -> PathBuf {
    let named = root.join(file);
    let beside = Path::new(file).file_name().map(|name| root.join(name));
    beside.filter(|beside| !named.is_file() && beside.is_file()).unwrap_or(named)
}

fn rows(path: &Path) -> Result<Vec<Map<String, Value>>, LabError> {
    let damaged = |reason: String| LabError::File { file: path.display().to_string(), reason };
    let read = |source| LabError::Read { path: path.to_owned(), source };
    let file = BufReader::new(File::open(path).map_err(read)?);
    if path.extension().is_some_and(|end| end == "csv") {
        let mut reader = csv::Reader::from_reader(file);
        let headers = reader.headers().map_err(|error| damaged(error.to_string()))?.clone();
        let of_row = |row: Result<csv::StringRecord, csv::Error>| {
            let row = row.map_err(|error| damaged(error.to_string()))?;
            Ok(headers.iter().zip(&row).map(|(name, cell)| (name.to_owned(), cell.into())).collect())
        };
        return reader.records().map(of_row).collect();
    }
    let mut rows = Vec::new();
    for (number, line) in file.lines().enumerate() {
        let line = line.map_err(read)?;
        if !line.trim().is_empty() {
            let row = serde_json::from_str(&line);
            rows.push(
                row.map_err(|error| damaged(format!("line {} is no JSON object: {error}", number + 1)))?,
            );
        }
    }
    Ok(rows)
}

/// What is in a cell, unless it is empty.
fn text(cell: &Value) -> Option<String> {
    match cell {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Layout;

    const INFO: &str = "\
root_note_name,chord_type,inversion,midi_file_path,synth_file_path
C,major,5,/made/chords/C_major.mid,/made/chords/C_major.wav
C,minor,5,/made/chords/C_minor.mid,/made/chords/C_minor.wav
D,major,5,/made/chords/D_major.mid,/made/chords/D_major.wav
";

    fn by(column: &str) -> Layout {
        Layout::Table { classes: column.split(',').map(str::to_owned).collect() }
    }

    #[test]
    fn a_column_of_the_table_is_the_class() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let error = by("chord_type").list(root).unwrap_err().to_string();
        assert!(error.contains("none of info.csv"), "{error}");
        fs::write(root.join("info.csv"), INFO).unwrap();
        for name in ["C_major.wav", "C_minor.wav", "D_major.wav"] {
            fs::write(root.join(name), b"").unwrap();
        }
        let by_type = by("chord_type").list(root).unwrap();
        assert_eq!(by_type.classes, ["major", "minor"]);
        let files: Vec<_> =
            by_type.recordings.iter().map(|found| (found.class, found.path.clone())).collect();
        let expected = [(0, "C_major.wav"), (0, "D_major.wav"), (1, "C_minor.wav")];
        assert_eq!(files, expected.map(|(class, name)| (class, root.join(name))));
        assert_eq!(by("root_note_name").list(root).unwrap().classes, ["C", "D"]);

        let both = by("chord_type,root_note_name").list(root).unwrap();
        assert_eq!((&both.classes, &both.recordings[0].path), (&by_type.classes, &files[0].1));
        assert_eq!(
            (&both.more[0].name[..], &both.more[0].classes[..]),
            ("root_note_name", &["C", "D"].map(str::to_owned)[..])
        );
        assert_eq!(both.recordings.iter().map(|found| found.more[0]).collect::<Vec<_>>(), [0, 1, 0]);
        let error = by("chord_type,inversion").list(root).unwrap_err().to_string();
        assert!(error.contains("1 classes in this layout for inversion"), "{error}");
        let error = by("chord_type,chord_type").list(root).unwrap_err().to_string();
        assert!(error.contains("there twice"), "{error}");

        let error = by("chord").list(root).unwrap_err().to_string();
        assert!(error.contains("nothing in a column chord") && error.contains("chord_type"), "{error}");
        let error = by("inversion").list(root).unwrap_err().to_string();
        assert!(error.contains("1 classes in this layout"), "{error}");
    }

    #[test]
    fn json_lines_hold_names_numbers_and_truths() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let rows = "{\"file\": \"a/1.flac\", \"bpm\": 90}\n\n{\"file\": \"a/2.flac\", \"bpm\": 120}\n";
        fs::write(root.join("info.jsonl"), rows).unwrap();
        let dataset = by("bpm").list(root).unwrap();
        assert_eq!(dataset.classes, ["120", "90"]);
        assert_eq!(dataset.recordings[0].path, root.join("a/2.flac"));
        fs::write(root.join("info.jsonl"), "{\"file\"").unwrap();
        let error = by("bpm").list(root).unwrap_err().to_string();
        assert!(error.contains("line 1 is no JSON object"), "{error}");
    }
}
