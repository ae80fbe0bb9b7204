//! The button, and how far things are.

use egui::{Button, Label, RichText, vec2};

use super::scene::Scene;
use super::theme;

pub fn show(ui: &mut egui::Ui, scene: &Scene) {
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        let text = RichText::new("Generate").size(15.0).strong().color(theme::ON_ACCENT);
        let button = Button::new(text).fill(theme::ACCENT).min_size(vec2(132.0, 36.0));
        if ui.add(button).on_hover_text("Ctrl+Enter").clicked() {
            scene.generate();
        }
        if scene.view.busy() {
            let cancel = ui.add(Button::new("Cancel").min_size(vec2(84.0, 36.0))).on_hover_text("Esc");
            if cancel.clicked() {
                scene.cancel();
            }
            progress(ui, scene);
        } else if let Some(text) = hint(scene) {
            ui.add(Label::new(RichText::new(text).color(theme::QUIET)).wrap());
        }
    });
}

fn progress(ui: &mut egui::Ui, scene: &Scene) {
    let Some((stage, left)) = scene.view.working() else {
        let text = if scene.clock.sample_rate == 0 {
            "waiting for the host to start its audio"
        } else {
            "waiting for other instances"
        };
        ui.label(RichText::new(text).color(theme::QUIET));
        return;
    };
    let size = vec2(ui.available_width(), 36.0);
    let (rect, _) = ui.allocate_exact_size(size, egui::Sense::hover());
    let painter = ui.painter();
    painter.rect_filled(rect, theme::ROUND, theme::FIELD);
    match stage.part() {
        Some(part) => {
            let done = egui::Rect::from_min_size(rect.min, vec2(rect.width() * part, rect.height()));
            painter.rect_filled(done, theme::ROUND, theme::ACCENT.gamma_multiply(0.35));
        }
        None => ui.ctx().request_repaint_after(super::PLAYHEAD),
    }
    let font = egui::TextStyle::Body.resolve(ui.style());
    let at = egui::pos2(rect.left() + 12.0, rect.center().y);
    let mut text = capitalised(&stage.to_string());
    if let Some(seconds) = left {
        text.push_str(&format!(", about {} left", length(seconds)));
    }
    painter.text(at, egui::Align2::LEFT_CENTER, text, font, theme::TEXT);
}

/// A time as people say it.
fn length(seconds: u32) -> String {
    if seconds < 100 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn hint(scene: &Scene) -> Option<&'static str> {
    if scene.project.takes.is_empty() {
        Some(
            "Describe some music, then press Generate. Automate a slot and play the song once to draw its curve.",
        )
    } else {
        None
    }
}
