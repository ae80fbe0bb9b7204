//! Audio to tokens.

use ort::value::TensorRef;

use crate::codes::Codes;
use crate::musicgen::{Engine, GenerateError};

/// The codes of `audio`, interleaved if the codec has several channels, at the codec's sample rate.
///
/// The last frame is filled up with silence.
///
/// # Errors
/// [`GenerateError::Run`] for audio without samples or with one that is not finite, and if the graph fails.
pub fn encode(engine: &Engine, audio: &[f32]) -> Result<Codes, GenerateError> {
    let architecture = engine.bundle().architecture();
    let codec = &architecture.codec;
    let channels = codec.channels;
    if audio.is_empty() || !audio.len().is_multiple_of(channels) {
        return Err(failed(format!(
            "{} samples are not a whole number for {channels} channels",
            audio.len()
        )));
    }
    if audio.iter().any(|sample| !sample.is_finite()) {
        return Err(failed("the audio has samples that are not finite numbers".to_owned()));
    }
    let samples = (audio.len() / channels).next_multiple_of(codec.samples_per_frame);
    let mut planar = vec![0.0; channels * samples];
    for (time, sample) in audio.chunks_exact(channels).enumerate() {
        for (channel, &value) in sample.iter().enumerate() {
            planar[channel * samples + time] = value;
        }
    }
    let streams = planar.chunks_exact(codec.channels_of_stream() * samples);
    let rows_of_streams =
        streams.map(|audio| encode_stream(engine, audio)).collect::<Result<Vec<_>, GenerateError>>()?;
    let rows = (0..architecture.codebooks).map(|codebook| {
        let (stream, level) = (codebook % codec.streams, codebook / codec.streams);
        rows_of_streams[stream].get(level).cloned().unwrap_or_default()
    });
    Codes::try_from(rows.collect::<Vec<_>>()).map_err(|error| failed(error.to_string()))
}

/// The codes of one of the codec's streams, `[K/R][frames]`, from its audio `[channels of the stream, samples]`, a whole
/// number of frames.
fn encode_stream(engine: &Engine, audio: &[f32]) -> Result<Vec<Vec<u16>>, GenerateError> {
    let channels = engine.bundle().architecture().codec.channels_of_stream();
    let mut session = engine.encodec_encode.session()?;
    let mut run = || -> ort::Result<(Vec<usize>, Vec<i64>)> {
        let audio = TensorRef::from_array_view(([1, channels, audio.len() / channels], audio))?;
        let outputs = session.run(ort::inputs!["audio" => audio])?;
        let (shape, codes) = outputs["codes"].try_extract_tensor::<i64>()?;
        Ok((shape.iter().map(|&size| size.max(0) as usize).collect(), codes.to_vec()))
    };
    let (shape, codes) = run().map_err(|error| failed(error.to_string()))?;
    let &[1, codebooks, frames] = shape.as_slice() else {
        return Err(failed(format!(
            "its result has shape {shape:?}: the bundle is damaged, import it again"
        )));
    };
    let rows = codes.chunks_exact(frames.max(1)).take(codebooks);
    let narrow = |row: &[i64]| row.iter().map(|&code| u16::try_from(code)).collect::<Result<Vec<_>, _>>();
    rows.map(narrow).collect::<Result<Vec<_>, _>>().map_err(|error| failed(error.to_string()))
}

fn failed(reason: String) -> GenerateError {
    GenerateError::Run { graph: "audio encoder", reason }
}
