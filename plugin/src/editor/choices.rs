//! Length, place, seed and sampling of the next take.

use egui::ComboBox;

use super::scene::Scene;
use super::{number, theme};
use crate::state::Position;

pub fn show(ui: &mut egui::Ui, scene: &Scene) {
    ui.horizontal(|ui| {
        length(ui, scene);
        ui.add_space(theme::GAP);
        place(ui, scene);
        ui.add_space(theme::GAP);
        seed(ui, scene);
        ui.add_space(theme::GAP);
        sampling(ui, scene);
    });
}

fn named(ui: &mut egui::Ui, name: &str, contents: impl FnOnce(&mut egui::Ui)) {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 3.0;
        theme::caption(ui, name);
        ui.horizontal(contents);
    });
}

/// Bars or seconds: seconds above 0 win, so one control chooses between the two.
fn length(ui: &mut egui::Ui, scene: &Scene) {
    let params = scene.params;
    let in_seconds = params.seconds.value() > 0.0;
    let bars = || scene.clock.host.seconds_of_bars(params.bars.value().unsigned_abs());
    named(ui, "Length", |ui| {
        if in_seconds {
            number::decimal(ui, &scene.setter, &params.seconds, (0.1, 300.0), 0.1, "");
        } else {
            number::whole(ui, &scene.setter, &params.bars, (1, 64)).on_hover_text(format!("{:.1} s", bars()));
        }
        ComboBox::from_id_salt("unit")
            .width(72.0)
            .selected_text(if in_seconds { "seconds" } else { "bars" })
            .show_ui(ui, |ui| {
                let set = |seconds: f64| {
                    number::set(&scene.setter, &params.seconds, seconds.clamp(0.0, 300.0) as f32);
                };
                if ui.selectable_label(!in_seconds, "bars").clicked() {
                    set(0.0);
                }
                if ui.selectable_label(in_seconds, "seconds").clicked() {
                    set(bars());
                }
            });
    });
}

fn place(ui: &mut egui::Ui, scene: &Scene) {
    let position = scene.project.settings.position;
    let bar_length = scene.clock.host.bar_length();
    named(ui, "Lands at", |ui| {
        let text = match position {
            Position::Playhead => "playhead",
            Position::Beats(_) => "bar",
            Position::Seconds(_) => "second",
        };
        ComboBox::from_id_salt("position").width(84.0).selected_text(text).show_ui(ui, |ui| {
            let beats = scene.clock.host.beats.unwrap_or(0.0).max(0.0);
            let here = (beats / bar_length).floor() * bar_length;
            let options = [
                ("playhead", Position::Playhead),
                ("bar", Position::Beats(here)),
                ("second", Position::Seconds(scene.clock.host.seconds.unwrap_or(0.0).max(0.0))),
            ];
            for (name, option) in options {
                if ui.selectable_label(name == text, name).clicked() && name != text {
                    scene.edit(|project| project.settings.position = option);
                }
            }
        });
        match position {
            Position::Playhead => {}
            Position::Beats(beats) => {
                let mut bar = beats / bar_length + 1.0;
                let value = egui::DragValue::new(&mut bar).range(1.0..=9_999.0).speed(0.05).max_decimals(2);
                if ui.add(value).changed() {
                    let beats = (bar - 1.0) * bar_length;
                    scene.edit(|project| project.settings.position = Position::Beats(beats));
                }
            }
            Position::Seconds(mut seconds) => {
                if ui.add(egui::DragValue::new(&mut seconds).range(0.0..=36_000.0).speed(0.1)).changed() {
                    scene.edit(|project| project.settings.position = Position::Seconds(seconds));
                }
            }
        }
    });
}

fn seed(ui: &mut egui::Ui, scene: &Scene) {
    let seed = &scene.params.seed;
    named(ui, "Seed", |ui| {
        number::whole(ui, &scene.setter, seed, (0, 65_535));
        if ui.button("New").on_hover_text("Another seed: another take from the same words").clicked() {
            // Any number other than this one will do; the clock is as good as dice.
            let ticks = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.subsec_nanos());
            let next = (seed.value() + 1 + (ticks / 1_000 % 65_534).cast_signed()) % 65_536;
            number::set(&scene.setter, seed, next);
        }
    });
}

fn sampling(ui: &mut egui::Ui, scene: &Scene) {
    let params = scene.params;
    named(ui, "Guidance", |ui| {
        number::decimal(ui, &scene.setter, &params.guidance, (1.0, 10.0), 0.02, "")
            .on_hover_text("How closely the music keeps to the prompt; 1 is not at all");
    });
    named(ui, "Temperature", |ui| {
        number::decimal(ui, &scene.setter, &params.temperature, (0.0, 2.0), 0.01, "")
            .on_hover_text("How daring the choices are; 0 always takes the likeliest");
    });
    named(ui, "Top-k", |ui| {
        number::whole(ui, &scene.setter, &params.top_k, (1, 2_048))
            .on_hover_text("How many tokens each choice considers");
    });
}
