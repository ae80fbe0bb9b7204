//! `judge.json`: what an imported CLAP says of itself.

use serde::{Deserialize, Serialize};

use super::KIND;
use crate::bundle::manifest::Source;

/// The schema this build writes and reads.
pub const SCHEMA: u32 = 1;

/// The whole of `judge.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// `"clap"`.
    pub kind: String,
    /// Schema version, [`SCHEMA`].
    pub schema: u32,
    /// Licence of the weights.
    pub licence: String,
    /// The checkpoint this was made from.
    pub source: Source,
    /// Length of an embedding.
    pub width: usize,
    /// Most tokens of a text, those at its ends included.
    pub tokens: usize,
    /// What cosines are multiplied by before the softmax over labels: `exp(logit_scale_a)`.
    pub logit_scale: f64,
    /// From samples to features.
    pub features: FeatureSettings,
}

/// How a window of audio becomes features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureSettings {
    /// Samples a second.
    pub sample_rate: u32,
    /// Samples of the model's window.
    pub samples: usize,
    /// Samples of one Fourier transform, even.
    pub transform: usize,
    /// Samples from one transform to the next.
    pub hop: usize,
    /// Mel bands.
    pub bands: usize,
    /// Where the lowest band begins, hertz.
    pub lowest: f64,
    /// Where the highest band ends, hertz.
    pub highest: f64,
    /// What fills the window of a clip that is shorter.
    pub padding: Padding,
}

/// What fills the window of a clip that is shorter, named as transformers does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// The clip again as often as it fits whole, then silence.
    RepeatPad,
    /// The clip again, the last time cut off.
    Repeat,
    /// Silence.
    Pad,
}

impl Manifest {
    /// Whether this build can use it, or the rest of the sentence "it cannot be used: ...".
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.kind != KIND {
            return Err(format!("it is a judge of the kind {:?}", self.kind));
        }
        if self.schema != SCHEMA {
            return Err(format!("its schema is {}, and this build reads {SCHEMA}", self.schema));
        }
        if self.width == 0 || self.tokens < 3 || !(self.logit_scale.is_finite() && self.logit_scale > 0.0) {
            return Err("a number of its judge.json is out of range".to_owned());
        }
        Ok(())
    }
}

impl FeatureSettings {
    /// Whether features can be had with these numbers, or what is wrong with them.
    pub(crate) fn check(&self) -> Result<(), String> {
        let sizes = [self.samples, self.transform, self.hop, self.bands, self.sample_rate as usize];
        if sizes.iter().any(|size| !(1..=1 << 26).contains(size)) {
            return Err("a size of its features is zero or enormous".to_owned());
        }
        if !self.transform.is_multiple_of(2) || self.samples <= self.transform {
            return Err(format!(
                "its Fourier transform of {} samples is odd or no shorter than its window of {}",
                self.transform, self.samples
            ));
        }
        let nyquist = f64::from(self.sample_rate) / 2.0;
        if !(0.0 <= self.lowest && self.lowest < self.highest && self.highest <= nyquist) {
            return Err(format!(
                "its mel bands from {} to {} Hz do not fit {} samples a second",
                self.lowest, self.highest, self.sample_rate
            ));
        }
        Ok(())
    }

    /// Feature frames of one window.
    pub(crate) fn frames(&self) -> usize {
        self.samples / self.hop + 1
    }
}
