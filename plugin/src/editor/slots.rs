//! Four steering slots: a vector, and how strongly it pulls.

use egui::{ComboBox, RichText};
use tiller_models::steering::Rule;

use super::scene::Scene;
use super::{strength, theme};
use crate::renderer::VectorChoice;
use crate::state::Slot;

pub fn show(ui: &mut egui::Ui, scene: &Scene) {
    theme::caption(ui, "Steering");
    for (slot, param) in scene.params.slots().into_iter().enumerate() {
        ui.horizontal(|ui| {
            let (dot, name) = ui.allocate_exact_size(egui::vec2(10.0, theme::ROW), egui::Sense::hover());
            name.on_hover_text(format!("\u{201c}Steer {}\u{201d} in your host's automation", slot + 1));
            let chosen = scene.project.slots[slot].is_some();
            let colour = if chosen { theme::SLOT[slot] } else { theme::LINE };
            ui.painter().circle_filled(dot.center(), 4.5, colour);
            chooser(ui, scene, slot);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                letting_go(ui, scene, slot);
                strength::show(ui, &scene.setter, param, colour);
            });
        });
    }
}

fn chooser(ui: &mut egui::Ui, scene: &Scene, slot: usize) {
    let current = &scene.project.slots[slot];
    let text = match current {
        Some(slot) => RichText::new(&slot.name),
        None => RichText::new("empty").color(theme::QUIET),
    };
    let vectors = scene.model().map_or(&[][..], |model| &model.vectors);
    ComboBox::from_id_salt(("vector", slot)).selected_text(text).width(140.0).show_ui(ui, |ui| {
        if ui.selectable_label(current.is_none(), RichText::new("empty").color(theme::QUIET)).clicked() {
            scene.edit(|project| project.slots[slot] = None);
        }
        for vector in vectors {
            let is_current = current.as_ref().is_some_and(|slot| is(slot, vector));
            let label = ui.selectable_label(is_current, &vector.name);
            let label = match &vector.warning {
                Some(warning) => label.on_hover_text(warning),
                None => label,
            };
            if label.clicked() {
                let monitor = current.as_ref().and_then(|slot| slot.monitor).filter(|_| vector.readable);
                scene.edit(|project| project.slots[slot] = Some(Slot { monitor, ..slot_of(vector) }));
            }
        }
        if vectors.is_empty() {
            ui.label(
                RichText::new("This model brings no vectors.\nDrop a vector file here.").color(theme::QUIET),
            );
        }
    });
}

/// Whether the slot lets go where its concept is there already.
fn letting_go(ui: &mut egui::Ui, scene: &Scene, slot: usize) {
    let current = scene.project.slots[slot].as_ref();
    let monitor = current.and_then(|slot| slot.monitor);
    let vectors = scene.model().map_or(&[][..], |model| &model.vectors);
    let known = current.and_then(|slot| vectors.iter().find(|vector| is(slot, vector)));
    let refusal = match (current, known) {
        (None, _) => Some("Choose a vector first"),
        (_, Some(vector)) if !vector.readable => Some(
            "This vector's file does not say how its concept is read; those that Learn makes or that come with the model do",
        ),
        _ => None,
    };
    // What is set and cannot be can be switched off.
    ui.add_enabled_ui(refusal.is_none() || monitor.is_some(), |ui| {
        let chooser = ComboBox::from_id_salt(("monitor", slot)).selected_text(name(monitor)).width(76.0);
        let response = chooser.show_ui(ui, |ui| {
            for (rule, what) in [
                (None, "Pulls all the time"),
                (Some(Rule::Fade), "Lets go the more of the concept is there, and pulls again when it fades"),
                (Some(Rule::Smitin), "Lets go of it altogether while it is there: on or off"),
            ] {
                let can = rule.is_none() || refusal.is_none();
                let label = ui.add_enabled(can, egui::Button::selectable(monitor == rule, name(rule)));
                if label.on_hover_text(what).clicked() {
                    scene.edit(|project| {
                        if let Some(slot) = &mut project.slots[slot] {
                            slot.monitor = rule;
                        }
                    });
                }
            }
        });
        let what = "Whether it lets go when its concept is there; for the next take";
        response.response.on_hover_text(what).on_disabled_hover_text(refusal.unwrap_or(what));
    });
}

fn name(monitor: Option<Rule>) -> &'static str {
    match monitor {
        None => "always",
        Some(Rule::Fade) => "fades",
        Some(Rule::Smitin) => "lets go",
    }
}

fn is(slot: &Slot, vector: &VectorChoice) -> bool {
    if slot.sha256.is_empty() { slot.name == vector.name } else { slot.sha256 == vector.sha256 }
}

fn slot_of(vector: &VectorChoice) -> Slot {
    Slot {
        name: vector.name.clone(),
        sha256: vector.sha256.clone(),
        file: vector.file.as_ref().map(|file| file.to_string_lossy().into_owned()),
        monitor: None,
    }
}
