//! Hearing a melody: the loudest pitch class of every frame of a recording, as transformers'
//! `MusicgenMelodyFeatureExtractor` hears it.
//!
//! audiocraft first takes drums and bass out of a recording, with a model for that (Demucs); transformers and Tiller do
//! not: a recording of the tune alone is heard best.

use std::f64::consts::TAU;
use std::fmt;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use crate::bundle::manifest::Chroma;

use super::melody::{Melody, MelodyError};

/// Concert pitch, Hz.
const A4: f64 = 440.0;
/// Of librosa's filters: the octave that counts most, and how many octaves on either side still count.
const CENTRE_OCTAVE: f64 = 5.0;
const OCTAVES: f64 = 2.0;

/// From samples of one channel to a melody.
pub struct ChromaExtractor {
    hop: usize,
    taper: Vec<f64>,
    classes: usize,
    /// How much each bin of a spectrum counts for each pitch class, `[bins][classes]`.
    filters: Vec<Vec<f64>>,
    transform: Arc<dyn RealToComplex<f64>>,
}

impl ChromaExtractor {
    /// Plans the transform.
    #[must_use]
    pub fn new(chroma: &Chroma) -> Self {
        let length = chroma.window;
        // Periodic Hann.
        let taper = (0..length).map(|index| 0.5 - 0.5 * (TAU * index as f64 / length as f64).cos()).collect();
        Self {
            hop: chroma.hop,
            taper,
            classes: chroma.classes,
            filters: filters(length, f64::from(chroma.sample_rate), chroma.classes),
            transform: RealFftPlanner::new().plan_fft_forward(length),
        }
    }

    /// How loud each pitch class is beside the loudest, `[frames][classes]` from 0 to 1. Frames are centred on every hop-th
    /// sample; the piece is mirrored at its ends, and first filled up to a window with silence on both sides.
    #[must_use]
    pub fn profiles(&self, samples: &[f32]) -> Vec<Vec<f64>> {
        let window = self.taper.len();
        let missing = window.saturating_sub(samples.len());
        let length = samples.len() + missing;
        let (half, before) = (window / 2, missing / 2);
        // The sample at `place - half`, mirrored without repeating the end.
        let sample = |place: usize| {
            let place = place.abs_diff(half);
            let place = if place >= length { 2 * (length - 1) - place } else { place };
            place.checked_sub(before).and_then(|place| samples.get(place)).map_or(0.0, |&value| value.into())
        };
        let mut input = self.transform.make_input_vec();
        let mut output = self.transform.make_output_vec();
        let mut scratch = self.transform.make_scratch_vec();
        let mut profile = |start: usize| {
            for (index, (slot, taper)) in input.iter_mut().zip(&self.taper).enumerate() {
                *slot = sample(start + index) * taper;
            }
            let done = self.transform.process_with_scratch(&mut input, &mut output, &mut scratch);
            debug_assert!(done.is_ok(), "the buffers are the planner's own");
            let mut powers = vec![0.0; self.classes];
            for (bin, weights) in output.iter().zip(&self.filters) {
                powers.iter_mut().zip(weights).for_each(|(power, weight)| *power += weight * bin.norm_sqr());
            }
            let loudest = powers.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
            powers.into_iter().map(|power| power / loudest).collect()
        };
        (0..=length).step_by(self.hop).map(&mut profile).collect()
    }

    /// The melody of a piece: the loudest class of every frame, the lowest of equals and of silence.
    ///
    /// # Errors
    /// [`MelodyError::Length`] for a piece of hours.
    pub fn melody(&self, samples: &[f32]) -> Result<Melody, MelodyError> {
        let loudest = |profile: Vec<f64>| {
            let mut best = 0;
            for (class, power) in profile.iter().enumerate() {
                if *power > profile[best] {
                    best = class;
                }
            }
            best as u8
        };
        Melody::new(self.profiles(samples).into_iter().map(loudest).collect())
    }
}

impl fmt::Debug for ChromaExtractor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ChromaExtractor").field("hop", &self.hop).finish_non_exhaustive()
    }
}

/// librosa's chroma filters, C first: a bump around every octave of a pitch class, as wide as the bins are apart, each
/// bin's weights of length 1 and then those of far octaves turned down.
fn filters(window: usize, sample_rate: f64, classes: usize) -> Vec<Vec<f64>> {
    let count = classes as f64;
    let octave = |bin: usize| (bin as f64 * sample_rate / window as f64 / (A4 / 16.0)).log2();
    // Bin 0 has no pitch; librosa puts it one and a half octaves below bin 1.
    let pitch = |bin: usize| if bin == 0 { count * (octave(1) - 1.5) } else { count * octave(bin) };
    let of_bin = |bin: usize| {
        let width = if bin + 1 == window { 1.0 } else { (pitch(bin + 1) - pitch(bin)).max(1.0) };
        let weight = |class: usize| {
            let middle = (count / 2.0).round_ties_even();
            let off = (pitch(bin) - class as f64 + middle + 10.0 * count).rem_euclid(count) - middle;
            (-0.5 * (2.0 * off / width).powi(2)).exp()
        };
        let mut weights: Vec<f64> = (0..classes).map(weight).collect();
        let norm = weights.iter().map(|weight| weight * weight).sum::<f64>().sqrt();
        let far = (-0.5 * ((pitch(bin) / count - CENTRE_OCTAVE) / OCTAVES).powi(2)).exp();
        weights.iter_mut().for_each(|weight| *weight *= far / norm);
        // They are counted from A up to here, three semitones below C.
        weights.rotate_left(3 * (classes / 12));
        weights
    };
    (0..=window / 2).map(of_bin).collect()
}
