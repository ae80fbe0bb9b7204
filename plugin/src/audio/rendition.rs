//! Audio of one take at the host's rate, heard while it still grows.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Samples of one chunk: 43 ms at 48 kHz, the grain in which new audio becomes audible.
const CHUNK: usize = 2_048;
/// Samples behind one point of the waveform picture.
const PEAK: usize = 512;

/// Samples over which a take fades out at its end. Bars are no whole number of frames, so the end is a cut.
const FADE: usize = 256;

/// How far a take's audio has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// More is to come.
    Growing,
    /// All there.
    Complete,
    /// No more will come.
    Abandoned,
}

/// Audio of one take: written once from start to end by the renderer, read wait-free by the audio thread.
///
/// Mono is stored once and read into both channels.
#[derive(Debug)]
pub struct Rendition {
    /// 1 or 2; known, and last changed, before the first chunk is published.
    channels: AtomicUsize,
    length: usize,
    chunks: Box<[OnceLock<Box<[f32]>>]>,
    ready: AtomicUsize,
    stand: AtomicU8,
    peaks: Box<[AtomicU32]>,
}

impl Rendition {
    /// Room for `length` samples, and the one pen that fills it.
    #[must_use]
    pub fn begin(length: usize) -> (Arc<Self>, RenditionWriter) {
        let rendition = Arc::new(Self {
            channels: AtomicUsize::new(1),
            length,
            chunks: (0..length.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect(),
            ready: AtomicUsize::new(0),
            stand: AtomicU8::new(Stand::Growing as u8),
            peaks: (0..length.div_ceil(PEAK)).map(|_| AtomicU32::new(0)).collect(),
        });
        let writer = RenditionWriter { rendition: rendition.clone(), pending: Vec::new(), written: 0 };
        (rendition, writer)
    }

    /// Samples it has when complete.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Samples that can be read now.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.ready.load(Ordering::Acquire)
    }

    /// Whether more is to come.
    #[must_use]
    pub fn stand(&self) -> Stand {
        match self.stand.load(Ordering::Acquire) {
            0 => Stand::Growing,
            1 => Stand::Complete,
            _ => Stand::Abandoned,
        }
    }

    /// Adds samples from `start` to `left` and `right`, each times what `gain` says for its index in the block.
    /// Returns how many of them are not there yet. Wait-free.
    pub fn mix(
        &self,
        start: usize,
        left: &mut [f32],
        right: &mut [f32],
        mut gain: impl FnMut(usize) -> f32,
    ) -> usize {
        let length = left.len().min(right.len()).min(self.length.saturating_sub(start));
        let available = length.min(self.ready().saturating_sub(start));
        let channels = self.channels.load(Ordering::Relaxed);
        let mut done = 0;
        while done < available {
            let at = start + done;
            let (chunk, offset) = (at / CHUNK, at % CHUNK);
            let run = (CHUNK - offset).min(available - done);
            let Some(samples) = self.chunks[chunk].get() else { break };
            let stride = samples.len() / channels;
            let first = &samples[offset..offset + run];
            let second = if channels == 2 { &samples[stride + offset..stride + offset + run] } else { first };
            for i in 0..run {
                let gain = gain(done + i);
                left[done + i] += first[i] * gain;
                right[done + i] += second[i] * gain;
            }
            done += run;
        }
        length - done
    }

    /// Largest magnitudes for the picture, each over the next 512 samples; 0 where nothing is yet.
    pub fn peaks(&self) -> impl ExactSizeIterator<Item = f32> {
        self.peaks.iter().map(|peak| f32::from_bits(peak.load(Ordering::Relaxed)))
    }
}

/// The one pen of a [`Rendition`]. Dropped before the end, it leaves the rendition abandoned.
#[derive(Debug)]
pub struct RenditionWriter {
    rendition: Arc<Rendition>,
    /// Planar samples of the chunk being filled, `[channels][..]`.
    pending: Vec<Vec<f32>>,
    written: usize,
}

impl RenditionWriter {
    /// The rendition being written.
    #[must_use]
    pub fn rendition(&self) -> &Arc<Rendition> {
        &self.rendition
    }

