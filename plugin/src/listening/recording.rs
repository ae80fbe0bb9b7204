//! What came in: filled by the audio thread, looked at by others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// One channel of sound that grows in place, up to the room that was made for it.
#[derive(Debug)]
pub struct Recording {
    sample_rate: u32,
    /// Samples as bits.
    samples: Box<[AtomicU32]>,
    written: AtomicUsize,
    over: AtomicBool,
    /// Bits of the largest magnitude since it was looked at last; in the order of the numbers, for there is no sign.
    peak: AtomicU32,
}

impl Recording {
    /// Room for `samples` at `sample_rate`, in Hz.
    ///
    /// # Errors
    /// A sentence, if there is not so much memory.
    pub fn with_room_for(samples: usize, sample_rate: u32) -> Result<Arc<Self>, String> {
        let mut room = Vec::new();
        room.try_reserve_exact(samples).map_err(|_| {
            "There is no memory left to record into. Close something, and listen again.".to_owned()
        })?;
        // Written to, so that the system has no pages to find while a block is played.
        room.extend((0..samples).map(|_| AtomicU32::new(0)));
        Ok(Arc::new(Self {
            sample_rate,
            samples: room.into(),
            written: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            peak: AtomicU32::new(0),
        }))
    }

    /// Appends the mean of two channels, `length` samples of it; what a channel lacks is silence. The end of the room is
    /// that of the recording. For the one audio thread; wait-free.
    pub fn push(&self, channels: [&[f32]; 2], length: usize) {
        let before = self.written.load(Ordering::Relaxed);
        let room = &self.samples[before..];
        let mut peak = 0.0_f32;
        for (index, sample) in room.iter().take(length).enumerate() {
            let of = |channel: &[f32]| channel.get(index).copied().unwrap_or(0.0);
            let mean = (of(channels[0]) + of(channels[1])) / 2.0;
            peak = peak.max(mean.abs());
            sample.store(mean.to_bits(), Ordering::Relaxed);
        }
        self.peak.fetch_max(peak.to_bits(), Ordering::Relaxed);
        self.written.store(before + length.min(room.len()), Ordering::Release);
        if length >= room.len() {
            self.end();
        }
    }

    /// Nothing more is recorded. Wait-free.
    pub fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Whether nothing more is recorded. Wait-free.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Whether there is no room left.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.length() == self.samples.len()
    }

    /// Its sample rate, Hz.
    #[must_use]
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Samples so far. Wait-free.
    #[must_use]
    pub fn length(&self) -> usize {
        self.written.load(Ordering::Acquire)
    }

    /// Seconds so far.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.length() as f64 / f64::from(self.sample_rate)
    }

    /// The samples so far.
    #[must_use]
    pub fn heard(&self) -> Vec<f32> {
        let written = &self.samples[..self.length()];
        written.iter().map(|sample| f32::from_bits(sample.load(Ordering::Relaxed))).collect()
    }

    /// The largest magnitude since the last call.
    #[must_use]
    pub fn take_peak(&self) -> f32 {
        f32::from_bits(self.peak.swap(0, Ordering::Relaxed))
    }
}
