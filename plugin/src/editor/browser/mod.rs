//! A small view to choose a folder in, or a recording.
//!
//! The system's own dialogs run on threads that outlive a plugin whose host unloads it, so the window has this one: places
//! above, the folders with their recordings below. Arrows go about, Enter and the right arrow go in, Backspace and the left
//! arrow go up, letters jump to a name, Esc leaves.

mod listing;
mod places;
mod walker;

use std::path::{Path, PathBuf};

use egui::{
    Align2, Button, Event, EventFilter, Key, Label, Modifiers, RichText, ScrollArea, Sense, Ui, vec2,
};

use self::listing::Counted;
pub use self::listing::Wanted;
use self::places::{Place, places, short};
use self::walker::{Walker, may_be};
use super::theme;

/// Height of the list.
const HEIGHT: f32 = 190.0;
/// Height of a folder in it.
const ROW: f32 = 22.0;

/// What came of looking.
pub enum Outcome {
    /// This folder or recording.
    Chosen(PathBuf),
    /// None.
    Left,
}

/// A look for a folder or a recording.
pub struct Browser {
    wanted: Wanted,
    walker: Walker,
    places: Vec<Place>,
    /// Where the list is scrolled to.
    offset: f32,
    /// Whether the selected folder is to be brought into sight.
    follow: bool,
    is_new: bool,
}

impl Browser {
    /// Begins in a folder, or in the user's music.
    pub fn at(start: Option<&Path>, wanted: Wanted) -> Self {
        let places = places();
        let usual = ["Music", "Home"].iter().find_map(|name| places.iter().find(|place| place.name == *name));
        let usual = usual.map_or_else(|| PathBuf::from("/"), |place| place.folder.clone());
        let walker = Walker::at(start.unwrap_or(&usual), wanted);
        Self { wanted, walker, places, offset: 0.0, follow: false, is_new: true }
    }

    /// Shows it; `recent` are folders that were chosen before.
    pub fn show(&mut self, ui: &mut Ui, recent: &[PathBuf]) -> Option<Outcome> {
        self.show_places(ui, recent);
        ui.horizontal(|ui| {
            let up = ui.add_enabled(self.walker.listing().folder.parent().is_some(), Button::new("Up"));
            if up.on_hover_text("The folder above (Backspace)").clicked() {
                self.walker.up();
                self.follow = true;
            }
            let path = short(&self.walker.listing().folder);
            ui.add(Label::new(&path).truncate()).on_hover_text(path);
        });
        let left = self.list(ui);
        if let Some(problem) = self.walker.problem() {
            ui.add(Label::new(RichText::new(problem).color(theme::ERROR)).wrap());
        }
        self.buttons(ui).or(left)
    }

