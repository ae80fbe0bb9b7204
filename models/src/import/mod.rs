//! Imports a MusicGen checkpoint in the published Hugging Face layout as a bundle, without Python; and a CLAP checkpoint
//! as a judge of the lab.
//!
//! The graphs are written node by node from the configuration, weights streamed into files beside them. What
//! transformers makes of small random checkpoints is recorded under `tests/data`, and the graphs are tested against it.

mod cache;
mod checkpoint;
mod chroma;
mod clap;
mod codec;
mod codec_geometry;
mod codec_layers;
mod codec_lstm;
mod config;
mod cross;
mod decoder;
mod destination;
mod embeddings;
mod error;
mod graph;
mod linear;
mod prefix;
mod room;
mod steering;
mod text_encoder;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use self::cache::CacheScales;
use self::checkpoint::Checkpoint;
pub use self::clap::import_clap;
use self::config::DecoderConfig;
use self::destination::Destination;
pub use self::error::ImportError;
use crate::bundle::manifest::{Architecture, Graphs, Manifest, Norms, SCHEMA, Source};
use crate::bundle::{
    Bundle, MANIFEST_FILE, Precision, TOKENIZER_FILE, VECTORS_FOLDER, WORDS_FILE, contract, writer,
};
use crate::musicgen::Engine;
use crate::onnx::Element;
use crate::runtime::Runtime;

/// Files that explain a checkpoint, its licences and the words it was taught; carried along if present.
const DOCUMENTS: [&str; 3] = ["MODEL_CARD.md", "LICENSES.md", WORDS_FILE];

/// What can be chosen about an import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Name shown to people; by default that of the checkpoint's folder.
    pub name: Option<String>,
    /// Licence of the weights; by default what the front matter of the checkpoint's `README.md` says.
    pub licence: Option<String>,
    /// What the manifest names as the checkpoint; by default the name of its folder.
    pub origin: Option<String>,
    /// Precisions to write the decoder in; the last but `f16` is the bundle's default, since processors gain nothing by
    /// that and GPUs choose it by themselves.
    pub precisions: Vec<Precision>,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self { name: None, licence: None, origin: None, precisions: vec![Precision::F32, Precision::Int8] }
    }
}

/// What an import is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading and hashing the checkpoint.
    Reading,
    /// Writing the text encoder.
    TextEncoder,
    /// Writing how the decoder is told of prompts and melodies.
    Conditioning,
    /// Writing the decoder in one precision.
    Decoder(Precision),
    /// Writing the codec.
    Codec,
    /// Hashing the bundle's files.
    Hashing,
    /// Running the model to see that it works and to measure its norms.
    Verifying,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reading => formatter.write_str("reading the checkpoint"),
            Self::TextEncoder => formatter.write_str("writing the text encoder"),
            Self::Conditioning => formatter.write_str("writing the conditioning"),
            Self::Decoder(precision) => write!(formatter, "writing the {precision} decoder"),
            Self::Codec => formatter.write_str("writing the codec"),
            Self::Hashing => formatter.write_str("hashing the bundle"),
            Self::Verifying => formatter.write_str("running the model"),
        }
    }
}

