//! A steering strength: a bar from its middle, to the right towards the concept, to the left away from it.

use egui::{Key, Rect, Response, Sense, Stroke, StrokeKind, vec2};
use nice_plug::prelude::{FloatParam, ParamSetter};

use super::{number, theme};

/// The parameter's range on both sides.
const REACH: f32 = 2.0;
/// A press of an arrow key.
const NUDGE: f32 = 0.05;

/// The control. Double-click goes back to 0; arrow keys nudge.
pub fn show(ui: &mut egui::Ui, setter: &ParamSetter, param: &FloatParam, colour: egui::Color32) -> Response {
    let size = vec2(ui.available_width().max(80.0), theme::ROW);
    let (rect, mut response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    let mut value = param.value();
    if let Some(pointer) =
        response.interact_pointer_pos().filter(|_| response.dragged() || response.drag_started())
    {
        value = ((pointer.x - rect.center().x) / (rect.width() / 2.0) * REACH).clamp(-REACH, REACH);
        // The middle is easy to find again.
        value = if value.abs() < 0.04 { 0.0 } else { (value * 100.0).round() / 100.0 };
    }
    if response.double_clicked() {
        value = 0.0;
    }
    if response.clicked() {
        response.request_focus();
    }
    if response.has_focus() {
        ui.memory_mut(|memory| {
            let filter = egui::EventFilter { horizontal_arrows: true, ..egui::EventFilter::default() };
            memory.set_focus_lock_filter(response.id, filter);
        });
        let presses = |key| ui.input(|input| input.num_presses(key)) as f32;
        value = (value + (presses(Key::ArrowRight) - presses(Key::ArrowLeft)) * NUDGE).clamp(-REACH, REACH);
    }
    if value != param.value() {
        response.mark_changed();
    }
    number::follow(&response, setter, param, value);
    paint(ui, rect, &response, value, colour);
    response.widget_info(|| egui::WidgetInfo::slider(true, f64::from(value), "strength"));
    response
}

fn paint(ui: &egui::Ui, rect: Rect, response: &Response, value: f32, colour: egui::Color32) {
    let painter = ui.painter();
    let fill = if response.hovered() { theme::CONTROL_HOVERED } else { theme::CONTROL };
    painter.rect_filled(rect, theme::ROUND, fill);
    let middle = rect.center().x;
    let tip = middle + value / REACH * (rect.width() / 2.0 - 2.0);
    let bar = Rect::from_x_y_ranges(middle.min(tip)..=middle.max(tip), rect.y_range().shrink(3.0));
    painter.rect_filled(bar, 2.0, colour.gamma_multiply(0.75));
    painter.vline(middle, rect.y_range().shrink(3.0), Stroke::new(1.0, theme::QUIET.gamma_multiply(0.6)));
    painter.vline(tip, rect.y_range().shrink(3.0), Stroke::new(2.0, colour));
    if response.has_focus() {
        painter.rect_stroke(rect, theme::ROUND, Stroke::new(1.5, theme::ACCENT), StrokeKind::Inside);
    }
    let font = egui::TextStyle::Body.resolve(ui.style());
    // On the side the bar leaves free.
    let (x, align) = if value > 0.0 {
        (rect.left() + 8.0, egui::Align2::LEFT_CENTER)
    } else {
        (rect.right() - 8.0, egui::Align2::RIGHT_CENTER)
    };
    painter.text(egui::pos2(x, rect.center().y), align, format!("{value:+.2}"), font, theme::TEXT);
}
