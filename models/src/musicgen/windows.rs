//! Takes longer than the model's window, and the delay pattern inside a window.
//!
//! A take is made in windows as audiocraft makes them: a window keeps the last 12 of 30 parts of the one before as its
//! prompt and adds 18. Inside a window, position 0 is all pad, and the tokens of step s (which the decoder produces at
//! position s and reads at position s + 1) are codebook k of frame `s - delay[k]`; what lies before the window's first
//! frame or after its last is pad.

use std::ops::Range;

use crate::bundle::Architecture;

/// How a take of some length is cut into windows. Frames are counted from the beginning of the take, steps from the
/// beginning of a window.
#[derive(Debug, Clone)]
pub(super) struct Windows {
    frames: usize,
    window: usize,
    stride: usize,
    delays: Vec<usize>,
    largest_delay: usize,
    /// Frames that the take begins with and that are not made.
    opening: usize,
}

impl Windows {
    pub fn new(architecture: &Architecture, frames: usize, opening: usize) -> Self {
        let largest_delay = architecture.largest_delay();
        // The last frame of a window is complete only after the delays, and these steps need positions too.
        let window = architecture.window.min(architecture.max_positions.saturating_sub(largest_delay)).max(1);
        let kept = window * 12 / 30;
        Self {
            frames,
            window,
            stride: window - kept,
            delays: architecture.delays.clone(),
            largest_delay,
            opening,
        }
    }

    /// The window in which `frame` is new.
    pub fn of_frame(&self, frame: usize) -> usize {
        if frame < self.window { 0 } else { 1 + (frame - self.window) / self.stride }
    }

    /// The frames of a window, those of its prompt included.
    pub fn range(&self, window: usize) -> Range<usize> {
        let start = window * self.stride;
        start..(start + self.window).min(self.frames)
    }

    /// The first frame that is new in a window; those before it in the window are its prompt.
    pub fn first_new(&self, window: usize) -> usize {
        let known = if window == 0 { 0 } else { self.range(window - 1).end };
        known.max(self.opening).min(self.range(window).end)
    }

    /// Frames that the take begins with and that are not made.
    pub fn opening(&self) -> usize {
        self.opening
    }

    /// Positions of a window's first run: its prompt and the first position after it.
    pub fn first_run(&self, window: usize) -> usize {
        self.first_new(window).saturating_sub(self.range(window).start) + 1
    }

    /// Steps until the last frame of a window is complete.
    pub fn steps(&self, window: usize) -> usize {
        self.range(window).len() + self.largest_delay
    }

    /// Positions that a key-value buffer needs for any window.
    pub fn positions(&self) -> usize {
        self.steps(0)
    }

    /// Frames that are complete once `steps` steps of `window` are done.
    pub fn complete(&self, window: usize, steps: usize) -> usize {
        let range = self.range(window);
        (range.start + steps.saturating_sub(self.largest_delay)).clamp(self.first_new(window), range.end)
    }

    /// The frame of `codebook` that the decoder produces at `step`; `None` if it is pad.
    pub fn produced(&self, window: usize, step: usize, codebook: usize) -> Option<usize> {
        let range = self.range(window);
        let frame = range.start + step.checked_sub(self.delays[codebook])?;
        range.contains(&frame).then_some(frame)
    }

    /// The frame of `codebook` that the decoder reads at `step`; `None` if it is pad.
    pub fn read(&self, window: usize, step: usize, codebook: usize) -> Option<usize> {
        self.produced(window, step.checked_sub(1)?, codebook)
    }

    /// By how many steps the last codebook lags behind its frame.
    pub fn largest_delay(&self) -> usize {
        self.largest_delay
    }

    /// `step` of `window`, counted from the beginning of the take.
    pub fn step_of_take(&self, window: usize, step: usize) -> usize {
        self.range(window).start + step
    }

    /// The first step of frame `frame`'s window that may depend on what happens at that frame; the first of all in what is
    /// read in one run: the take's beginning and, without delays, the position after a prompt.
    pub fn first_step_of(&self, frame: usize) -> usize {
        let window = self.of_frame(frame);
        let step = frame.saturating_sub(self.range(window).start) + self.largest_delay;
        if frame == 0 || frame < self.opening || step < self.first_run(window) { 0 } else { step }
    }

    /// The first step of the take, of those at which it reads a token for the first time, whose tokens read may depend on
    /// what happens at `frame`.
    pub fn first_reading_of(&self, frame: usize) -> usize {
        if frame == 0 {
            return 1;
        }
        (frame + self.largest_delay).min(self.range(self.of_frame(frame)).end) + 1
    }

