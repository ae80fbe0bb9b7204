//! A small headless CLAP host, for tests, the demo, measurements and pictures of the built plugin.
//!
//! It knows the plugin only as a host does: through the file on disk. [`PluginFile`] loads it, [`Instance`] is what a
//! host's main thread holds, and a [`Pass`] plays a stretch of the song on an audio thread.

mod audio;
pub mod fixture;
mod handlers;
mod instance;
pub mod isolated;
pub mod packing;
mod pass;
mod plugin;
pub mod scene;
mod state;
mod transport;

pub use audio::Audio;
pub use instance::{AudioSettings, Instance, Parameter};
pub use pass::{Blocks, Event, Pace, Pass, Position};
pub use plugin::PluginFile;
pub use state::State;
pub use transport::{Loop, Song};
