//! The Free Music Archive data set: `fma_metadata/tracks.csv` and folders of MP3s, as published.
//!
//! The table has two rows of column names, a group (`track`) above a name (`genre_top`), then one that names the index.
//! A track's file is its number in six digits, in a folder of the first three: `fma_small/000/000002.mp3`.

use std::path::Path;

use super::audio::number;
use super::{Dataset, LabError};

/// The folders of audio, largest first, and the subsets that each has. A track's subset is the smallest that it is in.
const AUDIO: [(&str, &[&str]); 4] = [
    ("fma_full", &["small", "medium", "large", "full"]),
    ("fma_large", &["small", "medium", "large"]),
    ("fma_medium", &["small", "medium"]),
    ("fma_small", &["small"]),
];

pub fn list(root: &Path) -> Result<Dataset, LabError> {
    let path = root.join("fma_metadata/tracks.csv");
    let (audio, subsets) = AUDIO
        .iter()
        .map(|(name, subsets)| (root.join(name), subsets))
        .find(|(folder, _)| folder.is_dir())
        .ok_or_else(|| {
            LabError::request(format!(
                "{} holds none of fma_full, fma_large, fma_medium and fma_small; name the folder that holds one of them \
                 beside fma_metadata",
                root.display()
            ))
        })?;
    let damaged = |reason: String| LabError::File { file: path.display().to_string(), reason };
    let file = std::fs::File::open(&path).map_err(|source| LabError::Read { path: path.clone(), source })?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(file);
    let mut rows = reader.records();
    let mut header = || match rows.next() {
        Some(row) => row.map_err(|error| damaged(error.to_string())),
        None => Err(damaged("it does not begin with two rows of column names".to_owned())),
    };
    let (groups, names) = (header()?, header()?);
    let column = |group: &str, name: &str| {
        let is_it = |pair: (&str, &str)| pair == (group, name);
        groups
            .iter()
            .zip(&names)
            .position(is_it)
            .ok_or_else(|| damaged(format!("it has no column {group}, {name}")))
    };
    let (genre, subset, artist) =
        (column("track", "genre_top")?, column("set", "subset")?, column("artist", "id")?);
    let mut found = Vec::new();
    for row in rows {
        let row = row.map_err(|error| damaged(error.to_string()))?;
        // The third row names the index.
        let Ok(id) = row[0].parse::<u32>() else { continue };
        if row[genre].is_empty() || !subsets.contains(&&row[subset]) {
            continue;
        }
        let file = audio.join(format!("{:03}/{id:06}.mp3", id / 1_000));
        // With the genre, because a track is of one class and some artists are of two.
        let track = number(format!("fma artist {} {}", &row[artist], &row[genre]));
        found.push((row[genre].to_owned(), file, Some(track)));
    }
    Ok(Dataset::new(found))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Layout;
    use super::*;

    const TRACKS: &str = "\
,album,artist,set,set,track,track
,comments,id,split,subset,genre_top,title
track_id,,,,,,
2,0,1,training,small,Hip-Hop,Food
5,0,1,training,small,Hip-Hop,\"This, World\"
10,0,6,training,small,Pop,Freeway
20,4,4,training,large,,\"Spiritual
Level\"
140,0,54,training,medium,Folk,Queen
155001,0,1,test,small,Pop,Other
";

    #[test]
    fn genres_subsets_and_artists_come_from_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("fma_metadata")).unwrap();
        fs::write(root.join("fma_metadata/tracks.csv"), TRACKS).unwrap();
        let error = Layout::Fma.list(root).unwrap_err().to_string();
        assert!(error.contains("holds none of fma_full"), "{error}");

        fs::create_dir(root.join("fma_small")).unwrap();
        let small = Layout::Fma.list(root).unwrap();
        assert_eq!(small.classes, ["Hip-Hop", "Pop"]);
        let files: Vec<_> =
            small.recordings.iter().map(|found| found.path.strip_prefix(root).unwrap()).collect();
        let expected = ["000/000002.mp3", "000/000005.mp3", "000/000010.mp3", "155/155001.mp3"];
        assert_eq!(files, expected.map(|file| Path::new("fma_small").join(file)));
        let tracks: Vec<_> = small.recordings.iter().map(|found| found.track.unwrap()).collect();
        assert_eq!(tracks[0], tracks[1]);
        assert!(tracks[1] != tracks[2] && tracks[2] != tracks[3] && tracks[3] != tracks[0]);

        fs::create_dir(root.join("fma_medium")).unwrap();
        let medium = Layout::Fma.list(root).unwrap();
        assert_eq!(medium.classes, ["Folk", "Hip-Hop", "Pop"]);
        assert!(medium.recordings[0].path.ends_with("fma_medium/000/000140.mp3"));

        fs::write(root.join("fma_metadata/tracks.csv"), TRACKS.replace("genre_top", "genre")).unwrap();
        let error = Layout::Fma.list(root).unwrap_err().to_string();
        assert!(error.contains("no column track, genre_top"), "{error}");
    }
}
