//! Listening to the sidechain: what a track plays becomes the melody of the next takes.
//!
//! [`Listening::begin`] makes room for the longest recording and lays it out for the audio thread, which takes it up, fills
//! it while the song plays ([`Ear`]) and lays it down again. The renderer writes what is over to a file
//! ([`Listening::settle`]). No sample can be lost in between, and nothing is allocated or freed while a block is played.

mod ear;
mod file;
mod recording;

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_queue::ArrayQueue;
use parking_lot::Mutex;
use tiller_models::bundle::discovery;

pub use ear::{Ear, Sidechain};
pub use recording::Recording;

/// Longest recording, seconds: 64 bars at 120 quarter notes a minute fit, and at 48 kHz it takes 25 MB.
pub const LONGEST: f64 = 130.0;
/// What is never louder is silence: -80 dB, below the noise of any microphone.
const SILENCE: f32 = 1e-4;
/// Recordings that the audio thread may lay down before the renderer comes to free them.
const LAID_DOWN: usize = 4;

/// How an instance's listening stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Listened {
    /// It does not listen.
    #[default]
    Nothing,
    /// It listens, and has heard so much, in seconds.
    Underway(f64),
    /// It has listened. The sentence says why there is no melody, and what to do.
    Over(Result<Heard, String>),
}

/// What was heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The recording.
    pub file: PathBuf,
    /// Its length, seconds.
    pub seconds: f64,
    /// Whether it is as long as a recording can be, and what came later is not in it.
    pub is_cut: bool,
}

#[derive(Default)]
enum Stand {
    #[default]
    Idle,
    /// What is being recorded, and the folder it is to be written to.
    Underway(Arc<Recording>, PathBuf),
    Over(Result<Heard, String>),
}

/// One instance's listening.
pub struct Listening {
    stand: Mutex<Stand>,
    /// To the audio thread.
    laid_out: ArrayQueue<Arc<Recording>>,
    /// From the audio thread, to be freed elsewhere.
    laid_down: ArrayQueue<Arc<Recording>>,
}

impl Default for Listening {
    fn default() -> Self {
        Self { stand: Mutex::default(), laid_out: ArrayQueue::new(1), laid_down: ArrayQueue::new(LAID_DOWN) }
    }
}

impl Listening {
    /// The folder of the user's recordings: `recordings` in the data folder.
    ///
    /// # Errors
    /// A sentence, if the system names no data folder.
    pub fn folder() -> Result<PathBuf, String> {
        discovery::data_folder().map(|data| data.join("recordings")).ok_or_else(|| {
            "The system names no folder for recordings. Set TILLER_DATA to one and start the host again."
                .to_owned()
        })
    }

    /// Listens from the next block on that the song plays, at `sample_rate`, and has what it hears written to `folder`.
    /// What was said of an earlier recording is forgotten. Not for the audio thread.
    ///
    /// # Errors
    /// A sentence, if it listens already, the host's audio has not started (a rate of 0), or there is no memory.
    pub fn begin(&self, folder: PathBuf, sample_rate: u32) -> Result<(), String> {
        let room = (LONGEST * f64::from(sample_rate)).round() as usize;
        self.begin_with_room(folder, sample_rate, room)
    }

    fn begin_with_room(&self, folder: PathBuf, sample_rate: u32, room: usize) -> Result<(), String> {
        let mut stand = self.stand.lock();
        if matches!(*stand, Stand::Underway(..)) {
            return Err("Tiller listens already. Press Stop first.".to_owned());
        }
        if sample_rate == 0 {
            return Err("The host has not started its audio. Start it, and listen again.".to_owned());
        }
        let recording = Recording::with_room_for(room, sample_rate)?;
        // In the place of one that was stopped before the audio thread came to take it up.
        drop(self.laid_out.force_push(recording.clone()));
        *stand = Stand::Underway(recording, folder);
        Ok(())
    }

    /// Ends what is being recorded. The renderer has to be roused to settle it.
    pub fn stop(&self) {
        if let Stand::Underway(recording, _) = &*self.stand.lock() {
            recording.end();
        }
    }

    /// How it stands.
    #[must_use]
    pub fn stands(&self) -> Listened {
        match &*self.stand.lock() {
            Stand::Idle => Listened::Nothing,
            Stand::Underway(recording, _) => Listened::Underway(recording.seconds()),
            Stand::Over(outcome) => Listened::Over(outcome.clone()),
        }
    }

    /// The largest magnitude that came in since the last call, where it listens.
    #[must_use]
    pub fn take_peak(&self) -> f32 {
        match &*self.stand.lock() {
            Stand::Underway(recording, _) => recording.take_peak(),
            _ => 0.0,
        }
    }

    /// Writes a recording that is over to its file, and frees what the audio thread has laid down. `None` if nothing is
    /// over. Not for the audio thread.
    pub fn settle(&self) -> Option<Result<Heard, String>> {
        while self.laid_down.pop().is_some() {}
        let (recording, folder) = match &*self.stand.lock() {
            Stand::Underway(recording, folder) if recording.is_over() => (recording.clone(), folder.clone()),
            _ => return None,
        };
        let outcome = heard(&recording).and_then(|samples| {
            let file = file::write(&folder, &samples, recording.sample_rate())?;
            Ok(Heard { file, seconds: recording.seconds(), is_cut: recording.is_full() })
        });
        *self.stand.lock() = Stand::Over(outcome.clone());
        Some(outcome)
    }
}

/// The samples of a recording, or a sentence if no melody can be in them.
fn heard(recording: &Recording) -> Result<Vec<f32>, String> {
    let samples = recording.heard();
    if samples.is_empty() {
        return Err("Nothing was recorded, because the song did not play while Tiller listened. Listen again, and play \
                    the song."
            .to_owned());
    }
    if samples.iter().any(|sample| !sample.is_finite()) {
        return Err(
            "What came into the sidechain were no finite numbers. Look for the plugin on that track that sends them, and \
             listen again."
                .to_owned(),
        );
    }
    if samples.iter().all(|sample| sample.abs() < SILENCE) {
        return Err(
            "Nothing came into the sidechain while the song played. Send a track to Tiller's input \u{201c}Sidechain\u{201d} \
             in the host, and listen again."
                .to_owned(),
        );
    }
    Ok(samples)
}

#[cfg(test)]
mod tests;
