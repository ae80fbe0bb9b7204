//! A bundle with its graphs, loaded once a process.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use tokenizers::Tokenizer;

use crate::bundle::contract::cached;
use crate::bundle::{Bundle, Precision};
use crate::onnx::Element;
use crate::runtime::{Graph, Provider, Runtime, SessionOptions};

use super::{Cancel, GenerateError, cancelled_or, positions, stop_if};

/// Threads of everything but the decoder. ONNX Runtime's convolutions share their work out by the number of threads and
/// round differently for each, so that only a number that never changes gives the same audio for the same codes.
const FIXED_THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// How a bundle is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineOptions {
    /// Number format of the decoder's weights; the bundle's default if `None`.
    pub precision: Option<Precision>,
    /// What runs the graphs. There is no fall-back: if it is not there, loading fails.
    pub provider: Provider,
    /// Threads of the decoder; if `None`, half of the processor's, from 2 to 4. The codes do not depend on it.
    pub threads: Option<NonZeroUsize>,
    /// Whether the threads of ONNX Runtime [give way](crate::runtime::give_way) to others, as in a host they should.
    pub background: bool,
}

/// A bundle with its graphs. Each graph is loaded when it is first used.
///
/// Everybody in the process who loads the same bundle in the same way gets the same engine, and takes turns with its
/// graphs; it is freed when the last one drops it.
#[derive(Debug)]
pub struct Engine {
    bundle: Bundle,
    precision: Precision,
    provider: Provider,
    runtime: &'static Runtime,
    tokenizer: OnceLock<Tokenizer>,
    pub(super) text_encoder: Graph,
    pub(super) condition: Graph,
    pub(super) decoder: Graph,
    /// The same, which hands out what its layers hold at any positions.
    pub(super) reader: Graph,
    /// The same, which also hands out what its attention heads mix.
    pub(super) reader_with_heads: Graph,
    pub(crate) encodec_encode: Graph,
    pub(crate) encodec_latent: Graph,
    pub(crate) encodec_wave: Graph,
}

/// What makes two engines the same.
#[derive(Debug, Clone, PartialEq)]
struct Key {
    bundle: String,
    root: PathBuf,
    precision: Precision,
    options: SessionOptions,
}

impl Engine {
    /// The engine for `bundle`, shared with whoever has one already.
    ///
    /// Loads ONNX Runtime if this is the first engine of the process, but no graph yet.
    ///
    /// # Errors
    /// [`GenerateError::Runtime`] without ONNX Runtime or the provider, [`GenerateError::Precision`] if the provider does
    /// not run this precision, [`GenerateError::OldRuntime`] if ONNX Runtime does not, [`GenerateError::Bundle`] if the bundle has no decoder of it.
    pub fn load(bundle: &Bundle, options: &EngineOptions) -> Result<Arc<Self>, GenerateError> {
        static ENGINES: Mutex<Vec<(Key, Weak<Engine>)>> = Mutex::new(Vec::new());
        let provider = options.provider;
        let runtime = Runtime::get()?;
        runtime.require(provider)?;
        let precision = options.precision.unwrap_or_else(|| Self::default_precision(bundle, provider));
        if provider == Provider::Cuda && precision != Precision::F16 {
            return Err(GenerateError::Precision {
                provider,
                needed: Precision::F16,
                wanted: precision,
                bundle: bundle.manifest().name.clone(),
            });
        }
        Self::require(runtime, precision)?;
        let session = SessionOptions::new(provider, options.threads, options.background);
        let key = Key {
            bundle: bundle.id().to_owned(),
            root: bundle.root().to_owned(),
            precision,
            options: session,
        };

        let mut engines = ENGINES.lock();
        engines.retain(|(_, engine)| engine.strong_count() > 0);
        if let Some(engine) =
            engines.iter().find(|(known, _)| *known == key).and_then(|(_, engine)| engine.upgrade())
        {
            return Ok(engine);
        }
        let decoder = bundle.decoder(precision)?;
        let fixed = SessionOptions::new(provider, Some(FIXED_THREADS), options.background);
        let graph = |path| Graph::new(path, fixed);
        let engine = Arc::new(Self {
            bundle: bundle.clone(),
            precision,
            provider,
            runtime,
            tokenizer: OnceLock::new(),
            text_encoder: graph(bundle.text_encoder()),
            condition: graph(bundle.condition()),
            reader: Graph::edited(decoder.clone(), session, positions::chosen),
            reader_with_heads: Graph::edited(decoder.clone(), session, positions::chosen_with_heads),
            decoder: Graph::repeated(decoder, session),
            encodec_encode: graph(bundle.encodec_encode()),
            encodec_latent: graph(Self::latent_graph(bundle, precision, provider)),
            encodec_wave: graph(bundle.encodec_wave()),
        });
        engines.push((key, Arc::downgrade(&engine)));
        Ok(engine)
    }

    /// Fails if this ONNX Runtime is too old for decoders of a precision, on any provider.
    pub(crate) fn require(runtime: &Runtime, precision: Precision) -> Result<(), GenerateError> {
        if cached(precision) == Element::Int8 && !runtime.version().has_byte_caches() {
            let version = runtime.version().to_string();
            return Err(GenerateError::OldRuntime { version, wanted: precision });
        }
        Ok(())
    }

    /// The precision that a bundle is run in on `provider` if none is named: on CUDA, whose attention over keys and values
    /// takes nothing else, `f16` if the bundle has it.
    #[must_use]
    pub fn default_precision(bundle: &Bundle, provider: Provider) -> Precision {
        let manifest = bundle.manifest();
        let has_half = manifest.graphs.decoder.contains_key(&Precision::F16);
        if provider == Provider::Cuda && has_half { Precision::F16 } else { manifest.default_precision }
    }

    /// The graph from codes to latent that goes with a decoder of `precision` on `provider`: with weights of 8 bits beside
    /// such of integers on the processor, if the bundle has it. Elsewhere a kernel started for each frame costs more than
    /// reading the weights.
    #[must_use]
    pub fn latent_graph(bundle: &Bundle, precision: Precision, provider: Provider) -> PathBuf {
        let integers = matches!(precision, Precision::Int8 | Precision::Int4);
        let quantised = bundle.encodec_latent_int8().filter(|_| integers && provider == Provider::Cpu);
        quantised.unwrap_or_else(|| bundle.encodec_latent())
    }

    /// Loads every graph that generating and decoding need, so that the first take begins at once.
    ///
    /// # Errors
    /// [`GenerateError::Runtime`] names the graph that does not load; [`GenerateError::Cancelled`] within milliseconds
    /// of a cancel.
    pub fn warm_up(&self, cancel: &Cancel) -> Result<(), GenerateError> {
        self.tokenizer()?;
        for graph in
            [&self.text_encoder, &self.condition, &self.decoder, &self.encodec_latent, &self.encodec_wave]
        {
            stop_if(cancel)?;
            let loaded = graph.session_unless(cancel);
            drop(loaded.map_err(|error| cancelled_or(cancel, error.into()))?);
        }
        Ok(())
    }

    /// The bundle.
    #[must_use]
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Number format of the decoder's weights.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// What runs the graphs.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// ONNX Runtime.
    #[must_use]
    pub fn runtime(&self) -> &'static Runtime {
        self.runtime
    }

    pub(super) fn tokenizer(&self) -> Result<&Tokenizer, GenerateError> {
        if let Some(tokenizer) = self.tokenizer.get() {
            return Ok(tokenizer);
        }
        let tokenizer = super::text::open_tokenizer(&self.bundle)?;
        Ok(self.tokenizer.get_or_init(|| tokenizer))
    }
}
