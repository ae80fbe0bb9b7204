//! `tiller info`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Outcome, open_bundle};

/// Arguments of `tiller info`.
#[derive(Args)]
pub(crate) struct Info {
    /// Folder of the bundle; by default the embedded one.
    bundle: Option<PathBuf>,
    /// Print the manifest as JSON.
    #[arg(long)]
    json: bool,
}

impl Info {
    pub fn run(&self) -> Outcome {
        let bundle = open_bundle(self.bundle.as_deref())?;
        let manifest = bundle.manifest();
        if self.json {
            println!("{}", json!({ "id": bundle.id(), "root": bundle.root(), "manifest": manifest }));
            return Ok(());
        }
        let model = bundle.architecture();
        let codec = &model.codec;
        let megabytes = manifest.files.values().map(|file| file.size).sum::<u64>() as f64 / 1e6;
        let precisions: Vec<String> = manifest.graphs.decoder.keys().map(ToString::to_string).collect();
        println!("{}", manifest.name);
        println!("  id         {}", bundle.id());
        println!("  folder     {}", bundle.root().display());
        println!("  licence    {}", manifest.licence);
        println!("  source     {} (weights {})", manifest.source.checkpoint, manifest.source.sha256);
        println!(
            "  decoder    {} layers, {} wide, {} heads, {} codebooks of {} entries",
            model.layers, model.width, model.heads, model.codebooks, model.vocabulary
        );
        println!("  precisions {}, by default {}", precisions.join(", "), manifest.default_precision);
        println!(
            "  window     {} frames, {:.1} s at {} frames a second",
            model.window,
            model.window as f64 / model.frame_rate(),
            model.frame_rate()
        );
        println!("  audio      {} Hz, {} channel(s)", codec.sample_rate, codec.channels);
        if let Some(chroma) = &model.chroma {
            let seconds = chroma.frames as f64 / chroma.frame_rate();
            println!(
                "  melodies   {} frames, {seconds:.1} s, of {} pitch classes",
                chroma.frames, chroma.classes
            );
        }
        println!("  vectors    {}", bundle.vectors().len());
        println!("  size       {megabytes:.1} MB in {} files", manifest.files.len());
        Ok(())
    }
}
