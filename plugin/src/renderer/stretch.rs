//! A take's audio, stretched to the length of its bars while it arrives, and brought to the host's rate on the way.
//!
//! Pitch stays, to within 4 cents. The stretcher has one state and no clock: equal audio in, equal audio out, whatever
//! the pieces.
//!
//! The work is `timestretch`'s: a phase vocoder in Rust under the MIT licence, which streams, meets a length to the sample
//! and looks ahead by a known little. It is young and one person's. What has been kept for longer is under the GPL (Rubber
//! Band) or the LGPL (SoundTouch), or takes a C++ compiler to build (Signalsmith Stretch). Its version is fixed in the
//! workspace: another one would make other samples of the same take.

use tiller_models::musicgen::Cancel;
use timestretch::{
    Backend, DurationRatio, Parameters, PreparedSession, ProcessStatus, RatioConstraint, SessionConfig,
    SessionError, StreamSession,
};

use super::studio::Audio;

/// By how much audio can act on what sounds before it, seconds of the audio that goes in.
pub(super) const LOOK_AHEAD: f64 = 0.12;
/// Sample rates the stretcher takes, Hz.
const RATES: std::ops::RangeInclusive<u32> = 32_000..=192_000;
/// Steps of the stretcher between two looks at its input and output.
const STEPS: usize = 32;
/// Samples collected at once.
const BLOCK: usize = 4_096;

/// Stretches a stream of audio. The output is aligned with the input and lasts `ratio` times as long.
pub(super) struct Stretcher {
    session: StreamSession,
    channels: usize,
    cancel: Cancel,
    /// What arrived and was not asked for yet, interleaved.
    pending: Vec<f32>,
    block: Vec<f32>,
}

impl Stretcher {
    /// From `from` to `to` samples a second, and `ratio` times as long, unless `cancel` ends it: a second of audio can take
    /// some hundred milliseconds.
    ///
    /// # Errors
    /// A sentence, for rates and ratios that cannot be stretched.
    pub fn new(from: u32, to: u32, channels: usize, ratio: f64, cancel: Cancel) -> Result<Self, String> {
        let channels = channels.clamp(1, 2);
        if let Some(rate) = [from, to].into_iter().find(|rate| !RATES.contains(rate)) {
            return Err(format!(
                "A take cannot be fitted to bars at {rate} Hz, only from 32,000 to 192,000. Do not fit it, or choose \
                 another sample rate in the host."
            ));
        }
        let tempo = DurationRatio::new(ratio).map_err(|error| failed(&error))?.tempo();
        let config = SessionConfig {
            source_sample_rate: from,
            output_sample_rate: to,
            channels,
            // The same code on every system.
            backend: Backend::Portable,
            // The bars are to be met to the sample; it is the pitch that gives way.
            parameters: Parameters {
                tempo,
                constraint: RatioConstraint::PreserveDuration,
                ..Parameters::default()
            },
            ..SessionConfig::default()
        };
        let session = PreparedSession::new(config).map_err(|error| failed(&error))?.activate();
        Ok(Self { session, channels, cancel, pending: Vec::new(), block: vec![0.0; BLOCK * channels] })
    }

    /// Stretches what is there; the rest waits for more.
    ///
    /// # Errors
    /// A sentence, should the stretcher fail.
    pub fn push(&mut self, audio: &Audio) -> Result<Vec<Vec<f32>>, String> {
        let Some(first) = audio.channels.first() else { return Ok(vec![Vec::new(); self.channels]) };
        for sample in 0..first.len() {
            for channel in 0..self.channels {
                let value = audio.channels.get(channel).unwrap_or(first)[sample];
                self.pending.push(if value.is_finite() { value } else { 0.0 });
            }
        }
        self.run(false)
    }

    /// The rest.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(mut self) -> Result<Vec<Vec<f32>>, String> {
        self.run(true)
    }

    fn run(&mut self, ending: bool) -> Result<Vec<Vec<f32>>, String> {
        let mut out = vec![Vec::new(); self.channels];
        while !self.session.finished() {
            if self.cancel.is_cancelled() {
                return Err("The take is no longer wanted.".into());
            }
            let status = self.session.advance(STEPS).status;
            if status == ProcessStatus::Fault {
                return Err(failed(&self.session.fault().unwrap_or(SessionError::InvalidState)));
            }
            let fed =
                status != ProcessStatus::NeedSource || self.feed(ending).map_err(|error| failed(&error))?;
            self.collect(&mut out).map_err(|error| failed(&error))?;
            if !fed {
                break;
            }
        }
        Ok(out)
    }

    /// Hands over what is asked for, always as much as that: how the audio arrived does not matter then. Returns whether
    /// there was enough.
    fn feed(&mut self, ending: bool) -> Result<bool, SessionError> {
        let there = self.pending.len() / self.channels;
        let Some(request) = self.session.source_request() else { return Ok(ending) };
        if there == 0 && ending {
            self.session.finish_input()?;
            return Ok(true);
        }
        if there < request.frames && !ending {
            return Ok(false);
        }
        let samples = request.frames.min(there) * self.channels;
        self.session.supply(request, &self.pending[..samples])?;
        self.pending.drain(..samples);
        Ok(true)
    }

    fn collect(&mut self, out: &mut [Vec<f32>]) -> Result<(), SessionError> {
        loop {
            let stamp = self.session.read_output(&mut self.block)?;
            for frame in self.block[..stamp.frames * self.channels].chunks_exact(self.channels) {
                for (out, &sample) in out.iter_mut().zip(frame) {
                    out.push(sample);
                }
            }
            self.session.acknowledge(stamp.consumed(stamp.frames)?)?;
            if stamp.frames < BLOCK {
                return Ok(());
            }
        }
    }
}

