//! `tiller encode` and `tiller decode`: audio through the codec alone, many files at a time.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use hound::WavReader;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tiller_models::bundle::Codec;
use tiller_models::codes::Codes;
use tiller_models::encodec;
use tiller_models::musicgen::Engine;
use tiller_models::wav;

use super::output::{Pending, Reporting, Wav};
use super::{EngineArguments, Fallible, Outcome, open_bundle};

/// What `encode` writes and `decode` reads. A take's label holds `codes` too, so `decode` takes it as well.
#[derive(Serialize, Deserialize)]
struct Tokens {
    /// `[codebooks][frames]`, all codebooks aligned in time.
    codes: Codes,
}

/// Arguments of `tiller encode`.
#[derive(Args)]
pub(crate) struct Encode {
    /// Audio at the model's sample rate, with as many channels as it has.
    #[arg(value_name = "FILE.wav", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    engine: EngineArguments,
    /// Folder that gets FILE.json for each file.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    reporting: Reporting,
}

/// Arguments of `tiller decode`.
#[derive(Args)]
pub(crate) struct Decode {
    /// Tokens as `tiller encode` writes them, or the label of a take.
    #[arg(value_name = "FILE.json", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    engine: EngineArguments,
    /// Folder that gets FILE.wav for each file: 32-bit floats, at the model's sample rate.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    reporting: Reporting,
}

impl Encode {
    pub fn run(&self) -> Outcome {
        let places = places(&self.files, &self.out, "json")?;
        let bundle = open_bundle(self.engine.bundle.as_deref())?;
        let engine = Engine::load(&bundle, &self.engine.options())?;
        let bar = self.reporting.bar(places.len(), "encoding");
        for (file, place) in &places {
            let pending = Pending::create(place)?;
            let audio = samples(file, &bundle.architecture().codec)?;
            let codes =
                encodec::encode(&engine, &audio).map_err(|error| format!("{}: {error}", file.display()))?;
            pending.finish_with(&serde_json::to_string(&Tokens { codes })?)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        done(&self.reporting, &places);
        Ok(())
    }
}

impl Decode {
    pub fn run(&self) -> Outcome {
        let places = places(&self.files, &self.out, "wav")?;
        let bundle = open_bundle(self.engine.bundle.as_deref())?;
        let codec = &bundle.architecture().codec;
        let engine = Engine::load(&bundle, &self.engine.options())?;
        let bar = self.reporting.bar(places.len(), "decoding");
        for (file, place) in &places {
            let mut wav = Wav::create(place, codec.sample_rate, codec.channels)?;
            let name = file.display();
            let text = fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"))?;
            let Tokens { codes } = serde_json::from_str(&text)
                .map_err(|error| format!("{name} holds no tokens that can be understood: {error}"))?;
            wav.write(&encodec::decode(&engine, &codes).map_err(|error| format!("{name}: {error}"))?)?;
            wav.finish()?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        done(&self.reporting, &places);
        Ok(())
    }
}

/// Each file beside what it becomes in `folder`, which is made if need be.
fn places(files: &[PathBuf], folder: &Path, extension: &str) -> Fallible<Vec<(PathBuf, PathBuf)>> {
    let mut taken = HashSet::new();
    let mut places = Vec::with_capacity(files.len());
    for file in files {
        let name = file.file_stem().ok_or_else(|| format!("{} names no file", file.display()))?;
        let mut name = name.to_owned();
        name.push(".");
        name.push(extension);
        let place = folder.join(name);
        if !taken.insert(place.clone()) {
            return Err(format!("two of the files would become {}: rename one", place.display()).into());
        }
        places.push((file.clone(), place));
    }
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    Ok(places)
}

/// The samples of a WAV file, channels interleaved, full scale 1.
fn samples(file: &Path, codec: &Codec) -> Result<Vec<f32>, String> {
    let name = file.display();
    let unreadable = |error: hound::Error| format!("cannot read {name}: {error}");
    let reader = WavReader::open(file).map_err(unreadable)?;
    let spec = reader.spec();
    if spec.sample_rate != codec.sample_rate || usize::from(spec.channels) != codec.channels {
        return Err(format!(
            "{name} has {} samples a second and {} channel(s) where the model has {} and {}: convert it first",
            spec.sample_rate, spec.channels, codec.sample_rate, codec.channels
        ));
    }
    wav::samples(reader).map_err(unreadable)
}

fn done(reporting: &Reporting, places: &[(PathBuf, PathBuf)]) {
    let made: Vec<_> = places.iter().map(|(_, place)| place).collect();
    let line = match made.as_slice() {
        [only] => only.display().to_string(),
        _ => format!("{} files", made.len()),
    };
    reporting.result(&json!({ "out": made }), &line);
}
