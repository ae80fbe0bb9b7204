//! Log-mel features, as transformers' `ClapFeatureExtractor` makes them when it does not fuse.

use std::f64::consts::TAU;
use std::fmt;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use super::FeatureSettings;
use crate::mel::{Band, Norm, Scale, bands};

/// Least power of a band; what is below is -100 dB.
const FLOOR: f64 = 1e-10;

/// From one window of samples to its log-mel spectrogram.
pub struct LogMel {
    samples: usize,
    hop: usize,
    taper: Vec<f64>,
    bands: Vec<Band>,
    transform: Arc<dyn RealToComplex<f64>>,
}

impl LogMel {
    /// Plans the transform.
    ///
    /// # Errors
    /// What is wrong with the settings, as the rest of a sentence.
    pub fn new(settings: &FeatureSettings) -> Result<Self, String> {
        settings.check()?;
        let length = settings.transform;
        // Periodic Hann.
        let taper = (0..length).map(|index| 0.5 - 0.5 * (TAU * index as f64 / length as f64).cos()).collect();
        let hertz = settings.lowest..=settings.highest;
        Ok(Self {
            samples: settings.samples,
            hop: settings.hop,
            taper,
            bands: bands(length, settings.sample_rate, settings.bands, hertz, Scale::Slaney, Norm::Slaney),
            transform: RealFftPlanner::new().plan_fft_forward(length),
        })
    }

    /// Features of one window, `[frames, bands]`, in decibels: frames are centred on every hop-th sample, and the
    /// window is mirrored at its ends.
    ///
    /// # Panics
    /// If the window has not the model's length.
    #[must_use]
    pub fn features(&self, window: &[f32]) -> Vec<f32> {
        assert_eq!(window.len(), self.samples, "a window has the model's length");
        let half = self.taper.len() / 2;
        let last = window.len() - 1;
        // The sample at `place - half`, mirrored without repeating the end.
        let sample = |place: usize| {
            let place = place.abs_diff(half);
            f64::from(window[if place > last { 2 * last - place } else { place }])
        };
        let mut input = self.transform.make_input_vec();
        let mut output = self.transform.make_output_vec();
        let mut scratch = self.transform.make_scratch_vec();
        let mut features = Vec::with_capacity((window.len() / self.hop + 1) * self.bands.len());
        for start in (0..=window.len()).step_by(self.hop) {
            for (index, (slot, taper)) in input.iter_mut().zip(&self.taper).enumerate() {
                *slot = sample(start + index) * taper;
            }
            let done = self.transform.process_with_scratch(&mut input, &mut output, &mut scratch);
            debug_assert!(done.is_ok(), "the buffers are the planner's own");
            let decibels = |band: &Band| 10.0 * band.power(&output).max(FLOOR).log10();
            features.extend(self.bands.iter().map(|band| decibels(band) as f32));
        }
        features
    }
}

impl fmt::Debug for LogMel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LogMel").field("samples", &self.samples).finish_non_exhaustive()
    }
}
