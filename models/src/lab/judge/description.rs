//! The small file that says what an ONNX classifier hears and tells.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;

use crate::mel::{Norm, Scale};

/// What a classifier beside it takes and gives, as JSON.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    /// What people call it; by default the graph's name.
    pub name: Option<String>,
    /// The graph: the name of a file in the same folder.
    pub graph: String,
    /// Samples a second that the front end works at.
    pub sample_rate: u32,
    /// What the graph gets.
    pub input: Input,
    /// Which of the graph's inputs; by default its only one.
    pub input_name: Option<String>,
    /// The graph's output, f32 `[.., labels]`. All rows are averaged.
    pub output: String,
    /// Names of the last axis, in its order.
    pub labels: Vec<String>,
    /// What makes probabilities of the output.
    pub activation: Activation,
    /// What is averaged over rows.
    #[serde(default)]
    pub average: Average,
}

/// What the graph gets.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Input {
    /// The whole clip, `[1, samples]`.
    Waveform,
    /// Patches of a mel spectrogram.
    Mel(Mel),
}

/// A mel spectrogram as librosa's `melspectrogram` makes it, and the patches that are cut from it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mel {
    /// Samples of a frame, which is windowed by Hann's window and centred on its time; even.
    pub n_fft: usize,
    /// Samples from frame to frame.
    pub hop: usize,
    /// Bands.
    pub mels: usize,
    /// Lowest frequency in Hz.
    #[serde(default)]
    pub f_min: f64,
    /// Highest frequency in Hz; by default half of the sample rate.
    pub f_max: Option<f64>,
    /// What a mel is.
    pub scale: Scale,
    /// What a band's filter is divided by.
    pub norm: Norm,
    /// What is done to the power in a band; nothing by default.
    pub log: Option<Log>,
    /// Frames of a patch.
    pub frames: usize,
    /// Frames from patch to patch.
    pub hop_frames: usize,
    /// Order of the axes.
    pub layout: Layout,
}

/// The logarithm of `scale * power + offset`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    /// Of which base.
    pub base: Base,
    /// Factor of the power.
    pub scale: f64,
    /// What keeps silence finite, above 0.
    pub offset: f64,
}

/// Base of a logarithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Base {
    /// Natural.
    #[serde(rename = "e")]
    E,
    /// Of ten.
    #[serde(rename = "10")]
    Ten,
}

/// Order of the axes of patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Layout {
    /// `[patches, frames, mels]`.
    TimeMel,
    /// `[patches, mels, frames]`.
    MelTime,
    /// `[patches, 1, frames, mels]`.
    ChannelTimeMel,
    /// `[patches, 1, mels, frames]`.
    ChannelMelTime,
}

/// What makes probabilities of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Activation {
    /// Each label by itself.
    Sigmoid,
    /// One of the labels.
    Softmax,
    /// The graph gives probabilities.
    None,
}

/// What is averaged over the rows of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Average {
    /// Probabilities: a moment that sounds like nothing counts half.
    #[default]
    Probabilities,
    /// What the activation makes probabilities of, or log-odds if there is none: a moment counts as far as it is clear.
    Logits,
}

impl Description {
    /// Reads the file's text, or says what is wrong in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let description: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        description.check()?;
        Ok(description)
    }

    fn check(&self) -> Result<(), String> {
        let plain = Path::new(&self.graph).file_name().is_some_and(|name| name == self.graph.as_str());
        if !plain {
            return Err(format!("its graph is {:?}; name a file in the same folder", self.graph));
        }
        if !(1_000..=384_000).contains(&self.sample_rate) {
            return Err(format!("its sample rate is {}; it must be from 1000 to 384000", self.sample_rate));
        }
        if self.labels.is_empty() {
            return Err("it has no labels; list them in the order of the output".to_owned());
        }
        let mut seen = HashSet::new();
        if let Some(label) = self.labels.iter().find(|label| label.trim().is_empty() || !seen.insert(*label))
        {
            return Err(format!("its label {label:?} is empty or there twice"));
        }
        match &self.input {
            Input::Waveform => Ok(()),
            Input::Mel(mel) => mel.check(self.sample_rate),
        }
    }
}

impl Mel {
    /// The largest size that any spectrogram has use for, so that a damaged file takes no memory.
    const LARGEST: usize = 1 << 16;

    /// Highest frequency in Hz.
    pub fn f_max(&self, sample_rate: u32) -> f64 {
        self.f_max.unwrap_or(f64::from(sample_rate) / 2.0)
    }

    fn check(&self, sample_rate: u32) -> Result<(), String> {
        let sizes = [
            ("n_fft", self.n_fft),
            ("hop", self.hop),
            ("mels", self.mels),
            ("frames", self.frames),
            ("hop_frames", self.hop_frames),
        ];
        if let Some((name, size)) = sizes.into_iter().find(|(_, size)| !(1..=Self::LARGEST).contains(size)) {
            return Err(format!("its {name} is {size}; it must be from 1 to {}", Self::LARGEST));
        }
        if self.mels.saturating_mul(self.frames.max(self.n_fft)) > 1 << 24 {
            return Err("its n_fft or frames and mels are too large together".to_owned());
        }
        if !self.n_fft.is_multiple_of(2) {
            return Err(format!("its n_fft is {}; it must be even", self.n_fft));
        }
        let (low, high) = (self.f_min, self.f_max(sample_rate));
        if !(low >= 0.0 && low < high && high <= f64::from(sample_rate) / 2.0) {
            return Err(format!(
                "its bands go from {low} to {high} Hz; they must lie between 0 and half of the sample rate"
            ));
        }
        match &self.log {
            Some(log) if !(log.scale > 0.0 && log.offset > 0.0 && (log.scale + log.offset).is_finite()) => {
                Err("scale and offset of its log must be above 0".to_owned())
            }
            _ => Ok(()),
        }
    }
}
