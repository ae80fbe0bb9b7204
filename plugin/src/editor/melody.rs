//! The melody that the next take follows: which, and where to find one. Shown where the model hears melodies.

use std::path::Path;

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Button, PopupCloseBehavior, RichText, Ui};

use super::browser::{Browser, Outcome, Wanted};
use super::listen::Listen;
use super::scene::Scene;
use super::theme;
use crate::listening::Listened;
use crate::state::{Melody, Source};

/// Width of the menu.
const WIDTH: f32 = 360.0;
/// Longest name shown, letters.
const LETTERS: usize = 22;

/// The look for a recording, while there is one.
#[derive(Default)]
pub struct Tune {
    browser: Option<Browser>,
    listen: Listen,
}

impl Tune {
    pub fn show(&mut self, ui: &mut Ui, scene: &Scene) {
        let melody = scene.project.melody.as_deref();
        let hears = scene.model().is_some_and(|model| model.hears_melodies);
        let listened = scene.instance.listening.stands();
        if !hears && melody.is_none() && !matches!(listened, Listened::Underway(_)) {
            return;
        }
        if matches!(listened, Listened::Underway(_)) {
            // Its seconds run, also while the menu is closed.
            ui.ctx().request_repaint_after(super::PLAYHEAD);
        }
        let text = match melody {
            _ if let Listened::Underway(seconds) = listened => {
                RichText::new(format!("\u{266a} listening, {seconds:.1} s")).color(theme::ACCENT)
            }
            Some(melody) => RichText::new(format!("\u{266a} {}", short(&melody.name))).color(theme::ACCENT),
            None => RichText::new("+ melody"),
        };
        let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
        let (button, shown) = MenuButton::new(text.size(12.0)).config(config).ui(ui, |ui| {
            ui.set_width(WIDTH);
            self.choose(ui, scene, melody, &listened);
        });
        if shown.is_none() {
            self.browser = None;
        }
        button.on_hover_text(match melody {
            Some(_) if !hears => "This model hears no melodies: leave it out, or choose a model that does.",
            Some(_) => "The next takes follow this melody.",
            None => "A tune for the next takes to follow.",
        });
    }

    fn choose(&mut self, ui: &mut Ui, scene: &Scene, melody: Option<&Melody>, listened: &Listened) {
        let text = "Follow the tune of a recording, best without drums and bass. Or that of a take: its menu has \u{201c}Follow \
                    its melody\u{201d}.";
        theme::caption(ui, text);
        self.listen.show(ui, scene, listened);
        if matches!(listened, Listened::Underway(_)) {
            return;
        }
        if melody.is_some() && ui.add(Button::new("Follow no melody")).clicked() {
            scene.edit(|project| project.melody = None);
            ui.close();
            return;
        }
        let start = || match melody.and_then(|melody| melody.source.as_ref()) {
            Some(Source::File(file)) => file.parent().map(Path::to_owned),
            _ => None,
        };
        let browser = self.browser.get_or_insert_with(|| Browser::at(start().as_deref(), Wanted::Recording));
        match browser.show(ui, &[]) {
            None => return,
            Some(Outcome::Left) => {}
            Some(Outcome::Chosen(file)) => scene.follow_melody(Melody::of_file(file)),
        }
        self.browser = None;
        ui.close();
    }
}

fn short(name: &str) -> String {
    if name.chars().count() <= LETTERS {
        return name.to_owned();
    }
    name.chars().take(LETTERS - 1).chain(['\u{2026}']).collect()
}
