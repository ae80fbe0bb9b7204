//! The built CLAP in a host. Every test runs in a process of its own, with a time limit.

// A test has no one to hand an error to.
#![allow(clippy::unwrap_used)]

mod bounce;
mod caching;
mod faults;
mod generate;
mod instances;
mod package;
mod parameters;
mod playback;
mod state;
mod steering;

use std::time::Duration;

/// Longest any of these may take, on a slow and busy machine.
const LIMIT: Duration = Duration::from_secs(120);
/// Longest one take of a few seconds may take to render there.
const RENDER: Duration = Duration::from_secs(60);
