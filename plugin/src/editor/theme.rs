//! Colours, sizes and spacing. One accent, four slot colours, everything else shades of one dark.

use egui::style::{Selection, WidgetVisuals};
use egui::{Color32, CornerRadius, FontFamily, FontId, Margin, Stroke, TextStyle, Visuals, vec2};

use crate::params::SLOTS;

/// Behind everything.
pub const GROUND: Color32 = Color32::from_rgb(0x15, 0x17, 0x1c);
/// A card on the ground.
pub const CARD: Color32 = Color32::from_rgb(0x1e, 0x21, 0x28);
/// A field on a card.
pub const FIELD: Color32 = Color32::from_rgb(0x13, 0x15, 0x19);
/// A control at rest.
pub const CONTROL: Color32 = Color32::from_rgb(0x2c, 0x31, 0x3b);
/// A control under the pointer.
pub const CONTROL_HOVERED: Color32 = Color32::from_rgb(0x38, 0x3e, 0x4b);
/// Lines between things.
pub const LINE: Color32 = Color32::from_rgb(0x34, 0x39, 0x44);
/// Text.
pub const TEXT: Color32 = Color32::from_rgb(0xe8, 0xe6, 0xe1);
/// Text that names rather than says.
pub const QUIET: Color32 = Color32::from_rgb(0x9a, 0xa0, 0xac);
/// What to press.
pub const ACCENT: Color32 = Color32::from_rgb(0xf2, 0xa6, 0x4b);
/// Text on the accent.
pub const ON_ACCENT: Color32 = Color32::from_rgb(0x22, 0x17, 0x08);
/// What went wrong.
pub const ERROR: Color32 = Color32::from_rgb(0xff, 0x8a, 0x7a);
/// The slots, in order. Distinct in lightness, too, for those who see colours differently.
pub const SLOT: [Color32; SLOTS] = [
    Color32::from_rgb(0x5c, 0xc8, 0xb4),
    Color32::from_rgb(0xe9, 0x7a, 0x8e),
    Color32::from_rgb(0x8f, 0xa8, 0xf7),
    Color32::from_rgb(0xd9, 0xc8, 0x5f),
];

/// Space between things that belong together.
pub const GAP: f32 = 8.0;
/// Rounding of cards and controls.
pub const ROUND: CornerRadius = CornerRadius::same(5);
/// Height of a line of controls.
pub const ROW: f32 = 28.0;

/// A card.
pub fn card() -> egui::Frame {
    egui::Frame::new().fill(CARD).corner_radius(CornerRadius::same(8)).inner_margin(Margin::same(14))
}

/// A caption over something.
pub fn caption(ui: &mut egui::Ui, text: &str) {
    ui.label(egui::RichText::new(text).color(QUIET).size(12.0));
}

/// Dresses a window.
pub fn apply(context: &egui::Context) {
    context.all_styles_mut(|style| {
        style.visuals = visuals();
        let sizes = [
            (TextStyle::Heading, 20.0),
            (TextStyle::Body, 14.0),
            (TextStyle::Button, 14.0),
            (TextStyle::Small, 12.0),
        ];
        for (text, size) in sizes {
            style.text_styles.insert(text, FontId::new(size, FontFamily::Proportional));
        }
        style.spacing.item_spacing = vec2(GAP, GAP);
        style.spacing.button_padding = vec2(10.0, 5.0);
        style.spacing.interact_size = vec2(44.0, ROW);
        style.spacing.combo_width = 140.0;
        style.spacing.tooltip_width = 320.0;
        style.interaction.selectable_labels = false;
    });
}

fn visuals() -> Visuals {
    let widget = |fill: Color32, text: Color32, line: Stroke| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: line,
        corner_radius: ROUND,
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    let mut visuals = Visuals::dark();
    visuals.panel_fill = GROUND;
    visuals.window_fill = CARD;
    visuals.extreme_bg_color = FIELD;
    visuals.text_edit_bg_color = Some(FIELD);
    visuals.faint_bg_color = CARD;
    visuals.hyperlink_color = ACCENT;
    visuals.error_fg_color = ERROR;
    visuals.warn_fg_color = ACCENT;
    visuals.window_stroke = Stroke::new(1.0, LINE);
    visuals.selection = Selection { bg_fill: ACCENT.gamma_multiply(0.35), stroke: Stroke::new(1.5, ACCENT) };
    visuals.widgets.noninteractive = widget(CARD, TEXT, Stroke::new(1.0, LINE));
    visuals.widgets.inactive = widget(CONTROL, TEXT, Stroke::NONE);
    visuals.widgets.hovered = widget(CONTROL_HOVERED, TEXT, Stroke::NONE);
    visuals.widgets.active = widget(CONTROL_HOVERED, TEXT, Stroke::new(1.5, ACCENT));
    visuals.widgets.open = widget(CONTROL_HOVERED, TEXT, Stroke::NONE);
    visuals
}
