//! A whole clip from one sample rate to another.

use std::borrow::Cow;

use super::super::LabError;
use crate::resample::Resampler;

/// `audio` (one channel) at `to` samples a second instead of `from`: band-limited, as long in time, and not delayed.
///
/// # Errors
/// [`LabError::Request`] for rates that nothing can convert.
pub fn resample(audio: &[f32], from: u32, to: u32) -> Result<Cow<'_, [f32]>, LabError> {
    if from == to || audio.is_empty() {
        return Ok(Cow::Borrowed(audio));
    }
    let mut resampler = Resampler::new(from, to, 1).map_err(LabError::request)?;
    let mut converted = resampler.push(vec![audio.to_vec()]).map_err(LabError::request)?.swap_remove(0);
    converted.extend(resampler.finish().map_err(LabError::request)?.swap_remove(0));
    // The filter's tail lasts longer than the clip.
    converted.truncate((audio.len() as u64 * u64::from(to)).div_ceil(u64::from(from)) as usize);
    Ok(converted.into())
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
        assert!(resample(&[0.5; 8], 0, 16_000).unwrap_err().to_string().contains("from 0 to 16000 Hz"));
    }
}
