//! A number bound to a parameter: drag it, or click and type.

use egui::{DragValue, Response};
use nice_plug::prelude::{FloatParam, IntParam, ParamSetter};

/// A whole number.
pub fn whole(ui: &mut egui::Ui, setter: &ParamSetter, param: &IntParam, range: (i32, i32)) -> Response {
    let mut value = param.value();
    let response = ui.add(DragValue::new(&mut value).range(range.0..=range.1).speed(0.2));
    follow(&response, setter, param, value);
    response
}

/// A number with decimals.
pub fn decimal(
    ui: &mut egui::Ui,
    setter: &ParamSetter,
    param: &FloatParam,
    range: (f32, f32),
    speed: f64,
    suffix: &str,
) -> Response {
    let mut value = param.value();
    let number = DragValue::new(&mut value).range(range.0..=range.1).speed(speed).max_decimals(2);
    let response = ui.add(number.suffix(suffix.to_owned()));
    follow(&response, setter, param, value);
    response
}

/// Sets a parameter at once, as one gesture.
pub fn set<P: nice_plug::prelude::Param>(setter: &ParamSetter, param: &P, value: P::Plain) {
    setter.begin_set_parameter(param);
    setter.set_parameter(param, value);
    setter.end_set_parameter(param);
}

/// Tells the host of a change as one gesture, so that it is one entry of its undo and of its automation.
pub fn follow<P: nice_plug::prelude::Param>(
    response: &Response,
    setter: &ParamSetter,
    param: &P,
    value: P::Plain,
) {
    if response.drag_started() {
        setter.begin_set_parameter(param);
    }
    if response.changed() {
        if response.dragged() || response.drag_stopped() {
            setter.set_parameter(param, value);
        } else {
            set(setter, param, value);
        }
    }
    if response.drag_stopped() {
        setter.end_set_parameter(param);
    }
}
