//! Folders where looking for recordings begins.

use std::env;
use std::path::{Path, PathBuf};

/// A folder with a name that people know it by.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    pub name: String,
    pub folder: PathBuf,
}

/// The user's home, if the system names one.
pub fn home() -> Option<PathBuf> {
    env::home_dir().filter(|home| home.is_absolute())
}

/// Those there are on this machine: home, music, and the roots of file systems.
pub fn places() -> Vec<Place> {
    let mut places = Vec::new();
    if let Some(home) = home() {
        let listed = std::fs::read_to_string(home.join(".config/user-dirs.dirs")).ok();
        let music = music(&home, listed.as_deref());
        places.push(Place { name: "Home".to_owned(), folder: home });
        places.push(Place { name: "Music".to_owned(), folder: music });
    }
    if cfg!(windows) {
        let drives = ('A'..='Z').map(|letter| (format!("{letter}:"), PathBuf::from(format!("{letter}:\\"))));
        places.extend(drives.map(|(name, folder)| Place { name, folder }));
    } else {
        places.push(Place { name: "Computer".to_owned(), folder: PathBuf::from("/") });
        let volumes = PathBuf::from("/Volumes");
        places.push(Place { name: "Volumes".to_owned(), folder: volumes });
    }
    places.retain(|place| place.folder.is_dir());
    places
}

/// Where the user's music is: as `user-dirs.dirs` of freedesktop.org says, whose names are in the user's language, else
/// `Music`, which Windows and macOS call by that name on disk in every language.
fn music(home: &Path, user_dirs: Option<&str>) -> PathBuf {
    let value = |line: &str| {
        line.trim().strip_prefix("XDG_MUSIC_DIR=").map(|value| value.trim_matches('"').to_owned())
    };
    let named = user_dirs.and_then(|text| text.lines().find_map(value));
    let folder = named.map(|named| match named.strip_prefix("$HOME/") {
        Some(inside) => home.join(inside),
        None => PathBuf::from(named),
    });
    folder.filter(|folder| folder.is_absolute()).unwrap_or_else(|| home.join("Music"))
}

/// A path as people write it: with `~` for their home.
pub fn short(path: &Path) -> String {
    let inside = home().and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned));
    match inside {
        Some(inside) if inside.as_os_str().is_empty() => "~".to_owned(),
        Some(inside) => Path::new("~").join(inside).display().to_string(),
        None => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn music_is_where_the_user_says() {
        let home = Path::new(if cfg!(windows) { "C:\\Users\\x" } else { "/home/x" });
        assert_eq!(music(home, None), home.join("Music"));
        let dirs = "# comment\nXDG_DESKTOP_DIR=\"$HOME/Schreibtisch\"\nXDG_MUSIC_DIR=\"$HOME/Musik\"\n";
        assert_eq!(music(home, Some(dirs)), home.join("Musik"));
        assert_eq!(music(home, Some("XDG_MUSIC_DIR=\"relative\"\n")), home.join("Music"));
        let elsewhere = home.join("loops").display().to_string();
        assert_eq!(music(home, Some(&format!("XDG_MUSIC_DIR=\"{elsewhere}\""))), home.join("loops"));
    }

    #[test]
    fn only_places_that_are_there_are_named() {
        let places = places();
        assert!(!places.is_empty() && places.iter().all(|place| place.folder.is_dir()), "{places:?}");
    }

    #[test]
    fn the_home_is_written_as_a_tilde() {
        let home = home().expect("a test runs as a user");
        assert_eq!(short(&home), "~");
        assert_eq!(short(&home.join("loops")), Path::new("~").join("loops").display().to_string());
    }
}
