//! Tokens to audio, chunk by chunk and exactly.
//!
//! Two graphs, each run on chunks whose borders are the same however the frames arrive, so that the audio is a function
//! of the codes alone. `encodec_latent` (embedding, first convolution, LSTM) runs on the chunks that begin at multiples
//! of [`CHUNK_FRAMES`]; its LSTM states are carried from one to the next. `encodec_wave` (the upsampling convolutions)
//! runs `latent_context` frames behind it, so that every chunk has its context on both sides.

use std::collections::VecDeque;
use std::sync::Arc;

use ort::session::{RunOptions, SessionInputValue};
use ort::value::{Tensor, TensorRef};

use crate::bundle::Codec;
use crate::codes::Codes;
use crate::musicgen::{Cancel, Engine, GenerateError, cancelled_or, check_codes, stop_if};

/// Frames decoded at a time: half a second at 50 frames a second. Longer chunks waste less on context, shorter ones
/// sound sooner.
pub const CHUNK_FRAMES: usize = 25;

/// Counts changes of this module that change the audio of the same codes, such as the chunks' borders. Whoever keeps
/// decoded audio keeps this with it.
pub const REVISION: u32 = 1;

/// Decodes a take while its frames come.
pub struct StreamDecoder {
    engine: Arc<Engine>,
    /// What ends a run, if anything may.
    cancel: Option<(Cancel, Arc<RunOptions>)>,
    chunk: usize,
    /// Everything pushed, `[K][frames]`.
    codes: Codes,
    /// States of the LSTM layers, `h` and `c` of each in turn, `[R,W]` for R streams.
    states: Vec<Vec<f32>>,
    /// Latent frames `[R,W]` that are still needed, the first of them frame `latent_from`.
    latent: VecDeque<Vec<f32>>,
    latent_from: usize,
    /// Frames whose audio has been handed out.
    sounded: usize,
    /// The states before each chunk that has been decoded, to go back to.
    borders: Vec<Vec<Vec<f32>>>,
}

impl StreamDecoder {
    /// A decoder before its first frame.
    #[must_use]
    pub fn new(engine: &Arc<Engine>) -> Self {
        let architecture = engine.bundle().architecture();
        let codec = &architecture.codec;
        Self {
            engine: Arc::clone(engine),
            cancel: None,
            chunk: chunk_frames(codec),
            codes: Codes::empty(architecture.codebooks),
            states: vec![vec![0.0; codec.streams * codec.latent_width]; 2 * codec.lstm_layers],
            latent: VecDeque::new(),
            latent_from: 0,
            sounded: 0,
            borders: Vec::new(),
        }
    }

    /// A decoder before its first frame that stops within milliseconds when `cancel` is turned on.
    ///
    /// # Errors
    /// [`GenerateError::Run`] if ONNX Runtime has no room.
    pub fn cancellable(engine: &Arc<Engine>, cancel: &Cancel) -> Result<Self, GenerateError> {
        let options = cancel.run_options().map_err(failed)?;
        Ok(Self { cancel: Some((cancel.clone(), options)), ..Self::new(engine) })
    }

    /// Listens to another switch from now on, for whoever goes on with what another began.
    ///
    /// # Errors
    /// As [`cancellable`](Self::cancellable).
    pub fn obey(&mut self, cancel: &Cancel) -> Result<(), GenerateError> {
        self.cancel = Some((cancel.clone(), cancel.run_options().map_err(failed)?));
        Ok(())
    }

    /// Frames that must be pushed before the first audio comes.
    #[must_use]
    pub fn first_audio_after(codec: &Codec) -> usize {
        chunk_frames(codec) + codec.code_context
    }

    /// Frames after t that the audio of frame t depends on.
    #[must_use]
    pub fn look_ahead(codec: &Codec) -> usize {
        codec.code_context + codec.latent_context
    }

