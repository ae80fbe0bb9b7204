//! `tiller vectors similarity`.

use clap::Args;
use serde_json::{Value, json};
use tiller_models::steering::{Site, Vector, similarity};

use super::super::{Fallible, Outcome};
use super::Source;

/// Arguments of `tiller vectors similarity`.
#[derive(Args)]
pub(crate) struct Similarity {
    /// Vectors: files, or names of the bundle's.
    #[arg(value_name = "VECTOR", required = true, num_args = 2..)]
    vectors: Vec<String>,
    /// Compare at this layer; by default at those that either of a pair recommends, on average.
    #[arg(long, requires = "site")]
    layer: Option<usize>,
    /// Compare at this site: residual or attention.
    #[arg(long, requires = "layer", value_parser = site)]
    site: Option<Site>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
}

/// A site by its name.
pub(super) fn site(name: &str) -> Result<Site, String> {
    let known = Site::ALL.into_iter().find(|site| site.name() == name);
    known.ok_or_else(|| "the sites are residual and attention".to_owned())
}

impl Similarity {
    pub fn run(&self) -> Outcome {
        let vectors: Vec<Vector> =
            self.vectors.iter().map(|name| self.source.vector(name)).collect::<Fallible<_>>()?;
        let place = self.site.zip(self.layer);
        let (mut matrix, mut pairs) = (Vec::new(), Vec::new());
        for (row, a) in vectors.iter().enumerate() {
            let mut cosines = Vec::new();
            for (column, b) in vectors.iter().enumerate() {
                let places = similarity(a, b, place)?;
                let count = places.len();
                cosines.push((count > 0).then(|| places.values().sum::<f64>() / count as f64));
                if row < column {
                    let places: Vec<Value> = places
                        .iter()
                        .map(|((site, layer), cosine)| json!({ "site": site, "layer": layer, "cosine": cosine }))
                        .collect();
                    pairs.push(json!({ "of": [a.concept(), b.concept()], "places": places }));
                }
            }
            matrix.push(cosines);
        }
        if self.json {
            let vectors: Vec<Value> = vectors
                .iter()
                .map(|vector| json!({ "concept": vector.concept(), "sha256": vector.hash() }))
                .collect();
            println!("{}", json!({ "vectors": vectors, "matrix": matrix, "pairs": pairs }));
            return Ok(());
        }
        let names: Vec<&str> = vectors.iter().map(Vector::concept).collect();
        let wide = |name: &str| name.chars().count().max(6);
        let first = names.iter().map(|name| wide(name)).max().unwrap_or_default();
        let row = |name: &str, cells: Vec<String>| {
            let cells: String =
                names.iter().zip(cells).map(|(name, cell)| format!("  {cell:>0$}", wide(name))).collect();
            println!("{name:first$}{cells}");
        };
        row("", names.iter().map(|&name| name.to_owned()).collect());
        for (name, cosines) in names.iter().zip(matrix) {
            let cell = |cosine: Option<f64>| cosine.map_or("-".to_owned(), |cosine| format!("{cosine:.3}"));
            row(name, cosines.into_iter().map(cell).collect());
        }
        Ok(())
    }
}
