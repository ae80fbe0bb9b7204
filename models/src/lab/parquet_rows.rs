//! Data sets in Parquet, as the Hugging Face hub has them: audio files as bytes in a column, their classes in others.
//!
//! The table of classes is read at once. Audio is read in the order of the file, a row at a time: what is in memory is one
//! page of the column, however many row groups there are.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;
use serde_json::Value;

use super::dataset::Found;
use super::{Dataset, LabError};

/// Columns with the bytes of audio files, the first that is there.
const AUDIO: [&str; 2] = ["audio.bytes", "audio"];

/// How many rows of a column of classes are read at once.
const ROWS: usize = 4_096;

/// Lists the rows of all Parquet files in `root` and in the folders in it. `columns` hold the classes.
///
/// # Errors
/// [`LabError::Read`]; [`LabError::File`] for a damaged file or one without these columns.
pub fn list(root: &Path, columns: &[String]) -> Result<Dataset, LabError> {
    let mut found = Vec::new();
    for path in files(root)? {
        let reader = open(&path)?;
        let wrong = |reason: String| LabError::File { file: path.display().to_string(), reason };
        audio_column(&path, reader.metadata().file_metadata().schema_descr())?;
        let mut classes: Vec<Vec<String>> = Vec::new();
        for column in columns {
            classes.push(texts(&reader, column).map_err(&wrong)?);
        }
        let rows = classes.first().map_or(0, Vec::len);
        found.extend((0..rows).map(|row| Found {
            classes: classes.iter().map(|texts| texts[row].clone()).collect(),
            path: path.clone(),
            row: Some(row),
            track: None,
            group: None,
        }));
    }
    if found.is_empty() {
        return Err(LabError::request(format!(
            "{} holds no rows of Parquet files; name the folder that their files are in",
            root.display()
        )));
    }
    let mut dataset = Dataset::with_labels(columns, found);
    // As they lie in the files, which can only be read from the front.
    dataset.recordings.sort_by(|a, b| (&a.path, a.row).cmp(&(&b.path, b.row)));
    Ok(dataset)
}

/// Parquet files in a folder and in those in it, sorted.
fn files(root: &Path) -> Result<Vec<PathBuf>, LabError> {
    let entries = |folder: &Path| -> Result<Vec<PathBuf>, LabError> {
        let read = |source| LabError::Read { path: folder.to_owned(), source };
        fs::read_dir(folder).map_err(read)?.map(|entry| Ok(entry.map_err(read)?.path())).collect()
    };
    let mut paths = entries(root)?;
    for folder in paths.clone().into_iter().filter(|path| path.is_dir()) {
        paths.extend(entries(&folder)?);
    }
    paths.retain(|path| path.is_file() && path.extension().is_some_and(|end| end == "parquet"));
    paths.sort();
    Ok(paths)
}

fn open(path: &Path) -> Result<SerializedFileReader<File>, LabError> {
    let file = File::open(path).map_err(|source| LabError::Read { path: path.to_owned(), source })?;
    SerializedFileReader::new(file).map_err(|error| damaged(path, &error))
}

fn damaged(path: &Path, error: &ParquetError) -> LabError {
    LabError::File {
        file: path.display().to_string(),
        reason: format!("it cannot be read as Parquet: {error}"),
    }
}

fn audio_column(path: &Path, schema: &SchemaDescriptor) -> Result<usize, LabError> {
    let found = AUDIO.iter().find_map(|name| index_of(schema, name));
    found.ok_or_else(|| LabError::File {
        file: path.display().to_string(),
        reason: format!(
            "it has no column {} with audio files in bytes; its columns are {}",
            AUDIO[0],
            names(schema)
        ),
    })
}

fn index_of(schema: &SchemaDescriptor, name: &str) -> Option<usize> {
    schema.columns().iter().position(|column| column.path().string() == name)
}

fn names(schema: &SchemaDescriptor) -> String {
    let names: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
    names.join(", ")
}

