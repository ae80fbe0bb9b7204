//! `tiller vectors export` and `tiller vectors import`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tiller_models::steering::{ControlVector, Site, Vector, to_gguf};

use super::super::Outcome;
use super::super::output::{Pending, Reporting};
use super::similarity::site;
use super::{Source, describe, listed};

/// Arguments of `tiller vectors export`.
#[derive(Args)]
pub(crate) struct Export {
    /// The vector: a file, or the name of a vector of the bundle.
    vector: String,
    /// The GGUF file to write. It holds the directions for the residual stream.
    #[arg(value_name = "GGUF")]
    out: PathBuf,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    reporting: Reporting,
}

/// Arguments of `tiller vectors import`.
#[derive(Args)]
pub(crate) struct Import {
    /// The GGUF file.
    gguf: PathBuf,
    /// The vector file to write.
    #[arg(value_name = "FILE")]
    out: PathBuf,
    /// What the vector stands for; by default what the GGUF file says.
    #[arg(long, value_name = "NAME")]
    concept: Option<String>,
    /// Where its directions act: residual or attention.
    #[arg(long, value_parser = site, default_value = "residual")]
    site: Site,
    #[command(flatten)]
    reporting: Reporting,
}

impl Export {
    pub fn run(&self) -> Outcome {
        let vector = self.source.vector(&self.vector)?;
        let bytes = to_gguf(&vector)?;
        let (kept, left_out): (Vec<_>, Vec<_>) =
            vector.places().partition(|&(site, _)| site == Site::Residual);
        let layers =
            |places: Vec<(Site, usize)>| places.into_iter().map(|(_, layer)| layer).collect::<Vec<_>>();
        let (kept, left_out) = (layers(kept), layers(left_out));
        Pending::create(&self.out)?.finish_with(bytes)?;
        if !left_out.is_empty() && !self.reporting.quiet {
            eprintln!(
                "tiller: the directions for the attention output (layers {}) are left out; a GGUF control vector has no \
                 place for them",
                listed(left_out.clone())
            );
        }
        let line = format!("{}: {}, layers {}", self.out.display(), vector.concept(), listed(kept.clone()));
        let result = json!({ "out": self.out, "layers": kept, "attention_layers_left_out": left_out });
        self.reporting.result(&result, &line);
        Ok(())
    }
}

impl Import {
    pub fn run(&self) -> Outcome {
        let control = ControlVector::open(&self.gguf)?;
        let concept = self.concept.as_deref().or(control.name()).ok_or_else(|| {
            format!("{} does not say what it steers to; name it with --concept", self.gguf.display())
        })?;
        let bytes = control.to_vector(concept, self.site)?;
        let vector = Vector::from_bytes(&bytes, &self.out.display().to_string())?;
        Pending::create(&self.out)?.finish_with(bytes)?;
        let line =
            format!("{}: {concept}, {} layers {}", self.out.display(), self.site, listed(control.layers()));
        self.reporting.result(&json!({ "out": self.out, "vector": describe(&vector) }), &line);
        Ok(())
    }
}
