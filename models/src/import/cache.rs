//! Scales of keys and values that are kept as 8-bit integers, found by watching a decoder that keeps them as floats.

use super::ImportError;
use super::graph::{GraphBuilder, Value};

/// Room above the largest magnitude that was seen: other music and later positions have other peaks, and what goes beyond is
/// cut off. Measured on the embedded model (docs/performance.md, "Precisions"): 1.25 cuts off too much, 3 is too coarse.
const HEADROOM: f32 = 2.0;
/// The least that a channel is taken to reach, as a share of the largest channel of its layer: one that was silent in the
/// music that was watched need not be in other music.
const LEAST_SHARE: f32 = 0.05;
/// The largest 8-bit value.
const LARGEST: f32 = 127.0;

/// A scale for every channel of the keys and the values of each layer: what one step of the integers is worth.
#[derive(Debug)]
pub struct CacheScales {
    /// For each layer keys, then values, `[H*Dh]` each.
    scales: Vec<Vec<f32>>,
}

impl CacheScales {
    /// From the largest magnitudes that were seen, in the same order.
    pub fn of_peaks(peaks: &[Vec<f32>]) -> Self {
        let scales = peaks.iter().map(|channels| {
            let largest = channels.iter().copied().fold(0.0, f32::max);
            // A layer of zeros still has to divide by something.
            let least = (largest * LEAST_SHARE).max(f32::MIN_POSITIVE * LARGEST);
            channels.iter().map(|peak| peak.max(least) * HEADROOM / LARGEST).collect()
        });
        Self { scales: scales.collect() }
    }

    /// Those of a layer's keys and values as constants of a graph.
    pub fn constants(&self, graph: &mut GraphBuilder, layer: usize) -> Result<Vec<Value>, ImportError> {
        let parts = ["key", "value"].into_iter().zip(&self.scales[2 * layer..]);
        parts
            .map(|(part, scales)| graph.floats(&format!("{part}_scale_{layer}"), &[scales.len()], scales))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_fit_with_room_to_spare_and_silent_channels_get_some() {
        let scales = CacheScales::of_peaks(&[vec![2.0, 0.0, 1.0], vec![0.0; 3]]).scales;
        assert!((scales[0][0] * LARGEST - 4.0).abs() < 1e-6);
        assert!((scales[0][1] * LARGEST - 0.2).abs() < 1e-6);
        assert!((scales[0][2] * LARGEST - 2.0).abs() < 1e-6);
        assert!(scales[1].iter().all(|&scale| scale > 0.0));
    }
}
