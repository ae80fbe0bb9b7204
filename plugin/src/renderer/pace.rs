//! How long the rest of a take will take.

use std::time::{Duration, Instant};

use super::studio::Stage;

/// Frames that must have been measured before a word about the rest.
const LEAST_FRAMES: f64 = 10.0;
/// Frames over which the pace is averaged. The decoder works in chunks of 25 and slows down as the take grows.
const SPAN: f64 = 100.0;

/// A take's pace: seconds for each frame, averaged over the latest. Other takes' turns and pauses count, because they
/// will come again.
#[derive(Debug, Default)]
pub(super) struct Pace {
    last: Option<(Instant, usize)>,
    seconds_per_frame: f64,
    measured: f64,
    frames_left: usize,
}

impl Pace {
    /// The work is at `stage` now.
    pub fn note(&mut self, now: Instant, stage: Stage) {
        let (Stage::Generating { frame, of } | Stage::Decoding { frame, of }) = stage else {
            *self = Self::default();
            return;
        };
        self.frames_left = of.saturating_sub(frame);
        let Some((then, before)) = self.last else {
            self.last = Some((now, frame));
            return;
        };
        if frame <= before {
            return;
        }
        let frames = (frame - before) as f64;
        let pace = now.saturating_duration_since(then).as_secs_f64() / frames;
        self.measured += frames;
        // The mean at first, then with less and less weight on what is long past.
        let weight = (frames / self.measured.min(SPAN)).min(1.0);
        self.seconds_per_frame += (pace - self.seconds_per_frame) * weight;
        self.last = Some((now, frame));
    }

    /// How long the rest takes; `None` as long as that is a guess.
    pub fn left(&self) -> Option<Duration> {
        (self.measured >= LEAST_FRAMES)
            .then(|| Duration::from_secs_f64(self.seconds_per_frame * self.frames_left as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(frames: impl IntoIterator<Item = (usize, u64)>) -> Pace {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        pace.note(now, Stage::Generating { frame: 0, of: 1_000 });
        for (frame, milliseconds) in frames {
            now += Duration::from_millis(milliseconds);
            pace.note(now, Stage::Generating { frame, of: 1_000 });
        }
        pace
    }

    #[test]
    fn a_steady_pace_is_told_exactly_and_not_before_it_is_known() {
        assert_eq!(after((1..10).map(|frame| (frame, 20))).left(), None);
        let left = after((1..=250).map(|frame| (frame, 20))).left().unwrap();
        assert!((left.as_secs_f64() - 15.0).abs() < 1e-6, "{left:?}");
    }

    #[test]
    fn chunks_of_frames_count_as_the_single_frames_do() {
        let left = after((1..=10).map(|chunk| (25 * chunk, 500))).left().unwrap();
        assert!((left.as_secs_f64() - 15.0).abs() < 1e-6, "{left:?}");
    }

    #[test]
    fn a_pace_that_changed_is_believed_within_some_hundred_frames() {
        let frames = (1..=300).map(|frame| (frame, 20)).chain((301..=700).map(|frame| (frame, 60)));
        let left = after(frames).left().unwrap().as_secs_f64();
        assert!((left - 300.0 * 0.06).abs() < 1.0, "{left}");
    }

    #[test]
    fn a_new_stage_begins_anew() {
        let mut pace = after((1..=100).map(|frame| (frame, 20)));
        pace.note(Instant::now(), Stage::LoadingModel);
        assert_eq!(pace.left(), None);
    }
}
