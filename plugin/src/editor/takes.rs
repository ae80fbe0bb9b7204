//! The takes, each in its row: what it is on the left, where it sounds on the right.

use std::sync::Arc;

use egui::{Align, Label, Layout, RichText, ScrollArea, vec2};

use super::drag::Dragged;
use super::ruler::Ruler;
use super::scene::Scene;
use super::{fit, song, theme};
use crate::MAX_TAKE_SECONDS;
use crate::renderer::{Status, TakeView};
use crate::state::{Anchor, Fades, Fit, Melody, Place, Take};
use crate::timeline::{Snap, behind, moved};

/// Height of a row.
const HEIGHT: f32 = 52.0;
/// Width of its left part.
const LEFT: f32 = 250.0;

/// What a frozen take is.
const FREEZE: &str = "Frozen: the take never changes. Otherwise it follows automation that passes over it.";

/// Removed takes that can be put back; the oldest is forgotten first.
const REMEMBERED: usize = 32;

/// What is wanted of a take.
enum Wish {
    Mute,
    Gain(f32),
    Dragged(Dragged),
    Anchor(Anchor),
    NoFades,
    Fit(Option<Fit>),
    Duplicate,
    Freeze,
    Undo,
    Redo,
    MakeAgain,
    /// Behind so many frames.
    Continue(usize),
    FollowMelody,
    Remove,
}

/// The list, and what was removed from it.
#[derive(Default)]
pub struct Takes {
    removed: Vec<(usize, Arc<Take>)>,
}

impl Takes {
    pub fn show(&mut self, ui: &mut egui::Ui, scene: &Scene) {
        let ruler = Ruler::of(scene);
        ui.horizontal(|ui| {
            ui.allocate_ui_with_layout(vec2(LEFT, theme::ROW), Layout::left_to_right(Align::Center), |ui| {
                ui.set_min_width(LEFT);
                self.head(ui, scene);
            });
            ruler.show(ui);
        });
        if scene.project.takes.is_empty() {
            ui.set_min_height(ui.available_height());
            ui.centered_and_justified(|ui| {
                let text = "Takes appear here, where they sound in the song.";
                ui.label(RichText::new(text).color(theme::QUIET));
            });
            return;
        }
        let mut wish = None;
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            // The newest on top.
            for (index, take) in scene.project.takes.iter().enumerate().rev() {
                let wanted = row(ui, scene, &ruler, index, take);
                wish = wish.take().or(wanted.map(|wanted| (index, wanted)));
            }
        });
        if let Some((index, wish)) = wish {
            self.grant(scene, &ruler, index, wish);
        }
    }

    /// Puts the take that was removed last back to where it was.
    pub fn put_back(&mut self, scene: &Scene) {
        if let Some((index, take)) = self.removed.pop() {
            scene.edit(|project| {
                let index = index.min(project.takes.len());
                project.takes.insert(index, take);
            });
        }
    }

    fn head(&mut self, ui: &mut egui::Ui, scene: &Scene) {
        theme::caption(ui, "Takes");
        ui.add_space(theme::GAP);
        let mut snap = scene.project.settings.snap;
        let names = [(Snap::Bar, "bars"), (Snap::Beat, "beats"), (Snap::Off, "nothing")];
        let name = names.iter().find(|(option, _)| *option == snap).map_or("", |(_, name)| name);
        ui.spacing_mut().interact_size.y = 20.0;
        let text = RichText::new(format!("snap to {name}")).size(12.0);
        let snaps = egui::ComboBox::from_id_salt("snap").width(108.0).selected_text(text).show_ui(ui, |ui| {
            for (option, name) in names {
                ui.selectable_value(&mut snap, option, name);
            }
        });
        snaps.response.on_hover_text("Takes are dragged to these. Hold Alt to place one freely.");
        if snap != scene.project.settings.snap {
            scene.edit(|project| project.settings.snap = snap);
        }
        if !self.removed.is_empty() {
            let undo = ui.add(egui::Button::new(RichText::new("Put back").size(12.0)));
            if undo.on_hover_text("Puts the removed take back (Ctrl+Z)").clicked() {
                self.put_back(scene);
            }
        }
    }

    fn grant(&mut self, scene: &Scene, ruler: &Ruler, index: usize, wish: Wish) {
        if matches!(wish, Wish::Remove)
            && let Some(take) = scene.project.takes.get(index)
        {
            self.removed.push((index, take.clone()));
            if self.removed.len() > REMEMBERED {
                self.removed.remove(0);
            }
        }
        if let (Wish::MakeAgain, Some(take)) = (&wish, scene.project.takes.get(index)) {
            scene.make_again(take);
            return;
        }
        if let (Wish::Continue(frame), Some(take)) = (&wish, scene.project.takes.get(index)) {
            scene.continue_take(take, *frame);
            return;
        }
        scene.edit(|project| {
            let Some(take) = project.takes.get_mut(index) else { return };
            match wish {
                Wish::Mute => {
                    let take = Arc::make_mut(take);
                    take.muted = !take.muted;
                }
                Wish::Gain(gain) => Arc::make_mut(take).gain = gain,
                Wish::Dragged(Dragged { place, fades }) => {
                    let take = Arc::make_mut(take);
                    (take.place, take.fades) = (place, fades);
                }
                Wish::Anchor(anchor) => {
                    // Both of its positions become those where it sounds now.
                    let here = moved(&take.place, 0.0, Snap::Off, &ruler.song, &ruler.host);
                    Arc::make_mut(take).place = Place { anchor, ..here };
                }
                Wish::NoFades => Arc::make_mut(take).fades = Fades::default(),
                Wish::Fit(fit) => Arc::make_mut(take).fit = fit,
                Wish::Duplicate => {
                    let mut copy = (**take).clone();
                    copy.place = behind(&take.place, take.seconds(), &ruler.song, &ruler.host);
                    project.takes.push(Arc::new(copy));
                }
                Wish::Freeze => {
                    let take = Arc::make_mut(take);
                    take.frozen = !take.frozen;
                    if take.frozen {
                        take.wanted = None;
                    }
                }
                Wish::Undo => Arc::make_mut(take).undo(),
                Wish::Redo => Arc::make_mut(take).redo(),
                Wish::FollowMelody => {
                    let melody = |codes| Arc::new(Melody::of_take(&take.recipe.prompt, codes));
                    project.melody = take.codes.clone().map(melody);
                }
                // Above.
                Wish::MakeAgain | Wish::Continue(_) => {}
                Wish::Remove => drop(project.takes.remove(index)),
            }
        });
    }
}