/// A column of classes as text; or what is wrong with it.
fn texts(reader: &SerializedFileReader<File>, column: &str) -> Result<Vec<String>, String> {
    let unreadable = |error: ParquetError| format!("its column {column} cannot be read: {error}");
    let schema = reader.metadata().file_metadata().schema_descr();
    let index = index_of(schema, column)
        .ok_or_else(|| format!("it has no column {column}; its columns are {}", names(schema)))?;
    let known = label_names(reader, column);
    let mut texts = Vec::new();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(unreadable)?;
        let count = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        let before = texts.len();
        match group.get_column_reader(index).map_err(unreadable)? {
            ColumnReader::ByteArrayColumnReader(mut values) => loop {
                let mut read: Vec<ByteArray> = Vec::new();
                let (records, ..) = values
                    .read_records(ROWS, Some(&mut Vec::new()), Some(&mut Vec::new()), &mut read)
                    .map_err(unreadable)?;
                if records == 0 {
                    break;
                }
                for value in read {
                    texts.push(value.as_utf8().map_err(unreadable)?.to_owned());
                }
            },
            ColumnReader::Int64ColumnReader(mut values) => loop {
                let mut read: Vec<i64> = Vec::new();
                let (records, ..) = values
                    .read_records(ROWS, Some(&mut Vec::new()), Some(&mut Vec::new()), &mut read)
                    .map_err(unreadable)?;
                if records == 0 {
                    break;
                }
                texts.extend(
                    read.iter().map(|value| known.get(value).cloned().unwrap_or_else(|| value.to_string())),
                );
            },
            _ => return Err(format!("its column {column} is of neither texts nor whole numbers")),
        }
        if texts.len() - before != count {
            return Err(format!("its column {column} has {} of {count} values", texts.len() - before));
        }
    }
    Ok(texts)
}

/// What the numbers in a column are called, if the file says it as the Python package `datasets` does.
fn label_names(reader: &SerializedFileReader<File>, column: &str) -> HashMap<i64, String> {
    let metadata = reader.metadata().file_metadata().key_value_metadata();
    let text = metadata
        .and_then(|pairs| pairs.iter().find(|pair| pair.key == "huggingface"))
        .and_then(|pair| pair.value.as_deref());
    let said: Value = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let names = said["info"]["features"][column]["names"].as_array();
    let names = names.into_iter().flatten().map(|name| name.as_str().unwrap_or_default().to_owned());
    (0..).zip(names).collect()
}

/// Audio files out of rows, best asked for in the order in which they lie.
#[derive(Default)]
pub struct AudioRows {
    open: Option<OpenFile>,
}

struct OpenFile {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    column: usize,
    group: usize,
    /// The first row of the group, and the next that its column gives.
    first: usize,
    next: usize,
    values: ColumnReader,
}

impl AudioRows {
    /// The bytes in a row; `None` if it holds none.
    ///
    /// # Errors
    /// [`LabError::Read`], and [`LabError::File`] for a damaged file or one without such a row.
    pub fn bytes(&mut self, path: &Path, row: usize) -> Result<Option<Vec<u8>>, LabError> {
        if self.open.as_ref().is_none_or(|open| open.path != path || row < open.next) {
            self.open = Some(OpenFile::new(path)?);
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        open.bytes(row).map_err(|error| damaged(path, &error))
    }
}

impl OpenFile {
    fn new(path: &Path) -> Result<Self, LabError> {
        let reader = open(path)?;
        let column = audio_column(path, reader.metadata().file_metadata().schema_descr())?;
        let values = reader.get_row_group(0).and_then(|group| group.get_column_reader(column));
        let values = values.map_err(|error| damaged(path, &error))?;
        Ok(Self { path: path.to_owned(), reader, column, group: 0, first: 0, next: 0, values })
    }

