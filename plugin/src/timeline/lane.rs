//! What the steering slots' parameters did at each moment of the song, as the transport passed.
//!
//! The audio thread writes, whoever makes a take reads. A [`Lane`] is song time in cells of 10 ms: half a frame, so
//! that a take which starts off the grid is still sampled within half a frame. Each cell holds the value at its first
//! sample, which does not depend on how the host cuts its blocks, nor on where it began to play.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::params::SLOTS;
use crate::state::curve;

/// Cells a second.
const CELLS_PER_SECOND: u32 = 100;
/// Cells: the first hour of a song. Memory is committed by the system only where a song has been.
const CELLS: usize = 3_600 * CELLS_PER_SECOND as usize;

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
        let cell = cell_of(seconds);
        if !(cell >= 0.0 && cell < CELLS as f64) {
            return None;
        }
        let word = self.cells[cell as usize * SLOTS + slot].load(Ordering::Relaxed);
        (word >> 16 == self.epochs[slot].load(Ordering::Relaxed))
            .then(|| curve::strength((word as u16).cast_signed()))
    }

    /// The second at which the strength for `seconds` was sampled: at most half a frame before.
    #[must_use]
    pub fn sampled_at(seconds: f64) -> f64 {
        cell_of(seconds) / f64::from(CELLS_PER_SECOND)
    }

    /// Forgets what was recorded for `slot`. Wait-free.
    pub fn forget(&self, slot: usize) {
        // 0 marks cells never written.
        let next = self.epochs[slot].load(Ordering::Relaxed) % 0xffff + 1;
        self.epochs[slot].store(next, Ordering::Relaxed);
    }

    fn write(&self, cell: usize, strengths: [f32; SLOTS]) {
        for (slot, strength) in strengths.into_iter().enumerate() {
            let steps = curve::thousandths(strength);
            let word = self.epochs[slot].load(Ordering::Relaxed) << 16 | u32::from(steps.cast_unsigned());
            self.cells[cell * SLOTS + slot].store(word, Ordering::Relaxed);
        }
    }
}

fn cell_of(seconds: f64) -> f64 {
    // A cell's own start must fall into it, whatever rounding did to the seconds.
    (seconds * f64::from(CELLS_PER_SECOND) + 1e-6).floor()
}

/// The audio thread's pen on a [`Lane`].
#[derive(Debug, Default)]
pub struct Recorder {
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
        // i128: positions come from hosts and may be anything.
        let (rate, per_second) = (i128::from(sample_rate.max(1)), i128::from(CELLS_PER_SECOND));
        let (position, end) = (i128::from(position), i128::from(position) + length as i128);
        let first = if position > 0 { (position - 1) * per_second / rate + 1 } else { 0 };
        let begins = |cell: i128| (cell * rate + per_second - 1) / per_second;
        for cell in (first..CELLS as i128).take_while(|&cell| begins(cell) < end) {
            lane.write(cell as usize, strengths);
        }
    }

    /// The transport stands at `seconds` with these strengths. Wait-free.
    ///
    /// Hosts chase automation when the playhead is moved: a strength then jumps to what was recorded there. A strength
    /// that moves to anything else while the song stands was moved by a hand, and what was recorded for it is forgotten.
    pub fn stand(&mut self, lane: &Lane, seconds: f64, strengths: [f32; SLOTS]) {
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
    fn where_playing_began_does_not_change_what_is_recorded() {
        let (whole, late) = (Lane::default(), Lane::default());
        for position in (0..4_800).step_by(60) {
            Recorder::default().pass(&whole, RATE, position, 60, ramp(position));
        }
        for position in (900..4_800).step_by(60) {
            Recorder::default().pass(&late, RATE, position, 60, ramp(position));
        }
        assert_eq!(late.at(0, 0.01), None, "the cell that was half passed");
        for cell in 2..10 {
            let seconds = f64::from(cell) / 100.0;
            assert_eq!(late.at(0, seconds), whole.at(0, seconds), "{seconds}");
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