/// Imports the checkpoint in folder `source` as a bundle in folder `dest`, replacing a bundle that is there.
///
/// The bundle is written beside `dest` and takes its place when it is whole and has passed its checks; an import that
/// fails or is killed leaves `dest` as it was.
///
/// # Errors
/// [`ImportError`] names the file, setting or tensor that is missing, misshapen, not finite or not supported.
pub fn import(
    source: &Path,
    dest: &Path,
    options: &ImportOptions,
    progress: &mut dyn FnMut(Stage),
) -> Result<Bundle, ImportError> {
    let on_processors = |precision: &&Precision| **precision != Precision::F16;
    let precisions = || options.precisions.iter().rev();
    let Some(&default_precision) = precisions().find(on_processors).or_else(|| precisions().next()) else {
        return Err(ImportError::Unsupported(
            "no precision was asked for: name f32, f16, int8 or int4".into(),
        ));
    };
    progress(Stage::Reading);
    // Needed last: to fail for it then would waste minutes.
    let runtime = Runtime::get()?;
    for &precision in &options.precisions {
        Engine::require(runtime, precision).map_err(|error| ImportError::Unsupported(error.to_string()))?;
    }
    let (config, architecture) = config::read(source)?;
    let checkpoint = Checkpoint::open(source)?;
    let tokenizer = source.join(TOKENIZER_FILE);
    if !tokenizer.is_file() {
        return Err(ImportError::MissingFile { folder: source.to_owned(), file: TOKENIZER_FILE });
    }
    let destination = Destination::prepare(dest, |folder| folder.join(MANIFEST_FILE).is_file())?;
    let folder = destination.folder();
    let asked: BTreeSet<_> = options.precisions.iter().copied().collect();
    // The scales of 8-bit keys and values come from a decoder that keeps them as floats.
    let mut watched = asked.clone();
    watched.remove(&Precision::Int4);
    if !watched.iter().any(|&precision| contract::cached(precision) == Element::Float)
        && asked.contains(&Precision::Int4)
    {
        watched.insert(Precision::Int8);
    }
    let written: Vec<_> = asked.union(&watched).copied().collect();
    room::check(folder, &checkpoint, &architecture, &written)?;
    let sha256 = checkpoint.sha256()?;

    progress(Stage::TextEncoder);
    text_encoder::write(folder, &contract::text_encoder(&architecture), &checkpoint, &config.text_encoder)?;
    progress(Stage::Conditioning);
    let signature = contract::condition(&architecture);
    let (cross, prefix) = match &architecture.chroma {
        None => {
            cross::write(folder, &signature, &checkpoint, &architecture)?;
            (Some("cross.onnx".to_owned()), None)
        }
        Some(chroma) => {
            prefix::write(folder, &signature, &checkpoint, &architecture, chroma)?;
            (None, Some("prefix.onnx".to_owned()))
        }
    };
    let mut decoders = BTreeMap::new();
    for &precision in &watched {
        progress(Stage::Decoder(precision));
        let file = write_decoder(folder, &checkpoint, &config.decoder, &architecture, precision, None)?;
        decoders.insert(precision, file);
    }
    progress(Stage::Codec);
    let codec = &config.audio_encoder;
    let codebooks = architecture.codebooks_of_stream();
    codec::write_encode(folder, &contract::encodec_encode(&architecture), &checkpoint, codec, codebooks)?;
    let latent = contract::encodec_latent(&architecture);
    codec::write_latent(folder, "encodec_latent", &latent, &checkpoint, codec, codebooks, Precision::F32)?;
    let quantised = asked.contains(&Precision::Int8) || asked.contains(&Precision::Int4);
    if quantised {
        let (name, precision) = ("encodec_latent.int8", Precision::Int8);
        codec::write_latent(folder, name, &latent, &checkpoint, codec, codebooks, precision)?;
    }
    codec::write_wave(folder, &contract::encodec_wave(&architecture), &checkpoint, codec)?;
    // Its pages would otherwise count beside those of the running model.
    drop(checkpoint);
    copy_companions(source, folder)?;

    progress(Stage::Hashing);
    let name = options.name.clone().unwrap_or_else(|| folder_name(source));
    let unmeasured = vec![0.0; architecture.layers];
    let manifest = Manifest {
        schema: SCHEMA,
        licence: options
            .licence
            .clone()
            .or_else(|| stated_licence(source))
            .unwrap_or_else(|| "unknown".into()),
        source: Source { checkpoint: options.origin.clone().unwrap_or_else(|| folder_name(source)), sha256 },
        name,
        architecture,
        graphs: Graphs {
            text_encoder: "text_encoder.onnx".into(),
            cross,
            prefix,
            decoder: decoders,
            encodec_encode: "encodec_encode.onnx".into(),
            encodec_latent: "encodec_latent.onnx".into(),
            encodec_latent_int8: quantised.then(|| "encodec_latent.int8.onnx".into()),
            encodec_wave: "encodec_wave.onnx".into(),
        },
        // The int4 decoder is not there yet.
        default_precision: watched
            .get(&default_precision)
            .or(watched.first())
            .map_or(default_precision, |&there| there),
        norms: Norms { residual: unmeasured.clone(), attention: unmeasured },
        files: BTreeMap::new(),
    };
    let manifest = writer::write(folder, manifest)?;
    progress(Stage::Verifying);
    let measured = verify::measure(&Bundle::open(folder)?)?;
    let mut manifest = Manifest { norms: measured.norms, default_precision, ..manifest };
    if asked.contains(&Precision::Int4) {
        let scales = CacheScales::of_peaks(&measured.peaks);
        let checkpoint = Checkpoint::open(source)?;
        progress(Stage::Decoder(Precision::Int4));
        let (config, architecture) = (&config.decoder, &manifest.architecture);
        let file = write_decoder(folder, &checkpoint, config, architecture, Precision::Int4, Some(&scales))?;
        drop(checkpoint);
        manifest.graphs.decoder.insert(Precision::Int4, file);
        for precision in watched.difference(&asked) {
            remove_decoder(folder, &mut manifest, *precision)?;
        }
        progress(Stage::Hashing);
        manifest = writer::write(folder, manifest)?;
        progress(Stage::Verifying);
        verify::run(&Bundle::open(folder)?, Precision::Int4)?;
    }
    writer::write_manifest(folder, &manifest)?;
    Ok(Bundle::open(&destination.commit()?)?)
}

