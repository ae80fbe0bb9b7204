//! Mel filter banks, as librosa makes them: overlapping triangles over the bins of a Fourier transform.

use std::ops::RangeInclusive;

use realfft::num_complex::Complex;
use serde::Deserialize;

/// Slaney's scale: linear up to this many Hz, logarithmic above.
const KNEE_HZ: f64 = 1_000.0;
const HZ_A_MEL: f64 = 200.0 / 3.0;
/// Mels above the knee in which the frequency grows by the factor 6.4.
const MELS: f64 = 27.0;

/// What a mel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Linear below 1 kHz: Slaney's Auditory Toolbox, librosa's default.
    Slaney,
    /// Logarithmic: the Hidden Markov Model Toolkit.
    Htk,
}

/// What a band's filter is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// Half its width in Hz, so that white noise has the same power in all bands.
    Slaney,
    /// Nothing: its peak is 1.
    None,
}

/// One band.
#[derive(Debug, Clone)]
pub struct Band {
    /// The first bin that counts.
    first: usize,
    /// Weights of the bins from there.
    weights: Vec<f64>,
}

impl Band {
    /// The power of `spectrum` in this band.
    pub fn power(&self, spectrum: &[Complex<f64>]) -> f64 {
        spectrum[self.first..].iter().zip(&self.weights).map(|(bin, weight)| bin.norm_sqr() * weight).sum()
    }
}

/// `count` bands from the lowest to the highest of `hertz`, over the bins of a transform of `length` samples. Triangles
/// reach from one neighbour's centre to the other's; centres are equally far apart in mel.
pub fn bands(
    length: usize,
    sample_rate: u32,
    count: usize,
    hertz: RangeInclusive<f64>,
    scale: Scale,
    norm: Norm,
) -> Vec<Band> {
    let (low, high) = (to_mel(scale, *hertz.start()), to_mel(scale, *hertz.end()));
    let edge = |number: usize| to_hz(scale, low + (high - low) * number as f64 / (count + 1) as f64);
    let frequency = |bin: usize| bin as f64 * f64::from(sample_rate) / length as f64;
    let band = |number: usize| {
        let (left, centre, right) = (edge(number), edge(number + 1), edge(number + 2));
        let factor = if norm == Norm::Slaney { 2.0 / (right - left) } else { 1.0 };
        let weight = |bin: usize| {
            let rising = (frequency(bin) - left) / (centre - left);
            factor * rising.min((right - frequency(bin)) / (right - centre)).max(0.0)
        };
        let inside = |&bin: &usize| weight(bin) > 0.0;
        let first = (0..=length / 2).find(inside).unwrap_or(0);
        Band { first, weights: (first..=length / 2).take_while(inside).map(weight).collect() }
    };
    (0..count).map(band).collect()
}

fn to_mel(scale: Scale, hertz: f64) -> f64 {
    match scale {
        Scale::Htk => 2_595.0 * (1.0 + hertz / 700.0).log10(),
        Scale::Slaney if hertz < KNEE_HZ => hertz / HZ_A_MEL,
        Scale::Slaney => KNEE_HZ / HZ_A_MEL + (hertz / KNEE_HZ).ln() * MELS / 6.4_f64.ln(),
    }
}

fn to_hz(scale: Scale, mel: f64) -> f64 {
    let knee = KNEE_HZ / HZ_A_MEL;
    match scale {
        Scale::Htk => 700.0 * (10_f64.powf(mel / 2_595.0) - 1.0),
        Scale::Slaney if mel < knee => mel * HZ_A_MEL,
        Scale::Slaney => KNEE_HZ * ((mel - knee) * 6.4_f64.ln() / MELS).exp(),
    }
}
