//! The musician's own presets: `presets/*.json` in the data folder.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use tiller_models::bundle::discovery;

use super::{LARGEST, Preset};

/// Files that are listed; a folder with more is none of presets.
const MOST: usize = 1_000;
/// Names that Windows keeps for devices, whatever their extension.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

/// A folder of presets. It need not be there.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// A file of the folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The preset's name, or the file's if it cannot be read.
    pub name: String,
    /// The preset, or a sentence saying what is wrong with the file.
    pub preset: Result<Preset, String>,
}

impl Folder {
    /// The data folder's, if the system names a data folder.
    #[must_use]
    pub fn of_the_user() -> Option<Self> {
        discovery::data_folder().map(|data| Self(data.join("presets")))
    }

    /// Any folder.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Its files, sorted by name.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let files = entries.map(|entry| entry.path());
        let presets = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let mut listed: Vec<Listed> = presets.take(MOST).map(|path| read(&path)).collect();
        listed.sort_by_key(|listed| listed.name.to_lowercase());
        listed
    }

    /// Whether saving under this name would replace a file.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.file(name).is_some_and(|file| file.exists())
    }

    /// Writes a preset under its name, in the place of one that had it.
    ///
    /// # Errors
    /// A sentence saying what went wrong.
    pub fn save(&self, preset: &Preset) -> Result<(), String> {
        let Some(file) = self.file(&preset.name) else {
            return Err("Give the preset a name first.".into());
        };
        let text = serde_json::to_string_pretty(preset)
            .map_err(|error| format!("The preset could not be written: {error}."))?;
        // Written beside and moved, so that no one ever reads half a preset.
        let beside = file.with_extension(format!("{}.part", std::process::id()));
        let saved = fs::create_dir_all(&self.0)
            .and_then(|()| fs::write(&beside, text + "\n"))
            .and_then(|()| fs::rename(&beside, &file));
        saved.map_err(|error| {
            // What is left of it, if anything, is in the way of nothing.
            let _ = fs::remove_file(&beside);
            format!("The preset could not be saved as {}: {error}.", file.display())
        })
    }

    /// The file of a preset with this name, which may hold anything a person types.
    fn file(&self, name: &str) -> Option<PathBuf> {
        let allowed = |letter: char| !letter.is_control() && !r#"/\:*?"<>|"#.contains(letter);
        let letters = name.trim().chars().take(100).map(|c| if allowed(c) { c } else { '-' });
        let name: String = letters.collect();
        let name = name.trim_matches(['.', ' ']);
        if name.is_empty() {
            return None;
        }
        let stem = name.split('.').next().unwrap_or_default().to_lowercase();
        let device = DEVICES.contains(&stem.trim_end_matches(|letter: char| letter.is_ascii_digit()));
        Some(self.0.join(format!("{}{name}.json", if device { "_" } else { "" })))
    }
}

fn read(path: &Path) -> Listed {
    let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let mut text = Vec::new();
    // One byte more than the largest, so that a larger one is noticed and not read.
    let read = fs::File::open(path).and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut text));
    let preset = read
        .map_err(|error| error.to_string())
        .and_then(|_| String::from_utf8(text).map_err(|_| "it is not text".into()))
        .and_then(|text| Preset::read(&text))
        .map_err(|error| format!("{} cannot be loaded: {error}.", path.display()));
    Listed { name: preset.as_ref().map_or(name, |preset| preset.name.clone()), preset }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preset(name: &str) -> Preset {
        let mut preset = Preset::read(r#"{"schema":1,"name":"x","prompt":"solo flute"}"#).unwrap();
        preset.name = name.into();
        preset
    }

    #[test]
    fn presets_are_saved_listed_by_name_and_replaced() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(&root.path().join("presets"));
        assert!(folder.list().is_empty());
        for name in ["zither", "Bells", "größer ♪"] {
            folder.save(&preset(name)).unwrap();
        }
        let mut changed = preset("Bells");
        changed.prompt = "church bells".into();
        assert!(folder.has("Bells") && !folder.has("bellows"));
        folder.save(&changed).unwrap();
        let listed = folder.list();
        let names: Vec<_> = listed.iter().map(|listed| listed.name.as_str()).collect();
        assert_eq!(names, ["Bells", "größer ♪", "zither"]);
        assert_eq!(listed[0].preset, Ok(changed));
    }

    #[test]
    fn a_name_never_leads_out_of_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(&root.path().join("presets"));
        for name in ["../../up", "/etc/passwd", r"..\up", "a:b", "CON", "con.txt", "...x", "x\u{0}y"] {
            folder.save(&preset(name)).unwrap();
        }
        assert_eq!(folder.list().len(), 8);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        assert!(!folder.path().join("CON.json").exists());
        for name in ["", "  ", "..", ". ."] {
            assert!(folder.save(&preset(name)).unwrap_err().contains("name"), "{name:?}");
        }
    }

    #[test]
    fn a_broken_file_is_listed_with_what_is_wrong_and_hides_no_other() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(root.path());
        folder.save(&preset("whole")).unwrap();
        fs::write(root.path().join("broken.json"), "{").unwrap();
        fs::write(root.path().join("huge.json"), " ".repeat(LARGEST + 10)).unwrap();
        fs::write(root.path().join("notes.txt"), "not a preset").unwrap();
        let listed = folder.list();
        let names: Vec<_> =
            listed.iter().map(|listed| (listed.name.as_str(), listed.preset.is_ok())).collect();
        assert_eq!(names, [("broken", false), ("huge", false), ("whole", true)]);
        assert!(listed[1].preset.as_ref().unwrap_err().contains("larger than any preset"));
    }

    #[test]
    fn a_folder_that_cannot_be_written_says_so() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(Folder::at(&file).save(&preset("x")).unwrap_err().contains("could not be saved"));
    }
}
