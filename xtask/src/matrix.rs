//! `cargo xtask matrix`: one project in every host, sample rate and block size, bounced three times and compared to the
//! byte. Prints a table.

use crate::build::{self, Profile};
use crate::bundle::{self, Package};
use crate::{process, python, runtime::Runtime, stages::Stages, system, workspace::Workspace};
use anyhow::{Context, Result};
use std::process::Command;

/// Builds, packages and compares.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut stages = Stages::of(4);
    let runtime = stages.run("System and ONNX Runtime", || {
        system::ensure(&[system::TEST_HOSTS, system::ARDOUR])?;
        bundle::prepare(workspace)
    })?;
    stages.run("Build", || build::all(workspace, Profile::Dev))?;
    let package = stages.run("Package", || bundle::write(workspace, Profile::Dev))?;
    stages.run("Host matrix", || compare(workspace, &runtime, &package, |_| ()))
}

/// Compares what is packaged, handing each line of the output to `see`; the last is a test runner's.
pub fn compare(
    workspace: &Workspace,
    runtime: &Runtime,
    package: &Package,
    see: impl FnMut(&str),
) -> Result<()> {
    let folder = workspace.target.join("matrix");
    bundle::replace_folder(&folder)?;
    let packages = python::hosts(workspace)?;
    let ready = |mut command: Command| {
        command
            .env("TILLER_ONNXRUNTIME", &runtime.library)
            .env("TILLER_BUNDLE", workspace.embedded_bundle())
            // Its own, so that no audio from another run is in the cache.
            .env("TILLER_CACHE", folder.join("cache"));
        command
    };
    let mut clap = ready(Command::new(Profile::Dev.program(workspace, "host-matrix")));
    process::run(clap.arg(&package.clap).arg(&folder)).context("the CLAP host did not finish")?;
    let mut rest = ready(Command::new(python::interpreter()?));
    process::watch(
        rest.arg("tests/python/matrix.py")
            .arg(&package.vst3)
            .arg(&folder)
            .env("PYTHONPATH", packages)
            .env("PYTHONDONTWRITEBYTECODE", "1"),
        see,
    )
    .context("some bounce is not what it should be; the table above says which")
}
