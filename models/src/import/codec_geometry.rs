//! How EnCodec's layers see their neighbours: paddings, and the context a streaming decode needs.

use super::config::CodecConfig;
use crate::onnx::signed;

/// Samples by which one convolution pads, or one transposed convolution trims, its left and right end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Margins {
    /// At the left end.
    pub left: usize,
    /// At the right end.
    pub right: usize,
}

impl CodecConfig {
    /// Samples a second of the audio outside the filter bank, if there is one.
    pub fn outer_rate(&self) -> u32 {
        self.filter_bank.as_ref().map_or(self.sampling_rate, |bank| bank.sampling_rate)
    }

    /// Samples of audio for each frame of codes.
    pub fn samples_per_frame(&self) -> usize {
        let inner: usize = self.upsampling_ratios.iter().product();
        inner * self.filter_bank.as_ref().map_or(1, |bank| bank.hop)
    }

    /// Width of the widest layer, where the LSTM sits.
    pub fn latent_width(&self) -> usize {
        self.num_filters << self.upsampling_ratios.len()
    }

    /// Padding of `EncodecConv1d` for an input that is a whole number of strides long.
    pub fn convolution_padding(&self, kernel: usize, stride: usize, dilation: usize) -> Margins {
        let total = ((kernel - 1) * dilation + 1).saturating_sub(stride);
        if self.use_causal_conv {
            Margins { left: total, right: 0 }
        } else {
            Margins { left: total - total / 2, right: total / 2 }
        }
    }

    /// Trimming of `EncodecConvTranspose1d`.
    pub fn transposed_trim(&self, kernel: usize, stride: usize) -> Margins {
        let total = kernel - stride;
        let right = if self.use_causal_conv {
            // Both factors are small and not negative.
            (total as f64 * self.trim_right_ratio).ceil() as usize
        } else {
            total / 2
        };
        Margins { left: total - right, right }
    }

    /// Dilations of the residual blocks at each scale.
    pub fn dilations(&self) -> impl Iterator<Item = usize> {
        let growth = self.dilation_growth_rate;
        (0..self.num_residual_layers).map(move |block| growth.pow(u32::try_from(block).unwrap_or(u32::MAX)))
    }

    /// Frames of codes that the decoder's first convolution sees on its wider side.
    pub fn code_context(&self) -> usize {
        let padding = self.convolution_padding(self.kernel_size, 1, 1);
        padding.left.max(padding.right)
    }

    /// Frames of latent beyond a chunk, on the wider side, that any of the chunk's samples depends on.
    ///
    /// Walks from the audio back to the latent with the interval of positions that one frame's samples depend on.
    pub fn latent_context(&self) -> usize {
        let mut seen = Interval { first: 0, last: signed(self.samples_per_frame()) - 1 };
        if let Some(bank) = &self.filter_bank {
            seen = seen.before_transposed(bank.window, bank.hop, bank.padding);
        }
        seen = seen.before(self.convolution_padding(self.last_kernel_size, 1, 1));
        for &ratio in self.upsampling_ratios.iter().rev() {
            for dilation in self.dilations() {
                seen = seen.before(self.convolution_padding(self.residual_kernel_size, 1, dilation));
            }
            seen = seen.before_transposed(2 * ratio, ratio, self.transposed_trim(2 * ratio, ratio).left);
        }
        usize::try_from((-seen.first).max(seen.last).max(0)).unwrap_or(usize::MAX)
    }
}

/// Positions `first..=last`, relative to the start of a frame.
#[derive(Debug, Clone, Copy)]
struct Interval {
    first: i64,
    last: i64,
}

impl Interval {
    /// What a stride-1 convolution reads to write `self`.
    fn before(self, padding: Margins) -> Self {
        Self { first: self.first - signed(padding.left), last: self.last + signed(padding.right) }
    }

    /// What a transposed convolution reads to write `self`: input i reaches outputs `i * stride - trim` and the
    /// `kernel - 1` after it.
    fn before_transposed(self, kernel: usize, stride: usize, trim: usize) -> Self {
        let (kernel, stride, trim) = (signed(kernel), signed(stride), signed(trim));
        Self {
            first: (self.first + trim - kernel + stride).div_euclid(stride),
            last: (self.last + trim).div_euclid(stride),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_32_khz_codec_needs_a_frame_of_context() {
        let config = CodecConfig {
            sampling_rate: 32_000,
            num_filters: 64,
            upsampling_ratios: vec![8, 5, 4, 4],
            use_causal_conv: false,
            ..CodecConfig::default()
        };
        assert_eq!(config.samples_per_frame(), 640);
        assert_eq!(config.latent_width(), 1024);
        assert_eq!(config.code_context(), 3);
        assert_eq!(config.latent_context(), 1);
    }

    #[test]
    fn a_transposed_convolution_reads_every_input_that_reaches_the_interval() {
        // kernel 4, stride 2, trim 1: input i writes outputs 2i-1 .. 2i+2.
        let seen = Interval { first: 0, last: 1 }.before_transposed(4, 2, 1);
        assert_eq!((seen.first, seen.last), (-1, 1));
    }
}
