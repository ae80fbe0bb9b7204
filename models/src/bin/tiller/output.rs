//! Files that appear whole or not at all, and what is said while they are made.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use hound::{SampleFormat, WavSpec, WavWriter};
use indicatif::{ProgressBar, ProgressStyle};
use tempfile::NamedTempFile;
use tiller_models::lab::Progress;

use super::Fallible;

/// How a command reports.
#[derive(Args)]
pub(crate) struct Reporting {
    /// Say nothing but errors.
    #[arg(long)]
    pub quiet: bool,
    /// Print one JSON object about the result.
    #[arg(long)]
    pub json: bool,
}

impl Reporting {
    /// A bar for `total` steps on stderr; hidden when quiet and away from a terminal.
    pub fn bar(&self, total: usize, what: &'static str) -> ProgressBar {
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::new(total as u64) };
        if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:40}] {percent} %, {eta} left") {
            bar.set_style(style);
        }
        bar.with_message(what)
    }

    /// A bar for `bytes` that are transferred, on stderr; hidden when quiet and away from a terminal.
    pub fn transfer(&self, bytes: u64) -> ProgressBar {
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::new(bytes) };
        let template = "{msg} [{bar:40}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar
    }

    /// Moves a bar to where long work of the lab is.
    pub fn show(bar: &ProgressBar, progress: Progress) {
        let message = progress.stage.to_string();
        if bar.message() != message {
            // The time that is left is of this stage alone.
            bar.reset();
            bar.set_message(message);
        }
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
    }

    /// The result, as JSON or as a line for people.
    pub fn result(&self, json: &serde_json::Value, line: &str) {
        if self.json {
            println!("{json}");
        } else if !self.quiet {
            println!("{line}");
        }
    }
}

/// A file that is written beside its place and takes it when it is finished.
pub(crate) struct Pending {
    file: NamedTempFile,
    path: PathBuf,
}

impl Pending {
    /// Fails here, before any work, if the file cannot be written.
    pub fn create(path: &Path) -> Result<Self, String> {
        let unwritable =
            |reason: String| format!("cannot write {}: {reason}; choose another place", path.display());
        if path.is_dir() {
            return Err(unwritable("it is a folder".to_owned()));
        }
        if fs::metadata(path).is_ok_and(|found| found.permissions().readonly()) {
            return Err(unwritable("it is read-only".to_owned()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As any new file: what the umask leaves of it.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file =
            builder.prefix(".tiller-").tempfile_in(folder).map_err(|error| unwritable(error.to_string()))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Writes `contents` and puts the file in its place.
    pub fn finish_with(mut self, contents: impl AsRef<[u8]>) -> Result<(), String> {
        self.file.write_all(contents.as_ref()).map_err(|error| self.failed(&error))?;
        self.finish()
    }

    /// Has `write` fill the file and puts it in its place.
    pub fn finish_by<E: std::error::Error + 'static>(
        self,
        write: impl FnOnce(&mut BufWriter<&File>) -> Result<(), E>,
    ) -> Fallible<()> {
        let mut writer = BufWriter::new(self.file.as_file());
        write(&mut writer)?;
        writer.flush().map_err(|error| self.failed(&error))?;
        drop(writer);
        Ok(self.finish()?)
    }

    fn finish(self) -> Result<(), String> {
        self.file
            .persist(&self.path)
            .map(drop)
            .map_err(|error| format!("cannot write {}: {}", self.path.display(), error.error))
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> String {
        format!("cannot write {}: {error}", self.path.display())
    }
}

/// A WAV file of 32-bit floats, so that nothing is clipped or dithered away.
pub(crate) struct Wav {
    writer: WavWriter<BufWriter<File>>,
    pending: Pending,
}

impl Wav {
    pub fn create(path: &Path, sample_rate: u32, channels: usize) -> Result<Self, String> {
        let pending = Pending::create(path)?;
        let channels =
            u16::try_from(channels).map_err(|_| format!("a WAV file cannot hold {channels} channels"))?;
        let spec = WavSpec { channels, sample_rate, bits_per_sample: 32, sample_format: SampleFormat::Float };
        let file = pending.file.reopen().map_err(|error| pending.failed(&error))?;
        let writer = WavWriter::new(BufWriter::new(file), spec).map_err(|error| pending.failed(&error))?;
        Ok(Self { writer, pending })
    }

    /// Appends samples, channels interleaved.
    pub fn write(&mut self, samples: &[f32]) -> Result<(), String> {
        samples
            .iter()
            .try_for_each(|&sample| self.writer.write_sample(sample))
            .map_err(|error| self.pending.failed(&error))
    }

    pub fn finish(self) -> Result<(), String> {
        self.writer.finalize().map_err(|error| self.pending.failed(&error))?;
        self.pending.finish()
    }
}
