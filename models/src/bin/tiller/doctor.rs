//! `tiller doctor`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tiller_models::bundle::{Precision, discovery};
use tiller_models::musicgen::{Cancel, Engine, EngineOptions};
use tiller_models::runtime::{Provider, Runtime};

use super::{Fallible, Outcome, open_bundle};

/// Arguments of `tiller doctor`.
#[derive(Args)]
pub(crate) struct Doctor {
    /// Folder of the bundle; by default the embedded one.
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub fn run(&self) -> Outcome {
        let runtime = Runtime::get();
        let bundle = open_bundle(self.bundle.as_deref());
        // A provider can be in the library and its drivers not on the machine: only loading the model tells.
        let load = |provider| -> Fallible<Precision> {
            let bundle = bundle.as_ref().map_err(ToString::to_string)?;
            let engine = Engine::load(bundle, &EngineOptions { provider, ..EngineOptions::default() })?;
            engine.warm_up(&Cancel::new())?;
            Ok(engine.precision())
        };
        let known = if runtime.is_ok() { &Provider::ALL[..] } else { &[] };
        let checked: Vec<(Provider, Result<Precision, String>)> = known
            .iter()
            .map(|&provider| (provider, load(provider).map_err(|error| error.to_string())))
            .collect();
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let wrong: Vec<String> = runtime
            .as_ref()
            .err()
            .map(ToString::to_string)
            .into_iter()
            .chain(bundle.as_ref().err().map(ToString::to_string))
            .chain(
                checked
                    .iter()
                    .filter(|(provider, _)| *provider == Provider::Cpu)
                    .filter_map(|(_, loaded)| loaded.clone().err()),
            )
            .collect();

        if self.json {
            let providers: serde_json::Map<_, _> = checked
                .iter()
                .map(|(provider, loaded)| {
                    let (precision, error) = (loaded.as_ref().ok(), loaded.as_ref().err());
                    (provider.name().to_owned(), json!({ "precision": precision, "error": error }))
                })
                .collect();
            println!(
                "{}",
                json!({
                    "tiller": env!("CARGO_PKG_VERSION"),
                    "runtime": runtime.as_ref().ok().map(|runtime| {
                        json!({ "version": runtime.version().to_string(), "path": runtime.path() })
                    }),
                    "providers": providers,
                    "threads": threads,
                    "bundle": bundle.as_ref().ok().map(|b| json!({ "name": b.manifest().name, "root": b.root() })),
                    "data": discovery::data_folder(),
                    "wrong": wrong,
                })
            );
        } else {
            println!("tiller       {}", env!("CARGO_PKG_VERSION"));
            if let Ok(runtime) = &runtime {
                println!("ONNX Runtime {} at {}", runtime.version(), runtime.path().display());
            }
            for (provider, loaded) in &checked {
                match loaded {
                    Ok(precision) => println!("provider     {provider}: ready, in {precision}"),
                    Err(error) => println!("provider     {provider}: {error}"),
                }
            }
            println!("threads      {threads}");
            if let Ok(bundle) = &bundle {
                println!("bundle       {} at {}", bundle.manifest().name, bundle.root().display());
            }
            if let Some(data) = discovery::data_folder() {
                println!("data folder  {}", data.display());
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
    }
}
