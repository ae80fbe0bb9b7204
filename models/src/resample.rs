//! From one sample rate to another, while the audio arrives: from the model's to a host's, from a file's to the model's.

use rubato::audioadapter::Adapter as _;
use rubato::audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{Fft, FixedSync, Indexing, Resampler as _, WindowFunction};

/// Least samples of one conversion, at the lower of the two rates: long enough for a steep filter, 32 ms at 32 kHz.
const CHUNK: usize = 1_024;

/// Input samples of one conversion between two rates: a whole number of their common period, and an even one, because
/// the filter delays by half its output, which must be a whole number of samples for the output to be aligned.
fn chunk(from: u32, to: u32) -> usize {
    let divisor = |mut a: u32, mut b: u32| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a.max(1)
    };
    let period = (from / divisor(from, to)) as usize;
    let least = CHUNK * (from / to.max(1)).max(1) as usize;
    least.div_ceil(period).next_multiple_of(2) * period
}

/// Converts a stream of audio. The output is aligned with the input: the filter's delay is cut off.
pub struct Resampler {
    /// `None` when the rates are equal.
    filter: Option<Fft<f32>>,
    channels: usize,
    chunk: usize,
    pending: Vec<Vec<f32>>,
    /// Output samples still to be cut off.
    delay: usize,
}

impl Resampler {
    /// From `from` to `to` samples a second.
    ///
    /// # Errors
    /// A sentence, for rates that nothing can convert.
    pub fn new(from: u32, to: u32, channels: usize) -> Result<Self, String> {
        let channels = channels.max(1);
        if from == 0 || to == 0 {
            return Err(format!("Audio cannot be converted from {from} to {to} Hz."));
        }
        let filter = if from == to {
            None
        } else {
            let window = WindowFunction::BlackmanHarris2;
            let (from_rate, to_rate) = (from as usize, to as usize);
            let filter =
                Fft::new_custom(from_rate, to_rate, chunk(from, to), 1, channels, window, FixedSync::Input)
                    .map_err(|error| format!("Audio cannot be converted from {from} to {to} Hz: {error}."))?;
            Some(filter)
        };
        let delay = filter.as_ref().map_or(0, rubato::Resampler::output_delay);
        Ok(Self { filter, channels, chunk: chunk(from, to), pending: vec![Vec::new(); channels], delay })
    }

    /// Converts what is there, a list of samples for each channel, all of one length; the rest waits for more.
    ///
    /// # Errors
    /// A sentence, should the filter fail.
    pub fn push(&mut self, channels: Vec<Vec<f32>>) -> Result<Vec<Vec<f32>>, String> {
        if self.filter.is_none() {
            return Ok(channels);
        }
        for (pending, channel) in self.pending.iter_mut().zip(channels) {
            pending.extend(channel);
        }
        let mut out = vec![Vec::new(); self.channels];
        while self.pending[0].len() >= self.chunk {
            self.convert(self.chunk, &mut out)?;
        }
        Ok(out)
    }

    /// The rest, with the filter's tail.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(mut self) -> Result<Vec<Vec<f32>>, String> {
        let mut out = vec![Vec::new(); self.channels];
        if self.filter.is_some() {
            let rest = self.pending[0].len();
            self.convert(rest, &mut out)?;
            // Silence until the delayed end is out.
            for _ in 0..3 {
                self.convert(0, &mut out)?;
            }
        }
        Ok(out)
    }

    fn convert(&mut self, length: usize, out: &mut [Vec<f32>]) -> Result<(), String> {
        let Some(filter) = &mut self.filter else { return Ok(()) };
        let failed = |error: &dyn std::fmt::Display| format!("Audio could not be resampled: {error}.");
        let input = SequentialSliceOfVecs::new(&self.pending, self.channels, length)
            .map_err(|error| failed(&error))?;
        let part = Indexing { partial_len: (length < self.chunk).then_some(length), ..Indexing::default() };
        let converted = filter.process(&input, Some(&part)).map_err(|error| failed(&error))?;
        let frames = converted.frames();
        let skip = self.delay.min(frames);
        self.delay -= skip;
        for (channel, out) in out.iter_mut().enumerate() {
            out.extend((skip..frames).filter_map(|frame| converted.read_sample(channel, frame)));
        }
        for pending in &mut self.pending {
            pending.drain(..length);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate: u32, seconds: f64, hertz: f64) -> Vec<f32> {
        (0..(f64::from(rate) * seconds) as usize)
            .map(|i| (i as f64 / f64::from(rate) * hertz * std::f64::consts::TAU).sin() as f32)
            .collect()
    }

    fn through(from: u32, to: u32, input: &[f32], grain: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to, 1).unwrap();
        let mut out = Vec::new();
        for piece in input.chunks(grain) {
            out.extend(resampler.push(vec![piece.to_vec()]).unwrap().remove(0));
        }
        out.extend(resampler.finish().unwrap().remove(0));
        out
    }

    #[test]
    fn a_tone_keeps_its_pitch_level_and_time_at_every_host_rate() {
        let input = sine(32_000, 1.0, 440.0);
        for to in [32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000] {
            let out = through(32_000, to, &input, 700);
            let expected = sine(to, 1.0, 440.0);
            assert!(out.len() >= expected.len(), "{to}: {} samples", out.len());
            // The ends ring: a tone that starts at full level is no band-limited signal.
            let middle = to as usize / 10..to as usize * 9 / 10;
            let worst = middle.map(|i| (out[i] - expected[i]).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-3, "{to}: off by {worst}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_taken_out() {
        for from in [44_100, 48_000, 96_000] {
            let kept = through(from, 32_000, &sine(from, 0.5, 1_000.0), 4_000);
            let removed = through(from, 32_000, &sine(from, 0.5, 17_500.0), 4_000);
            let middle = 4_000..12_000;
            let expected = sine(32_000, 0.5, 1_000.0);
            let worst = middle.clone().map(|i| (kept[i] - expected[i]).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-3, "{from}: off by {worst}");
            let left = removed[middle].iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
            assert!(left < 1e-3, "{from}: {left} of an alias");
        }
    }

    #[test]
    fn pieces_of_any_size_give_the_same_samples() {
        let input = sine(32_000, 0.3, 1_000.0);
        let whole = through(32_000, 48_000, &input, input.len());
        for grain in [1, 640, 1_023, 5_000] {
            assert_eq!(through(32_000, 48_000, &input, grain), whole, "{grain}");
        }
    }
}
