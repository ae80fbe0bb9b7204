//! One take on its way to audio.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use tiller_models::musicgen::Cancel;

use super::converter::Converter;
use super::pace::Pace;
use super::studio::{Made, Stage, Step, Strengths, Work};
use crate::audio::RenditionWriter;

/// Work, and where its audio goes.
pub(super) struct Job {
    work: Box<dyn Work>,
    writer: RenditionWriter,
    converter: Option<Converter>,
    sample_rate: u32,
    /// How many times as long the audio becomes; `None` leaves it as it is.
    stretch: Option<f64>,
    pace: Pace,
    /// Steps since frames are being made, and the longest of them.
    steps: u32,
    longest: Duration,
}

/// So many steps tell how long steps of frames are: the decoder's audio comes with one in 25.
const TELLING: u32 = 50;
/// A step this short ends soon enough by itself.
const BRIEF: Duration = Duration::from_millis(20);

/// How a job goes on.
pub(super) enum Outcome {
    /// There is more to do.
    Continues(Box<Job>),
    /// The audio is whole; generated takes come with what they became.
    Finished(Option<Box<Made>>),
    /// It cannot be done.
    Failed {
        /// Why, and what to do.
        message: String,
    },
    /// It was ended in the middle of a step.
    Cancelled,
}

impl Job {
    /// Work whose audio is written at the host's `sample_rate`, and `stretch` times as long if that is given.
    pub fn new(work: Box<dyn Work>, writer: RenditionWriter, sample_rate: u32, stretch: Option<f64>) -> Self {
        Self {
            work,
            writer,
            converter: None,
            sample_rate,
            stretch,
            pace: Pace::default(),
            steps: 0,
            longest: Duration::ZERO,
        }
    }

    /// What the next step does.
    pub fn stage(&self) -> Stage {
        self.work.stage()
    }

    /// Ends a step from another thread.
    pub fn cancel(&self) -> Cancel {
        self.work.cancel()
    }

    /// Whether the next step is so short that nobody needs to end it. What was made so far is then of use to whoever
    /// goes on from it, which it would not be after a cancel.
    pub fn is_brief(&self) -> bool {
        self.steps >= TELLING && self.longest < BRIEF
    }

    /// How long the rest takes, as far as that can be told.
    pub fn left(&self) -> Option<Duration> {
        self.pace.left()
    }

    /// Does one step. A panic inside ends the job, nothing else.
    pub fn step(mut self: Box<Self>, strengths: Option<&Strengths>) -> Outcome {
        let (began, makes_frames) = (Instant::now(), self.work.stage().part().is_some());
        let result = catch_unwind(AssertUnwindSafe(|| self.advance(strengths)));
        (self.steps, self.longest) = if makes_frames {
            (self.steps + 1, self.longest.max(began.elapsed()))
        } else {
            (0, Duration::ZERO)
        };
        match result {
            Ok(Ok(None)) => {
                self.pace.note(Instant::now(), self.work.stage());
                Outcome::Continues(self)
            }
            Ok(Ok(Some(made))) => {
                self.writer.finish();
                Outcome::Finished(made)
            }
            Ok(Err(_)) if self.work.cancel().is_cancelled() => Outcome::Cancelled,
            Ok(Err(message)) => Outcome::Failed { message },
            Err(panic) => {
                let what = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or(panic.downcast_ref::<&str>().copied())
                    .unwrap_or("no message");
                let message = format!(
                    "Making this take stopped by a mistake in Tiller ({what}). Try again; if it happens again, please \
                     report it with this line."
                );
                Outcome::Failed { message }
            }
        }
    }

    fn advance(&mut self, strengths: Option<&Strengths>) -> Result<Option<Option<Box<Made>>>, String> {
        let (audio, done) = match self.work.step(strengths)? {
            Step::More(audio) => (audio, None),
            Step::Done(audio, made) => (audio, Some(made)),
        };
        if let Some(audio) = audio {
            let converter = match &mut self.converter {
                Some(converter) => converter,
                none => none.insert(Converter::new(
                    audio.sample_rate,
                    self.sample_rate,
                    audio.channels.len(),
                    self.stretch,
                    self.work.cancel(),
                )?),
            };
            let converted = converter.push(audio)?;
            self.writer.append(&converted);
        }
        if done.is_some()
            && let Some(converter) = self.converter.take()
        {
            let rest = converter.finish()?;
            self.writer.append(&rest);
        }
        Ok(done)
    }
}
