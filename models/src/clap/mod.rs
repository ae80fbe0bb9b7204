//! CLAP (contrastive language-audio pretraining, not the plugin format) on ONNX Runtime: a clip and a text in, an
//! embedding of each out, and the cosine of the two says how well they go together.
//!
//! [`crate::import::import_clap`] makes the folder that [`Clap::open`] opens. Features are those of transformers'
//! `ClapFeatureExtractor`, but for what it leaves to chance: a clip longer than the model's window is heard in several.

mod error;
mod features;
mod manifest;
mod windows;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use ort::value::TensorRef;
use tokenizers::{Tokenizer, TruncationParams};

pub use self::error::ClapError;
pub use self::features::LogMel;
pub use self::manifest::{FeatureSettings, Manifest, Padding, SCHEMA};
pub use self::windows::windows;
use crate::bundle::TOKENIZER_FILE;
use crate::runtime::{Graph, Provider, SessionOptions};

/// A number that never changes: sums round differently for each number of threads.
const THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// The manifest's file.
pub const MANIFEST_FILE: &str = "judge.json";
/// [`Manifest::kind`] of such a folder.
pub const KIND: &str = "clap";
/// The graph from features to an embedding.
pub const AUDIO_GRAPH: &str = "audio";
/// The graph from token ids to an embedding.
pub const TEXT_GRAPH: &str = "text";

/// An imported CLAP.
#[derive(Debug)]
pub struct Clap {
    folder: PathBuf,
    manifest: Manifest,
    log_mel: LogMel,
    tokenizer: Tokenizer,
    audio: Graph,
    text: Graph,
}

impl Clap {
    /// Opens a folder that [`crate::import::import_clap`] made. Graphs are loaded when first needed.
    ///
    /// # Errors
    /// [`ClapError::Folder`] and [`ClapError::Read`] for a folder that is none, or damaged.
    pub fn open(folder: &Path) -> Result<Self, ClapError> {
        let path = folder.join(MANIFEST_FILE);
        let damaged = |reason: String| ClapError::Folder { folder: folder.to_owned(), reason };
        if !path.is_file() {
            return Err(damaged(format!("it holds no {MANIFEST_FILE}")));
        }
        let bytes = fs::read(&path).map_err(|source| ClapError::Read { path, source })?;
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(format!("its {MANIFEST_FILE} cannot be understood ({error})")))?;
        manifest.check().map_err(damaged)?;
        let log_mel = LogMel::new(&manifest.features).map_err(damaged)?;
        let tokenizer = tokenizer(&folder.join(TOKENIZER_FILE), manifest.tokens)
            .map_err(|error| damaged(format!("its {TOKENIZER_FILE} cannot be used ({error})")))?;
        let options = SessionOptions::new(Provider::Cpu, Some(THREADS), false);
        let graph = |name: &str| Graph::new(folder.join(format!("{name}.onnx")), options);
        Ok(Self {
            folder: folder.to_owned(),
            log_mel,
            tokenizer,
            audio: graph(AUDIO_GRAPH),
            text: graph(TEXT_GRAPH),
            manifest,
        })
    }

    /// What the folder says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The embedding of a clip: mono samples at the model's rate, full scale 1. Its length is 1.
    ///
    /// A clip longer than the model's window is heard in as many windows as cover it, evenly spaced from its beginning
    /// to its end, and their mean counts; a shorter one is repeated.
    ///
    /// # Errors
    /// [`ClapError::Empty`] and [`ClapError::NotFinite`] for what nobody can hear; what the graph fails with.
    pub fn hear(&self, audio: &[f32]) -> Result<Vec<f32>, ClapError> {
        if audio.is_empty() {
            return Err(ClapError::Empty);
        }
        if audio.iter().any(|sample| !sample.is_finite()) {
            return Err(ClapError::NotFinite);
        }
        let mut sum = vec![0.0; self.manifest.width];
        for window in windows(audio, &self.manifest.features) {
            let features = self.log_mel.features(&window);
            let shape = [1, 1, features.len() / self.manifest.features.bands, self.manifest.features.bands];
            let run = |session: &mut ort::session::Session| {
                let features = TensorRef::from_array_view((shape, features.as_slice()))?;
                let outputs = session.run(ort::inputs!["features" => features])?;
                Ok(outputs["embedding"].try_extract_tensor::<f32>()?.1.to_vec())
            };
            let heard = self.embedding(&self.audio, AUDIO_GRAPH, run)?;
            sum.iter_mut().zip(heard).for_each(|(sum, value)| *sum += value);
        }
        self.normalised(sum, AUDIO_GRAPH)
    }

    /// The embedding of a text, of length 1. What lies beyond [`Manifest::tokens`] is not read.
    ///
    /// # Errors
    /// What the tokenizer or the graph fails with.
    pub fn read(&self, text: &str) -> Result<Vec<f32>, ClapError> {
        let encoding = self.tokenizer.encode_fast(text, true);
        let encoding = encoding.map_err(|error| self.failed(TEXT_GRAPH, error.to_string()))?;
        let ids: Vec<i64> = encoding.get_ids().iter().map(|&id| i64::from(id)).collect();
        self.embedding(&self.text, TEXT_GRAPH, |session| {
            let ids = TensorRef::from_array_view(([1, ids.len()], ids.as_slice()))?;
            let outputs = session.run(ort::inputs!["input_ids" => ids])?;
            Ok(outputs["embedding"].try_extract_tensor::<f32>()?.1.to_vec())
        })
    }

    fn embedding(
        &self,
        graph: &Graph,
        name: &'static str,
        run: impl FnOnce(&mut ort::session::Session) -> ort::Result<Vec<f32>>,
    ) -> Result<Vec<f32>, ClapError> {
        let mut session = graph.session()?;
        let embedding = run(&mut session).map_err(|error| self.failed(name, error.to_string()))?;
        if embedding.len() != self.manifest.width {
            let (found, wanted) = (embedding.len(), self.manifest.width);
            return Err(self.failed(name, format!("it gave {found} numbers instead of {wanted}")));
        }
        self.normalised(embedding, name)
    }

    fn normalised(&self, mut embedding: Vec<f32>, graph: &'static str) -> Result<Vec<f32>, ClapError> {
        let norm = embedding.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if !norm.is_finite() || norm == 0.0 {
            return Err(self.failed(graph, "its result is zero or not finite".to_owned()));
        }
        embedding.iter_mut().for_each(|value| *value = (f64::from(*value) / norm) as f32);
        Ok(embedding)
    }

    fn failed(&self, graph: &'static str, reason: String) -> ClapError {
        ClapError::Run { graph, folder: self.folder.clone(), reason }
    }
}

/// The tokenizer, cutting texts at `tokens` and padding nothing.
fn tokenizer(path: &Path, tokens: usize) -> tokenizers::Result<Tokenizer> {
    let mut tokenizer = Tokenizer::from_file(path)?;
    tokenizer
        .with_truncation(Some(TruncationParams { max_length: tokens, ..TruncationParams::default() }))?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}
