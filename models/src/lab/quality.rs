//! What is wrong with a clip, whatever it plays, and how far two clips are apart.

use super::judge::Spectrograph;

/// Root mean square of a silent part, full scale 1: -60 dB.
pub const SILENCE: f64 = 1e-3;

/// Parts of a second that are silent or not.
const PARTS: u32 = 20;

/// Magnitude from which a sample counts as clipped.
const CLIPPED: f32 = 0.999;

/// Share of twentieths of a second without sound, 0 to 1.
pub fn silence(audio: &[f32], sample_rate: u32) -> f64 {
    let parts = audio.chunks((sample_rate / PARTS).max(1) as usize);
    let count = parts.len().max(1);
    let is_silent = |part: &&[f32]| {
        let squares: f64 = part.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        (squares / part.len() as f64).sqrt() < SILENCE
    };
    parts.filter(is_silent).count() as f64 / count as f64
}

/// Share of samples at full scale, 0 to 1.
pub fn clipping(audio: &[f32]) -> f64 {
    audio.iter().filter(|sample| sample.abs() >= CLIPPED).count() as f64 / audio.len().max(1) as f64
}

/// A clip's log-mel spectrogram, to compare with others of the same length.
pub struct Picture(Vec<f32>);

impl Picture {
    /// Of a clip.
    pub fn new(audio: &[f32], sample_rate: u32) -> Self {
        Self(Spectrograph::decibels(sample_rate).frames(audio))
    }

    /// Root mean square of the difference over time and bands, in dB.
    pub fn distance(&self, other: &Self) -> f64 {
        let squares = self.0.iter().zip(&other.0).map(|(a, b)| f64::from(a - b).powi(2));
        // The spectrogram is in bels.
        10.0 * (squares.sum::<f64>() / self.0.len().min(other.0.len()).max(1) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_and_clipping_are_shares() {
        let audio: Vec<f32> = (0..2_000).map(|time| if time < 500 { 1e-4 } else { 0.5 }).collect();
        assert_eq!(silence(&audio, 2_000), 0.25);
        assert_eq!(clipping(&audio), 0.0);
        assert_eq!(clipping(&[1.0, -1.2, 0.5, 0.0]), 0.5);
        assert_eq!(silence(&[0.0; 30], 2_000), 1.0);
    }

    #[test]
    fn ten_times_the_level_is_twenty_decibels_away_and_order_does_not_matter() {
        let noise = |level: f32| -> Vec<f32> {
            (0..4_000_u32)
                .map(|time| level * ((time.wrapping_mul(2_654_435_761) >> 8) as f32 / 16_777_216.0 - 0.5))
                .collect()
        };
        let picture = |audio: &[f32]| Picture::new(audio, 2_000);
        let (loud, soft) = (picture(&noise(1.0)), picture(&noise(0.1)));
        assert_eq!(loud.distance(&loud), 0.0);
        assert!((loud.distance(&soft) - 20.0).abs() < 0.5, "{}", loud.distance(&soft));
        assert_eq!(loud.distance(&soft), soft.distance(&loud));
    }
}
