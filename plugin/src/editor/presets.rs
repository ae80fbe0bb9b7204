//! The menu of presets: those that come with the plugin, the musician's own, and saving one.

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Button, Label, RichText, ScrollArea, TextEdit, Ui};

use super::scene::Scene;
use super::{number, theme};
use crate::presets::{Folder, Listed, Preset, factory};

/// Width of the menu.
const WIDTH: f32 = 250.0;

/// What the menu shows, read from the folder whenever it opens.
#[derive(Default)]
pub struct Presets {
    open: bool,
    own: Vec<Listed>,
    name: String,
    problem: Option<String>,
}

impl Presets {
    pub fn show(&mut self, ui: &mut Ui, scene: &Scene) {
        let config = MenuConfig::new().close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside);
        let menu = MenuButton::new("Presets").config(config);
        let (button, contents) = menu.ui(ui, |ui| self.menu(ui, scene));
        button.on_hover_text("Prompt, steering and how to generate. Loading one leaves every take as it is.");
        self.open = contents.is_some();
    }

    fn menu(&mut self, ui: &mut Ui, scene: &Scene) {
        let folder = Folder::of_the_user();
        if !self.open {
            self.own = folder.as_ref().map(Folder::list).unwrap_or_default();
            self.problem = None;
        }
        ui.set_width(WIDTH);
        ui.spacing_mut().interact_size.y = 22.0;
        ui.spacing_mut().item_spacing.y = 3.0;
        ScrollArea::vertical().max_height(330.0).show(ui, |ui| {
            theme::caption(ui, "With Tiller");
            for preset in factory() {
                entry(ui, scene, preset);
            }
            if !self.own.is_empty() {
                ui.separator();
                theme::caption(ui, "Yours");
            }
            for listed in &self.own {
                match &listed.preset {
                    Ok(preset) => entry(ui, scene, preset),
                    Err(problem) => {
                        let name = RichText::new(&listed.name).color(theme::QUIET);
                        ui.add_enabled(false, Button::new(name).frame(false)).on_disabled_hover_text(problem);
                    }
                }
            }
        });
        let Some(folder) = folder else { return };
        ui.separator();
        self.save(ui, scene, &folder);
        if ui.button("Show folder").clicked() {
            self.problem = open_folder(&folder).err();
        }
        if let Some(problem) = &self.problem {
            ui.add(Label::new(RichText::new(problem).color(theme::ERROR)).wrap());
        }
    }

    fn save(&mut self, ui: &mut Ui, scene: &Scene, folder: &Folder) {
        ui.horizontal(|ui| {
            let name = TextEdit::singleline(&mut self.name)
                .hint_text("save these settings as")
                .desired_width(WIDTH - 82.0)
                .margin(egui::Margin::symmetric(8, 5));
            ui.add(name);
            let text = if folder.has(&self.name) { "Replace" } else { "Save" };
            if ui.add_enabled(!self.name.trim().is_empty(), Button::new(text)).clicked() {
                let preset = Preset::of(&self.name, &scene.project, scene.params);
                self.problem = folder.save(&preset).err();
                if self.problem.is_none() {
                    self.name.clear();
                }
                self.own = folder.list();
            }
        });
    }
}

fn entry(ui: &mut Ui, scene: &Scene, preset: &Preset) {
    let button = ui.add(Button::new(&preset.name).frame(false));
    if button.on_hover_text(&preset.prompt).clicked() {
        load(scene, preset);
        ui.close();
    }
}

fn load(scene: &Scene, preset: &Preset) {
    scene.edit(|project| preset.apply(project));
    let (params, setter) = (scene.params, &scene.setter);
    for (param, strength) in params.slots().into_iter().zip(preset.strengths()) {
        number::set(setter, param, strength);
    }
    number::set(setter, &params.guidance, preset.guidance);
    number::set(setter, &params.temperature, preset.temperature);
    number::set(setter, &params.top_k, preset.top_k);
    number::set(setter, &params.bars, preset.bars);
    number::set(setter, &params.seconds, preset.seconds);
}

fn open_folder(folder: &Folder) -> Result<(), String> {
    std::fs::create_dir_all(folder.path())
        .and_then(|()| open::that_detached(folder.path()))
        .map_err(|error| format!("{} does not open: {error}.", folder.path().display()))
}
