//! What a folder holds, for whoever looks for a folder or a recording: the folders in it, and how many recordings or which.
//!
//! It is read on the window's own thread, so never more of it than takes a moment.

use std::fmt;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use tiller_models::lab::is_audio;

/// Entries of a folder that are read; what the system lists after them is left out.
const MOST: usize = 10_000;
/// Entries of a folder in it that are read to count its recordings.
const MOST_COUNTED: usize = 2_000;

/// How many recordings lie in a folder itself, not in those in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    pub recordings: usize,
    /// Whether all of the folder was read.
    pub is_whole: bool,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.recordings, self.is_whole) {
            (0, true) => f.write_str("no recordings"),
            (0, false) => f.write_str("many files"),
            (1, true) => f.write_str("1 recording"),
            (recordings, true) => write!(f, "{recordings} recordings"),
            (recordings, false) => write!(f, "{recordings} recordings or more"),
        }
    }
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A folder with recordings.
    Folder,
    /// A recording.
    Recording,
}

/// What is known of a folder's recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Nobody has looked.
    NotYet,
    /// These are there.
    As(Count),
    /// It cannot be read.
    Unreadable,
    /// It is no folder, but a recording itself.
    Recording,
}

/// A folder in another, or a recording in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Child {
    pub name: String,
    pub path: PathBuf,
    pub counted: Counted,
}

impl Child {
    /// Counts its recordings.
    pub fn count(&mut self) {
        self.counted = count(&self.path).map_or(Counted::Unreadable, Counted::As);
    }
}

/// A folder, and those in it by name; behind them its recordings, if one is looked for. Hidden ones are passed over.
#[derive(Debug, PartialEq, Eq)]
pub struct Listing {
    pub folder: PathBuf,
    pub children: Vec<Child>,
    pub count: Count,
}

impl Listing {
    /// Reads a folder.
    ///
    /// # Errors
    /// A sentence.
    pub fn of(folder: &Path, wanted: Wanted) -> Result<Self, String> {
        let failed = |error: io::Error| format!("{} cannot be read: {error}.", folder.display());
        let child = |path: PathBuf, counted| {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            Child { name, path, counted }
        };
        let (mut children, mut recordings) = (Vec::new(), 0);
        let is_whole = walk(folder, MOST, |entry, is_folder| {
            if is_folder {
                children.push(child(entry, Counted::NotYet));
            } else if is_audio(&entry) {
                recordings += 1;
                if wanted == Wanted::Recording {
                    children.push(child(entry, Counted::Recording));
                }
            }
        })
        .map_err(failed)?;
        children.sort_by_cached_key(|child| {
            (child.counted == Counted::Recording, child.name.to_lowercase(), child.path.clone())
        });
        Ok(Self { folder: folder.to_owned(), children, count: Count { recordings, is_whole } })
    }

    /// A folder of which nothing is known.
    pub fn empty(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), children: Vec::new(), count: Count::default() }
    }
}

fn count(folder: &Path) -> io::Result<Count> {
    let mut recordings = 0;
    let is_whole = walk(folder, MOST_COUNTED, |entry, is_folder| {
        recordings += usize::from(!is_folder && is_audio(&entry));
    })?;
    Ok(Count { recordings, is_whole })
}

/// Shows at most `most` entries, without hidden ones, and whether they are folders. Returns whether these are all.
fn walk(folder: &Path, most: usize, mut show: impl FnMut(PathBuf, bool)) -> io::Result<bool> {
    for (number, entry) in fs::read_dir(folder)?.enumerate() {
        if number == most {
            return Ok(false);
        }
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            show(entry.path(), is_folder(&entry));
        }
    }
    Ok(true)
}

/// Whether it is a folder, or a link to one. The type that the listing brings saves asking for each file.
fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir() || (kind.is_symlink() && entry.path().is_dir()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(root: &Path, files: &[&str]) {
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
    }

    #[test]
    fn folders_are_listed_by_name_and_recordings_are_counted() {
        let root = tempfile::tempdir().unwrap();
        let files =
            ["b/1.wav", "b/2.FLAC", "b/notes.txt", "b/in it/3.wav", "A/.hidden.wav", ".git/x.wav", "top.mp3"];
        touch(root.path(), &files);
        let mut listing = Listing::of(root.path(), Wanted::Folder).unwrap();
        let names: Vec<_> = listing.children.iter().map(|child| child.name.as_str()).collect();
        assert_eq!(names, ["A", "b"]);
        assert_eq!(listing.count, Count { recordings: 1, is_whole: true });
        assert!(listing.children.iter().all(|child| child.counted == Counted::NotYet));
        listing.children.iter_mut().for_each(Child::count);
        let of = |recordings| Counted::As(Count { recordings, is_whole: true });
        assert_eq!(listing.children.iter().map(|child| child.counted).collect::<Vec<_>>(), [of(0), of(2)]);
    }

    #[test]
    fn recordings_are_listed_behind_the_folders_if_one_is_looked_for() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["z/1.wav", "B.wav", "a.flac", "notes.txt", ".hidden.wav"]);
        let listing = Listing::of(root.path(), Wanted::Recording).unwrap();
        let names: Vec<_> = listing.children.iter().map(|child| child.name.as_str()).collect();
        assert_eq!(names, ["z", "a.flac", "B.wav"]);
        assert_eq!(listing.children[1].counted, Counted::Recording);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["gone/1.wav", "file.wav"]);
        let mut listing = Listing::of(root.path(), Wanted::Folder).unwrap();
        fs::remove_dir_all(root.path().join("gone")).unwrap();
        listing.children[0].count();
        assert_eq!(listing.children[0].counted, Counted::Unreadable);
        for name in ["gone", "file.wav"] {
            let error = Listing::of(&root.path().join(name), Wanted::Folder).unwrap_err();
            assert!(error.contains(name) && error.contains("cannot be read"), "{error}");
        }
    }

    #[test]
    fn a_folder_of_very_many_files_is_read_in_part() {
        let root = tempfile::tempdir().unwrap();
        let files: Vec<String> = (0..=MOST).map(|number| format!("many/{number}.wav")).collect();
        fs::create_dir(root.path().join("many")).unwrap();
        files.iter().for_each(|file| fs::write(root.path().join(file), b"").unwrap());
        let listing = Listing::of(&root.path().join("many"), Wanted::Folder).unwrap();
        assert_eq!(listing.count, Count { recordings: MOST, is_whole: false });
        let mut above = Listing::of(root.path(), Wanted::Folder).unwrap();
        above.children[0].count();
        let Counted::As(count) = above.children[0].counted else { panic!("it can be read") };
        assert_eq!(count.to_string(), "2000 recordings or more");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_folder_is_a_folder() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["real/1.wav"]);
        std::os::unix::fs::symlink(root.path().join("real"), root.path().join("link")).unwrap();
        std::os::unix::fs::symlink(root.path().join("nowhere"), root.path().join("broken")).unwrap();
        let listing = Listing::of(root.path(), Wanted::Folder).unwrap();
        assert_eq!(
            listing.children.iter().map(|child| &child.name[..]).collect::<Vec<_>>(),
            ["link", "real"]
        );
    }
}
