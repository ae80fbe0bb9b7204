//! What to play, and what not.

use egui::TextEdit;

use super::scene::Scene;
use super::theme;

/// Text as it is typed. The project gets every change; the text follows the project when that changed elsewhere.
#[derive(Default)]
pub struct Prompt {
    wanted: String,
    unwanted: String,
}

impl Prompt {
    pub fn show(&mut self, ui: &mut egui::Ui, scene: &Scene) {
        self.wanted.clone_from(&scene.project.prompt);
        self.unwanted.clone_from(&scene.project.negative);
        theme::caption(ui, "Prompt");
        let remark = scene.model().and_then(|model| model.words.as_ref()?.remark(&self.wanted));
        let rows = TextEdit::multiline(&mut self.wanted)
            .id_salt("prompt")
            .hint_text("a slow cello over a soft electronic beat")
            .desired_width(f32::INFINITY)
            .desired_rows(4)
            .margin(egui::Margin::same(8));
        let height = ui.available_height() - if remark.is_some() { 76.0 } else { 58.0 };
        let wanted = egui::ScrollArea::vertical()
            .id_salt("prompt scroll")
            .max_height(height)
            .min_scrolled_height(height)
            .show(ui, |ui| ui.add_sized([ui.available_width(), height - 2.0], rows))
            .inner;
        if wanted.changed() {
            scene.edit(|project| project.prompt.clone_from(&self.wanted));
        }
        if let Some(remark) = remark {
            ui.add(egui::Label::new(egui::RichText::new(&remark).small().color(theme::ACCENT)).truncate())
                .on_hover_text(&remark);
        }
        theme::caption(ui, "Keep away from");
        let unwanted = TextEdit::singleline(&mut self.unwanted)
            .id_salt("negative")
            .hint_text("nothing in particular")
            .desired_width(f32::INFINITY)
            .margin(egui::Margin::symmetric(8, 5));
        if ui.add(unwanted).changed() {
            scene.edit(|project| project.negative.clone_from(&self.unwanted));
        }
    }
}
