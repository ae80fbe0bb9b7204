//! `tiller lab cluster`.

use std::num::NonZeroUsize;

use clap::Args;
use serde_json::{Value, json};
use tiller_models::lab::{Activations, Contingency, Place, cluster, hungarian_order};

use super::super::output::Reporting;
use super::super::{Fallible, Outcome};
use super::{Data, described};

/// Arguments of `tiller lab cluster`.
#[derive(Args)]
pub(crate) struct Cluster {
    #[command(flatten)]
    data: Data,
    /// Number of clusters; by default as many as there are classes.
    #[arg(long, value_name = "N")]
    clusters: Option<NonZeroUsize>,
    /// Starts of k-means, of which the tightest result is taken.
    #[arg(long, value_name = "N", default_value = "10")]
    restarts: NonZeroUsize,
    /// Decides where k-means starts.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    reporting: Reporting,
}

/// The clusters of a place against the classes.
struct Found {
    place: Place,
    table: Contingency,
    inertia: f64,
}

impl Cluster {
    pub fn run(&self) -> Outcome {
        let activations = self.data.open()?;
        let samples = activations.samples();
        let classes = samples.present();
        let k = self.clusters.map_or(classes.len(), NonZeroUsize::get);
        let bar = self.reporting.bar(activations.places().len(), "clustering");
        let mut all = Vec::new();
        for &place in activations.places() {
            all.push(self.place(&activations, place, k)?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        // The last of equals is taken, which is the first of the reversed.
        let agreement = |found: &Found| found.table.adjusted_rand();
        let best = all.iter().rev().max_by(|a, b| agreement(a).total_cmp(&agreement(b)));
        let best = best.ok_or("the files have no places")?;

        let jaccard = best.table.jaccard();
        let order = hungarian_order(&jaccard);
        let matrix: Vec<&Vec<f64>> = order.iter().map(|&cluster| &jaccard[cluster]).collect();
        let names: Vec<&str> = classes.iter().map(|&class| samples.classes()[class].as_str()).collect();
        let reason = format!(
            "of {} places {} groups by class best: ARI {:.3}, NMI {:.3}",
            all.len(),
            best.place,
            best.table.adjusted_rand(),
            best.table.normalised_mutual_information()
        );
        let places: Vec<Value> = all
            .iter()
            .map(|found| {
                json!({
                    "site": found.place.site,
                    "layer": found.place.layer,
                    "ari": found.table.adjusted_rand(),
                    "nmi": found.table.normalised_mutual_information(),
                    "inertia": found.inertia,
                })
            })
            .collect();
        let result = json!({
            "data": described(&activations),
            "clusters": k,
            "places": places,
            "best": { "site": best.place.site, "layer": best.place.layer, "reason": reason },
            "jaccard": { "classes": names, "clusters": order, "matrix": matrix },
            "restarts": self.restarts,
            "seed": self.seed,
        });
        let mut lines = vec![format!("{:14} {:>7} {:>7}", "", "ARI", "NMI")];
        lines.extend(all.iter().map(|found| {
            let place = format!("{} {}", found.place.site, found.place.layer);
            let (ari, nmi) = (found.table.adjusted_rand(), found.table.normalised_mutual_information());
            format!("{place:14} {ari:7.3} {nmi:7.3} {}", if found.place == best.place { "*" } else { "" })
        }));
        lines.push(format!("{reason}. Jaccard index of its clusters (rows) with {}:", names.join(", ")));
        lines.extend(matrix.iter().map(|row| row.iter().map(|value| format!("{value:7.3}")).collect()));
        self.reporting.result(&result, &lines.join("\n"));
        Ok(())
    }

    fn place(&self, activations: &Activations, place: Place, k: usize) -> Fallible<Found> {
        let samples = activations.samples();
        let classes = samples.present();
        let found = cluster(activations, place, k, self.restarts, self.seed)?;
        let column = |row: usize| classes.partition_point(|&class| class < samples.class_of(row));
        let pairs = found.cluster.iter().enumerate().map(|(row, &cluster)| (cluster, column(row)));
        Ok(Found { place, table: Contingency::count(pairs, k, classes.len()), inertia: found.inertia })
    }
}
