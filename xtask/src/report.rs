//! `cargo xtask report model`: what independent judges hear in the embedded bundle, as a page with numbers and pictures.
//!
//! The measuring is Python's (`models/train/report`); this brings it what it needs: the release `tiller`, its packages, the
//! judges and the sound fonts whose held-out clips the judges are tested on.

use crate::build::{self, Profile};
use crate::{process, python, runtime, stages::Stages, system, workspace::Workspace};
use anyhow::{Context, Result, bail};
use std::process::Command;

/// Options handed on to the Python program.
const FLAGS: [&str; 2] = ["--quick", "--validate-only"];
/// Options with a whole number.
const NUMBERS: [&str; 2] = ["--seeds", "--training-clips"];

/// Measures the embedded bundle and writes `docs/report/`; `options` are the command line after `report model`.
pub fn run(workspace: &Workspace, options: &[&str]) -> Result<()> {
    check(options)?;
    let mut stages = Stages::of(5);
    let runtime = stages.run("System and ONNX Runtime", || {
        system::ensure(&[system::LINKER, system::PYTHON, system::PIP, system::SOUND_FONTS])?;
        runtime::ensure(workspace)
    })?;
    stages.run("Build", || {
        process::run(
            build::cargo(workspace)
                .args(["build", "--bin", "tiller", "-p", "tiller-models"])
                .args(Profile::Release.flags()),
        )
        .context("the command line did not build")
    })?;
    let packages = stages.run("Python packages", || python::report(workspace))?;
    let python = python::interpreter()?;
    let judges = std::env::var_os("TILLER_JUDGES").map_or(workspace.target.join("judges"), Into::into);
    let train = workspace.root.join("models/train");
    let program = || {
        let mut command = Command::new(python);
        command
            .current_dir(&train)
            .env("PYTHONPATH", &packages)
            .env("PYTHONPYCACHEPREFIX", workspace.target.join("pycache"))
            .env("TILLER_JUDGES", &judges)
            .env("TILLER_ONNXRUNTIME", &runtime.library)
            // Two processes listen side by side; more threads in each only get in each other's way.
            .env("OMP_NUM_THREADS", "1");
        command
    };
    stages.run("Judges", || {
        process::run(program().args(["-m", "judges.fetch", "--judges"]).arg(&judges))
            .context("the judges could not be fetched")
    })?;
    stages.run("Measure", || {
        let typed = [&["cargo", "xtask", "report", "model"], options].concat().join(" ");
        process::run(
            program()
                .env("TILLER_REPORT_COMMAND", typed)
                .args(["-m", "report", "--tiller"])
                .arg(Profile::Release.program(workspace, "tiller"))
                .arg("--bundle")
                .arg(workspace.embedded_bundle())
                .arg("--out")
                .arg(workspace.root.join("docs/report"))
                .arg("--work")
                .arg(workspace.target.join("report"))
                .args(options),
        )
        .context("the report was not finished; the same command goes on where it stopped")
    })
}

/// Refuses before anything is built what the Python program would refuse after it.
fn check(options: &[&str]) -> Result<()> {
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        if FLAGS.contains(option) {
            continue;
        }
        if !NUMBERS.contains(option) {
            bail!(
                "`{option}` is no option of `report model`: use {}, {} N",
                FLAGS.join(", "),
                NUMBERS.join(" N, ")
            );
        }
        let number = rest.next().and_then(|text| text.parse::<u32>().ok());
        if number.is_none_or(|number| number < 2) {
            bail!("{option} needs a whole number, 2 or more");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn options_are_refused_before_anything_is_built() {
        assert!(check(&[]).is_ok());
        assert!(check(&["--seeds", "20", "--quick", "--training-clips", "4000"]).is_ok());
        assert!(check(&["--sedes", "20"]).unwrap_err().to_string().contains("`--sedes` is no option"));
        for wrong in [&["--seeds"][..], &["--seeds", "--quick"], &["--seeds", "1"], &["--seeds", "-3"]] {
            assert!(check(wrong).unwrap_err().to_string().contains("whole number, 2 or more"));
        }
    }
}
