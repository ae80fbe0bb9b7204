//! The menu of lessons: two folders, a name, Learn; how far it is, and what came of it.

use std::path::{Path, PathBuf};

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Button, Label, ProgressBar, RichText, TextEdit, Ui};

use super::scene::Scene;
use super::theme;
use crate::lessons::{Lesson, Request, School, Taught};

/// Width of the menu.
const WIDTH: f32 = 360.0;

/// What is typed for the next lesson.
#[derive(Default)]
pub struct Learn {
    name: String,
    plus: String,
    minus: String,
    problem: Option<String>,
}

impl Learn {
    /// A folder dropped onto the window: the one with the concept first.
    pub fn drop_folder(&mut self, folder: &Path) {
        let field = if self.plus.trim().is_empty() { &mut self.plus } else { &mut self.minus };
        *field = folder.to_string_lossy().into_owned();
    }

    pub fn show(&mut self, ui: &mut Ui, scene: &Scene, school: &School) {
        let lesson = school.lesson();
        let text = match &lesson {
            Lesson::Underway { .. } => RichText::new("Learning \u{2026}").color(theme::ACCENT),
            _ => RichText::new("Learn"),
        };
        let config = MenuConfig::new().close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside);
        let (button, _) = MenuButton::new(text).config(config).ui(ui, |ui| {
            ui.set_width(WIDTH);
            match lesson {
                Lesson::Underway { name, progress } => {
                    ui.label(format!("Learning \u{201c}{name}\u{201d}"));
                    let (part, text) = progress.map_or((0.0, "loading the model".to_owned()), |progress| {
                        let part = progress.done as f32 / progress.total.max(1) as f32;
                        (part, progress.stage.to_string())
                    });
                    ui.add(ProgressBar::new(part).text(text));
                    let cancel = ui.button("Cancel");
                    if cancel
                        .on_hover_text("What is done is kept: begin it again, and it goes on there.")
                        .clicked()
                    {
                        school.cancel();
                    }
                }
                Lesson::Over(outcome) => self.over(ui, school, &outcome),
                Lesson::None => self.ask(ui, scene, school),
            }
        });
        button.on_hover_text("Makes a new steering vector from two folders of recordings.");
    }

    fn ask(&mut self, ui: &mut Ui, scene: &Scene, school: &School) {
        field(ui, "Name", "what it steers to, such as Rhodes", &mut self.name);
        field(ui, "Folder with it", "type a path, or drop the folder here", &mut self.plus);
        field(ui, "Folder without it", "alike but for that", &mut self.minus);
        ui.horizontal(|ui| {
            let given = [&self.name, &self.plus, &self.minus].iter().all(|text| !text.trim().is_empty());
            if ui.add_enabled(given, Button::new("Learn")).clicked() {
                let begun =
                    school.begin(self.request(scene), scene.project.settings.clone(), scene.on_lesson());
                self.problem = begun.err();
            }
            theme::caption(ui, "Twenty recordings of 4 s or more in each are best.");
        });
        problem(ui, self.problem.as_deref());
    }

    fn request(&self, scene: &Scene) -> Request {
        let name = self.name.trim().to_owned();
        // A prompt that names the concept would hide what the vector does.
        let prompt = scene.project.prompt.trim();
        let names_it = prompt.to_lowercase().contains(&name.to_lowercase());
        let folder = |text: &str| PathBuf::from(text.trim());
        Request {
            plus: folder(&self.plus),
            minus: folder(&self.minus),
            prompt: if names_it { String::new() } else { prompt.to_owned() },
            name,
        }
    }

    fn over(&mut self, ui: &mut Ui, school: &School, outcome: &Result<Taught, String>) {
        match outcome {
            Ok(taught) => {
                let colour = if taught.works { theme::TEXT } else { theme::ACCENT };
                ui.add(Label::new(RichText::new(&taught.verdict).color(colour)).wrap());
                for doubt in &taught.doubts {
                    ui.add(Label::new(RichText::new(doubt).color(theme::QUIET)).wrap());
                }
                if taught.skipped > 0 {
                    theme::caption(
                        ui,
                        &format!("{} files were skipped; the report lists them.", taught.skipped),
                    );
                }
                theme::caption(ui, &format!("\u{201c}{}\u{201d} can be chosen in every slot.", taught.name));
            }
            Err(message) => problem(ui, Some(message)),
        }
        ui.horizontal(|ui| {
            if let Ok(taught) = outcome
                && ui.button("Show report").clicked()
            {
                let opened = open::that_detached(&taught.page);
                self.problem =
                    opened.err().map(|error| format!("{} does not open: {error}.", taught.page.display()));
            }
            if ui.button("Done").clicked() {
                school.dismiss();
                self.problem = None;
            }
        });
        problem(ui, self.problem.as_deref());
    }
}

fn field(ui: &mut Ui, name: &str, hint: &str, text: &mut String) {
    theme::caption(ui, name);
    ui.add(
        TextEdit::singleline(text).hint_text(hint).desired_width(WIDTH).margin(egui::Margin::symmetric(8, 5)),
    );
}

fn problem(ui: &mut Ui, message: Option<&str>) {
    if let Some(message) = message {
        ui.add(Label::new(RichText::new(message).color(theme::ERROR)).wrap().selectable(true));
    }
}
