//! Four steering slots: a vector, and how strongly it pulls.

use egui::{ComboBox, RichText};

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
            strength::show(ui, &scene.setter, param, colour);
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
                scene.edit(|project| project.slots[slot] = Some(slot_of(vector)));
            }
        }
        if vectors.is_empty() {
            ui.label(
                RichText::new("This model brings no vectors.\nDrop a vector file here.").color(theme::QUIET),
            );
        }
    });
}

fn is(slot: &Slot, vector: &VectorChoice) -> bool {
    if slot.sha256.is_empty() { slot.name == vector.name } else { slot.sha256 == vector.sha256 }
}

fn slot_of(vector: &VectorChoice) -> Slot {
    Slot {
        name: vector.name.clone(),
        sha256: vector.sha256.clone(),
        file: vector.file.as_ref().map(|file| file.to_string_lossy().into_owned()),
    }
}
