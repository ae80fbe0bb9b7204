//! `cargo xtask test`: everything the gate runs.

use crate::build::{self, Profile};
use crate::{bundle, matrix, process, python, stages::Stages, system, workspace::Workspace};
use anyhow::{Context, Result};
use std::process::Command;

/// How many tests passed, failed and were left out.
#[derive(Default)]
struct Counts {
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Counts {
    /// Adds a line of libtest or unittest that reports a program's results; ignores every other line.
    fn add(&mut self, line: &str) {
        let Some(results) = line.trim_start().strip_prefix("test result:") else { return };
        for part in results.split([';', '.']) {
            let mut words = part.split_whitespace();
            if let (Some(Ok(count)), Some(kind)) = (words.next().map(str::parse::<u32>), words.next()) {
                match kind {
                    "passed" => self.passed += count,
                    "failed" => self.failed += count,
                    "ignored" => self.ignored += count,
                    _ => {}
                }
            }
        }
    }
}

/// Format, lints, build, Rust tests with the CLAP in its host, Python tests with the VST3 in theirs, one project in all.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut stages = Stages::of(9);
    let mut counts = Counts::default();
    let runtime = stages.run("System and ONNX Runtime", || {
        system::ensure(&[system::TEST_HOSTS, system::ARDOUR])?;
        bundle::prepare(workspace)
    })?;
    stages.run("Format", || {
        process::run(build::cargo(workspace).args(["fmt", "--all", "--check"])).context(
            "some file is not formatted: run `cargo fmt --all` (`rustup component add rustfmt` if cargo has no fmt)",
        )
    })?;
    stages.run("Lints", || {
        process::run(build::cargo(workspace).args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]))
        .context("clippy found something (`rustup component add clippy` if cargo has no clippy)")
    })?;
    stages.run("Build", || build::all(workspace, Profile::Dev))?;
    let package = stages.run("Package", || bundle::write(workspace, Profile::Dev))?;
    let rust = stages.run("Rust tests", || {
        process::watch(
            build::cargo(workspace)
                .args(["test", "--workspace", "--locked", "--no-fail-fast"])
                .env("TILLER_ONNXRUNTIME", &runtime.library)
                .env("TILLER_BUNDLE", workspace.embedded_bundle()),
            |line| counts.add(line),
        )
    });
    let hosts = stages.run("Python hosts", || {
        let packages = python::hosts(workspace)?;
        process::watch(
            Command::new(python::interpreter()?)
                .args(["tests/python/run.py"])
                .arg(&package.vst3)
                .env("PYTHONPATH", packages)
                .env("PYTHONDONTWRITEBYTECODE", "1"),
            |line| counts.add(line),
        )
    });
    let bounces =
        stages.run("Host matrix", || matrix::compare(workspace, &runtime, &package, |line| counts.add(line)));
    let recipe = stages.run("Training recipe", || {
        process::run(
            Command::new(python::interpreter()?)
                .args(["-m", "compileall", "-q", "models/train", "tests/python"])
                .env("PYTHONPYCACHEPREFIX", workspace.target.join("pycache")),
        )
        .context("a Python file does not compile")
    });

    println!("\n{}", stages.summary());
    println!("\n{} passed, {} failed, {} ignored", counts.passed, counts.failed, counts.ignored);
    rust.context("Rust tests failed")?;
    hosts.context("the VST3 tests failed")?;
    bounces?;
    recipe
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn results_of_several_programs_add_up() {
        let mut counts = Counts::default();
        counts.add("running 3 tests");
        counts.add(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        );
        counts.add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s");
        assert_eq!((counts.passed, counts.failed, counts.ignored), (14, 3, 1));
    }
}
