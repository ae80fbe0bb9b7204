//! `tiller`: models as bundles, and music from them, on the command line.

mod bench;
mod codec;
mod doctor;
mod generate;
mod import;
mod info;
mod lab;
mod learn;
mod opening;
mod output;
mod replay;
mod steering;
mod vectors;
mod verify;

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tiller_models::bundle::{Bundle, BundleError, Precision, discovery};
use tiller_models::musicgen::EngineOptions;
use tiller_models::runtime::{Provider, module_file};

/// Generate music from a prompt with MusicGen, and steer it.
#[derive(Parser)]
#[command(name = "tiller", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a take from a prompt.
    Generate(Box<generate::Generate>),
    /// Rebuild the audio of a take from its label.
    Replay(replay::Replay),
    /// Turn audio into the codec's tokens.
    Encode(codec::Encode),
    /// Turn the codec's tokens into audio.
    Decode(codec::Decode),
    /// Import a MusicGen checkpoint as a bundle.
    Import(import::Import),
    /// Show what a bundle is.
    Info(info::Info),
    /// Check what generating needs on this machine, and say what is wrong.
    Doctor(doctor::Doctor),
    /// Compare a bundle's precisions with its most exact one: what they would play, and how fast they are here.
    Verify(verify::Verify),
    /// Learn a vector from two folders of recordings, and say whether it works.
    Learn(Box<learn::Learn>),
    /// List, show, combine, compare and convert steering vectors.
    #[command(subcommand)]
    Vectors(vectors::Vectors),
    /// Learn vectors from activations, and measure where a concept is represented.
    #[command(subcommand)]
    Lab(lab::Lab),
    /// Measure speed and memory.
    #[command(hide = true)]
    Bench(bench::Bench),
}

/// What a subcommand does; an error is one sentence.
type Fallible<T> = Result<T, Box<dyn Error>>;
/// What every subcommand returns.
type Outcome = Fallible<()>;

fn main() -> ExitCode {
    // `tiller ... | head` ends when nobody reads on, as other commands do.
    sigpipe::reset();
    let filter = tracing_subscriber::EnvFilter::try_from_env("TILLER_LOG").unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    let outcome = match Cli::parse().command {
        Command::Generate(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Encode(command) => command.run(),
        Command::Decode(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Info(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Learn(command) => command.run(),
        Command::Vectors(command) => command.run(),
        Command::Lab(command) => command.run(),
        Command::Bench(command) => command.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tiller: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Which bundle, and how it is run.
#[derive(Args)]
struct EngineArguments {
    /// Folder of the bundle; by default the embedded one.
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Number format of the decoder's weights: f32, f16, int8 or int4; by default what the provider runs best.
    #[arg(long)]
    precision: Option<Precision>,
    /// What runs the model: cpu, cuda or directml. Fails if it is not there.
    #[arg(long, default_value_t)]
    provider: Provider,
    /// Threads of the decoder; by default half of the processor's, from 2 to 4. The result does not depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl EngineArguments {
    fn options(&self) -> EngineOptions {
        EngineOptions {
            precision: self.precision,
            provider: self.provider,
            threads: self.threads,
            background: false,
        }
    }
}

fn open_bundle(folder: Option<&Path>) -> Result<Bundle, BundleError> {
    match folder {
        Some(folder) => Bundle::open(folder),
        None => discovery::open_default(module_file().as_deref()),
    }
}
