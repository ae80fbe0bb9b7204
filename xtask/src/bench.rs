//! `cargo xtask bench`: generation speed from `tiller bench`, and what the plugin costs a host, in one run.

use crate::build::{self, Profile};
use crate::{bundle, process, stages::Stages, workspace::Workspace};
use anyhow::{Context, Result};
use std::process::Command;

/// Builds with optimisation, measures and prints. Timings are reported, never asserted.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut stages = Stages::of(5);
    let runtime = stages.run("System and ONNX Runtime", || bundle::prepare(workspace))?;
    stages.run("Build", || build::all(workspace, Profile::Release))?;
    let package = stages.run("Package", || bundle::write(workspace, Profile::Release))?;
    let measured = |program: &str| {
        let mut command = Command::new(Profile::Release.program(workspace, program));
        command.env("TILLER_ONNXRUNTIME", &runtime.library).env("TILLER_BUNDLE", workspace.embedded_bundle());
        command
    };
    stages.run("Generation", || {
        process::run(measured("tiller").args(["bench", "--json"])).context("the models were not measured")
    })?;
    stages.run("Plugin in a host", || {
        process::run(measured("host-bench").arg(&package.clap)).context("the plugin was not measured")
    })
}