    fn bytes(&mut self, row: usize) -> Result<Option<Vec<u8>>, ParquetError> {
        loop {
            let rows = self.reader.get_row_group(self.group)?.metadata().num_rows();
            let end = self.first + usize::try_from(rows).unwrap_or(0);
            if row < end {
                break;
            }
            (self.group, self.first, self.next) = (self.group + 1, end, end);
            if self.group >= self.reader.num_row_groups() {
                return Err(ParquetError::General(format!("it has no row {row}")));
            }
            self.values = self.reader.get_row_group(self.group)?.get_column_reader(self.column)?;
        }
        let ColumnReader::ByteArrayColumnReader(values) = &mut self.values else {
            return Err(ParquetError::General("its audio is no bytes".to_owned()));
        };
        values.skip_records(row - self.next)?;
        let mut read: Vec<ByteArray> = Vec::new();
        let (records, ..) =
            values.read_records(1, Some(&mut Vec::new()), Some(&mut Vec::new()), &mut read)?;
        self.next = row + 1;
        match records {
            1 => Ok(read.first().map(|bytes| bytes.data().to_vec())),
            _ => Err(ParquetError::General(format!("row {row} is missing"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::Compression;
    use parquet::data_type::{ByteArrayType, Int64Type};
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::super::Layout;
    use super::*;

    const SCHEMA: &str = "message schema {
        optional group audio { optional binary bytes; optional binary path (UTF8); }
        optional int64 genre_id;
        optional binary genre (UTF8);
    }";

    /// Genre, its number and audio.
    type Row<'a> = (&'a str, i64, Option<&'a [u8]>);

    /// Writes row groups.
    fn write(path: &Path, groups: &[&[Row<'_>]]) {
        let names = r#"{"info":{"features":{"genre_id":{"names":["Folk","Rock"],"_type":"ClassLabel"}}}}"#;
        let said = KeyValue::new("huggingface".to_owned(), Some(names.to_owned()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(vec![said]))
            .build();
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = File::create(path).unwrap();
        let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
        for rows in groups {
            let mut group = writer.next_row_group().unwrap();
            let ones = vec![1_i16; rows.len()];
            let texts = |values: Vec<&str>| values.into_iter().map(ByteArray::from).collect::<Vec<_>>();
            let audio: Vec<ByteArray> =
                rows.iter().filter_map(|(.., audio)| Some(ByteArray::from((*audio)?.to_vec()))).collect();
            let levels: Vec<i16> =
                rows.iter().map(|(.., audio)| if audio.is_some() { 2 } else { 1 }).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&audio, Some(&levels), None).unwrap();
            column.close().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&[], Some(&ones), None).unwrap();
            column.close().unwrap();
            let numbers: Vec<i64> = rows.iter().map(|(_, number, _)| *number).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<Int64Type>().write_batch(&numbers, Some(&ones), None).unwrap();
            column.close().unwrap();
            let genres = texts(rows.iter().map(|(genre, ..)| *genre).collect());
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&genres, Some(&ones), None).unwrap();
            column.close().unwrap();
            group.close().unwrap();
        }
        writer.close().unwrap();
    }

    #[test]
    fn rows_of_all_files_and_groups_are_listed_and_read_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("data/a.parquet"), folder.path().join("b.parquet"));
        write(&first, &[&[("Rock", 1, Some(b"r0")), ("Folk", 0, None)], &[("Rock", 1, Some(b"r2"))]]);
        write(&second, &[&[("Folk", 0, Some(b"f"))]]);
        let by = |columns: &str| {
            let classes = columns.split(',').map(str::to_owned).collect();
            Layout::Parquet { classes }.list(folder.path())
        };
        let dataset = by("genre,genre_id").unwrap();
        assert_eq!(dataset.classes, ["Folk", "Rock"]);
        // Numbers are called what the file calls them.
        assert_eq!(dataset.more[0].classes, ["Folk", "Rock"]);
        let rows: Vec<_> = dataset
            .recordings
            .iter()
            .map(|found| (found.path.clone(), found.row.unwrap(), found.class))
            .collect();
        let expected = [(&second, 0, 0), (&first, 0, 1), (&first, 1, 0), (&first, 2, 1)];
        assert_eq!(rows, expected.map(|(path, row, class)| (path.clone(), row, class)));

        let mut audio = AudioRows::default();
        for (path, row, bytes) in [
            (&second, 0, Some("f")),
            (&first, 0, Some("r0")),
            (&first, 2, Some("r2")),
            (&first, 1, None),
            (&first, 0, Some("r0")),
        ] {
            let expected = bytes.map(|bytes: &str| bytes.as_bytes().to_vec());
            assert_eq!(audio.bytes(path, row).unwrap(), expected, "{row}");
        }
        assert!(audio.bytes(&first, 3).unwrap_err().to_string().contains("no row 3"));

        let error = by("mood").unwrap_err().to_string();
        assert!(error.contains("no column mood") && error.contains("audio.bytes, audio.path"), "{error}");
        fs::write(&second, b"PAR1 and nothing").unwrap();
        assert!(by("genre").unwrap_err().to_string().contains("cannot be read as Parquet"));
        let empty = tempfile::tempdir().unwrap();
        let none = Layout::Parquet { classes: vec!["genre".to_owned()] }.list(empty.path());
        assert!(none.unwrap_err().to_string().contains("no rows of Parquet"));
    }
}
