//! `cargo xtask bench`: speed of generation, and what the plugin costs its host, measured in one run.

use crate::build::{self, Profile};
use crate::{bundle, process, stages::Stages, workspace::Workspace};
use anyhow::{Context, Result};
use std::process::Command;

/// Builds with optimisation, measures and prints. Timings are reported, never asserted.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut stages = Stages::of(4);
    let runtime = stages.run("System and ONNX Runtime", || bundle::prepare(workspace))?;
    stages.run("Build", || build::all(workspace, Profile::Release))?;
    let package = stages.run("Package", || bundle::write(workspace, Profile::Release))?;
    stages.run("Measure", || {
        process::run(
            Command::new(Profile::Release.program(workspace, "host-bench"))
                .arg(Profile::Release.program(workspace, "tiller"))
                .arg(&package.clap)
                .env("TILLER_ONNXRUNTIME", &runtime.library)
                .env("TILLER_BUNDLE", workspace.embedded_bundle())
                .env("TILLER_CACHE", workspace.target.join("cache")),
        )
        .context("the measurement did not finish")
    })
}
