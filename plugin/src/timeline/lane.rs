//! What the steering slots' parameters did at each moment of the song, as the transport passed.
//!
//! The audio thread writes, whoever makes a take reads. A [`Lane`] is song time in cells of 10 ms: half a frame, so
//! that a take which starts off the grid is still sampled within half a frame. Each cell holds the mean of the values
//! that passed in it, which does not depend on how the host cuts its blocks.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::params::SLOTS;

/// Cells a second.
const CELLS_PER_SECOND: u32 = 100;
/// Cells: the first hour of a song. Memory is committed by the system only where a song has been.
const CELLS: usize = 3_600 * CELLS_PER_SECOND as usize;
/// The cell after the last.
const END: i64 = 3_600 * CELLS_PER_SECOND as i64;
/// Strengths are kept to a thousandth, which is a tenth of the smallest step anyone hears.
const STEPS_PER_UNIT: f32 = 1_000.0;

/// Recorded strengths over song time.
///
/// A cell is `epoch << 16 | strength in thousandths`; it counts only while its epoch is its slot's. So a slot's whole
/// recording is forgotten by one store.
#[derive(Debug)]
pub struct Lane {
    cells: Box<[AtomicU32]>,
    epochs: [AtomicU32; SLOTS],
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            cells: bytemuck::zeroed_slice_box(CELLS * SLOTS),
            epochs: std::array::from_fn(|_| AtomicU32::new(1)),
        }
    }
}

impl Lane {
    /// The strength recorded for `slot` at a second of the song, if the transport has passed there.
    #[must_use]
    pub fn at(&self, slot: usize, seconds: f64) -> Option<f32> {
        // A cell's own start must fall into it, whatever rounding did to the seconds.
        let cell = (seconds * f64::from(CELLS_PER_SECOND) + 1e-6).floor();
        if !(cell >= 0.0 && cell < CELLS as f64) {
            return None;
        }
        let word = self.cells[cell as usize * SLOTS + slot].load(Ordering::Relaxed);
        (word >> 16 == self.epochs[slot].load(Ordering::Relaxed))
            .then(|| f32::from((word as u16).cast_signed()) / STEPS_PER_UNIT)
    }

    /// Forgets what was recorded for `slot`. Wait-free.
    pub fn forget(&self, slot: usize) {
        // 0 marks cells never written.
        let next = self.epochs[slot].load(Ordering::Relaxed) % 0xffff + 1;
        self.epochs[slot].store(next, Ordering::Relaxed);
    }

    fn write(&self, cell: usize, strengths: [f32; SLOTS]) {
        for (slot, strength) in strengths.into_iter().enumerate() {
            let steps = (strength * STEPS_PER_UNIT).round() as i16;
            let word = self.epochs[slot].load(Ordering::Relaxed) << 16 | u32::from(steps.cast_unsigned());
            self.cells[cell * SLOTS + slot].store(word, Ordering::Relaxed);
        }
    }
}

/// The audio thread's pen on a [`Lane`].
#[derive(Debug, Default)]
pub struct Recorder {
    cell: Option<i64>,
    sums: [f64; SLOTS],
    samples: u32,
    standing: Option<[f32; SLOTS]>,
}

impl Recorder {
    /// The transport passes `length` samples from `position` with these strengths. Wait-free.
    pub fn pass(
        &mut self,
        lane: &Lane,
        sample_rate: u32,
        position: i64,
        length: usize,
        strengths: [f32; SLOTS],
    ) {
        self.standing = None;
        let rate = i64::from(sample_rate.max(1));
        let per_second = i64::from(CELLS_PER_SECOND);
        let mut at = position.max(0);
        let end = position.saturating_add_unsigned(length as u64);
        while at < end {
            // i128: positions come from hosts and may be anything.
            let cell = (i128::from(at) * i128::from(per_second) / i128::from(rate)) as i64;
            if !(0..END).contains(&cell) {
                return;
            }
            let cell_end = ((cell + 1) * rate + per_second - 1) / per_second;
            let samples = (cell_end.min(end) - at) as u32;
            if self.cell != Some(cell) {
                *self = Self { cell: Some(cell), ..Self::default() };
            }
            for (sum, strength) in self.sums.iter_mut().zip(strengths) {
                *sum += f64::from(strength) * f64::from(samples);
            }
            self.samples += samples;
            lane.write(cell as usize, self.sums.map(|sum| (sum / f64::from(self.samples)) as f32));
            at += i64::from(samples);
        }
    }

