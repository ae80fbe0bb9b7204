//! `tiller vectors`.

mod algebra;
mod control_vector;
mod similarity;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tiller_models::steering::{Site, Vector};

use super::steering::find_vector;
use super::{Fallible, Outcome, open_bundle};

/// Subcommands of `tiller vectors`.
#[derive(Subcommand)]
pub(crate) enum Vectors {
    /// List the vectors of a bundle.
    List(List),
    /// Show one vector.
    Show(Show),
    /// Add vectors with weights.
    Combine(algebra::Combine),
    /// Take one vector out of another.
    Project(algebra::Project),
    /// Compare vectors with each other.
    Similarity(similarity::Similarity),
    /// Write a vector as a control vector of repeng and llama.cpp (GGUF).
    Export(control_vector::Export),
    /// Make a vector from a control vector of repeng or llama.cpp (GGUF).
    Import(control_vector::Import),
}

/// Where names of vectors are looked up.
#[derive(Args)]
struct Source {
    /// Folder of the bundle whose vectors may be named; by default the embedded one.
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
}

impl Source {
    /// A vector file, which needs no bundle, or a vector of the bundle.
    fn vector(&self, name: &str) -> Fallible<Vector> {
        if Path::new(name).is_file() {
            return Ok(Vector::open(Path::new(name))?);
        }
        find_vector(name, &open_bundle(self.bundle.as_deref())?)
    }
}

/// Arguments of `tiller vectors list`.
#[derive(Args)]
pub(crate) struct List {
    /// Folder of the bundle; by default the embedded one.
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `tiller vectors show`.
#[derive(Args)]
pub(crate) struct Show {
    /// A vector file, or the name of a vector of the bundle.
    vector: String,
    /// Folder of the bundle; by default the embedded one.
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Vectors {
    pub fn run(&self) -> Outcome {
        match self {
            Self::List(list) => list.run(),
            Self::Show(show) => show.run(),
            Self::Combine(combine) => combine.run(),
            Self::Project(project) => project.run(),
            Self::Similarity(similarity) => similarity.run(),
            Self::Export(export) => export.run(),
            Self::Import(import) => import.run(),
        }
    }
}

impl List {
    fn run(&self) -> Outcome {
        let bundle = open_bundle(self.bundle.as_deref())?;
        let vectors =
            bundle.vectors().iter().map(|path| Vector::open(path)).collect::<Result<Vec<_>, _>>()?;
        if self.json {
            println!("{}", Value::from_iter(vectors.iter().map(describe)));
        } else if vectors.is_empty() {
            println!("{} has no vectors", bundle.manifest().name);
        }
        for vector in vectors.iter().filter(|_| !self.json) {
            println!("{:20} layers {}", vector.concept(), listed(vector.recommended_layers()));
        }
        Ok(())
    }
}

impl Show {
    fn run(&self) -> Outcome {
        let bundle = open_bundle(self.bundle.as_deref())?;
        let vector = find_vector(&self.vector, &bundle)?;
        let fits = vector.check(bundle.architecture()).err().map(|error| error.to_string());
        let warning = vector.warning(&bundle);
        if self.json {
            let mut description = describe(&vector);
            description["error"] = json!(fits);
            description["warning"] = json!(warning);
            println!("{description}");
            return Ok(());
        }
        println!("{}", vector.concept());
        println!("  hash        {}", vector.hash());
        println!("  width       {}", vector.width());
        for site in Site::ALL {
            let layers =
                (0..bundle.architecture().layers).filter(|&layer| vector.direction(site, layer).is_some());
            println!("  {:11} {}", site.name(), listed(layers));
        }
        println!(
            "  acts at     {}",
            vector.sites().iter().map(|site| site.name()).collect::<Vec<_>>().join(", ")
        );
        println!("  recommended layers {}", listed(vector.recommended_layers()));
        if let Some(strength) = vector.recommended_strength() {
            println!("  recommended strength {strength}");
        }
        for (key, value) in vector.metadata() {
            println!("  {key}: {value}");
        }
        for line in fits.iter().chain(&warning) {
            println!("{line}");
        }
        Ok(())
    }
}

fn describe(vector: &Vector) -> Value {
    json!({
        "concept": vector.concept(),
        "hash": vector.hash(),
        "width": vector.width(),
        "sites": vector.sites(),
        "layers": vector.layers(),
        "recommended_layers": vector.recommended_layers(),
        "recommended_strength": vector.recommended_strength(),
        "metadata": vector.metadata(),
    })
}

fn listed(layers: impl IntoIterator<Item = usize>) -> String {
    let layers: Vec<String> = layers.into_iter().map(|layer| layer.to_string()).collect();
    if layers.is_empty() { "none".to_owned() } else { layers.join(", ") }
}
