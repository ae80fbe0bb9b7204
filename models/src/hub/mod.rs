//! Checkpoints of the Hugging Face hub: found by name, fetched into the hub's own cache, checked.
//!
//! Names and the cache's layout are those of crate `hf-hub`, so that what Python or another program has fetched is not
//! fetched again. Its downloads are not used: they send the token wherever the hub redirects to, append a whole file to a
//! part of it where a server ignores ranges, check no hash, and wait without end for a connection that has gone silent.

mod client;
mod download;
mod error;
mod file;
mod listing;
mod name;

pub use self::client::{Hub, Progress};
pub use self::error::HubError;
pub use self::listing::Repository;
pub use self::name::{SHORT_NAMES, repository_id};
