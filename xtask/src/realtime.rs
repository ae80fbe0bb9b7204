//! `cargo xtask realtime`: the plugin's tests under the real-time sanitizer.
//!
//! It ends a test in which a live block locks, waits, allocates or asks anything of the system but to wake the renderer
//! (`plugin/tests/realtime.supp`). Only a nightly compiler has
//! it, so the gate, which runs on the stable one, has the allocation guard alone.

use crate::{process, workspace::Workspace};
use anyhow::{Context, Result, ensure};
use std::process::Command;

/// Builds the tests of an instance with the sanitizer, in a target folder of their own, and runs them.
pub fn run(workspace: &Workspace) -> Result<()> {
    let host = process::output(Command::new("rustc").args(["+nightly", "--version", "--verbose"])).context(
        "the real-time sanitizer needs a nightly compiler: run `rustup toolchain install nightly --profile minimal`",
    )?;
    let target = host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    ensure!(
        cfg!(any(target_os = "linux", target_os = "macos")),
        "the real-time sanitizer exists for Linux and macOS only"
    );
    let accepted = workspace.root.join("plugin/tests/realtime.supp");
    process::run(
        // `+nightly` is rustup's: the cargo that runs this program knows only its own compiler.
        Command::new("cargo")
            .arg("+nightly")
            .env_remove("RUSTUP_TOOLCHAIN")
            .current_dir(&workspace.root)
            .env("RUSTFLAGS", "-Zsanitizer=realtime --cfg realtime_sanitizer")
            .env("RTSAN_OPTIONS", format!("suppressions={}", accepted.display()))
            .env("CARGO_TARGET_DIR", workspace.target.join("realtime"))
            // With a target named, the sanitizer is kept out of build scripts.
            .args(["test", "-p", "tiller", "--test", "instance", "--target", target]),
    )
    .context("a live block broke the law of the audio thread; the trace above says where")
}