    /// The transport stands at `seconds` with these strengths. Wait-free.
    ///
    /// Hosts chase automation when the playhead is moved: a strength then jumps to what was recorded there. A strength
    /// that moves to anything else while the song stands was moved by a hand, and what was recorded for it is forgotten.
    pub fn stand(&mut self, lane: &Lane, seconds: f64, strengths: [f32; SLOTS]) {
        self.cell = None;
        if let Some(before) = self.standing {
            for slot in 0..SLOTS {
                let chased =
                    lane.at(slot, seconds).is_some_and(|there| (there - strengths[slot]).abs() < 2e-3);
                if before[slot] != strengths[slot] && !chased {
                    lane.forget(slot);
                }
            }
        }
        self.standing = Some(strengths);
    }
}

#[cfg(test)]
mod tests {
    // Sample counts of tests are small.
    #![allow(clippy::cast_possible_wrap)]

    use proptest::prelude::*;

    use super::*;

    const RATE: u32 = 48_000;

    fn ramp(sample: i64) -> [f32; SLOTS] {
        [(sample / 64) as f32 * 1e-3 - 1.0, 0.25, -2.0, 2.0]
    }

    #[test]
    fn what_passed_is_read_back_at_its_time() {
        let lane = Lane::default();
        let mut recorder = Recorder::default();
        recorder.pass(&lane, RATE, 48_000, 48_000, [0.5, -1.25, 2.0, -2.0]);
        for seconds in [1.0, 1.5, 1.99] {
            let read: Vec<_> = (0..SLOTS).map(|slot| lane.at(slot, seconds)).collect();
            assert_eq!(read, [Some(0.5), Some(-1.25), Some(2.0), Some(-2.0)]);
        }
        for seconds in [0.0, 0.98, 2.0, -1.0, 4_000.0, f64::NAN] {
            assert_eq!(lane.at(0, seconds), None, "{seconds}");
        }
    }

    #[test]
    fn a_hand_on_a_slot_while_the_song_stands_forgets_that_slot_only() {
        let lane = Lane::default();
        let mut recorder = Recorder::default();
        recorder.pass(&lane, RATE, 0, 48_000, [0.5; SLOTS]);
        recorder.stand(&lane, 0.0, [0.5; SLOTS]);
        recorder.stand(&lane, 0.0, [1.0, 0.5, 0.5, 0.5]);
        assert_eq!(lane.at(0, 0.5), None);
        assert_eq!(lane.at(1, 0.5), Some(0.5));
    }

    #[test]
    fn a_host_that_chases_automation_forgets_nothing() {
        let lane = Lane::default();
        let mut recorder = Recorder::default();
        recorder.pass(&lane, RATE, 0, 48_000, [0.0; SLOTS]);
        recorder.pass(&lane, RATE, 48_000, 48_000, [1.0; SLOTS]);
        recorder.stand(&lane, 2.0, [1.0; SLOTS]);
        recorder.stand(&lane, 0.0, [0.0; SLOTS]);
        assert_eq!(lane.at(0, 1.5), Some(1.0));
    }

    #[test]
    fn wild_positions_do_no_harm() {
        let lane = Lane::default();
        let mut recorder = Recorder::default();
        for position in [i64::MIN, -100, i64::MAX - 10, i64::MAX / 2] {
            recorder.pass(&lane, RATE, position, 512, [1.0; SLOTS]);
        }
        assert_eq!(lane.at(0, 0.0), Some(1.0));
    }

    proptest! {
        #[test]
        fn any_partition_into_blocks_records_the_same(
            rate in prop::sample::select(vec![44_100_u32, 48_000, 96_000, 192_000]),
            sizes in prop::collection::vec(1_usize..2_000, 1..40),
        ) {
            // Parameters hold still between the 64-sample points at which this host moves them.
            let (whole, cut) = (Lane::default(), Lane::default());
            let (mut one, mut other) = (Recorder::default(), Recorder::default());
            let end: i64 = sizes.iter().map(|&size| size as i64).sum();
            for position in (0..end).step_by(64) {
                let length = (end - position).min(64) as usize;
                one.pass(&whole, rate, position, length, ramp(position));
            }
            let mut position = 0;
            for size in sizes {
                let block_end = position + size as i64;
                while position < block_end {
                    let length = (64 - position % 64).min(block_end - position);
                    other.pass(&cut, rate, position, length as usize, ramp(position));
                    position += length;
                }
            }
            for cell in 0..=end * 100 / i64::from(rate) {
                let seconds = cell as f64 / 100.0;
                for slot in 0..SLOTS {
                    prop_assert_eq!(whole.at(slot, seconds), cut.at(slot, seconds));
                }
            }
        }
    }
}