fn failed(error: &SessionError) -> String {
    format!("The take could not be fitted to its bars: {error}. Switch its fit off to hear it as it is.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(ratio: f64, to: u32, input: &[f32], grain: usize) -> Vec<f32> {
        let mut stretcher = Stretcher::new(32_000, to, 1, ratio, Cancel::new()).unwrap();
        let mut out = Vec::new();
        for piece in input.chunks(grain) {
            let audio = Audio { sample_rate: 32_000, channels: vec![piece.to_vec()] };
            out.extend(stretcher.push(&audio).unwrap().remove(0));
        }
        out.extend(stretcher.finish().unwrap().remove(0));
        out
    }

    fn sine(seconds: f64, hertz: f64) -> Vec<f32> {
        (0..(32_000.0 * seconds) as usize)
            .map(|i| (i as f64 / 32_000.0 * hertz * std::f64::consts::TAU).sin() as f32 * 0.5)
            .collect()
    }

    /// The pitch of a sine: its rises through zero a second.
    fn pitch(audio: &[f32], rate: u32) -> f64 {
        let rises = audio.windows(2).enumerate().filter(|(_, pair)| pair[0] < 0.0 && pair[1] >= 0.0);
        let times: Vec<f64> =
            rises.map(|(at, pair)| at as f64 + f64::from(-pair[0] / (pair[1] - pair[0]))).collect();
        (times.len() - 1) as f64 / (times[times.len() - 1] - times[0]) * f64::from(rate)
    }

    #[test]
    fn a_stretched_tone_lasts_as_long_as_asked_and_keeps_its_pitch() {
        let input = sine(1.0, 440.0);
        for (ratio, to) in [(0.83, 48_000), (0.99, 44_100), (1.026, 32_000), (1.5, 96_000)] {
            let out = through(ratio, to, &input, 640);
            let length = ratio * f64::from(to);
            assert!((out.len() as f64 - length).abs() <= 2.0, "{ratio}: {} samples", out.len());
            let middle = &out[out.len() / 4..out.len() * 3 / 4];
            let cents = 1_200.0 * (pitch(middle, to) / 440.0).log2();
            assert!(cents.abs() < 5.0, "{ratio}: off by {cents} cents");
        }
    }

    #[test]
    fn what_happens_at_a_beat_happens_at_the_stretched_beat() {
        // A short tone every half second.
        let mut input = sine(2.0, 1_000.0);
        for (at, sample) in input.iter_mut().enumerate() {
            if at % 16_000 >= 1_600 {
                *sample = 0.0;
            }
        }
        let out = through(1.2, 32_000, &input, 640);
        for beat in 1..4 {
            let at = beat as f64 * 0.5 * 1.2;
            let energy = |from: f64, to: f64| -> f32 {
                out[(from * 32_000.0) as usize..(to * 32_000.0) as usize].iter().map(|x| x * x).sum()
            };
            let (before, after) = (energy(at - 0.1, at - 0.02), energy(at, at + 0.08));
            assert!(after > 20.0 * before, "beat {beat}: {before} before, {after} after");
        }
    }

    #[test]
    fn pieces_of_any_size_give_the_same_samples() {
        let input = sine(0.7, 300.0);
        let whole = through(1.1, 48_000, &input, input.len());
        for grain in [1, 641, 5_000] {
            assert!(through(1.1, 48_000, &input, grain) == whole, "{grain}");
        }
    }

    #[test]
    fn what_changes_acts_on_what_sounds_before_it_no_farther_than_the_look_ahead() {
        let before = sine(1.0, 440.0);
        for ratio in [0.5, 0.99, 2.0] {
            for after in [vec![0.0; 8_000], sine(0.25, 3_000.0)] {
                let one = through(ratio, 48_000, &[&before[..], &before[..8_000]].concat(), 640);
                let other = through(ratio, 48_000, &[&before[..], &after].concat(), 640);
                let first = one.iter().zip(&other).position(|(a, b)| a != b).unwrap();
                let ahead = 1.0 - first as f64 / 48_000.0 / ratio;
                assert!(ahead < LOOK_AHEAD, "{ratio}: it acts {ahead} s ahead");
            }
        }
    }

    #[test]
    fn a_cancel_ends_it() {
        let cancel = Cancel::new();
        let mut stretcher = Stretcher::new(32_000, 48_000, 1, 1.1, cancel.clone()).unwrap();
        cancel.cancel();
        assert!(stretcher.push(&Audio { sample_rate: 32_000, channels: vec![sine(1.0, 440.0)] }).is_err());
    }

    #[test]
    fn stereo_keeps_its_sides_and_no_audio_at_all_is_no_audio() {
        let mut stretcher = Stretcher::new(32_000, 48_000, 2, 1.1, Cancel::new()).unwrap();
        let audio = Audio { sample_rate: 32_000, channels: vec![sine(0.5, 300.0), vec![0.0; 16_000]] };
        let mut out = stretcher.push(&audio).unwrap();
        for (out, rest) in out.iter_mut().zip(stretcher.finish().unwrap()) {
            out.extend(rest);
        }
        assert!(out[0].iter().any(|&sample| sample.abs() > 0.3));
        assert!(out[1].iter().all(|&sample| sample.abs() < 1e-3));
        assert!(through(1.5, 48_000, &[], 1).is_empty());
    }

    #[test]
    fn rates_out_of_range_are_refused_in_a_sentence() {
        let error = Stretcher::new(24_000, 48_000, 1, 1.1, Cancel::new()).err().unwrap();
        assert!(error.contains("24000 Hz"), "{error}");
        assert!(Stretcher::new(32_000, 48_000, 1, f64::NAN, Cancel::new()).is_err());
    }
}
