//! The takes, each in its row: what it is on the left, where it sounds on the right.

use std::sync::Arc;

use egui::{Label, RichText, ScrollArea, vec2};

use super::scene::Scene;
use super::{song, theme};
use crate::renderer::{Status, TakeView};
use crate::state::Take;

/// Height of a row.
const HEIGHT: f32 = 52.0;
/// Width of its left part.
const LEFT: f32 = 250.0;

/// What a row's buttons ask for.
enum Wish {
    Mute,
    Remove,
    Gain(f32),
}

pub fn show(ui: &mut egui::Ui, scene: &Scene) {
    let ruler = song::Ruler::of(scene);
    ui.horizontal(|ui| {
        ui.allocate_ui(vec2(LEFT, 20.0), |ui| {
            ui.set_min_width(LEFT);
            theme::caption(ui, "Takes");
        });
        ruler.show(ui);
    });
    if scene.project.takes.is_empty() {
        ui.set_min_height(ui.available_height());
        ui.centered_and_justified(|ui| {
            ui.label(RichText::new("Takes appear here, where they sound in the song.").color(theme::QUIET));
        });
        return;
    }
    let mut wish = None;
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        // The newest on top.
        for (index, take) in scene.project.takes.iter().enumerate().rev() {
            let view = scene.view.takes.get(index);
            ui.horizontal(|ui| {
                ui.allocate_ui(vec2(LEFT, HEIGHT), |ui| {
                    ui.set_min_size(vec2(LEFT, HEIGHT));
                    if let Some(wanted) = about(ui, take, view) {
                        wish = Some((index, wanted));
                    }
                });
                song::clip(ui, &ruler, take, view, HEIGHT);
            });
        }
    });
    if let Some((index, wish)) = wish {
        scene.edit(|project| match (wish, project.takes.get_mut(index)) {
            (_, None) => {}
            (Wish::Remove, Some(_)) => drop(project.takes.remove(index)),
            (Wish::Mute, Some(take)) => {
                let take = Arc::make_mut(take);
                take.muted = !take.muted;
            }
            (Wish::Gain(gain), Some(take)) => Arc::make_mut(take).gain = gain,
        });
    }
}

fn about(ui: &mut egui::Ui, take: &Take, view: Option<&TakeView>) -> Option<Wish> {
    let mut wish = None;
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        let prompt =
            if take.recipe.prompt.trim().is_empty() { "no prompt" } else { take.recipe.prompt.trim() };
        let colour = if take.muted { theme::QUIET } else { theme::TEXT };
        ui.add(Label::new(RichText::new(prompt).color(colour)).truncate()).on_hover_text(prompt);
        ui.horizontal(|ui| {
            ui.spacing_mut().interact_size.y = 20.0;
            ui.spacing_mut().button_padding = vec2(7.0, 2.0);
            let (fill, text) =
                if take.muted { (theme::ACCENT, theme::ON_ACCENT) } else { (theme::CONTROL, theme::TEXT) };
            let mute = egui::Button::new(RichText::new("M").size(12.0).color(text)).fill(fill);
            if ui.add(mute).on_hover_text("Mute").clicked() {
                wish = Some(Wish::Mute);
            }
            if ui.add(egui::Button::new(RichText::new("\u{d7}").size(13.0))).on_hover_text("Remove").clicked()
            {
                wish = Some(Wish::Remove);
            }
            let mut decibels = 20.0 * take.gain.max(1e-3).log10();
            let gain = egui::DragValue::new(&mut decibels)
                .range(-40.0..=12.0)
                .speed(0.1)
                .suffix(" dB")
                .max_decimals(1);
            if ui.add(gain).changed() {
                wish = Some(Wish::Gain(10_f32.powf(decibels / 20.0)));
            }
            let (text, colour) = match view.map(|view| &view.status) {
                Some(Status::Working(stage)) => (stage.to_string(), theme::ACCENT),
                Some(Status::Failed(_)) => ("failed".into(), theme::ERROR),
                Some(Status::Ready) => (format!("seed {}", take.recipe.seed), theme::QUIET),
                Some(Status::Waiting) | None => ("waiting".into(), theme::QUIET),
            };
            ui.add(Label::new(RichText::new(text).color(colour).size(12.0)).truncate());
        });
    });
    wish
}
