//! `cargo xtask report model | replication`: what independent judges hear in the embedded bundle, and the paper's experiments
//! on it, as pages with numbers and pictures.
//!
//! The measuring is Python's (`models/train/report`, `models/train/replication`); this brings it what it needs: the release `tiller`,
//! its packages, the judges and the sound fonts whose held-out clips the judges are tested on.

use crate::build::{self, Profile};
use crate::{process, python, runtime, stages::Stages, system, workspace::Workspace};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Options of `report model`, handed on to its Python program: those alone, and those with a whole number.
const MODEL: ([&str; 2], [&str; 2]) = (["--quick", "--validate-only"], ["--seeds", "--training-clips"]);
/// Options of `report replication` with a whole number, handed on too.
const REPLICATION: [&str; 2] = ["--seeds", "--clips"];

/// What the Python programs need.
struct Programs<'a> {
    workspace: &'a Workspace,
    runtime: PathBuf,
    tiller: PathBuf,
    packages: PathBuf,
    judges: PathBuf,
}

impl<'a> Programs<'a> {
    /// Brings what they need, but for the judges. `tiller` is a program to measure in place of the release build.
    fn prepare(workspace: &'a Workspace, stages: &mut Stages, tiller: Option<PathBuf>) -> Result<Self> {
        let runtime = stages.run("System and ONNX Runtime", || {
            system::ensure(&[system::LINKER, system::PYTHON, system::PIP, system::SOUND_FONTS])?;
            runtime::ensure(workspace)
        })?;
        let tiller = match tiller {
            Some(tiller) => tiller,
            None => stages.run("Build", || {
                process::run(
                    build::cargo(workspace)
                        .args(["build", "--bin", "tiller", "-p", "tiller-models"])
                        .args(Profile::Release.flags()),
                )
                .context("the command line did not build")?;
                Ok(Profile::Release.program(workspace, "tiller"))
            })?,
        };
        let packages = stages.run("Python packages", || python::report(workspace))?;
        let judges = std::env::var_os("TILLER_JUDGES").map_or(workspace.target.join("judges"), Into::into);
        Ok(Self { workspace, runtime: runtime.library, tiller, packages, judges })
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

    /// Runs a module on `tiller` and the embedded bundle, with folders for its work and its pages.
    fn measure(
        &self,
        stages: &mut Stages,
        module: &str,
        work: &Path,
        pages: &str,
        more: impl Fn(&mut Command),
    ) -> Result<()> {
        stages.run("Measure", || {
            let mut command = self.python()?;
            command
                .args(["-m", module, "--tiller"])
                .arg(&self.tiller)
                .arg("--bundle")
                .arg(self.workspace.embedded_bundle())
                .arg("--work")
                .arg(work)
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
    check("model", options, &MODEL.0, &MODEL.1)?;
    let mut stages = Stages::of(5);
    let programs = Programs::prepare(workspace, &mut stages, None)?;
    programs.fetch_judges(&mut stages, &["-m", "judges.fetch"])?;
    let typed = [&["cargo", "xtask", "report", "model"], options].concat().join(" ");
    programs.measure(&mut stages, "report", &workspace.target.join("report"), "docs/report", |command| {
        command.env("TILLER_REPORT_COMMAND", &typed).args(options);
    })
}

/// Runs the paper's experiments on the embedded bundle and writes `docs/replication.md`; `options` are the command line
/// after `report replication`.
pub fn replication(workspace: &Workspace, options: &[&str]) -> Result<()> {
    let (work, options) = path(options, "--work")?;
    let (tiller, options) = path(&options, "--tiller")?;
    check("replication", &options, &[], &REPLICATION)?;
    if let Some(missing) = tiller.as_ref().filter(|tiller| !tiller.is_file()) {
        bail!("--tiller names {}, which is not a file; leave it out to have tiller built", missing.display());
    }
    let mut stages = Stages::of(if tiller.is_some() { 4 } else { 5 });
    let programs = Programs::prepare(workspace, &mut stages, tiller)?;
    programs.fetch_judges(&mut stages, &["lab_judges.py"])?;
    let work = work.unwrap_or_else(|| workspace.target.join("replication"));
    programs.measure(&mut stages, "replication", &work, "docs", |command| {
        // The report's banks of samples serve the sets too.
        let banks = workspace.target.join("report");
        command.arg("--judges").arg(&programs.judges).arg("--banks").arg(banks).args(&options);
    })
}

/// Takes the option `name` with its path, from here on absolute, out of the options.
fn path<'a>(options: &[&'a str], name: &str) -> Result<(Option<PathBuf>, Vec<&'a str>)> {
    let Some(at) = options.iter().position(|&option| option == name) else {
        return Ok((None, options.to_vec()));
    };
    let given = options.get(at + 1).filter(|given| !given.starts_with("--"));
    let given = given.with_context(|| format!("{name} needs a path"))?;
    // Python runs in another folder.
    let path = std::path::absolute(given).with_context(|| format!("{given} is no path"))?;
    Ok((Some(path), [&options[..at], &options[at + 2..]].concat()))
}

/// Refuses before anything is built what a Python program would refuse after it: `flags` stand alone, `numbers` have a
/// whole number.
fn check(report: &str, options: &[&str], flags: &[&str], numbers: &[&str]) -> Result<()> {
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        if flags.contains(option) {
            continue;
        }
        if !numbers.contains(option) {
            let known = [flags, numbers].concat().join(", ");
            bail!("`{option}` is no option of `report {report}`: use {known}");
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
    use super::{MODEL, REPLICATION, path};

    #[test]
    fn options_are_refused_before_anything_is_built() {
        let check = |options: &[&str]| super::check("model", options, &MODEL.0, &MODEL.1);
        assert!(check(&[]).is_ok());
        assert!(check(&["--seeds", "20", "--quick", "--training-clips", "4000"]).is_ok());
        assert!(check(&["--sedes", "20"]).unwrap_err().to_string().contains("`--sedes` is no option"));
        for wrong in [&["--seeds"][..], &["--seeds", "--quick"], &["--seeds", "1"], &["--seeds", "-3"]] {
            assert!(check(wrong).unwrap_err().to_string().contains("whole number, 2 or more"));
        }
        let error = super::check("replication", &["--quick"], &[], &REPLICATION).unwrap_err().to_string();
        assert!(error.contains("of `report replication`: use --seeds, --clips"), "{error}");
    }

    #[test]
    fn paths_are_taken_out_and_absolute() {
        let (work, rest) = path(&["--seeds", "4", "--work", "kept", "--clips", "8"], "--work").unwrap();
        let work = work.unwrap();
        assert!(work.is_absolute() && work.ends_with("kept"));
        assert_eq!(rest, ["--seeds", "4", "--clips", "8"]);
        assert_eq!(path(&rest, "--work").unwrap(), (None, rest.clone()));
        for wrong in [&["--work"][..], &["--work", "--seeds", "4"]] {
            assert!(path(wrong, "--work").unwrap_err().to_string().contains("--work needs a path"));
        }
    }
}
