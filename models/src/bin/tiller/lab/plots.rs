//! What the stages of the lab draw: where, how well, and which cluster is which class.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use tiller_models::lab::{Activations, HeatMap, Place, ProbeScore, figure};
use tiller_models::steering::Site;

use super::super::Outcome;
use super::super::output::Pending;

/// Where a figure goes.
#[derive(Args)]
pub(super) struct Plot {
    /// Draw heat maps of layers and sites: an SVG file.
    #[arg(long, value_name = "FILE.svg", value_parser = svg)]
    plot: Option<PathBuf>,
}

fn svg(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    match path.extension() {
        Some(end) if end.eq_ignore_ascii_case("svg") => Ok(path.to_owned()),
        _ => Err("figures are SVG: give it a name that ends in .svg".to_owned()),
    }
}

/// A figure that is on its way.
pub(super) struct PendingPlot(Pending);

impl Plot {
    /// Fails here, before any work, if the figure cannot be written.
    pub fn create(&self) -> Result<Option<PendingPlot>, String> {
        Ok(self.plot.as_deref().map(Pending::create).transpose()?.map(PendingPlot))
    }
}

impl PendingPlot {
    pub fn finish(self, maps: &[HeatMap]) -> Outcome {
        Ok(self.0.finish_with(figure(maps)?)?)
    }
}

/// Heat maps of R2 over the layers: for each site of all classes and of each against the others, and of all heads.
pub(super) fn of_probes(
    activations: &Activations,
    scores: &[(Place, ProbeScore)],
    best: Place,
) -> Vec<HeatMap> {
    let samples = activations.samples();
    let names = samples.present().into_iter().map(|class| samples.classes()[class].clone());
    let rows: Vec<String> = std::iter::once("all classes".to_owned()).chain(names).collect();
    let figures = |score: &ProbeScore| -> Vec<f64> {
        std::iter::once(score.r2.value).chain(score.classes.iter().map(|class| class.r2)).collect()
    };
    let scores: Vec<(Place, Vec<f64>)> =
        scores.iter().map(|(place, score)| (*place, figures(score))).collect();
    let title = match activations.label() {
        "" => "R2 on held-out tracks".to_owned(),
        label => format!("R2 of {label} on held-out tracks"),
    };
    of_places(&title, &rows, &scores, best)
}

/// For each site a heat map of figures over the layers, and one of the first figure of every head; `best` is framed.
pub(super) fn of_places(
    title: &str,
    rows: &[String],
    figures: &[(Place, Vec<f64>)],
    best: Place,
) -> Vec<HeatMap> {
    let mut sites: BTreeMap<Site, Vec<&(Place, Vec<f64>)>> = BTreeMap::new();
    let mut heads: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for of_place in figures {
        let (place, values) = of_place;
        match (place.head, values.first()) {
            (Some(head), Some(&first)) => drop(heads.insert((head, place.layer), first)),
            _ => sites.entry(place.site).or_default().push(of_place),
        }
    }
    let map = |(site, places): (Site, Vec<&(Place, Vec<f64>)>)| HeatMap {
        title: format!("{title}: {site}, by layer"),
        rows: rows.to_vec(),
        columns: places.iter().map(|(place, _)| place.layer.to_string()).collect(),
        values: (0..rows.len())
            .map(|row| places.iter().map(|(_, figures)| figures.get(row).copied()).collect())
            .collect(),
        marked: places.iter().position(|(place, _)| *place == best).map(|column| (None, column)),
    };
    let mut maps: Vec<HeatMap> = sites.into_iter().map(map).collect();
    if !heads.is_empty() {
        let sorted = |numbers: BTreeSet<usize>| numbers.into_iter().collect::<Vec<_>>();
        let rows = sorted(heads.keys().map(|&(head, _)| head).collect());
        let columns = sorted(heads.keys().map(|&(_, layer)| layer).collect());
        maps.push(HeatMap {
            title: format!("{title}: attention heads, by layer"),
            rows: rows.iter().map(|head| format!("head {head}")).collect(),
            columns: columns.iter().map(usize::to_string).collect(),
            values: rows
                .iter()
                .map(|&head| columns.iter().map(|&layer| heads.get(&(head, layer)).copied()).collect())
                .collect(),
            marked: best.head.and_then(|head| {
                let column = columns.iter().position(|&layer| layer == best.layer)?;
                Some((rows.iter().position(|&row| row == head), column))
            }),
        });
    }
    maps
}