    /// Takes the next frame, one index for each codebook, and returns the audio that it completes: mostly none, then a
    /// chunk. Channels are interleaved.
    ///
    /// # Errors
    /// [`GenerateError::Label`] for a frame that does not fit the codec, [`GenerateError::Run`] or
    /// [`GenerateError::Card`] if a graph fails, [`GenerateError::Cancelled`] after a cancel, after which the decoder is of no more use.
    pub fn push(&mut self, frame: &[u16]) -> Result<Vec<f32>, GenerateError> {
        let architecture = self.engine.bundle().architecture();
        if frame.len() != architecture.codebooks
            || frame.iter().any(|&code| usize::from(code) >= architecture.vocabulary)
        {
            let one = Codes::try_from(frame.iter().map(|&code| vec![code]).collect::<Vec<_>>());
            let sentence = |error: crate::codes::RaggedCodes| GenerateError::Label(error.to_string());
            return check_codes(&one.map_err(sentence)?, self.engine.bundle()).map(|()| Vec::new());
        }
        let Codec { code_context, latent_context, .. } = architecture.codec;
        self.codes.push(frame);
        if self.latent_end() + self.chunk + code_context > self.codes.frames() {
            return Ok(Vec::new());
        }
        let provider = self.engine.provider();
        let mut run = || {
            self.run_latent(self.latent_end() + self.chunk)?;
            self.run_wave(self.latent_end() - latent_context, self.latent_end())
        };
        run().map_err(|error: GenerateError| error.on(provider))
    }

    /// Goes back, so that the next frame to push is `frame` (or the one after the last pushed, if that comes first), and
    /// returns the frame from which on audio comes again; what was handed out before that holds. It begins some frames
    /// early, because the codec looks ahead and works in chunks, and is bit for bit what a decoder would give that
    /// never was anywhere else.
    ///
    /// # Errors
    /// [`GenerateError::Run`] if a graph fails, [`GenerateError::Cancelled`] after a cancel.
    pub fn rewind(&mut self, frame: usize) -> Result<usize, GenerateError> {
        let codec = &self.engine.bundle().architecture().codec;
        let (code_context, latent_context, width) =
            (codec.code_context, codec.latent_context, codec.streams * codec.latent_width);
        self.codes.truncate(frame);
        let chunks = (self.codes.frames().saturating_sub(code_context) / self.chunk).min(self.borders.len());
        // The last chunk before them again, because what follows needs the end of its latent. Its codes do not change.
        let again = chunks.saturating_sub(1);
        self.states = match self.borders.get(again) {
            Some(states) => states.clone(),
            None => vec![vec![0.0; width]; self.states.len()],
        };
        self.borders.truncate(again);
        self.latent.clear();
        self.latent_from = again * self.chunk;
        self.sounded = self.latent_from;
        if chunks > 0 {
            self.run_latent(chunks * self.chunk)?;
            self.sounded = chunks * self.chunk - latent_context;
            self.forget_latent(self.sounded.saturating_sub(latent_context));
        }
        Ok(self.sounded)
    }

    /// The audio of the frames that were waiting for what follows them. Nothing follows, unless after a
    /// [`rewind`](Self::rewind).
    ///
    /// # Errors
    /// [`GenerateError::Run`] if a graph fails, [`GenerateError::Cancelled`] after a cancel.
    pub fn finish(&mut self) -> Result<Vec<f32>, GenerateError> {
        let frames = self.codes.frames();
        let context = self.engine.bundle().architecture().codec.latent_context;
        let mut audio = Vec::new();
        while self.latent_end() < frames {
            let whole = self.latent_end() + self.chunk <= frames;
            self.run_latent((self.latent_end() + self.chunk).min(frames))?;
            if whole {
                audio.extend(self.run_wave(self.latent_end() - context, self.latent_end())?);
            }
        }
        audio.extend(self.run_wave(frames, frames)?);
        Ok(audio)
    }

    fn latent_end(&self) -> usize {
        self.latent_from + self.latent.len()
    }

    /// What went wrong in a run: ONNX Runtime itself, or somebody who cancelled.
    fn failed(&self, error: ort::Error) -> GenerateError {
        match &self.cancel {
            Some((cancel, _)) => cancelled_or(cancel, failed(error)),
            None => failed(error),
        }
    }

