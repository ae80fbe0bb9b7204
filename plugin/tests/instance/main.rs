//! An instance as a host drives it, without a host and without ONNX Runtime: blocks go in, and a studio that makes
//! tones instead of music stands behind the renderer.

// Sample counts of tests are small, and a test has no one to hand an error to.
#![allow(clippy::cast_possible_wrap, clippy::unwrap_used)]
#![cfg_attr(realtime_sanitizer, feature(sanitize))]

mod host;
mod realtime;
mod tempo;
mod time;
mod tones;

mod arranging;
mod caching;
mod cancelling;
mod continuing;
mod faults;
mod fitting;
mod inferring;
mod learning;
mod listening;
mod looking_ahead;
mod misses;
mod offline;
mod ordering;
mod playing;
mod restoring;
mod steering;
mod stopping;
mod versions;

#[global_allocator]
static GUARD: assert_no_alloc::AllocDisabler = assert_no_alloc::AllocDisabler;
