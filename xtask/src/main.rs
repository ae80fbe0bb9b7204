//! Everything a person types: `cargo xtask setup | runtime | demo | test | matrix | bundle | install | bench | report |
//! screenshot`.
//!
//! This crate stays small so that `cargo xtask` itself builds in seconds. Whatever loads a plugin or draws a picture
//! is a program of the `tests/` crate, which the commands here build and run.

mod bench;
mod bench_weights;
mod build;
mod bundle;
mod demo;
mod install;
mod licences;
mod matrix;
mod process;
mod python;
mod realtime;
mod report;
mod runtime;
mod screenshot;
mod stages;
mod system;
mod test;
mod workspace;

use anyhow::{Result, bail};
use workspace::Workspace;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  setup               fetch ONNX Runtime and check what this system needs
  runtime --provider cpu|cuda|directml
                      fetch ONNX Runtime's build for a provider into target/runtime[-PROVIDER]/
  demo                steer an 8 second take inside a real host and bounce it to target/demo/
  test                everything the gate runs
  matrix              one project in every host, sample rate and block size, compared to the byte
  bundle [--release]  package the CLAP and VST3 for this system in target/bundled/
  install [--release] package, then put the plugins where hosts look
  bench               the model's speed beside transformers' on the same weights, and what the plugin costs
                      (--quick, --without-peers, --python PYTHON with PyTorch and transformers, --threads N)
  realtime            the plugin's tests under the real-time sanitizer (needs a nightly compiler)
  report model        what independent judges hear in the embedded model: docs/report/model.md
                      (--seeds N clips a prompt, --quick, --validate-only)
  report replication  the paper's experiments on the embedded model: docs/replication.md
                      (--seeds N clips of each kind, --clips N a class, --work FOLDER of what is kept,
                      --tiller PROGRAM in place of the release build)
  screenshot [FOLDER] pictures of the editor in a real host window (default docs)

ONNX Runtime comes from its PyPI wheel unless TILLER_ONNXRUNTIME names the library to use.";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let Err(error) = run(&arguments) {
        eprintln!("\nxtask: {error:#}");
        std::process::exit(1);
    }
}

fn run(arguments: &[&str]) -> Result<()> {
    let workspace = Workspace::find()?;
    match arguments {
        ["setup"] => setup(&workspace),
        ["runtime", "--provider", name] => fetch_runtime(&workspace, name),
        ["demo"] => demo::run(&workspace),
        ["test"] => test::run(&workspace),
        ["matrix"] => matrix::run(&workspace),
        ["bundle"] => bundle::run(&workspace, build::Profile::Dev),
        ["bundle", "--release"] => bundle::run(&workspace, build::Profile::Release),
        ["install"] => install::run(&workspace, build::Profile::Dev),
        ["install", "--release"] => install::run(&workspace, build::Profile::Release),
        ["bench", options @ ..] => bench::run(&workspace, options),
        ["realtime"] => realtime::run(&workspace),
        ["report", "model", options @ ..] => report::model(&workspace, options),
        ["report", "replication", options @ ..] => report::replication(&workspace, options),
        ["screenshot"] => screenshot::run(&workspace, "docs"),
        ["screenshot", folder] => screenshot::run(&workspace, folder),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("`{}` is not a command.\n\n{USAGE}", arguments.join(" ")),
    }
}

/// Fetches ONNX Runtime's build for a provider, and says how to use it.
fn fetch_runtime(workspace: &Workspace, name: &str) -> Result<()> {
    let provider = runtime::Provider::named(name)?;
    system::ensure(&[system::PYTHON, system::PIP])?;
    let library = runtime::fetched(workspace, provider)?.library;
    println!("\nReady: set TILLER_ONNXRUNTIME to {}", library.display());
    if provider == runtime::Provider::Cuda {
        println!(
            "CUDA's libraries come with NVIDIA's toolkit and cuDNN, or with Python's nvidia-* packages: \
             set TILLER_CUDA to their folder, such as site-packages/nvidia"
        );
    }
    Ok(())
}

/// Fetches the runtime and checks the system, for people who want that apart from a build.
fn setup(workspace: &Workspace) -> Result<()> {
    let mut stages = stages::Stages::of(2);
    stages.run("System packages", || system::ensure(&[system::LINKER, system::PYTHON, system::PIP]))?;
    let library = stages.run("ONNX Runtime", || runtime::ensure(workspace))?.library;
    println!("\nReady: ONNX Runtime is {}", library.display());
    Ok(())
}
