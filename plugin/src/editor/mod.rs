//! The window: one idea a file.
//!
//! It shows the project and the renderer's [`View`], and changes the project and parameters; it holds nothing of its
//! own but half-typed text and removed takes. Tab goes through the controls, Ctrl+Enter generates, Esc cancels, Ctrl+Z
//! puts a removed take back.

mod browser;
mod choices;
mod dirty;
mod drag;
mod fit;
mod generate;
mod header;
mod learn;
mod listen;
mod melody;
mod messages;
mod number;
mod presets;
mod prompt;
mod ruler;
mod scene;
mod settings;
mod slots;
mod song;
mod strength;
mod takes;
mod theme;

use std::sync::{Arc, Weak};

use egui::{Key, KeyboardShortcut, Modifiers};
use nice_plug::context::gui::GuiContext;
use nice_plug::editor::dpi::LogicalSize;
use nice_plug::editor::{ResizeHint, SizeConstraints};
use nice_plug_egui::baseview::HandlerError;
use nice_plug_egui::{EguiEditor, EguiEditorState, EguiNiceSettings, Frame, NiceEguiApp, create_egui_editor};
use tiller_models::lab::is_audio;

use crate::instance::Instance;
use crate::lessons::School;
use crate::renderer::Renderer;
use scene::Scene;

/// The window's type, for the framework.
pub type Window = EguiEditor<App>;

/// Its size when first opened, in points.
const SIZE: (f32, f32) = (940.0, 680.0);
/// Its smallest size, in points.
const SMALLEST: (f32, f32) = (760.0, 560.0);
/// How often the playhead moves while the song plays.
const PLAYHEAD: std::time::Duration = std::time::Duration::from_millis(33);

/// What the window shows.
pub struct App {
    instance: Arc<Instance>,
    /// Weak, so that a window the host forgot about keeps no thread alive.
    renderer: Weak<Renderer>,
    /// Weak for the same reason.
    school: Weak<School>,
    gui: Option<GuiContext>,
    prompt: prompt::Prompt,
    tune: melody::Tune,
    presets: presets::Presets,
    learn: learn::Learn,
    takes: takes::Takes,
    messages: messages::Messages,
    dirty: dirty::Dirty,
}

/// The window of an instance.
pub fn window(instance: Arc<Instance>, renderer: &Arc<Renderer>, school: &Arc<School>) -> Option<Window> {
    let (width, height) = SMALLEST;
    let resize = ResizeHint {
        can_resize: true,
        can_resize_horizontally: true,
        can_resize_vertically: true,
        size_constraints: SizeConstraints::min_logical_size(LogicalSize::new(width, height)),
        ..ResizeHint::default()
    };
    create_egui_editor(
        EguiEditorState::from_size(LogicalSize::new(SIZE.0, SIZE.1), 1.0),
        instance.repaint.clone(),
        EguiNiceSettings::new().with_tile("Tiller").with_resize_hint(resize),
        App {
            instance,
            renderer: Arc::downgrade(renderer),
            school: Arc::downgrade(school),
            gui: None,
            prompt: prompt::Prompt::default(),
            tune: melody::Tune::default(),
            presets: presets::Presets::default(),
            learn: learn::Learn::default(),
            takes: takes::Takes::default(),
            messages: messages::Messages::default(),
            dirty: dirty::Dirty::default(),
        },
    )
}

impl NiceEguiApp for App {
    fn build(
        &mut self,
        egui: egui::Context,
        gui: GuiContext,
        _frame: &mut Frame,
    ) -> Result<(), HandlerError> {
        theme::apply(&egui);
        self.gui = Some(gui);
        self.dirty = dirty::Dirty::clean(&self.instance);
        self.instance.set_window_open(true);
        if let Some(renderer) = self.renderer.upgrade() {
            renderer.attach(&self.instance);
        }
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut Frame) {
        let Some(gui) = self.gui.clone() else { return };
        let scene = Scene::now(&self.instance, &self.renderer, gui.param_setter());
        self.dirty.tell(ui, &scene);
        shortcuts(ui, &scene, &mut self.takes);
        take_files(ui, &scene, &mut self.learn);
        let ground = egui::Frame::new().fill(theme::GROUND).inner_margin(12);
        egui::Panel::top("header")
            .frame(ground)
            .show_separator_line(false)
            .show(ui, |ui| header::show(ui, &scene, &mut self.presets, &mut self.learn, &self.school));
        egui::Panel::bottom("messages")
            .frame(ground.inner_margin(egui::Margin { left: 12, right: 12, top: 0, bottom: 12 }))
            .show_separator_line(false)
            .show(ui, |ui| self.messages.show(ui, &scene));
        let rest = ground.inner_margin(egui::Margin { left: 12, right: 12, top: 0, bottom: 12 });
        egui::CentralPanel::default().frame(rest).show(ui, |ui| {
            let width = (ui.available_width() - theme::GAP) / 2.0;
            ui.horizontal_top(|ui| {
                column(ui, width, |ui| {
                    self.prompt.show(ui, &scene, &mut self.tune);
                });
                column(ui, width, |ui| slots::show(ui, &scene));
            });
            theme::card().show(ui, |ui| {
                ui.set_width(ui.available_width());
                choices::show(ui, &scene);
                generate::show(ui, &scene);
            });
            theme::card().show(ui, |ui| self.takes.show(ui, &scene));
        });
        if scene.clock.host.playing {
            ui.ctx().request_repaint_after(PLAYHEAD);
        }
    }

    fn editor_closed(&mut self) {
        self.instance.set_window_open(false);
        self.gui = None;
    }
}

/// A card of this width, as high as its neighbour.
fn column(ui: &mut egui::Ui, width: f32, contents: impl FnOnce(&mut egui::Ui)) {
    const HEIGHT: f32 = 186.0;
    ui.allocate_ui_with_layout(egui::vec2(width, HEIGHT), egui::Layout::top_down(egui::Align::Min), |ui| {
        theme::card().show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.set_height(HEIGHT - 28.0);
            contents(ui);
        });
    });
}

fn shortcuts(ui: &egui::Ui, scene: &Scene, takes: &mut takes::Takes) {
    const GENERATE: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::Enter);
    const UNDO: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::Z);
    let (generate, cancel) = ui.ctx().input_mut(|input| {
        // Esc first leaves a field, as everywhere; pressed again, it cancels.
        (input.consume_shortcut(&GENERATE), input.key_pressed(Key::Escape))
    });
    if generate {
        scene.generate();
    }
    let at_rest = ui.ctx().memory(|memory| memory.focused().is_none());
    if cancel && at_rest {
        scene.cancel();
    }
    // A field that is typed in has an undo of its own.
    if at_rest && ui.ctx().input_mut(|input| input.consume_shortcut(&UNDO)) {
        takes.put_back(scene);
    }
}

/// A vector file dropped onto the window goes into the first free slot, a folder into the next lesson, and a take goes on
/// from a recording.
fn take_files(ui: &egui::Ui, scene: &Scene, learn: &mut learn::Learn) {
    for file in ui.ctx().input(|input| input.raw.dropped_files.clone()) {
        match file.path() {
            folder if folder.is_dir() => learn.drop_folder(folder),
            recording if is_audio(recording) => scene.continue_recording(recording),
            file => scene.drop_vector(file),
        }
    }
}
