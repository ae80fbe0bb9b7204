//! The background: one thread for all instances of a process turns recipes into audio.
//!
//! A project is a wish, the renderer makes it true: it compares every instance's takes with the audio there is, decodes
//! what has tokens, generates what has none, and drops what is no longer wanted, which is how a take is cancelled. Work
//! is done in steps of a frame or so; between two steps the thread answers presses of Generate, notices dropped
//! instances and picks the take that sounds soonest. A step that lasts longer, such as loading a model, is ended from
//! outside when nobody wants its take any more.
//!
//! The framework's task executor is not used: it stops for all instances when one is dropped with work queued.

mod cache;
mod continuing;
mod converter;
mod desk;
mod engine;
mod fitting;
mod follow;
mod frames;
mod hearing;
mod job;
mod manners;
mod pace;
mod piece;
mod recipe;
mod shelf;
mod stretch;
mod studio;
mod thread;
mod underway;
mod urgency;
mod vectors;
mod view;
mod wording;

pub use cache::{Cache, Kept, Key};
pub use continuing::{continue_take, continued};
pub use engine::Models;
pub(crate) use engine::{open_bundle, options, sentence};
pub use recipe::again;
pub use studio::{
    Audio, Decoder, Identify, Made, ModelCard, Stage, Step, Strengths, Studio, VectorChoice, Work,
};
pub use thread::{Renderer, Waker};
pub use view::{Status, TakeView, View};
pub use wording::{additions, worded};