fn row(ui: &mut egui::Ui, scene: &Scene, ruler: &Ruler, index: usize, take: &Take) -> Option<Wish> {
    let view = scene.view.takes.get(index);
    let mut wish = None;
    ui.horizontal(|ui| {
        ui.allocate_ui(vec2(LEFT, HEIGHT), |ui| {
            ui.set_min_size(vec2(LEFT, HEIGHT));
            wish = about(ui, take, view);
        });
        let (id, snap) = (egui::Id::unique(("take", index)), scene.project.settings.snap);
        let (line, dragged) = song::line(ui, id, ruler, take, view, snap, HEIGHT);
        wish = wish.take().or(dragged.map(Wish::Dragged));
        let hears = scene.model().is_some_and(|model| model.hears_melodies);
        line.context_menu(|ui| wish = wish.take().or(menu(ui, take, ruler, hears)));
    });
    wish
}

fn menu(ui: &mut egui::Ui, take: &Take, ruler: &Ruler, hears_melodies: bool) -> Option<Wish> {
    let mut wish = None;
    let mut entry = |ui: &mut egui::Ui, text: &str, hint: &str, wanted: Wish| {
        if ui.button(text).on_hover_text(hint).clicked() {
            wish = Some(wanted);
            ui.close();
        }
    };
    entry(ui, "Duplicate", "The same music again, right behind", Wish::Duplicate);
    if !take.frozen && take.codes.is_some() {
        let hint = "A new version from the prompt, vectors, seed and sampling of now, at this length";
        entry(ui, "Make again", hint, Wish::MakeAgain);
    }
    if let Some(codes) = &take.codes {
        let frames = codes.codes().frames();
        let hint = "A longer take in its place: this music, and the next take's length more, from the prompt, vectors, \
                    seed and sampling of now. This one is muted.";
        if take.recipe.seconds < MAX_TAKE_SECONDS {
            entry(ui, "Continue", hint, Wish::Continue(frames));
        }
        if let Some(frame) = frame_at_playhead(take, ruler).filter(|&frame| frame < frames) {
            let hint = "The same, with this music up to the playhead";
            entry(ui, "Continue from the playhead", hint, Wish::Continue(frame));
        }
    }
    if hears_melodies && take.codes.is_some() {
        entry(
            ui,
            "Follow its melody",
            "The next takes play this one's tune in other ways",
            Wish::FollowMelody,
        );
    }
    entry(ui, if take.frozen { "Let it follow automation" } else { "Freeze" }, FREEZE, Wish::Freeze);
    entry(ui, if take.muted { "Unmute" } else { "Mute" }, "", Wish::Mute);
    if !take.fades.is_none() {
        entry(ui, "No fades", "Takes both fades away", Wish::NoFades);
    }
    if take.fit.is_some() {
        entry(ui, "Do not fit to bars", "It sounds as it was made", Wish::Fit(None));
    } else if let Some((text, fit)) = fit::offer(take, &ruler.host).filter(|_| take.codes.is_some()) {
        let hint = "Stretches it to whole bars, its pitch kept, and again when the tempo of the whole song changes, \
                    unless it is frozen";
        entry(ui, &text, hint, Wish::Fit(Some(fit)));
    }
    match take.place.anchor {
        Anchor::Beats => entry(
            ui,
            "Keep its time",
            "It stays at its second when the tempo of the song changes. Now it keeps its bar.",
            Wish::Anchor(Anchor::Seconds),
        ),
        Anchor::Seconds => entry(
            ui,
            "Keep its bar",
            "It stays at its bar when the tempo of the whole song changes. Now it keeps its time.",
            Wish::Anchor(Anchor::Beats),
        ),
    }
    ui.separator();
    entry(ui, "Remove", "It can be put back", Wish::Remove);
    wish
}

