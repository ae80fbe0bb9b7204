//! `tiller lab cluster`.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use clap::Args;
use serde_json::{Value, json};
use tiller_models::lab::{Activations, Contingency, HeatMap, Place, cluster, hungarian_order};
use tiller_models::steering::Site;

use super::super::output::Reporting;
use super::super::{Fallible, Outcome};
use super::plots::{self, Plot};
use super::{Data, described, each_label};

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
    plot: Plot,
    #[command(flatten)]
    reporting: Reporting,
}

/// The clusters of a place against the classes.
struct Found {
    place: Place,
    table: Contingency,
    inertia: f64,
}

/// Of each site, and of the heads, the place with the best ARI; the first of equals.
fn best_of_sites(all: &[Found]) -> Vec<&Found> {
    let mut best: BTreeMap<(Site, bool), &Found> = BTreeMap::new();
    for found in all {
        let known = best.entry((found.place.site, found.place.head.is_some())).or_insert(found);
        if found.table.adjusted_rand() > known.table.adjusted_rand() {
            *known = found;
        }
    }
    best.into_values().collect()
}

impl Cluster {
    pub fn run(&self) -> Outcome {
        each_label(&self.data, &self.plot, &self.reporting, |activations| self.label(activations))
    }

    /// One label: the result as JSON, in words and as heat maps.
    fn label(&self, activations: &Activations) -> Fallible<(Value, String, Vec<HeatMap>)> {
        let samples = activations.samples();
        let classes = samples.present();
        let k = self.clusters.map_or(classes.len(), NonZeroUsize::get);
        let bar = self.reporting.bar(activations.places().len(), "clustering");
        let mut all = Vec::new();
        for &place in activations.places() {
            all.push(self.place(activations, place, k)?);
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
        let names: Vec<String> = classes.iter().map(|&class| samples.classes()[class].clone()).collect();
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
                let mut value = json!(found.place);
                value["ari"] = json!(found.table.adjusted_rand());
                value["nmi"] = json!(found.table.normalised_mutual_information());
                value["inertia"] = json!(found.inertia);
                value
            })
            .collect();
        let mut recommended = json!(best.place);
        recommended["reason"] = json!(reason);
        let result = json!({
            "data": described(activations),
            "clusters": k,
            "places": places,
            "best": recommended,
            "jaccard": { "classes": names, "clusters": order, "matrix": matrix },
            "restarts": self.restarts,
            "seed": self.seed,
        });
        let mut lines = vec![format!("{:20} {:>7} {:>7}", "", "ARI", "NMI")];
        lines.extend(all.iter().map(|found| {
            let (ari, nmi) = (found.table.adjusted_rand(), found.table.normalised_mutual_information());
            let mark = if found.place == best.place { "*" } else { "" };
            format!("{:20} {ari:7.3} {nmi:7.3} {mark}", found.place.short())
        }));
        lines.push(format!("{reason}. Jaccard index of its clusters (rows) with {}:", names.join(", ")));
        lines.extend(matrix.iter().map(|row| row.iter().map(|value| format!("{value:7.3}")).collect()));

        let agreements =
            |found: &Found| vec![found.table.adjusted_rand(), found.table.normalised_mutual_information()];
        let figures: Vec<(Place, Vec<f64>)> =
            all.iter().map(|found| (found.place, agreements(found))).collect();
        let mut maps = plots::of_places("Clusters", &["ARI", "NMI"].map(str::to_owned), &figures, best.place);
        for of_site in best_of_sites(&all) {
            let jaccard = of_site.table.jaccard();
            let order = hungarian_order(&jaccard);
            maps.push(HeatMap {
                title: format!("Jaccard index of clusters and classes at {}", of_site.place),
                rows: order.iter().map(|cluster| format!("cluster {cluster}")).collect(),
                columns: names.clone(),
                values: order
                    .iter()
                    .map(|&cluster| jaccard[cluster].iter().copied().map(Some).collect())
                    .collect(),
                marked: None,
            });
        }
        Ok((result, lines.join("\n"), maps))
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
