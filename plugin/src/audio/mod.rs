//! What happens inside `process()`: finished audio is mixed where the song is.
//!
//! Rules, each held by a test:
//! 1. Nothing here allocates, locks or frees. Timelines arrive through a triple buffer whose old values the writing
//!    side drops; audio grows in place ([`Rendition`]).
//! 2. While the host plays live, nothing waits. Audio that is due and not there yet is silence, counted as a miss.
//! 3. While the host renders offline, audio that is due is waited for ([`Patience`]), as long as the renderer makes
//!    progress. No lock is held meanwhile, so state can be saved and restored from any thread.

mod block;
mod patience;
mod player;
mod rendition;
mod voices;

pub use block::{Block, Note};
pub use player::Player;
pub use rendition::{Rendition, RenditionWriter, Stand};
