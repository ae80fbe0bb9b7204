//! What a project stores: prompt, vectors, takes as tokens, settings. Never audio.
//!
//! The host keeps it as the field `project` of the plugin's state; `docs/state.md` describes every field for scripts.
//! [`project`] is the schema, [`packing`] how tokens are written, [`store`] the one place a project lives in memory,
//! [`waiting`] the settings that the audio thread has to know at once.

mod fades;
mod key;
mod packing;
mod project;
mod store;
mod waiting;

pub use fades::Fades;
pub use key::{Key, Mode, Root};
pub use packing::PackedCodes;
pub use project::{
    Anchor, MadeBy, Place, Position, Project, Recipe, SCHEMA, Settings, Slot, Steering, Take, Wait,
};
pub use store::{FIELD, Problem, Store};
pub use waiting::Waiting;
