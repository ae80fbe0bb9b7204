//! `cargo xtask bench`: Tiller beside other programs on the same weights, and what the plugin costs its host.

use crate::bench_weights::{self, Weights};
use crate::build::{self, Profile};
use crate::{bundle, process, stages::Stages, workspace::Workspace};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Number formats of the decoder that are measured.
const PRECISIONS: [&str; 3] = ["f32", "int8", "int4"];
/// Number formats of transformers.
const PEERS: [&str; 2] = ["float32", "bfloat16"];

/// What was asked for.
#[derive(Default)]
struct Options {
    /// A model of two layers, few rounds, the development build, and nothing of the plugin.
    quick: bool,
    /// Measure the embedded model alone, for which no Python is needed.
    without_peers: bool,
    /// A Python that has PyTorch and transformers already.
    python: Option<String>,
    threads: Option<usize>,
}

impl Options {
    fn parse(arguments: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--quick" => options.quick = true,
                "--without-peers" => options.without_peers = true,
                "--python" => {
                    let python = rest.next().context("--python needs the path of a Python")?;
                    options.python = Some((*python).to_owned());
                }
                "--threads" => {
                    let number =
                        rest.next().and_then(|number| number.parse().ok()).filter(|&number| number > 0);
                    options.threads = Some(number.context("--threads needs a number, at least 1")?);
                }
                other => bail!(
                    "bench takes --quick, --without-peers, --python PYTHON and --threads N, not `{other}`"
                ),
            }
        }
        Ok(options)
    }

    fn profile(&self) -> Profile {
        if self.quick { Profile::Dev } else { Profile::Release }
    }

    /// As Tiller chooses them: half of the processor's, from 2 to 4.
    fn threads(&self) -> usize {
        let available = std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or((available / 2).clamp(2, 4).min(available))
    }
}

/// Builds, sets up the other programs, measures and prints. Timings are reported, never asserted.
pub fn run(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let options = Options::parse(arguments)?;
    let stage_count = 3 + 3 * usize::from(!options.without_peers) + 2 * usize::from(!options.quick);
    let mut stages = Stages::of(stage_count);
    let runtime = stages.run("System and ONNX Runtime", || bundle::prepare(workspace))?;
    stages.run("Build", || build::all(workspace, options.profile()))?;
    let tiller = options.profile().program(workspace, "tiller");
    let weights = if options.without_peers {
        None
    } else {
        let layers = if options.quick { 2 } else { 24 };
        Some(bench_weights::prepare(
            workspace,
            &mut stages,
            &tiller,
            &runtime.library,
            options.python.as_deref(),
            layers,
            &PRECISIONS,
        )?)
    };
    let out = workspace.target.join("bench");
    let plan = plan(&options, &tiller, weights.as_ref(), workspace, &out);
    let environment = |command: &mut Command| {
        command
            .env("TILLER_ONNXRUNTIME", &runtime.library)
            .env("TILLER_BUNDLE", workspace.embedded_bundle())
            .env("TILLER_CACHE", workspace.target.join("cache"));
        if let Some(packages) = weights.as_ref().and_then(|weights| weights.packages.as_ref()) {
            command.env("PYTHONPATH", packages);
        }
    };
    stages.run("Measure the model", || {
        let path = out.join("plan.json");
        std::fs::create_dir_all(&out)
            .and_then(|()| std::fs::write(&path, format!("{plan:#}\n")))
            .with_context(|| format!("{} could not be written", path.display()))?;
        let mut command = Command::new(options.profile().program(workspace, "model-bench"));
        environment(command.arg(&path));
        process::run(&mut command).context("the measurement of the model did not finish")
    })?;
    if options.quick {
        return Ok(());
    }
    let package = stages.run("Package", || bundle::write(workspace, options.profile()))?;
    stages.run("Measure the plugin", || {
        let mut command = Command::new(options.profile().program(workspace, "host-bench"));
        environment(command.arg(&tiller).arg(&package.clap));
        process::run(&mut command).context("the measurement of the plugin did not finish")
    })
}

/// What `model-bench` is to measure.
fn plan(
    options: &Options,
    tiller: &Path,
    weights: Option<&Weights>,
    workspace: &Workspace,
    out: &Path,
) -> Value {
    let threads = options.threads().to_string();
    let tiller = tiller.display().to_string();
    let worker = [tiller.as_str(), "bench", "--worker", "--threads", threads.as_str()];
    let program = |name: String, first: &[&str], more: &[&str]| {
        let command = [first, more].concat();
        json!({ "name": name, "command": command })
    };
    let mut programs = Vec::new();
    match weights {
        None => programs.push(program("Tiller, embedded model".to_owned(), &worker, &[])),
        Some(weights) => {
            let bundle = weights.bundle.display().to_string();
            for precision in PRECISIONS {
                let arguments = ["--bundle", bundle.as_str(), "--precision", precision];
                programs.push(program(format!("Tiller, {precision}"), &worker, &arguments));
            }
            let script: PathBuf = workspace.root.join("models/bench/transformers_peer.py");
            let (script, checkpoint) =
                (script.display().to_string(), weights.checkpoint.display().to_string());
            let peer = [weights.python.as_str(), &script, &checkpoint, "--worker", "--threads", &threads];
            for dtype in PEERS {
                programs.push(program(format!("transformers, {dtype}"), &peer, &["--dtypes", dtype]));
            }
        }
    }
    let quick = options.quick;
    json!({
        "roof": program("memory".to_owned(), &worker, &[]),
        "roof_megabytes": 512,
        "programs": programs,
        "positions": if quick { [10, 40, 80] } else { [50, 500, 1_500] },
        "takes": [1, 2, 4],
        "rounds": if quick { 2 } else { 5 },
        "steps": if quick { 4 } else { 10 },
        "codec_seconds": if quick { 1.0 } else { 10.0 },
        "take_seconds": if quick { 1.0 } else { 10.0 },
        "idle_seconds": if quick { 1.0 } else { 10.0 },
        "out": out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_others_are_refused() {
        let options = Options::parse(&["--quick", "--python", "py", "--threads", "3"]).unwrap();
        assert!(options.quick && !options.without_peers);
        assert_eq!((options.python.as_deref(), options.threads()), (Some("py"), 3));
        for wrong in [&["--threads", "0"][..], &["--python"], &["--fast"]] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