    fn show_places(&mut self, ui: &mut Ui, recent: &[PathBuf]) {
        let mut to = None;
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().interact_size.y = 20.0;
            ui.spacing_mut().button_padding = vec2(7.0, 2.0);
            let mut button = |ui: &mut Ui, name: &str, folder: &Path| {
                let button = ui.add(Button::new(RichText::new(name).size(12.0)));
                if button.on_hover_text(short(folder)).clicked() {
                    to = Some(folder.to_owned());
                }
            };
            for place in &self.places {
                button(ui, &place.name, &place.folder);
            }
            for folder in recent {
                button(ui, &name(folder), folder);
            }
        });
        if let Some(folder) = to {
            self.walker.go(&folder);
            self.follow = true;
        }
    }

    /// The folders. Returns an outcome if the keyboard leaves.
    fn list(&mut self, ui: &mut Ui) -> Option<Outcome> {
        let id = ui.scope_id().with("folders");
        let count = self.walker.listing().children.len();
        ui.spacing_mut().item_spacing.y = 0.0;
        let mut area = ScrollArea::vertical().id_salt("folders").auto_shrink(false).max_height(HEIGHT);
        if std::mem::take(&mut self.follow) {
            let top = self.walker.selected().unwrap_or(0) as f32 * ROW;
            self.offset = self.offset.clamp((top + ROW - HEIGHT).max(0.0), top);
            area = area.vertical_scroll_offset(self.offset);
        }
        let ground = egui::Frame::new().fill(theme::FIELD).corner_radius(theme::ROUND);
        let mut clicked = None;
        let shown = ground.show(ui, |ui| {
            ui.set_min_height(HEIGHT);
            area.show_rows(ui, ROW, count, |ui, in_sight| {
                if count == 0 {
                    let none = match self.wanted {
                        Wanted::Folder => " No folders in here.",
                        Wanted::Recording => " No folders and no recordings in here.",
                    };
                    theme::caption(ui, none);
                }
                for at in in_sight.clone() {
                    clicked = clicked.take().or(self.row(ui, at));
                }
                in_sight
            })
        });
        ui.spacing_mut().item_spacing.y = theme::GAP;
        let area = shown.inner;
        self.offset = area.state.clamped_offset().y;
        if self.walker.count_one(area.inner) {
            ui.ctx().request_repaint();
        }
        let list = ui.interact(shown.response.rect, id, Sense::FOCUSABLE);
        if std::mem::take(&mut self.is_new) || clicked.is_some() {
            list.request_focus();
        }
        match clicked {
            Some((at, true)) => {
                self.walker.select(at);
                if let Some(recording) = self.enter() {
                    return Some(Outcome::Chosen(recording));
                }
            }
            Some((at, false)) => self.walker.select(at),
            None => {}
        }
        if !list.has_focus() {
            return None;
        }
        let line = egui::Stroke::new(1.0, theme::ACCENT.gamma_multiply(0.6));
        ui.painter().rect_stroke(list.rect, theme::ROUND, line, egui::StrokeKind::Inside);
        self.keys(ui, id)
    }

    /// One folder; returns its place if it was clicked, and whether twice.
    fn row(&self, ui: &mut Ui, at: usize) -> Option<(usize, bool)> {
        let child = &self.walker.listing().children[at];
        // Tab goes to the list, not to each of its rows.
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::CLICK);
        let painter = ui.painter_at(rect);
        if self.walker.selected() == Some(at) {
            painter.rect_filled(rect, theme::ROUND, theme::ACCENT.gamma_multiply(0.35));
        } else if response.hovered() {
            painter.rect_filled(rect, theme::ROUND, theme::CONTROL);
        }
        let count = match child.counted {
            Counted::NotYet | Counted::Recording => String::new(),
            Counted::As(count) if count.recordings == 0 && count.is_whole => String::new(),
            Counted::As(count) => count.to_string(),
            Counted::Unreadable => "cannot be read".to_owned(),
        };
        let font = egui::FontId::proportional(12.0);
        let right = rect.right_center() - vec2(8.0, 0.0);
        let taken = painter.text(right, Align2::RIGHT_CENTER, count, font, theme::QUIET);
        let left = rect.left_center() + vec2(8.0, 0.0);
        let room = egui::Rect::from_min_max(rect.min, egui::pos2(taken.left() - 8.0, rect.max.y));
        let font = egui::FontId::proportional(14.0);
        painter.with_clip_rect(room).text(left, Align2::LEFT_CENTER, &child.name, font, theme::TEXT);
        response.clicked().then(|| (at, response.double_clicked()))
    }

    fn enter(&mut self) -> Option<PathBuf> {
        self.follow = true;
        self.walker.enter()
    }

    fn keys(&mut self, ui: &Ui, id: egui::Id) -> Option<Outcome> {
        let all = EventFilter {
            horizontal_arrows: true,
            vertical_arrows: true,
            escape: true,
            ..EventFilter::default()
        };
        ui.ctx().memory_mut(|memory| memory.set_focus_lock_filter(id, all));
        let (mut pressed, mut typed) = (Vec::new(), Vec::new());
        ui.ctx().input_mut(|input| {
            let known = [
                Key::ArrowUp,
                Key::ArrowDown,
                Key::ArrowLeft,
                Key::ArrowRight,
                Key::Enter,
                Key::Backspace,
                Key::Escape,
            ];
            pressed.extend(known.into_iter().filter(|key| input.consume_key(Modifiers::NONE, *key)));
            typed.extend(input.events.iter().filter_map(|event| match event {
                Event::Text(text) => Some(text.clone()),
                _ => None,
            }));
        });
        self.follow |= !pressed.is_empty() || !typed.is_empty();
        typed.iter().for_each(|text| self.walker.jump(text));
        for key in pressed {
            match key {
                Key::ArrowUp => self.walker.step(-1),
                Key::ArrowDown => self.walker.step(1),
                Key::ArrowLeft | Key::Backspace => self.walker.up(),
                Key::Escape => return Some(Outcome::Left),
                _ => {
                    if let Some(recording) = self.walker.enter() {
                        return Some(Outcome::Chosen(recording));
                    }
                }
            }
        }
        None
    }

    fn buttons(&self, ui: &mut Ui) -> Option<Outcome> {
        let (folder, counted) = self.walker.chosen();
        let mut outcome = None;
        ui.horizontal(|ui| {
            let text = format!("Choose \u{201c}{}\u{201d}", name(&folder));
            let button = Button::new(text).truncate();
            let can = may_be(self.wanted, counted);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if ui.button("Back").on_hover_text("Esc").clicked() {
                    outcome = Some(Outcome::Left);
                }
                ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                    let button = ui.add_enabled(can, button);
                    let why = match self.wanted {
                        Wanted::Folder => "No recordings lie in it; choose a folder that has some itself",
                        Wanted::Recording => "Choose a recording in the list",
                    };
                    if button.on_disabled_hover_text(why).clicked() {
                        outcome = Some(Outcome::Chosen(folder));
                    }
                    if let Counted::As(count) = counted {
                        theme::caption(ui, &count.to_string());
                    }
                });
            });
        });
        outcome
    }
}

/// What a folder is called.
fn name(folder: &Path) -> String {
    folder.file_name().map_or_else(|| short(folder), |name| name.to_string_lossy().into_owned())
}
