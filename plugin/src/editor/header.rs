//! The name, the model in use and where it runs, lessons, presets, settings, the data folder.

use std::sync::Weak;

use egui::{Align, Layout, RichText};
use tiller_models::bundle::discovery;

use super::learn::Learn;
use super::presets::Presets;
use super::scene::Scene;
use super::{settings, theme};
use crate::lessons::School;

pub fn show(
    ui: &mut egui::Ui,
    scene: &Scene,
    presets: &mut Presets,
    learn: &mut Learn,
    school: &Weak<School>,
) {
    ui.horizontal(|ui| {
        mark(ui);
        ui.label(RichText::new("Tiller").heading().strong().color(theme::TEXT));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let folder =
                ui.button("Data folder").on_hover_text("Opens the folder with your models and vectors");
            if folder.clicked() {
                open_data_folder();
            }
            settings::show(ui, scene);
            presets.show(ui, scene);
            if let Some(school) = school.upgrade() {
                learn.show(ui, scene, &school);
            }
            ui.add_space(theme::GAP);
            let (text, colour) = match &scene.view.model {
                Some(Ok(model)) => (format!("{}  \u{b7}  {}", model.name, model.runs_on), theme::QUIET),
                Some(Err(_)) => ("no model".to_owned(), theme::ERROR),
                None => ("looking for the model \u{2026}".to_owned(), theme::QUIET),
            };
            let label = ui.label(RichText::new(text).color(colour));
            if let Some(model) = scene.model() {
                label.on_hover_text(model.folder.display().to_string());
            }
        });
    });
}

/// Three curves that a tiller steers.
fn mark(ui: &mut egui::Ui) {
    let (rect, _) = ui.allocate_exact_size(egui::vec2(26.0, 22.0), egui::Sense::hover());
    for (line, colour) in [theme::SLOT[0], theme::ACCENT, theme::SLOT[1]].into_iter().enumerate() {
        let points = (0..=24).map(|step| {
            let part = step as f32 / 24.0;
            let swing = (part * std::f32::consts::TAU * 0.75 + line as f32 * 0.7).sin() * part;
            egui::pos2(
                rect.left() + part * rect.width(),
                rect.center().y + (line as f32 - 1.0) * 5.0 * (1.0 - part) + swing * 7.0,
            )
        });
        ui.painter().line(points.collect(), egui::Stroke::new(2.0, colour));
    }
}

fn open_data_folder() {
    let Some(folder) = discovery::data_folder() else { return };
    let opened = std::fs::create_dir_all(folder.join("vectors")).and_then(|()| open::that_detached(&folder));
    if let Err(error) = opened {
        tracing::warn!("{} does not open: {error}", folder.display());
    }
}
