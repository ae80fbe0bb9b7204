//! What to play, and what not; what the song adds to it.

use egui::{Align, ComboBox, Label, Layout, RichText, TextEdit};

use super::melody::Tune;
use super::scene::Scene;
use super::theme;
use crate::renderer::additions;
use crate::state::Key;

/// Height of the line over the prompt.
const HEAD: f32 = 20.0;

/// Text as it is typed. The project gets every change; the text follows the project when that changed elsewhere.
#[derive(Default)]
pub struct Prompt {
    wanted: String,
    unwanted: String,
}

impl Prompt {
    pub fn show(&mut self, ui: &mut egui::Ui, scene: &Scene, tune: &mut Tune) {
        self.wanted.clone_from(&scene.project.prompt);
        self.unwanted.clone_from(&scene.project.negative);
        head(ui, scene, tune);
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

/// The caption, what the song adds to the prompt, and its key.
fn head(ui: &mut egui::Ui, scene: &Scene, tune: &mut Tune) {
    let settings = &scene.project.settings;
    ui.allocate_ui_with_layout(
        egui::vec2(ui.available_width(), HEAD),
        Layout::left_to_right(Align::Center),
        |ui| {
            ui.spacing_mut().interact_size.y = HEAD;
            ui.spacing_mut().button_padding.y = 1.0;
            theme::caption(ui, "Prompt");
            tune.show(ui, scene);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if settings.describe_song {
                    key(ui, scene);
                }
                let added = additions(&scene.project.prompt, settings, &scene.clock.host);
                if !added.is_empty() {
                    let text = RichText::new(format!("+ {added}")).small().color(theme::QUIET);
                    ui.add(Label::new(text).truncate()).on_hover_text(
                        "The song adds this to the prompt. It can be switched off in the settings.",
                    );
                }
            });
        },
    );
}

fn key(ui: &mut egui::Ui, scene: &Scene) {
    let mut key = scene.project.settings.key;
    let name = |key: Option<Key>| key.map_or_else(|| "any key".to_owned(), |key| key.to_string());
    let text = RichText::new(name(key)).small();
    let keys = ComboBox::from_id_salt("key").width(96.0).selected_text(text).show_ui(ui, |ui| {
        for option in std::iter::once(None).chain(Key::all().map(Some)) {
            ui.selectable_value(&mut key, option, name(option));
        }
    });
    keys.response.on_hover_text("The song's key, which is added to the prompt");
    if key != scene.project.settings.key {
        scene.edit(|project| project.settings.key = key);
    }
}
