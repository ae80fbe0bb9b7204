//! `tiller import`.

mod hub;

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;
use tiller_models::bundle::{Precision, discovery};
use tiller_models::hub::{SHORT_NAMES, repository_id};
use tiller_models::import::{ImportOptions, import};

use super::output::Reporting;
use super::{Fallible, Outcome};

/// Arguments of `tiller import`.
#[derive(Args)]
#[command(after_help = "\
A folder is imported as it is. A name is fetched from the Hugging Face hub: OWNER/MODEL, or for the published MusicGen \
small, medium, large, melody, melody-large, stereo-small and so on. Its licence is shown and has to be accepted. A \
download that was interrupted goes on where it stopped; files are kept in the hub's cache, which Python shares.

  tiller import small                        facebook/musicgen-small, as a bundle that the plugin offers
  tiller import ~/checkpoints/mine ~/bundles/mine

Environment: HF_TOKEN (else the token of `hf auth login`), HF_HOME (the cache, by default ~/.cache/huggingface),
HF_ENDPOINT (another hub), HTTPS_PROXY.")]
pub(crate) struct Import {
    /// Folder of a checkpoint in the layout of the Hugging Face hub, or the name of one on the hub.
    #[arg(value_name = "FOLDER|NAME")]
    source: String,
    /// Folder of the bundle; by default one named after the checkpoint among those the plugin offers. A bundle that is
    /// there is replaced.
    #[arg(value_name = "OUT")]
    dest: Option<PathBuf>,
    /// Name shown to people; by default that of the checkpoint.
    #[arg(long)]
    name: Option<String>,
    /// Licence of the weights; by default what the checkpoint's README.md says.
    #[arg(long)]
    licence: Option<String>,
    /// Precisions of the decoder, f32, f16 (for GPUs), int8 or int4, separated by commas; the last but f16 is the bundle's
    /// default.
    #[arg(long, value_delimiter = ',', default_value = "f32,int8")]
    precisions: Vec<Precision>,
    /// Branch, tag, commit or pull request (refs/pr/N) of a model on the hub.
    #[arg(long, default_value = "main")]
    revision: String,
    /// Accept the licence of a model on the hub without being asked.
    #[arg(long)]
    accept_licence: bool,
    #[command(flatten)]
    reporting: Reporting,
}

/// A checkpoint on this machine.
struct Checkpoint {
    folder: PathBuf,
    /// What the bundle is called if nobody names it.
    name: Option<String>,
    licence: Option<String>,
    /// Where it is from.
    origin: Option<String>,
}

impl Import {
    pub fn run(&self) -> Outcome {
        let here = Path::new(&self.source);
        let checkpoint = if here.is_dir() {
            Checkpoint { folder: here.to_owned(), name: None, licence: None, origin: None }
        } else if let Some(id) = repository_id(&self.source) {
            hub::fetch(self, &id)?
        } else {
            return Err(format!(
                "{:?} is neither a folder nor the name of a model on the hub: write OWNER/MODEL, or one of {}",
                self.source,
                SHORT_NAMES.join(", ")
            )
            .into());
        };
        let dest = self.dest(&checkpoint)?;
        let options = ImportOptions {
            name: self.name.clone().or_else(|| checkpoint.name.clone()),
            licence: self.licence.clone().or(checkpoint.licence),
            origin: checkpoint.origin,
            precisions: self.precisions.clone(),
        };
        let spinner = if self.reporting.quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        let bundle = import(&checkpoint.folder, &dest, &options, &mut |stage| {
            spinner.set_message(stage.to_string());
            spinner.tick();
        })?;
        spinner.finish_and_clear();
        let manifest = bundle.manifest();
        self.reporting.result(
            &json!({
                "bundle": bundle.root(),
                "id": bundle.id(),
                "name": manifest.name,
                "licence": manifest.licence,
                "checkpoint": manifest.source.checkpoint,
            }),
            &format!("{}: {} is ready", bundle.root().display(), manifest.name),
        );
        Ok(())
    }

    /// Where the bundle goes.
    fn dest(&self, checkpoint: &Checkpoint) -> Fallible<PathBuf> {
        if let Some(dest) = &self.dest {
            return Ok(dest.clone());
        }
        let bundles =
            discovery::bundles_folder().ok_or("this system names no home: say where the bundle goes")?;
        let name = match &checkpoint.name {
            Some(name) => name.into(),
            None => {
                let folder = checkpoint.folder.canonicalize()?;
                folder.file_name().ok_or("this folder has no name: say where the bundle goes")?.to_owned()
            }
        };
        Ok(bundles.join(name))
    }
}