/// Whether the configuration in folder `source` is of a model that can be imported. The weights need not be there yet.
///
/// # Errors
/// [`ImportError`] names the file or setting that is missing or not supported.
pub fn check_configuration(source: &Path) -> Result<(), ImportError> {
    config::read(source).map(drop)
}

/// Writes the decoder of one precision and returns its file's name.
fn write_decoder(
    folder: &Path,
    checkpoint: &Checkpoint,
    config: &DecoderConfig,
    architecture: &Architecture,
    precision: Precision,
    cache: Option<&CacheScales>,
) -> Result<String, ImportError> {
    let name = format!("decoder.{precision}");
    let signature = contract::decoder(architecture, precision);
    decoder::write(folder, &name, &signature, checkpoint, config, precision, cache)?;
    Ok(format!("{name}.onnx"))
}

/// Takes out a decoder that was written only to be watched.
fn remove_decoder(folder: &Path, manifest: &mut Manifest, precision: Precision) -> Result<(), ImportError> {
    let Some(graph) = manifest.graphs.decoder.remove(&precision) else { return Ok(()) };
    for file in [format!("{graph}.data"), graph] {
        let path = folder.join(file);
        fs::remove_file(&path).map_err(ImportError::writing(&path))?;
    }
    Ok(())
}

/// Copies what stands beside the weights and belongs to the model.
fn copy_companions(source: &Path, folder: &Path) -> Result<(), ImportError> {
    let copy = |from: &Path, to: &Path| fs::copy(from, to).map(drop).map_err(ImportError::writing(to));
    copy(&source.join(TOKENIZER_FILE), &folder.join(TOKENIZER_FILE))?;
    for document in DOCUMENTS {
        let from = source.join(document);
        if from.is_file() {
            copy(&from, &folder.join(document))?;
        }
    }
    let vectors = source.join(VECTORS_FOLDER);
    if !vectors.is_dir() {
        return Ok(());
    }
    let inside = folder.join(VECTORS_FOLDER);
    fs::create_dir(&inside).map_err(ImportError::writing(&inside))?;
    for entry in fs::read_dir(&vectors).map_err(ImportError::reading(&vectors))? {
        let from = entry.map_err(ImportError::reading(&vectors))?.path();
        if let Some(name) = from.file_name()
            && from.extension().is_some_and(|extension| extension == "safetensors")
        {
            copy(&from, &inside.join(name))?;
        }
    }
    Ok(())
}

/// The name of the checkpoint's folder, or its whole path where that has none.
fn folder_name(folder: &Path) -> String {
    let canonical = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    canonical
        .file_name()
        .map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// `license:` in the front matter of the checkpoint's `README.md`, as the hub's model cards have it.
fn stated_licence(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join("README.md")).ok()?;
    let matter = text.strip_prefix("---\n")?.split("\n---").next()?;
    let licence = matter.lines().find_map(|line| line.strip_prefix("license:"))?.trim();
    (!licence.is_empty()).then(|| licence.to_owned())
}