/// Frames of a take that lie before the playhead; `None` if that stands before the first has sounded.
fn frame_at_playhead(take: &Take, ruler: &Ruler) -> Option<usize> {
    let passed = ruler.playhead? - ruler.song.seconds_of(&take.place);
    let frames = (passed * take.frame_rate()).round();
    (frames >= 1.0).then_some(frames as usize)
}

fn about(ui: &mut egui::Ui, take: &Take, view: Option<&TakeView>) -> Option<Wish> {
    let mut wish = None;
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        let prompt =
            if take.recipe.prompt.trim().is_empty() { "no prompt" } else { take.recipe.prompt.trim() };
        let colour = if take.muted { theme::QUIET } else { theme::TEXT };
        ui.allocate_ui_with_layout(vec2(LEFT, 20.0), Layout::right_to_left(Align::Center), |ui| {
            wish = versions(ui, take);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(Label::new(RichText::new(prompt).color(colour)).truncate()).on_hover_text(prompt);
            });
        });
        ui.horizontal(|ui| {
            ui.spacing_mut().interact_size.y = 20.0;
            ui.spacing_mut().button_padding = vec2(7.0, 2.0);
            if switch(ui, "M", take.muted).on_hover_text("Mute").clicked() {
                wish = Some(Wish::Mute);
            }
            if switch(ui, "F", take.frozen).on_hover_text(FREEZE).clicked() {
                wish = Some(Wish::Freeze);
            }
            let duplicate = egui::Button::new(RichText::new("+").size(13.0));
            if ui.add(duplicate).on_hover_text("Duplicate, right behind").clicked() {
                wish = Some(Wish::Duplicate);
            }
            let remove = egui::Button::new(RichText::new("\u{d7}").size(13.0));
            if ui.add(remove).on_hover_text("Remove; it can be put back").clicked() {
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
                Some(Status::Ready) if take.wanted.is_some() => {
                    ("new from the next pass".into(), theme::ACCENT)
                }
                Some(Status::Ready) => {
                    let ratio =
                        take.fit.map(|fit| format!(", {}", fit::ratio(take, &fit))).unwrap_or_default();
                    (format!("seed {}{ratio}", take.recipe.seed), theme::QUIET)
                }
                Some(Status::Waiting) | None => ("waiting".into(), theme::QUIET),
            };
            ui.add(Label::new(RichText::new(text).color(colour).size(12.0)).truncate());
        });
    });
    wish
}

/// Back and forth through the versions of a take, where it has several.
fn versions(ui: &mut egui::Ui, take: &Take) -> Option<Wish> {
    if take.history.is_empty() {
        return None;
    }
    ui.spacing_mut().interact_size.y = 18.0;
    ui.spacing_mut().button_padding = vec2(6.0, 1.0);
    ui.spacing_mut().item_spacing.x = 4.0;
    let (earlier, later) = (take.history.earlier.len(), take.history.later.len());
    let step = |ui: &mut egui::Ui, text: &str, there: bool, hint: &str| {
        ui.add_enabled(there, egui::Button::new(RichText::new(text).size(12.0))).on_hover_text(hint).clicked()
    };
    let redo = step(ui, "\u{203a}", later > 0, "The version that was undone");
    let place = format!("{} of {}", earlier + 1, earlier + later + 1);
    ui.label(RichText::new(place).size(12.0).color(theme::QUIET));
    let undo =
        step(ui, "\u{2039}", earlier > 0, "The version before this one. It stays: the take is frozen.");
    match (undo, redo) {
        (true, _) => Some(Wish::Undo),
        (_, true) => Some(Wish::Redo),
        _ => None,
    }
}

/// A button that shows whether something is on.
fn switch(ui: &mut egui::Ui, text: &str, on: bool) -> egui::Response {
    let (fill, colour) = if on { (theme::ACCENT, theme::ON_ACCENT) } else { (theme::CONTROL, theme::TEXT) };
    ui.add(egui::Button::new(RichText::new(text).size(12.0).color(colour)).fill(fill))
}
