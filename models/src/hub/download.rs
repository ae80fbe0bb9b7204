//! One file, from wherever it stands to the last byte, checked.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use ureq::Body;
use ureq::http::Response;

use super::HubError;
use super::file::RemoteFile;

/// How often in a row a connection may bring nothing before it is given up.
const ATTEMPTS: u32 = 5;
/// The wait after the first; it doubles with each.
const WAIT: Duration = Duration::from_millis(500);

/// Where a file comes from.
pub struct Source<'a> {
    /// Asks for the file, or for its bytes from one on.
    #[allow(clippy::type_complexity, reason = "said once")]
    pub get: &'a dyn Fn(Option<u64>) -> Result<Response<Body>, ureq::Error>,
    /// What a status means that is no success.
    pub refusal: &'a dyn Fn(u16) -> HubError,
}

/// Why no more bytes came.
enum Stop {
    /// It may go on.
    Broken(String),
    /// It will not.
    Refused(HubError),
}

impl Stop {
    /// The part cannot be written.
    fn storing(part: &Path) -> impl FnOnce(std::io::Error) -> Self {
        |error| Self::Refused(HubError::storing(part)(error))
    }
}

/// Where the part of `blob` is that is there.
pub fn part(blob: &Path) -> PathBuf {
    blob.with_extension("part")
}

/// Fetches `file` as `blob`, going on with the part of an earlier call. `progress` is told the bytes that are there.
pub fn download(
    source: &Source,
    file: &RemoteFile,
    blob: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<(), HubError> {
    if let Some(folder) = blob.parent() {
        fs::create_dir_all(folder).map_err(HubError::storing(folder))?;
    }
    let lock = blob.with_extension("lock");
    let held = File::create(&lock).map_err(HubError::storing(&lock))?;
    held.try_lock().map_err(|_| HubError::Busy { file: file.name.clone() })?;
    let part = part(blob);
    let mut damaged = false;
    loop {
        complete(source, file, &part, progress)?;
        if file.is(&part).map_err(HubError::storing(&part))? {
            fs::rename(&part, blob).map_err(HubError::storing(blob))?;
            return Ok(());
        }
        fs::remove_file(&part).map_err(HubError::storing(&part))?;
        // Once may be a part of another origin, or a moment's fault.
        if damaged {
            return Err(HubError::Damaged { file: file.name.clone() });
        }
        damaged = true;
    }
}

/// Brings `part` to the file's size, over as many connections as that takes.
fn complete(
    source: &Source,
    file: &RemoteFile,
    part: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<(), HubError> {
    let mut most = 0;
    let mut failures = 0;
    loop {
        let reason = match receive(source, file, part, progress) {
            Ok(()) => return Ok(()),
            Err(Stop::Refused(error)) => return Err(error),
            Err(Stop::Broken(reason)) => reason,
        };
        let have = fs::metadata(part).map_or(0, |found| found.len());
        // A server that begins anew each time must not count as one that goes on.
        failures = if have > most { 1 } else { failures + 1 };
        most = most.max(have);
        if failures == ATTEMPTS {
            return Err(HubError::Interrupted { file: file.name.clone(), have, size: file.size, reason });
        }
        thread::sleep(WAIT * 2_u32.pow(failures - 1));
    }
}

/// Asks once for what is missing and appends it to `part`.
fn receive(
    source: &Source,
    file: &RemoteFile,
    part: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<(), Stop> {
    let mut kept = OpenOptions::new().create(true).append(true).open(part).map_err(Stop::storing(part))?;
    let mut have = kept.metadata().map_err(Stop::storing(part))?.len();
    if have > file.size {
        kept.set_len(0).map_err(Stop::storing(part))?;
        have = 0;
    }
    progress(have);
    if have == file.size {
        return Ok(());
    }
    let answer = (source.get)((have > 0).then_some(have)).map_err(|error| Stop::Broken(error.to_string()))?;
    match answer.status().as_u16() {
        206 if begins_at(&answer, have) => {}
        200 => {
            // The whole file, though a part was asked for.
            kept.set_len(0).map_err(Stop::storing(part))?;
            have = 0;
        }
        status @ (206 | 416) => {
            kept.set_len(0).map_err(Stop::storing(part))?;
            return Err(Stop::Broken(format!("status {status} for another range than was asked for")));
        }
        status @ (429 | 500..) => return Err(Stop::Broken(format!("status {status}"))),
        status => return Err(Stop::Refused((source.refusal)(status))),
    }
    let mut body = answer.into_body().into_reader().take(file.size - have + 1);
    let mut block = vec![0; 1 << 18];
    loop {
        let count = body.read(&mut block).map_err(|error| Stop::Broken(error.to_string()))?;
        if count == 0 {
            break;
        }
        kept.write_all(&block[..count]).map_err(Stop::storing(part))?;
        have += count as u64;
        progress(have.min(file.size));
    }
    match have.cmp(&file.size) {
        std::cmp::Ordering::Less => Err(Stop::Broken("the connection was closed".into())),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => {
            kept.set_len(0).map_err(Stop::storing(part))?;
            Err(Stop::Broken("the file is longer than the hub states".into()))
        }
    }
}

/// Whether the answer's `Content-Range` is `bytes {from}-...`.
fn begins_at(answer: &Response<Body>, from: u64) -> bool {
    answer
        .headers()
        .get("content-range")
        .and_then(|range| range.to_str().ok()?.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok())
        == Some(from)
}
