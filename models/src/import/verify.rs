//! Runs an imported model once: measures the norms that the manifest holds, and finds what loads but does not work.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::ImportError;
use crate::bundle::Bundle;
use crate::bundle::contract::cached;
use crate::bundle::manifest::{Norms, Precision};
use crate::encodec;
use crate::musicgen::{Cancel, Engine, EngineOptions, GenerateError, Generation, Recipe};
use crate::onnx::Element;
use crate::runtime::Provider;
use crate::steering::Site;

/// Seconds of music over which norms are averaged.
const SECONDS: f64 = 2.0;
/// A prompt that says nothing in particular.
const PROMPT: &str = "music";

/// What was seen of a decoder while it generated.
pub struct Measured {
    /// Mean norms of what steering finds.
    pub norms: Norms,
    /// The largest magnitude of every channel of keys and values, as [`CacheScales`](super::cache::CacheScales) takes
    /// them; empty where they are no floats of 32 bits.
    pub peaks: Vec<Vec<f32>>,
}

/// Generates a little, unsteered, with the decoder of each precision, and returns what was seen of the most exact.
pub fn measure(bundle: &Bundle) -> Result<Measured, ImportError> {
    let mut found: Option<Measured> = None;
    for &precision in bundle.manifest().graphs.decoder.keys() {
        let measured = run(bundle, precision)?;
        // `Precision` is ordered from the most exact; half-precision keys are not read.
        match &mut found {
            None => found = Some(measured),
            Some(found) if found.peaks.is_empty() => found.peaks = measured.peaks,
            Some(_) => {}
        }
    }
    found.ok_or_else(|| ImportError::Verification("it has no decoder".into()))
}

/// The same with the decoder of one precision.
pub fn run(bundle: &Bundle, precision: Precision) -> Result<Measured, ImportError> {
    let options = EngineOptions {
        precision: Some(precision),
        provider: Provider::Cpu,
        threads: threads(),
        background: false,
    };
    let engine = Engine::load(bundle, &options)?;
    let architecture = bundle.architecture();
    let frames = ((SECONDS * architecture.frame_rate()).round() as usize).clamp(1, architecture.window);
    let recipe = Recipe::plain(&engine, PROMPT, 0, frames);
    let mut generation = Generation::new(&engine, recipe, &[], &Cancel::new())?;
    let mut sums = Site::ALL.map(|_| vec![0.0; architecture.layers]);
    let mut steps = 0.0;
    loop {
        let advanced = generation.advance().map(|frame| frame.is_some());
        // Before the step's own error: a layer's name says more than that the logits are not a number.
        for (site, sums) in Site::ALL.into_iter().zip(&mut sums) {
            add_norms(&mut generation, site, precision, architecture.width, sums)?;
        }
        if !advanced? {
            break;
        }
        steps += 1.0;
    }
    let audio = encodec::decode(&engine, &generation.codes())?;
    if audio.iter().any(|sample| !sample.is_finite()) {
        return Err(ImportError::Verification("its codec decodes to audio that is not finite".into()));
    }
    encode(&engine, &audio)?;
    let [residual, attention] = sums.map(|sums| sums.into_iter().map(|sum| (sum / steps) as f32).collect());
    let peaks = if cached(precision) == Element::Float { generation.cache_peaks()? } else { Vec::new() };
    Ok(Measured { norms: Norms { residual, attention }, peaks })
}

/// Adds the norm of the conditional row of every layer at the last step.
fn add_norms(
    generation: &mut Generation,
    site: Site,
    precision: Precision,
    width: usize,
    sums: &mut [f64],
) -> Result<(), ImportError> {
    let activations = generation.activations(site)?;
    let rows = activations.len() / (width * sums.len()).max(1);
    for (layer, sum) in sums.iter_mut().enumerate() {
        let conditional = &activations[layer * rows * width..][..width];
        let norm = conditional.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Err(ImportError::Verification(format!(
                "the {site} output of layer {layer} of its {precision} decoder is not finite"
            )));
        }
        *sum += norm;
    }
    Ok(())
}

/// Encodes what was decoded, so that the encoder has run too.
fn encode(engine: &Arc<Engine>, audio: &[f32]) -> Result<(), ImportError> {
    let codes = encodec::encode(engine, audio)?;
    let vocabulary = engine.bundle().architecture().vocabulary;
    match codes.largest() {
        Some(largest) if usize::from(largest) < vocabulary => Ok(()),
        _ => {
            Err(ImportError::Verification("its codec encodes to codes that are not in its codebooks".into()))
        }
    }
}

/// All of the processor: nothing sounds while a model is imported.
fn threads() -> Option<NonZeroUsize> {
    std::thread::available_parallelism().ok()
}

impl From<GenerateError> for ImportError {
    fn from(error: GenerateError) -> Self {
        match error {
            GenerateError::Runtime(error) => Self::Runtime(error),
            other => Self::Verification(other.to_string()),
        }
    }
}
