//! Both spectrograms on one scale, with the strength over each.

use crate::spectrogram::{HIGHEST, LOWEST, Spectrogram};
use anyhow::{Context, Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use std::path::Path;
use tiller_tests::Audio;

/// Size in pixels.
const SIZE: (u32, u32) = (1_280, 860);
const PAPER: RGBColor = RGBColor(18, 18, 24);
const INK: RGBColor = RGBColor(220, 220, 230);
const CURVE: RGBColor = RGBColor(255, 255, 255);

/// One panel: its title, its audio and the strength at a second of it.
pub struct Panel<'a> {
    /// What is heard.
    pub title: &'a str,
    /// The audio.
    pub audio: &'a Audio,
    /// The strength of the steering, over seconds.
    pub strength: &'a dyn Fn(f64) -> f64,
}

/// Draws the panels below each other into a PNG file. `full` is the top of the strength's scale.
pub fn draw(path: &Path, panels: &[Panel], full: f64) -> Result<()> {
    // The editor's own font, so that no system font is needed.
    register_font("sans-serif", FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| anyhow!("the built-in font cannot be read"))?;
    let mut loudest = 0.0_f32;
    for panel in panels {
        loudest = loudest.max(Spectrogram::loudest(panel.audio)?);
    }
    let sheet = BitMapBackend::new(path, SIZE).into_drawing_area();
    sheet.fill(&PAPER)?;
    for (area, panel) in sheet.split_evenly((panels.len(), 1)).iter().zip(panels) {
        draw_panel(area, panel, loudest, full)
            .with_context(|| format!("`{}` cannot be drawn", panel.title))?;
    }
    sheet.present().with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(())
}

fn draw_panel(
    area: &DrawingArea<BitMapBackend, Shift>,
    panel: &Panel,
    loudest: f32,
    full: f64,
) -> Result<()> {
    let seconds = panel.audio.frames() as f64 / panel.audio.sample_rate;
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, ("sans-serif", 24).into_font().color(&INK))
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(70)
        .right_y_label_area_size(60)
        .build_cartesian_2d(0.0..seconds, (LOWEST..HIGHEST).log_scale())?
        .set_secondary_coord(0.0..seconds, 0.0..full * 1.1);

    // The drawing area's own pixels, so that the picture is as fine as the paper.
    let plot = chart.plotting_area().strip_coord_spec();
    let (width, height) = plot.dim_in_pixel();
    let spectrogram = Spectrogram::of(panel.audio, height as usize, loudest)?;
    let columns = spectrogram.columns.len();
    for (x, place) in (0_i32..).zip(0..width as usize) {
        let column = &spectrogram.columns[place * columns / width as usize];
        for (y, &level) in (0_i32..).zip(column.iter().rev()) {
            plot.draw_pixel((x, y), &heat(level))?;
        }
    }

    let label = ("sans-serif", 16).into_font().color(&INK);
    chart
        .configure_mesh()
        .disable_mesh()
        .axis_style(INK)
        .label_style(label.clone())
        .x_desc("seconds")
        .y_desc("Hz")
        .y_label_formatter(&|frequency| format!("{frequency:.0}"))
        .draw()?;
    chart.configure_secondary_axes().axis_style(INK).label_style(label).y_desc("strength").draw()?;
    let points = (0..=400).map(|point| {
        let at = seconds * f64::from(point) / 400.0;
        (at, (panel.strength)(at))
    });
    chart.draw_secondary_series(LineSeries::new(points, CURVE.stroke_width(3)))?;
    Ok(())
}

/// Dark blue over magenta and orange to pale yellow.
fn heat(level: f32) -> RGBColor {
    const STOPS: [[f32; 3]; 5] = [
        [8.0, 6.0, 22.0],
        [60.0, 15.0, 110.0],
        [180.0, 50.0, 110.0],
        [250.0, 140.0, 50.0],
        [252.0, 250.0, 190.0],
    ];
    let place = level.clamp(0.0, 1.0) * (STOPS.len() - 1) as f32;
    let below = (place as usize).min(STOPS.len() - 2);
    let mix = |channel: usize| {
        let (low, high) = (STOPS[below][channel], STOPS[below + 1][channel]);
        (low + (high - low) * (place - below as f32)).round() as u8
    };
    RGBColor(mix(0), mix(1), mix(2))
}