    /// Appends planar audio, `[channels][samples]`; the first call says how many channels (1 or 2) there are. Samples
    /// past the end are dropped, values that are no numbers become silence, and the last 5 ms fade out.
    pub fn append(&mut self, audio: &[Vec<f32>]) {
        let room = self.rendition.length - self.written;
        let length = audio.first().map_or(0, Vec::len).min(room);
        if self.pending.is_empty() {
            let channels = audio.len().clamp(1, 2);
            self.rendition.channels.store(channels, Ordering::Relaxed);
            self.pending.resize(channels, Vec::new());
        }
        for (channel, pending) in self.pending.iter_mut().enumerate() {
            let source = audio.get(channel).or(audio.first()).map_or(&[][..], |samples| &samples[..length]);
            for (i, &sample) in source.iter().enumerate() {
                let to_the_end = self.rendition.length - (self.written + i);
                let fade = (to_the_end as f32 / FADE as f32).min(1.0);
                let sample = if sample.is_finite() { sample * fade } else { 0.0 };
                let peak = &self.rendition.peaks[(self.written + i) / PEAK];
                if sample.abs() > f32::from_bits(peak.load(Ordering::Relaxed)) {
                    peak.store(sample.abs().to_bits(), Ordering::Relaxed);
                }
                pending.push(sample);
            }
        }
        self.written += length;
        while self.pending[0].len() >= CHUNK {
            self.publish(CHUNK);
        }
    }

    /// The audio is whole: what is missing to the announced length is silence.
    pub fn finish(mut self) {
        let missing = self.rendition.length - self.written;
        if missing > 0 {
            self.append(&[vec![0.0; missing], vec![0.0; missing]]);
        }
        let rest = self.pending.first().map_or(0, Vec::len);
        if rest > 0 {
            self.publish(rest);
        }
        self.rendition.stand.store(Stand::Complete as u8, Ordering::Release);
    }

    fn publish(&mut self, length: usize) {
        let ready = self.rendition.ready();
        let samples = self.pending.iter_mut().flat_map(|channel| channel.drain(..length)).collect();
        // The cell is empty: one pen writes each chunk once.
        if self.rendition.chunks[ready / CHUNK].set(samples).is_ok() {
            self.rendition.ready.store(ready + length, Ordering::Release);
        }
    }
}

impl Drop for RenditionWriter {
    fn drop(&mut self) {
        if self.rendition.stand() == Stand::Growing {
            self.rendition.stand.store(Stand::Abandoned as u8, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(length: usize) -> Vec<f32> {
        (0..length).map(|i| (i as f32 * 0.01).sin()).collect()
    }

    fn read(rendition: &Rendition, start: usize, length: usize) -> (Vec<f32>, Vec<f32>, usize) {
        let (mut left, mut right) = (vec![0.0; length], vec![0.0; length]);
        let missing = rendition.mix(start, &mut left, &mut right, |_| 1.0);
        (left, right, missing)
    }

    #[test]
    fn audio_is_heard_chunk_by_chunk_while_it_grows() {
        let audio = tone(10_000);
        let (rendition, mut writer) = Rendition::begin(10_000);
        assert_eq!(read(&rendition, 0, 100).2, 100);
        writer.append(&[audio[..5_000].to_vec()]);
        assert_eq!(rendition.ready(), 2 * CHUNK);
        let (left, right, missing) = read(&rendition, 4_000, 200);
        assert_eq!(missing, 4_200 - 2 * CHUNK);
        assert_eq!(left[..96], audio[4_000..4_096]);
        assert_eq!(left, right);
        writer.append(&[audio[5_000..].to_vec()]);
        writer.finish();
        assert_eq!(rendition.stand(), Stand::Complete);
        let (whole, ..) = read(&rendition, 0, 10_000);
        assert_eq!(whole[..10_000 - FADE], audio[..10_000 - FADE]);
        assert_eq!(whole[10_000 - FADE / 2], audio[10_000 - FADE / 2] * 0.5, "the end fades");
        assert_eq!(read(&rendition, 9_990, 100).2, 0, "past the end is silence, not a miss");
    }

    #[test]
    fn stereo_keeps_its_sides() {
        let (rendition, mut writer) = Rendition::begin(3_000);
        writer.append(&[vec![0.5; 3_000], vec![-0.5; 3_000]]);
        writer.finish();
        let (left, right, _) = read(&rendition, 2_040, 20);
        assert!(left.iter().all(|&x| x == 0.5) && right.iter().all(|&x| x == -0.5));
    }

    #[test]
    fn more_or_less_audio_than_announced_keeps_the_length() {
        for given in [0, 1, 2_999, 3_000, 5_000] {
            let (rendition, mut writer) = Rendition::begin(3_000);
            writer.append(&[tone(given)]);
            writer.finish();
            assert_eq!((rendition.ready(), rendition.stand()), (3_000, Stand::Complete));
        }
    }

    #[test]
    fn a_dropped_pen_leaves_no_one_waiting() {
        let (rendition, writer) = Rendition::begin(3_000);
        drop(writer);
        assert_eq!(rendition.stand(), Stand::Abandoned);
    }

    #[test]
    fn values_that_are_no_numbers_become_silence() {
        let (rendition, mut writer) = Rendition::begin(3 + FADE);
        writer.append(&[vec![f32::NAN, f32::INFINITY, 0.5]]);
        writer.finish();
        assert_eq!(read(&rendition, 0, 3).0, [0.0, 0.0, 0.5]);
    }
}
