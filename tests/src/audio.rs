//! What a pass rendered.

use anyhow::{Context, Result, ensure};
use std::path::Path;

/// Stereo audio.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audio {
    /// Frames per second.
    pub sample_rate: f64,
    /// Left and right, equally long.
    pub channels: [Vec<f32>; 2],
}

impl Audio {
    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.channels[0].len()
    }

    /// The largest absolute sample. NaN if any sample is NaN.
    pub fn peak(&self) -> f32 {
        self.samples()
            .fold(0.0, |peak, sample| if sample.is_nan() { f32::NAN } else { peak.max(sample.abs()) })
    }

    /// Root mean square over both channels between two times in seconds.
    pub fn level(&self, from: f64, to: f64) -> f32 {
        let part = self.between(from, to);
        let count = (2 * part.frames()).max(1) as f32;
        (part.samples().map(|sample| sample * sample).sum::<f32>() / count).sqrt()
    }

    /// The part between two times in seconds, cut at the ends of the audio.
    pub fn between(&self, from: f64, to: f64) -> Self {
        let index =
            |seconds: f64| ((seconds * self.sample_rate).round().max(0.0) as usize).min(self.frames());
        let range = index(from)..index(to).max(index(from));
        Self {
            sample_rate: self.sample_rate,
            channels: [0, 1].map(|channel| self.channels[channel][range.clone()].to_vec()),
        }
    }

    /// The first frame where the two differ in any bit, or where the shorter ends.
    pub fn first_difference(&self, other: &Self) -> Option<usize> {
        let bits = |audio: &Self, frame: usize| {
            audio.channels.each_ref().map(|channel| channel.get(frame).map(|sample| sample.to_bits()))
        };
        (0..self.frames().max(other.frames())).find(|&frame| bits(self, frame) != bits(other, frame))
    }

    /// Adds what follows.
    pub fn append(&mut self, next: &Self) -> Result<()> {
        ensure!(self.sample_rate == next.sample_rate, "audio of different sample rates cannot be joined");
        for (whole, part) in self.channels.iter_mut().zip(&next.channels) {
            whole.extend_from_slice(part);
        }
        Ok(())
    }

    /// Writes 32-bit float WAV.
    pub fn write_wav(&self, path: &Path) -> Result<()> {
        ensure!(
            self.sample_rate.fract() == 0.0,
            "a WAV file needs a whole sample rate, not {}",
            self.sample_rate
        );
        let format = hound::WavSpec {
            channels: 2,
            sample_rate: self.sample_rate as u32,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut writer = hound::WavWriter::create(path, format)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        for (left, right) in self.channels[0].iter().zip(&self.channels[1]) {
            writer.write_sample(*left)?;
            writer.write_sample(*right)?;
        }
        writer.finalize().with_context(|| format!("{} cannot be finished", path.display()))
    }

    fn samples(&self) -> impl Iterator<Item = f32> + '_ {
        self.channels.iter().flatten().copied()
    }
}
