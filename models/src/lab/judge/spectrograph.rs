//! Mel spectrograms as librosa makes them: power in overlapping triangular bands.

use std::f64::consts::TAU;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use super::description::{Base, Layout, Log, Mel};
use crate::mel::{Band, Norm, Scale, bands};

/// Makes spectrograms of one kind.
pub(in crate::lab) struct Spectrograph {
    fft: Arc<dyn RealToComplex<f64>>,
    hop: usize,
    window: Vec<f64>,
    bands: Vec<Band>,
    log: Option<Log>,
}

impl Spectrograph {
    /// For clips at `sample_rate`. The description has been checked.
    pub(super) fn new(mel: &Mel, sample_rate: u32) -> Self {
        // Periodic, as for every spectrogram.
        let hann = |time: usize| 0.5 - 0.5 * (TAU * time as f64 / mel.n_fft as f64).cos();
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(mel.n_fft),
            hop: mel.hop,
            window: (0..mel.n_fft).map(hann).collect(),
            bands: bands(
                mel.n_fft,
                sample_rate,
                mel.mels,
                mel.f_min..=mel.f_max(sample_rate),
                mel.scale,
                mel.norm,
            ),
            log: mel.log.clone(),
        }
    }

    /// Bels in 32 bands of frames of about 64 ms, where 0 is a tone of full scale and -8 the least.
    pub fn decibels(sample_rate: u32) -> Self {
        let n_fft = 2 * (sample_rate as usize * 32 / 1_000).max(1);
        let scale = (n_fft as f64 / 4.0).powi(-2);
        let mel = Mel {
            n_fft,
            hop: n_fft / 2,
            mels: 32,
            f_min: 0.0,
            f_max: None,
            scale: Scale::Htk,
            norm: Norm::None,
            log: Some(Log { base: Base::Ten, scale, offset: 1e-8 }),
            frames: 1,
            hop_frames: 1,
            layout: Layout::TimeMel,
        };
        Self::new(&mel, sample_rate)
    }

    /// The frames of a clip, mels beside each other, `[1 + samples / hop, mels]`. Outside of the clip is silence.
    pub fn frames(&self, audio: &[f32]) -> Vec<f32> {
        let length = self.window.len();
        let mut spectrum = self.fft.make_output_vec();
        let mut frame = vec![0.0; length];
        let count = 1 + audio.len() / self.hop;
        let mut out = Vec::with_capacity(count * self.bands.len());
        for number in 0..count {
            for (time, (value, window)) in frame.iter_mut().zip(&self.window).enumerate() {
                let sample = (number * self.hop + time).checked_sub(length / 2).and_then(|at| audio.get(at));
                *value = sample.map_or(0.0, |&sample| f64::from(sample) * window);
            }
            // Fails only for buffers of another length than the transform's own.
            if self.fft.process(&mut frame, &mut spectrum).is_err() {
                unreachable!("the buffers are as long as the transform");
            }
            out.extend(self.bands.iter().map(|band| self.compress(band.power(&spectrum)) as f32));
        }
        out
    }

    /// The [frames](Self::frames) of a clip and how many bands each has.
    pub fn picture(&self, audio: &[f32]) -> (Vec<f32>, usize) {
        (self.frames(audio), self.bands.len())
    }

    fn compress(&self, power: f64) -> f64 {
        match &self.log {
            None => power,
            Some(Log { base, scale, offset }) => match base {
                Base::E => (scale * power + offset).ln(),
                Base::Ten => (scale * power + offset).log10(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::description::{Description, Input};
    use super::*;

    #[derive(Deserialize)]
    struct Recorded {
        audio: Vec<f32>,
        spectrograms: Vec<Spectrogram>,
    }

    #[derive(Deserialize)]
    struct Spectrogram {
        description: serde_json::Value,
        frames: Vec<Vec<f32>>,
    }

    #[test]
    fn spectrograms_are_those_of_librosa() {
        let recorded: Recorded =
            serde_json::from_str(include_str!("../../../tests/data/judge/expected.json")).unwrap();
        assert_eq!(recorded.spectrograms.len(), 3);
        for Spectrogram { description, frames } in recorded.spectrograms {
            let described = Description::parse(&description.to_string()).unwrap();
            let Input::Mel(mel) = described.input else { panic!() };
            let found = Spectrograph::new(&mel, described.sample_rate).frames(&recorded.audio);
            let expected = frames.concat();
            assert_eq!(found.len(), expected.len());
            let off = found.iter().zip(&expected).map(|(a, b)| (a - b).abs() / b.abs().max(1.0));
            assert!(off.fold(0.0, f32::max) < 1e-4, "{description}");
        }
    }
}
