//! Host-level tests of the built plugin.
