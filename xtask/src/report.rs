//! `cargo xtask report model | replication`: what independent judges hear in the embedded bundle, and the paper's experiments
//! on it, as pages with numbers and pictures.
//!
//! The measuring is Python's (`models/train/report`, `models/train/replication`); this brings it what it needs: the release `tiller`, its packages, the
//! judges and the sound fonts whose held-out clips the judges are tested on.

use crate::build::{self, Profile};
use crate::{process, python, runtime, stages::Stages, system, workspace::Workspace};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// Options handed on to the Python program.
const FLAGS: [&str; 2] = ["--quick", "--validate-only"];
/// Options with a whole number.
const NUMBERS: [&str; 2] = ["--seeds", "--training-clips"];

/// What the Python programs need.
struct Programs<'a> {
    workspace: &'a Workspace,
    runtime: PathBuf,
    packages: PathBuf,
    judges: PathBuf,
}

impl<'a> Programs<'a> {
    /// Brings what they need, but for the judges.
    fn prepare(workspace: &'a Workspace, stages: &mut Stages) -> Result<Self> {
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
        let judges = std::env::var_os("TILLER_JUDGES").map_or(workspace.target.join("judges"), Into::into);
        Ok(Self { workspace, runtime: runtime.library, packages, judges })
    }

    /// Python in the recipe's folder.
    fn python(&self) -> Result<Command> {
        let mut command = Command::new(python::interpreter()?);
        command
            .current_dir(self.workspace.root.join("models/train"))
            .env("PYTHONPATH", &self.packages)
            .env("PYTHONPYCACHEPREFIX", self.workspace.target.join("pycache"))
            .env("TILLER_JUDGES", &self.judges)
            .env("TILLER_ONNXRUNTIME", &self.runtime)
            // Two processes listen side by side; more threads in each only get in each other's way.
            .env("OMP_NUM_THREADS", "1");
        Ok(command)
    }

    /// Has `program`, which takes `--judges`, put the judges into their folder.
    fn fetch_judges(&self, stages: &mut Stages, program: &[&str]) -> Result<()> {
        stages.run("Judges", || {
            process::run(self.python()?.args(program).arg("--judges").arg(&self.judges))
                .context("the judges could not be fetched")
        })
    }

    /// Runs a module on the release `tiller` and the embedded bundle, with folders for its work and its pages.
    fn measure(
        &self,
        stages: &mut Stages,
        module: &str,
        work: &str,
        pages: &str,
        more: impl Fn(&mut Command),
    ) -> Result<()> {
        stages.run("Measure", || {
            let mut command = self.python()?;
            command
                .args(["-m", module, "--tiller"])
                .arg(Profile::Release.program(self.workspace, "tiller"))
                .arg("--bundle")
                .arg(self.workspace.embedded_bundle())
                .arg("--work")
                .arg(self.workspace.target.join(work))
                .arg("--out")
                .arg(self.workspace.root.join(pages));
            more(&mut command);
            process::run(&mut command)
                .context("the report was not finished; the same command goes on where it stopped")
        })
    }
}

/// Measures the embedded bundle and writes `docs/report/`; `options` are the command line after `report model`.
pub fn model(workspace: &Workspace, options: &[&str]) -> Result<()> {
    check(options)?;
    let mut stages = Stages::of(5);
    let programs = Programs::prepare(workspace, &mut stages)?;
    programs.fetch_judges(&mut stages, &["-m", "judges.fetch"])?;
    let typed = [&["cargo", "xtask", "report", "model"], options].concat().join(" ");
    programs.measure(&mut stages, "report", "report", "docs/report", |command| {
        command.env("TILLER_REPORT_COMMAND", &typed).args(options);
    })
}

/// Runs the paper's experiments on the embedded bundle and writes `docs/replication.md`.
pub fn replication(workspace: &Workspace) -> Result<()> {
    let mut stages = Stages::of(5);
    let programs = Programs::prepare(workspace, &mut stages)?;
    programs.fetch_judges(&mut stages, &["lab_judges.py"])?;
    programs.measure(&mut stages, "replication", "replication", "docs", |command| {
        // The report's banks of samples serve the sets too.
        command.arg("--judges").arg(&programs.judges).arg("--banks").arg(workspace.target.join("report"));
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