    /// Frames of `codebook` whose tokens cannot depend on what happens at `frame` or later.
    pub fn independent_of(&self, frame: usize, codebook: usize) -> usize {
        if frame == 0 || frame < self.opening {
            return self.opening;
        }
        let end = self.range(self.of_frame(frame)).end;
        (frame + self.largest_delay - self.delays[codebook]).min(end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn windows(window: usize, frames: usize, codebooks: usize) -> Windows {
        delayed(window, frames, (0..codebooks).collect())
    }

    fn delayed(window: usize, frames: usize, delays: Vec<usize>) -> Windows {
        let largest_delay = delays.iter().copied().max().unwrap_or(0);
        Windows { frames, window, stride: window - window * 12 / 30, delays, largest_delay, opening: 0 }
    }

    /// Delays of mono models, of stereo models, whose left and right are delayed alike, and none.
    fn delays() -> impl Strategy<Value = Vec<usize>> {
        let lagging = |(codebooks, streams): (usize, usize)| -> Vec<usize> {
            (0..codebooks * streams).map(|codebook| codebook / streams).collect()
        };
        prop_oneof![(1_usize..6, 1_usize..3).prop_map(lagging), (1_usize..4).prop_map(|k| vec![0; k])]
    }

    #[test]
    fn what_a_take_begins_with_is_prompt_in_the_window_it_ends_in() {
        let windows = Windows { opening: 40, ..windows(30, 100, 4) };
        let index = windows.of_frame(windows.opening());
        assert_eq!((index, windows.range(index), windows.first_new(index)), (1, 18..48, 40));
        // Nothing has to be run for the beginning; then as many steps as it takes for the first frame after it.
        assert_eq!(windows.complete(index, 0), 40);
        assert_eq!((windows.complete(index, 25), windows.complete(index, 26)), (40, 41));
        for codebook in 0..4 {
            assert_eq!(windows.independent_of(10, codebook), 40);
            assert_eq!(windows.independent_of(40, codebook), 43 - codebook);
        }
        assert_eq!((windows.first_step_of(39), windows.first_step_of(40)), (0, 25));
    }

    #[test]
    fn a_short_take_is_one_window_with_the_delay_pattern_of_musicgen() {
        let windows = windows(30, 3, 4);
        assert_eq!((windows.steps(0), windows.range(0)), (6, 0..3));
        let reads: Vec<Vec<Option<usize>>> =
            (0..6).map(|step| (0..4).map(|codebook| windows.read(0, step, codebook)).collect()).collect();
        assert_eq!(
            reads,
            [
                [None, None, None, None],
                [Some(0), None, None, None],
                [Some(1), Some(0), None, None],
                [Some(2), Some(1), Some(0), None],
                [None, Some(2), Some(1), Some(0)],
                [None, None, Some(2), Some(1)],
            ]
        );
    }

    #[test]
    fn a_long_take_keeps_twelve_thirtieths_of_each_window() {
        let windows = windows(1_500, 3_000, 4);
        assert_eq!([0, 1, 2].map(|w| windows.range(w)), [0..1_500, 900..2_400, 1_800..3_000]);
        assert_eq!([0, 1, 2].map(|w| windows.first_new(w)), [0, 1_500, 2_400]);
        assert_eq!([0, 1_499, 1_500, 2_399, 2_400].map(|f| windows.of_frame(f)), [0, 0, 1, 1, 2]);
    }

    #[test]
    fn left_and_right_of_a_frame_are_made_in_the_same_step() {
        let windows = delayed(30, 100, vec![0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!((windows.steps(0), windows.complete(0, 3), windows.complete(0, 4)), (33, 0, 1));
        let made = |step| (0..8).map(|codebook| windows.produced(0, step, codebook)).collect::<Vec<_>>();
        assert_eq!(made(1), [Some(1), Some(1), Some(0), Some(0), None, None, None, None]);
        assert_eq!(made(32)[4..], [None, None, Some(29), Some(29)]);
    }

    #[test]
    fn without_delays_the_frame_after_a_prompt_begins_with_its_whole_run() {
        let windows = Windows { opening: 10, ..delayed(30, 100, vec![0; 4]) };
        assert_eq!([9, 10, 11, 29].map(|frame| windows.first_step_of(frame)), [0, 0, 11, 29]);
        // The next window's prompt is frames 18 to 29.
        assert_eq!([30, 31].map(|frame| windows.first_step_of(frame)), [0, 13]);
    }

    proptest! {
        #[test]
        fn every_token_is_produced_once_as_new_and_before_it_is_read(
            window in 1_usize..40, frames in 1_usize..200, delays in delays(), opening in 0_usize..200,
        ) {
            let opening = opening % frames;
            let windows = Windows { opening, ..delayed(window, frames, delays) };
            let codebooks = windows.delays.len();
            let known: Vec<_> = (0..frames).map(|frame| usize::from(frame < opening)).collect();
            let mut made = vec![known; codebooks];
            let mut complete = opening;
            for index in windows.of_frame(opening).. {
                for step in 0..windows.steps(index) {
                    for (codebook, row) in made.iter_mut().enumerate() {
                        if let Some(frame) = windows.read(index, step, codebook) {
                            prop_assert_eq!(row[frame], 1, "read before it is made");
                        }
                        if let Some(frame) = windows.produced(index, step, codebook)
                            && frame >= windows.first_new(index)
                        {
                            // Of the positions of one run, only the last one's tokens are drawn.
                            prop_assert!(step + 1 >= windows.first_run(index));
                            row[frame] += 1;
                            prop_assert_eq!(windows.of_frame(frame), index);
                        }
                    }
                    let now = windows.complete(index, step + 1);
                    prop_assert!(made.iter().all(|row| row[complete..now].iter().all(|&count| count == 1)));
                    complete = now;
                }
                if windows.range(index).end == frames {
                    break;
                }
            }
            prop_assert_eq!(complete, frames);
            prop_assert!(made.iter().flatten().all(|&count| count == 1));
        }

        #[test]
        fn what_is_independent_of_a_frame_is_made_before_its_first_step(
            window in 1_usize..40, frames in 1_usize..200, delays in delays(), at in 0_usize..200,
            opening in 0_usize..200,
        ) {
            let (at, opening) = (at % frames, opening % frames);
            let windows = Windows { opening, ..delayed(window, frames, delays) };
            let index = windows.of_frame(at.max(opening));
            let first = windows.first_step_of(at);
            prop_assert!(first == 0 || first >= windows.first_run(index), "a run is not done in part");
            for codebook in 0..windows.delays.len() {
                let kept = windows.independent_of(at, codebook);
                prop_assert!(kept >= at.max(opening));
                for frame in windows.range(index) {
                    let made_before = frame < windows.first_new(index)
                        || (0..first).any(|s| windows.produced(index, s, codebook) == Some(frame));
                    prop_assert_eq!(made_before, frame < kept);
                }
            }
        }
    }
}
