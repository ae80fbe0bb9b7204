//! The menu of lessons: two folders, a name, Learn; how far it is, and what came of it.

use std::path::{Path, PathBuf};

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Button, Label, ProgressBar, RichText, TextEdit, Ui};

use super::browser::{Browser, Outcome, Wanted};
use super::scene::Scene;
use super::theme;
use crate::lessons::{Lesson, Request, School, Taught};

/// Width of the menu.
const WIDTH: f32 = 360.0;
/// Folders that were chosen before, of which the browser shows the last ones.
const REMEMBERED: usize = 4;

/// Which of the two folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Plus,
    Minus,
}

/// What is typed and chosen for the next lesson.
#[derive(Default)]
pub struct Learn {
    name: String,
    plus: String,
    minus: String,
    problem: Option<String>,
    browsing: Option<(Side, Browser)>,
    /// The latest first.
    recent: Vec<PathBuf>,
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
        if self.browse(ui) {
            return;
        }
        theme::caption(ui, "Name");
        field(ui, "what it steers to, such as Rhodes", WIDTH, &mut self.name);
        self.folder(ui, Side::Plus, "Folder with it", "choose it, or drop it here");
        self.folder(ui, Side::Minus, "Folder without it", "alike but for that");
        let missing = missing(&self.name, &self.plus, &self.minus);
        ui.horizontal(|ui| {
            let learn = ui.add_enabled(missing.is_none(), Button::new("Learn"));
            if learn.on_disabled_hover_text(missing.unwrap_or_default()).clicked() {
                let begun =
                    school.begin(self.request(scene), scene.project.settings.clone(), scene.on_lesson());
                self.problem = begun.err();
            }
            theme::caption(ui, missing.unwrap_or("Twenty recordings of 4 s or more in each are best."));
        });
        problem(ui, self.problem.as_deref());
    }

    /// The folder of a side: typed, dropped, or looked for.
    fn folder(&mut self, ui: &mut Ui, side: Side, name: &str, hint: &str) {
        const BUTTON: f32 = 76.0;
        theme::caption(ui, name);
        ui.horizontal(|ui| {
            field(ui, hint, WIDTH - BUTTON - theme::GAP, self.text(side));
            let browse = ui.add(Button::new("Browse").min_size(egui::vec2(BUTTON, theme::ROW)));
            if browse.on_hover_text("Choose a folder from a list").clicked() {
                self.browsing = Some((side, Browser::at(self.start(side).as_deref(), Wanted::Folder)));
            }
        });
    }

    /// Where to begin looking: the folder that is there, else beside that of the other side.
    fn start(&self, side: Side) -> Option<PathBuf> {
        let (own, other) = match side {
            Side::Plus => (&self.plus, &self.minus),
            Side::Minus => (&self.minus, &self.plus),
        };
        let given = |text: &str| Some(PathBuf::from(text.trim())).filter(|path| !path.as_os_str().is_empty());
        given(own).or(given(other)).and_then(|path| path.parent().map(Path::to_owned))
    }

    /// Shows the browser, if a folder is looked for.
    fn browse(&mut self, ui: &mut Ui) -> bool {
        let Some((side, browser)) = &mut self.browsing else { return false };
        let side = *side;
        theme::caption(ui, if side == Side::Plus { "Folder with it" } else { "Folder without it" });
        match browser.show(ui, &self.recent) {
            None => return true,
            Some(Outcome::Left) => {}
            Some(Outcome::Chosen(folder)) => {
                *self.text(side) = folder.to_string_lossy().into_owned();
                self.recent.retain(|other| *other != folder);
                self.recent.insert(0, folder);
                self.recent.truncate(REMEMBERED);
            }
        }
        self.browsing = None;
        ui.ctx().request_repaint();
        true
    }

    fn text(&mut self, side: Side) -> &mut String {
        match side {
            Side::Plus => &mut self.plus,
            Side::Minus => &mut self.minus,
        }
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

/// What a lesson still needs, if anything.
fn missing(name: &str, plus: &str, minus: &str) -> Option<&'static str> {
    let [name, plus, minus] = [name, plus, minus].map(str::trim);
    let is_same = !plus.is_empty() && Path::new(plus) == Path::new(minus);
    match (name.is_empty(), plus.is_empty(), minus.is_empty()) {
        (false, false, false) if is_same => Some("Choose two different folders."),
        (false, false, false) => None,
        (true, true, true) => Some("Choose two different folders and a name."),
        (true, ..) => Some("Give it a name."),
        (_, true, _) => Some("Choose the folder with it."),
        (_, _, true) => Some("Choose the folder without it."),
    }
}

fn field(ui: &mut Ui, hint: &str, width: f32, text: &mut String) {
    ui.add(
        TextEdit::singleline(text).hint_text(hint).desired_width(width).margin(egui::Margin::symmetric(8, 5)),
    );
}

fn problem(ui: &mut Ui, message: Option<&str>) {
    if let Some(message) = message {
        ui.add(Label::new(RichText::new(message).color(theme::ERROR)).wrap().selectable(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_until_a_lesson_can_begin() {
        assert_eq!(missing("", " ", ""), Some("Choose two different folders and a name."));
        assert_eq!(missing("", "/a", "/b"), Some("Give it a name."));
        assert_eq!(missing("Rhodes", "", "/b"), Some("Choose the folder with it."));
        assert_eq!(missing("Rhodes", "/a", " "), Some("Choose the folder without it."));
        assert_eq!(missing("Rhodes", "/a/", " /a"), Some("Choose two different folders."));
        assert_eq!(missing("Rhodes", "/a", "/b"), None);
    }

    #[test]
    fn looking_begins_beside_the_folder_that_is_there() {
        let learn =
            |plus: &str, minus: &str| Learn { plus: plus.into(), minus: minus.into(), ..Learn::default() };
        assert_eq!(learn("", "").start(Side::Plus), None);
        assert_eq!(learn("/loops/rhodes", "").start(Side::Minus), Some("/loops".into()));
        assert_eq!(learn("/loops/rhodes", "/other/piano").start(Side::Minus), Some("/other".into()));
    }
}
