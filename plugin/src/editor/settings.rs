//! Choices that are made once, behind one button.

use std::path::Path;

use egui::{ComboBox, DragValue, Grid, Label, RichText};
use tiller_models::bundle::discovery::{self, Installed};
use tiller_models::runtime::Provider;
use tiller_models::steering::{Rows, Scale};

use super::scene::Scene;
use super::theme;
use crate::preferences::Preferences;
use crate::state::{LEAST_LOOK_AHEAD, MOST_LOOK_AHEAD, Settings, Wait};

pub fn show(ui: &mut egui::Ui, scene: &Scene) {
    let config = egui::containers::menu::MenuConfig::new()
        .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside);
    egui::containers::menu::MenuButton::new("Settings").config(config).ui(ui, |ui| {
        ui.set_min_width(330.0);
        let mut settings = scene.project.settings.clone();
        ui.checkbox(&mut settings.follow_automation, "Takes follow automation").on_hover_text(
            "A take's strengths are those the song passed with at its place, and change when it passes with others. Off: those at the press of Generate.",
        );
        ui.checkbox(&mut settings.freeze, "Freeze all takes")
            .on_hover_text("No take changes, whatever automation passes over it.");
        ui.checkbox(&mut settings.describe_song, "Add the song's tempo and key to the prompt").on_hover_text(
            "Where the prompt names its own, that one holds. What was sent is shown with the take.",
        );
        ui.checkbox(&mut settings.release_on_note_off, "Notes fade out when released");
        Grid::new("settings").num_columns(2).show(ui, |ui| choices(ui, &mut settings));
        if settings != scene.project.settings {
            scene.edit(|project| project.settings = settings);
        }
        ui.separator();
        machine(ui);
    });
}

/// What is chosen for this machine, whatever the project.
fn machine(ui: &mut egui::Ui) {
    let kept = Preferences::load();
    if let Err(message) = &kept {
        ui.add(Label::new(RichText::new(message).color(theme::ERROR)).wrap());
    }
    let kept = kept.unwrap_or_default();
    let mut wanted = kept;
    Grid::new("machine").num_columns(2).show(ui, |ui| {
        theme::caption(ui, "Threads on this machine");
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let automatic = Preferences { threads: 0, ..kept }.threads();
        let text = move |value: f64, _| {
            if value < 1.0 { format!("automatic ({automatic})") } else { format!("{value:.0}") }
        };
        let threads = DragValue::new(&mut wanted.threads).range(0..=cores).speed(0.05).custom_formatter(text);
        ui.add(threads)
            .on_hover_text("For generating. More is faster, as long as the host's audio has enough.");
        ui.end_row();
        theme::caption(ui, "Audio kept on this machine");
        let cache =
            DragValue::new(&mut wanted.cache_megabytes).range(0..=1_000_000).speed(10.0).suffix(" MB");
        ui.add(cache).on_hover_text("Takes kept here sound at once when a project is opened. 0 keeps none.");
        ui.end_row();
    });
    if wanted != kept
        && let Err(message) = wanted.save()
    {
        tracing::warn!("{message}");
    }
}

fn choices(ui: &mut egui::Ui, settings: &mut Settings) {
    theme::caption(ui, "Strength 1 is");
    let scales =
        [(Scale::Norm, "the stream's own length"), (Scale::Literal, "length 1, as the paper writes it")];
    choose(ui, "scale", &mut settings.scale, &scales);
    ui.end_row();
    theme::caption(ui, "Steers");
    let rows = [(Rows::Conditional, "the prompted side only"), (Rows::Both, "both sides of guidance")];
    choose(ui, "rows", &mut settings.rows, &rows);
    ui.end_row();
    theme::caption(ui, "Model");
    model(ui, settings);
    ui.end_row();
    theme::caption(ui, "Runs on");
    let providers = Provider::ALL.map(|provider| (provider.name().to_owned(), provider.name()));
    choose(ui, "provider", &mut settings.provider, &providers);
    ui.end_row();
    theme::caption(ui, "Precision");
    let named = |name: &'static str| (name.to_owned(), name);
    let precisions =
        [(String::new(), "the model's default"), named("f32"), named("f16"), named("int8"), named("int4")];
    choose(ui, "precision", &mut settings.precision, &precisions);
    ui.end_row();
    theme::caption(ui, "Automation is heard");
    look_ahead(ui, settings);
    ui.end_row();
    theme::caption(ui, "Waits for music");
    let waits = [
        (Wait::Automatic, "when the host bounces"),
        (Wait::Always, "always, live as well"),
        (Wait::Never, "never"),
    ];
    choose(ui, "wait", &mut settings.wait, &waits);
    ui.end_row();
    theme::caption(ui, "Gives up after");
    let patience = egui::DragValue::new(&mut settings.patience_seconds).range(0.0..=3_600.0).suffix(" s");
    ui.add(patience)
        .on_hover_text("As long as anything is being made, it waits on. This is for when nothing is.");
    ui.end_row();
}

/// The model Tiller finds itself, or one of the user's own.
fn model(ui: &mut egui::Ui, settings: &mut Settings) {
    let automatic = "the one Tiller finds itself";
    let chosen = Path::new(&settings.bundle).file_name().map(|name| name.to_string_lossy().into_owned());
    ComboBox::from_id_salt("model")
        .selected_text(chosen.unwrap_or_else(|| automatic.to_owned()))
        .width(210.0)
        .show_ui(ui, |ui| {
            ui.selectable_value(&mut settings.bundle, String::new(), automatic);
            for Installed { name, folder } in discovery::installed() {
                let place = folder.display().to_string();
                ui.selectable_value(&mut settings.bundle, place.clone(), name).on_hover_text(place);
            }
        })
        .response
        .on_hover_text("`tiller import small` adds the published MusicGen; see the README.");
}

/// Next pass, or in the same pass with a latency.
fn look_ahead(ui: &mut egui::Ui, settings: &mut Settings) {
    ui.horizontal(|ui| {
        let now = settings.look_ahead();
        let mut ahead = now > 0.0;
        choose(ui, "look ahead", &mut ahead, &[(false, "from the next pass on"), (true, "at once, with latency")]);
        let usual = 1.5;
        let mut seconds = if now > 0.0 { now } else { usual };
        if ahead {
            let range = LEAST_LOOK_AHEAD..=MOST_LOOK_AHEAD;
            ui.add(DragValue::new(&mut seconds).range(range).speed(0.05).suffix(" s")).on_hover_text(
                "The host sends everything this much earlier. Long enough, and the music is ready when it is due.",
            );
        }
        let wanted = if ahead { seconds } else { 0.0 };
        if wanted != now {
            settings.look_ahead_seconds = wanted;
        }
    });
}

fn choose<T: Clone + PartialEq>(ui: &mut egui::Ui, id: &str, value: &mut T, options: &[(T, &str)]) {
    let text = options.iter().find(|(option, _)| option == value).map_or("", |(_, name)| name);
    ComboBox::from_id_salt(id).selected_text(text).width(210.0).show_ui(ui, |ui| {
        for (option, name) in options {
            ui.selectable_value(value, option.clone(), *name);
        }
    });
}
