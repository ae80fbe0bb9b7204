//! Loudness over time and pitch, for a picture.

use anyhow::{Result, ensure};
use realfft::RealFftPlanner;
use tiller_tests::Audio;

/// Samples in a transform: at 48 kHz 43 ms, bins 23 Hz apart.
const WINDOW: usize = 2_048;
/// Samples from one column to the next.
const HOP: usize = 256;
/// Quietest level drawn, in dB below the loudest.
const FLOOR: f32 = -80.0;

/// Lowest pitch drawn, in Hz.
pub const LOWEST: f64 = 50.0;
/// Highest pitch drawn, in Hz.
pub const HIGHEST: f64 = 12_800.0;

/// A spectrogram with rows equally spaced in pitch (logarithm of frequency), from [`LOWEST`] to [`HIGHEST`].
pub struct Spectrogram {
    /// `[column][row]`, 0 (80 dB below the loudest, or less) to 1 (the loudest).
    pub columns: Vec<Vec<f32>>,
}

impl Spectrogram {
    /// Of the mean of both channels, with `rows` rows. `reference` is the power drawn as the loudest, so that several
    /// pictures can share one scale; see [`Spectrogram::loudest`].
    pub fn of(audio: &Audio, rows: usize, reference: f32) -> Result<Self> {
        let frequencies: Vec<f64> =
            (0..rows).map(|row| LOWEST * (HIGHEST / LOWEST).powf((row as f64 + 0.5) / rows as f64)).collect();
        let columns = powers(audio)?
            .iter()
            .map(|bins| {
                frequencies
                    .iter()
                    .map(|&frequency| level(bins, frequency, audio.sample_rate, reference))
                    .collect()
            })
            .collect();
        Ok(Self { columns })
    }

    /// The greatest power in any bin, at least a trace above zero.
    pub fn loudest(audio: &Audio) -> Result<f32> {
        Ok(powers(audio)?.into_iter().flatten().fold(1e-12, f32::max))
    }
}

/// Power in dB below `reference` at a frequency, scaled to 0..1, between bins by interpolation.
fn level(bins: &[f32], frequency: f64, sample_rate: f64, reference: f32) -> f32 {
    let place = frequency / sample_rate * WINDOW as f64;
    let (below, fraction) = (place as usize, place.fract() as f32);
    let bin = |index: usize| bins.get(index).copied().unwrap_or(0.0);
    let power = bin(below) * (1.0 - fraction) + bin(below + 1) * fraction;
    let decibels = 10.0 * (power / reference).max(1e-12).log10();
    (1.0 - decibels / FLOOR).clamp(0.0, 1.0)
}

/// The power in every bin of every Hann window, windows centred on multiples of the hop.
fn powers(audio: &Audio) -> Result<Vec<Vec<f32>>> {
    ensure!(audio.frames() > 0, "there is no audio to draw");
    let transform = RealFftPlanner::<f32>::new().plan_fft_forward(WINDOW);
    let window: Vec<f32> =
        (0..WINDOW).map(|i| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / WINDOW as f32).cos()).collect();
    let mixed = audio.channels[0].iter().zip(&audio.channels[1]).map(|(left, right)| 0.5 * (left + right));
    // Half a window of silence on each side, so that every window is whole.
    let margin = std::iter::repeat_n(0.0, WINDOW / 2);
    let samples: Vec<f32> = margin.clone().chain(mixed).chain(margin).collect();
    let (mut input, mut output) = (transform.make_input_vec(), transform.make_output_vec());
    samples
        .windows(WINDOW)
        .step_by(HOP)
        .map(|part| {
            for ((slot, weight), sample) in input.iter_mut().zip(&window).zip(part) {
                *slot = weight * sample;
            }
            transform.process(&mut input, &mut output)?;
            Ok(output.iter().map(|bin| bin.norm_sqr()).collect())
        })
        .collect()
}
