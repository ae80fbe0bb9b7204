//! The audio thread's side of listening.

use std::sync::Arc;

use super::{Listening, Recording};

/// What came into the sidechain during a block.
#[derive(Debug, Clone, Copy)]
pub struct Sidechain<'a> {
    /// Left and right. They may be shorter than the block, or empty where the host connects nothing.
    pub channels: [&'a [f32]; 2],
    /// Samples of the block.
    pub length: usize,
    /// Hz.
    pub sample_rate: u32,
    /// Whether the song plays; always where the host has no transport.
    pub rolls: bool,
}

/// Fills the recording that is laid out. Everything here is wait-free.
#[derive(Debug, Default)]
pub struct Ear {
    recording: Option<Arc<Recording>>,
}

impl Ear {
    /// Records a block of a song that plays. Ends when the song stops that has played, or at another sample rate. Returns
    /// whether a recording was laid down, and the renderer is to know.
    pub fn hear(&mut self, listening: &Listening, sidechain: Sidechain<'_>) -> bool {
        let has_laid_down = self.lay_down(listening);
        if self.recording.is_none() {
            self.recording = listening.laid_out.pop();
        }
        if let Some(recording) = &self.recording {
            let has_stopped = !sidechain.rolls && recording.length() > 0;
            if has_stopped || sidechain.sample_rate != recording.sample_rate() {
                recording.end();
            }
            if sidechain.rolls && !recording.is_over() {
                recording.push(sidechain.channels, sidechain.length);
            }
        }
        self.lay_down(listening) || has_laid_down
    }

    /// Gives a recording that is over to whoever may free it; one that finds no place is kept until the next block.
    fn lay_down(&mut self, listening: &Listening) -> bool {
        let Some(recording) = self.recording.take_if(|recording| recording.is_over()) else { return false };
        self.recording = listening.laid_down.push(recording).err();
        self.recording.is_none()
    }
}
