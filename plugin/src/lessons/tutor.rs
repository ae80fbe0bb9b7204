//! The real tutor: the lab, with the model in use.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tiller_models::bundle::discovery;
use tiller_models::lab::ClipSettings;
use tiller_models::lab::Progress;
use tiller_models::lab::lesson::{self, Learnt, file_stem};
use tiller_models::lab::strength::Search;
use tiller_models::musicgen::{Cancel, Engine, frames_of};

use super::{Request, Taught, Tutor};
use crate::renderer::{open_bundle, options, sentence};
use crate::state::Settings;

/// Length of the segments that recordings are cut into, and of the clips the vector is tried on, seconds.
const SECONDS: f64 = 4.0;

/// Teaches MusicGen by `tiller_models::lab`.
pub struct ModelTutor;

impl Tutor for ModelTutor {
    fn teach(
        &self,
        request: &Request,
        settings: &Settings,
        cancel: &Cancel,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Taught, String> {
        let vectors = discovery::data_folder()
            .ok_or("The system names no home folder, so there is no place for a vector.")?
            .join("vectors");
        let bundle = open_bundle(settings, &|| cancel.is_cancelled())?;
        let folder = working_folder(request, bundle.id())?;
        let _lock = lock(&folder)?;
        let engine =
            Engine::load(&bundle, &options(&settings.provider, &settings.precision)?).map_err(sentence)?;
        let frames = frames_of(SECONDS, bundle.architecture())?;
        let lesson = lesson::Lesson {
            name: request.name.clone(),
            plus: request.plus.clone(),
            minus: request.minus.clone(),
            frames,
            search: Search {
                prompts: vec![request.prompt.clone()],
                clips: ClipSettings {
                    scale: settings.scale,
                    rows: settings.rows,
                    ..ClipSettings::new(frames)
                },
                ..Search::new(frames)
            },
        };
        let learnt = lesson::teach(&engine, &lesson, None, &folder, cancel, progress).map_err(sentence)?;
        let (file, page) = keep(&request.name, &learnt, &vectors)?;
        if let Err(error) = fs::remove_dir_all(&folder) {
            tracing::warn!("{} cannot be removed: {error}", folder.display());
        }
        Ok(Taught {
            name: request.name.trim().to_owned(),
            file,
            page,
            works: learnt.works,
            verdict: learnt.verdict,
            doubts: learnt.doubts,
            skipped: learnt.skipped.len(),
        })
    }
}

/// Where a lesson keeps what it has done: another place for other folders or another model.
fn working_folder(request: &Request, bundle: &str) -> Result<PathBuf, String> {
    let cache = discovery::cache_folder()
        .ok_or("The system names no home folder, so there is no place to work in.")?;
    let identity = format!("{bundle}\n{:?}", (&request.plus, &request.minus, &request.prompt));
    let hash = Sha256::digest(identity.as_bytes());
    let hash: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let folder = cache.join("lessons").join(hash);
    let made = fs::create_dir_all(&folder);
    made.map_err(|error| format!("{} cannot be made: {error}.", folder.display()))?;
    Ok(folder)
}

/// Keeps other processes from the same lesson as long as the file is open.
fn lock(folder: &Path) -> Result<File, String> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(|error| format!("{} cannot be made: {error}.", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            Err("This lesson is under way in another host; wait for its end there.".to_owned())
        }
        Err(fs::TryLockError::Error(error)) => Err(format!("{} cannot be locked: {error}.", path.display())),
    }
}

/// Puts vector and page into the folder, under a name that no file has: projects know vectors by their files.
fn keep(name: &str, learnt: &Learnt, folder: &Path) -> Result<(PathBuf, PathBuf), String> {
    let failed = |error: &dyn std::fmt::Display| {
        format!("The vector cannot be written into {}: {error}.", folder.display())
    };
    let written = |bytes: &[u8]| -> Result<NamedTempFile, String> {
        let mut file = NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
        file.write_all(bytes).map_err(|error| failed(&error))?;
        Ok(file)
    };
    fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    let (mut vector, page) = (written(&learnt.vector)?, written(learnt.page.as_bytes())?);
    let stem = file_stem(name);
    let names = std::iter::once(stem.clone()).chain((2_u32..).map(|number| format!("{stem}-{number}")));
    for name in names {
        let file = folder.join(format!("{name}.safetensors"));
        match vector.persist_noclobber(&file) {
            Ok(_) => {
                let place = folder.join(format!("{name}.html"));
                page.persist(&place).map_err(|error| failed(&error.error))?;
                return Ok((file, place));
            }
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => vector = error.file,
            Err(error) => return Err(failed(&error.error)),
        }
    }
    Err(failed(&"there is no free name"))
}

#[cfg(test)]
mod tests {
    use tiller_models::lab::Method;

    use super::*;

    #[test]
    fn a_second_vector_of_the_same_name_leaves_the_first_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let vectors = folder.path().join("vectors");
        let learnt = |text: &str| Learnt {
            vector: text.as_bytes().to_vec(),
            page: format!("<p>{text}"),
            verdict: String::new(),
            works: true,
            doubts: Vec::new(),
            method: Method::Dim,
            segments: 0,
            skipped: Vec::new(),
            found: None,
        };
        let (first, page) = keep("Rhodes", &learnt("one"), &vectors).unwrap();
        let (second, _) = keep("Rhodes", &learnt("two"), &vectors).unwrap();
        assert_eq!((first.clone(), page), (vectors.join("rhodes.safetensors"), vectors.join("rhodes.html")));
        assert_eq!(second, vectors.join("rhodes-2.safetensors"));
        assert_eq!(fs::read(first).unwrap(), b"one");
        assert_eq!(fs::read_to_string(vectors.join("rhodes-2.html")).unwrap(), "<p>two");
        assert_eq!(fs::read_dir(&vectors).unwrap().count(), 4);
    }

    #[test]
    fn a_lesson_under_way_elsewhere_is_not_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        assert!(lock(folder.path()).unwrap_err().contains("another host"));
        drop(held);
        assert!(lock(folder.path()).is_ok());
    }
}
