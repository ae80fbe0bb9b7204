//! What a project stores: prompt, vectors, takes as tokens, settings. Never audio.
//!
//! The host keeps it as the field `project` of the plugin's state; `docs/state.md` describes every field for scripts.
//! [`project`], [`take`], [`recipe`], [`melody`] and [`history`] are the schema, [`migrate`] reads older ones, [`packing`] and
//! [`curve`] are how tokens and strengths are written, [`store`] is the one place a project lives in memory,
//! [`waiting`] the settings that the audio thread has to know at once.

pub mod curve;
mod fades;
mod fit;
mod history;
mod key;
mod melody;
mod migrate;
mod packing;
mod project;
mod recipe;
mod store;
mod take;
mod waiting;

pub use fades::Fades;
pub use fit::Fit;
pub use history::{History, Version};
pub use key::{Key, Mode, Root};
pub use melody::{Melody, Source};
pub use packing::PackedCodes;
pub use project::{LEAST_LOOK_AHEAD, MOST_LOOK_AHEAD, Position, Project, SCHEMA, Settings, Slot, Wait};
pub use recipe::{Recipe, Steering};
pub use store::{FIELD, Problem, Store};
pub use take::{Anchor, MadeBy, Place, Take};
pub use waiting::Waiting;
