//! The window.

use std::sync::Arc;

use nice_plug::editor::dpi::LogicalSize;
use nice_plug_egui::{EguiEditor, EguiEditorState, EguiNiceSettings, Frame, NiceEguiApp, create_egui_editor};

use crate::instance::Instance;
use crate::renderer::Renderer;

/// The window's type, for the framework.
pub type Window = EguiEditor<App>;

/// What the window shows.
pub struct App {
    instance: Arc<Instance>,
}

impl NiceEguiApp for App {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut Frame) {
        ui.label(&self.instance.store().project().prompt);
    }
}

/// The window of an instance.
pub fn window(instance: Arc<Instance>, _renderer: &Arc<Renderer>) -> Option<Window> {
    create_egui_editor(
        EguiEditorState::from_size(LogicalSize::new(900.0, 620.0), 1.0),
        instance.repaint.clone(),
        EguiNiceSettings::new().with_tile("Tiller"),
        App { instance },
    )
}
