//! What brings a take's audio to the host's rate, and to the length of its bars where it is fitted to some.

use tiller_models::musicgen::Cancel;
use tiller_models::resample::Resampler;

use super::stretch::Stretcher;
use super::studio::Audio;

/// One of the two ways there are.
pub(super) enum Converter {
    /// It sounds as it was made.
    Plain(Box<Resampler>),
    /// It is stretched.
    Stretching(Box<Stretcher>),
}

impl Converter {
    /// From `from` to `to` samples a second, and `stretch` times as long if that is given, unless `cancel` ends it.
    ///
    /// # Errors
    /// A sentence, for rates and ratios that nothing can convert.
    pub fn new(
        from: u32,
        to: u32,
        channels: usize,
        stretch: Option<f64>,
        cancel: Cancel,
    ) -> Result<Self, String> {
        Ok(match stretch {
            None => Self::Plain(Box::new(Resampler::new(from, to, channels)?)),
            Some(ratio) => Self::Stretching(Box::new(Stretcher::new(from, to, channels, ratio, cancel)?)),
        })
    }

    /// Converts what is there; the rest waits for more.
    ///
    /// # Errors
    /// A sentence, should that fail.
    pub fn push(&mut self, audio: Audio) -> Result<Vec<Vec<f32>>, String> {
        match self {
            Self::Plain(resampler) => resampler.push(audio.channels),
            Self::Stretching(stretcher) => stretcher.push(&audio),
        }
    }

    /// The rest.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(self) -> Result<Vec<Vec<f32>>, String> {
        match self {
            Self::Plain(resampler) => resampler.finish(),
            Self::Stretching(stretcher) => stretcher.finish(),
        }
    }
}
