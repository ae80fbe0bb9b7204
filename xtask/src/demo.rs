//! `cargo xtask demo`: a prompt becomes a steered clip, bounced through a real host.

use crate::build::{self, Profile};
use crate::{bundle, process, stages::Stages, workspace::Workspace};
use anyhow::{Context, Result};
use std::process::Command;

/// Builds the plugin and has the host program render with it into `target/demo/`.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut stages = Stages::of(4);
    let runtime = stages.run("System and ONNX Runtime", || bundle::prepare(workspace))?;
    stages.run("Build", || build::all(workspace, Profile::Dev))?;
    let package = stages.run("Package", || bundle::write(workspace, Profile::Dev))?;
    stages.last("Render in a host");
    process::run(
        Command::new(Profile::Dev.program(workspace, "host-demo"))
            .arg(&package.clap)
            .arg(workspace.target.join("demo"))
            .env("TILLER_ONNXRUNTIME", &runtime.library)
            .env("TILLER_BUNDLE", workspace.embedded_bundle())
            .env("TILLER_CACHE", workspace.target.join("cache")),
    )
    .context("the demo did not finish")
}
