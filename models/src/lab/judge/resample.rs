//! A whole clip from one sample rate to another.

use std::borrow::Cow;

use rubato::audioadapter::Adapter as _;
use rubato::audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};

use super::super::LabError;

/// Least input samples of one conversion: long enough for a steep filter.
const CHUNK: usize = 1_024;

/// Input samples of one conversion between two rates: a whole number of their common period, and an even one, because
/// the filter delays by half of them, which must be whole for the output to be aligned.
fn chunk(from: u32, to: u32) -> usize {
    let (mut divisor, mut rest) = (from, to);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let period = (from / divisor.max(1)).max(1) as usize;
    CHUNK.div_ceil(period).next_multiple_of(2) * period
}

/// `audio` (one channel) at `to` samples a second instead of `from`: band-limited, as long in time, and not delayed.
///
/// # Errors
/// [`LabError::Request`] for rates that nothing can convert.
pub fn resample(audio: &[f32], from: u32, to: u32) -> Result<Cow<'_, [f32]>, LabError> {
    if from == to || audio.is_empty() {
        return Ok(Cow::Borrowed(audio));
    }
    let failed = |error: &dyn std::fmt::Display| {
        LabError::request(format!("audio cannot be converted from {from} to {to} samples a second: {error}"))
    };
    let (window, rates) = (WindowFunction::BlackmanHarris2, (from as usize, to as usize));
    let filter = Fft::<f32>::new_custom(rates.0, rates.1, chunk(from, to), 1, 1, window, FixedSync::Input);
    let mut filter = filter.map_err(|error| failed(&error))?;
    let channels = [audio.to_vec()];
    let input = SequentialSliceOfVecs::new(&channels, 1, audio.len()).map_err(|error| failed(&error))?;
    let converted = filter.process_all(&input, audio.len(), None).map_err(|error| failed(&error))?;
    let length = (audio.len() as u64 * u64::from(to)).div_ceil(u64::from(from)) as usize;
    Ok((0..length.min(converted.frames())).filter_map(|frame| converted.read_sample(0, frame)).collect())
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn tone(rate: u32, hertz: f64) -> Vec<f32> {
        (0..rate).map(|time| (f64::from(time) / f64::from(rate) * hertz * TAU).sin() as f32).collect()
    }

    #[test]
    fn a_tone_keeps_its_pitch_level_time_and_length_at_any_rate() {
        for (from, to) in [(32_000, 16_000), (32_000, 48_000), (44_100, 16_000), (2_000, 16_000)] {
            let hertz = f64::from(from) / 8.0;
            let found = resample(&tone(from, hertz), from, to).unwrap().into_owned();
            assert_eq!(found.len(), to as usize, "{from} to {to}");
            // The ends ring: a tone that begins at once is no band-limited signal.
            let inner = to as usize / 4..to as usize * 3 / 4;
            let expected = tone(to, hertz);
            let off = inner.map(|time| (found[time] - expected[time]).abs()).fold(0.0, f32::max);
            assert!(off < 1e-3, "{from} to {to}: {off}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_taken_out() {
        let found = resample(&tone(32_000, 12_000.0), 32_000, 16_000).unwrap().into_owned();
        assert!(found[2_000..14_000].iter().all(|sample| sample.abs() < 1e-3));
    }

    #[test]
    fn the_same_rate_is_the_same_samples_and_no_rate_is_refused() {
        assert!(matches!(resample(&[0.5; 8], 16_000, 16_000).unwrap(), Cow::Borrowed([0.5, ..])));
        assert!(resample(&[0.5; 8], 0, 16_000).unwrap_err().to_string().contains("from 0 to 16000"));
    }
}
