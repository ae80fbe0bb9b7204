//! What a step costs as a take grows, as a picture.

use crate::measure::{Measured, deciles};
use crate::plan::Plan;
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use std::path::Path;

/// One colour a program, in turn; told apart by people who see no red or no green.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];

/// Draws the median of each program at each position, from the first to the ninth decile.
///
/// # Errors
/// A file that cannot be written.
pub fn draw(plan: &Plan, all: &[Measured], path: &Path) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| anyhow!("{} could not be drawn: {error}", path.display());
    chart(plan, all, path).map_err(|error| failed(&*error))
}

fn chart(plan: &Plan, all: &[Measured], path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let points = |one: &Measured| -> Vec<(f64, [f64; 3])> {
        let at = |&position: &u64| Some((position as f64, deciles(one.steps_of(position, 1)?)?));
        plan.positions.iter().filter_map(at).collect()
    };
    let every: Vec<(f64, [f64; 3])> = all.iter().flat_map(points).collect();
    let right = every.iter().map(|(position, _)| *position).fold(1.0, f64::max) * 1.05;
    let low = every.iter().map(|(_, times)| times[0]).fold(f64::INFINITY, f64::min) / 1.5;
    let high = every.iter().map(|(_, times)| times[2]).fold(0.0, f64::max) * 1.5;
    if every.is_empty() {
        return Err("no step was measured".into());
    }
    register_font("sans-serif", FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| "the picture's font is damaged")?;
    let root = SVGBackend::new(path, (820, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .caption("A decode step with guidance", ("sans-serif", 18))
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..right, (low..high).log_scale())?;
    chart.configure_mesh().x_desc("position").y_desc("milliseconds").light_line_style(WHITE).draw()?;
    for (one, colour) in all.iter().zip(COLOURS.iter().cycle()) {
        let points = points(one);
        chart.draw_series(points.iter().map(|(position, times)| {
            PathElement::new([(*position, times[0]), (*position, times[2])], colour.stroke_width(1))
        }))?;
        chart
            .draw_series(LineSeries::new(
                points.iter().map(|(position, times)| (*position, times[1])),
                colour.stroke_width(2),
            ))?
            .label(one.name.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .draw()?;
    root.present()?;
    Ok(())
}