    /// Computes the latent up to frame `end`.
    fn run_latent(&mut self, end: usize) -> Result<(), GenerateError> {
        self.cancel.as_ref().map_or(Ok(()), |(cancel, _)| stop_if(cancel))?;
        let architecture = self.engine.bundle().architecture();
        let codec = &architecture.codec;
        let start = self.latent_end();
        let codes = with_context(&self.codes, codec.streams, start, end, codec.code_context);
        let length = end - start + 2 * codec.code_context;
        let (streams, width) = (codec.streams, codec.latent_width);
        let shape = [streams, architecture.codebooks_of_stream(), length];
        let mut session = self.engine.encodec_latent.session()?;
        let mut run = || -> ort::Result<(Vec<f32>, Vec<Vec<f32>>)> {
            let codes = TensorRef::from_array_view((shape, codes.as_slice()))?;
            let mut inputs: Vec<(String, SessionInputValue<'_>)> = vec![("codes".to_owned(), codes.into())];
            for (index, state) in self.states.iter().enumerate() {
                let name = format!("{}_{}_in", ["h", "c"][index % 2], index / 2);
                let state = TensorRef::from_array_view(([1, streams, width], state.as_slice()))?;
                inputs.push((name, state.into()));
            }
            let outputs = match &self.cancel {
                Some((_, options)) => session.run_with_options(inputs, &**options)?,
                None => session.run(inputs)?,
            };
            let latent = outputs["latent"].try_extract_tensor::<f32>()?.1.to_vec();
            let state = |index: usize| -> ort::Result<Vec<f32>> {
                let name = format!("{}_{}_out", ["h", "c"][index % 2], index / 2);
                Ok(outputs[name.as_str()].try_extract_tensor::<f32>()?.1.to_vec())
            };
            Ok((latent, (0..self.states.len()).map(state).collect::<ort::Result<_>>()?))
        };
        let (latent, states) = run().map_err(|error| self.failed(error))?;
        let frames = end - start;
        let width = streams * width;
        if latent.len() != width * frames || states.iter().any(|state| state.len() != width) {
            return Err(damaged());
        }
        let before = std::mem::replace(&mut self.states, states);
        if self.borders.len() == start / self.chunk {
            self.borders.push(before);
        }
        self.latent
            .extend((0..frames).map(|frame| latent.iter().skip(frame).step_by(frames).copied().collect()));
        Ok(())
    }

    /// The audio of the frames not sounded yet, up to `end`; the latent is there up to `context_end`.
    fn run_wave(&mut self, end: usize, context_end: usize) -> Result<Vec<f32>, GenerateError> {
        if end <= self.sounded {
            return Ok(Vec::new());
        }
        let codec = &self.engine.bundle().architecture().codec;
        let (streams, width) = (codec.streams, codec.latent_width);
        let (channels, context) = (codec.channels, codec.latent_context);
        let start = self.sounded.saturating_sub(context);
        let frames = context_end - start;
        let mut latent = vec![0.0; streams * width * frames];
        for (frame, values) in
            self.latent.range(start - self.latent_from..context_end - self.latent_from).enumerate()
        {
            for (component, &value) in values.iter().enumerate() {
                latent[component * frames + frame] = value;
            }
        }
        let mut session = self.engine.encodec_wave.session()?;
        let run = || -> ort::Result<Vec<f32>> {
            let latent = Tensor::from_array(([streams, width, frames], latent))?;
            let inputs = ort::inputs!["latent" => latent];
            let outputs = match &self.cancel {
                Some((_, options)) => session.run_with_options(inputs, &**options)?,
                None => session.run(inputs)?,
            };
            Ok(outputs["audio"].try_extract_tensor::<f32>()?.1.to_vec())
        };
        let audio = run().map_err(|error| self.failed(error))?;
        drop(session);
        let samples = frames * codec.samples_per_frame;
        if audio.len() != channels * samples {
            return Err(damaged());
        }
        let wanted =
            (self.sounded - start) * codec.samples_per_frame..(end - start) * codec.samples_per_frame;
        let interleaved = wanted
            .flat_map(|time| (0..channels).map(move |channel| channel * samples + time))
            .map(|at| audio[at]);
        let interleaved = interleaved.collect();
        self.sounded = end;
        self.forget_latent(end.saturating_sub(context));
        Ok(interleaved)
    }

    /// Lets go of the latent before frame `needed`.
    fn forget_latent(&mut self, needed: usize) {
        while self.latent_from < needed {
            self.latent.pop_front();
            self.latent_from += 1;
        }
    }
}

/// The audio of a whole take: the same bits as a [`StreamDecoder`] gives piece by piece. Channels are interleaved.
///
/// # Errors
/// As [`StreamDecoder::push`].
pub fn decode(engine: &Arc<Engine>, codes: &Codes) -> Result<Vec<f32>, GenerateError> {
    decode_unless(engine, codes, &Cancel::new())
}

/// As [`decode`]; stops within milliseconds when `cancel` is turned on.
///
/// # Errors
/// As [`StreamDecoder::push`].
pub fn decode_unless(
    engine: &Arc<Engine>,
    codes: &Codes,
    cancel: &Cancel,
) -> Result<Vec<f32>, GenerateError> {
    check_codes(codes, engine.bundle())?;
    let mut decoder = StreamDecoder::cancellable(engine, cancel)?;
    let mut audio = Vec::new();
    for frame in 0..codes.frames() {
        audio.extend(decoder.push(&codes.frame(frame))?);
    }
    audio.extend(decoder.finish()?);
    Ok(audio)
}

/// [`CHUNK_FRAMES`], or more for a codec whose context would not fit.
fn chunk_frames(codec: &Codec) -> usize {
    CHUNK_FRAMES.max(2 * codec.latent_context + 1)
}

/// Codes `[R,K/R,end-start+2*context]` for R streams, of the frames from `start` to `end` with `context` frames on both
/// sides, which past the ends of the take are its reflection, as EnCodec pads.
///
/// EnCodec itself pads a take of no more than `context` frames with zeros that no code stands for; here it is reflected
/// to and fro.
fn with_context(codes: &Codes, streams: usize, start: usize, end: usize, context: usize) -> Vec<i64> {
    // A reflected sequence repeats after twice its length less the two ends, which are not doubled.
    let period = 2 * (codes.frames() - 1);
    let reflected = |at: usize| {
        if period == 0 {
            return 0;
        }
        // Frame start + at - context, shifted by whole periods to where it is not negative.
        let inside = (start + at + context * (period - 1)) % period;
        inside.min(period - inside)
    };
    let length = end - start + 2 * context;
    let rows = (0..streams).flat_map(|stream| codes.rows().iter().skip(stream).step_by(streams));
    rows.flat_map(|row| (0..length).map(move |at| i64::from(row[reflected(at)]))).collect()
}

fn failed(error: ort::Error) -> GenerateError {
    GenerateError::Run { graph: "audio decoder", reason: error.to_string() }
}

fn damaged() -> GenerateError {
    let reason = "its result has the wrong size: the bundle is damaged, import it again".to_owned();
    GenerateError::Run { graph: "audio decoder", reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_past_the_ends_is_reflected() {
        let codes = Codes::try_from(vec![vec![0, 1, 2, 3, 4]]).unwrap();
        assert_eq!(with_context(&codes, 1, 0, 5, 3), [3, 2, 1, 0, 1, 2, 3, 4, 3, 2, 1]);
        assert_eq!(with_context(&codes, 1, 2, 3, 1), [1, 2, 3]);
        let short = Codes::try_from(vec![vec![7, 8]]).unwrap();
        assert_eq!(with_context(&short, 1, 0, 2, 3), [8, 7, 8, 7, 8, 7, 8, 7]);
        let single = Codes::try_from(vec![vec![7]]).unwrap();
        assert_eq!(with_context(&single, 1, 0, 1, 2), [7; 5]);
    }

    #[test]
    fn codebooks_that_take_turns_are_sorted_by_stream() {
        let codes = Codes::try_from(vec![vec![1, 2], vec![3, 4], vec![5, 6], vec![7, 8]]).unwrap();
        assert_eq!(with_context(&codes, 2, 0, 2, 0), [1, 2, 5, 6, 3, 4, 7, 8]);
    }
}
