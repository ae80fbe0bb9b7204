//! A take at its place in the song: waveform, fades, steering curves.

use egui::{Pos2, Rect, Sense, Shape, Stroke, StrokeKind, pos2, vec2};

use super::drag::{self, Dragged};
use super::ruler::Ruler;
use super::{fit, theme};
use crate::renderer::TakeView;
use crate::state::{Fades, Take};
use crate::timeline::{Envelope, Snap};

/// Points of a fade's curve.
const FADE_POINTS: usize = 24;

/// One take's line of the song. `id` stays the take's own while others come and go. Returns the line, for its menu, and
/// what the take became by a drag that ended.
pub fn line(
    ui: &mut egui::Ui,
    id: egui::Id,
    ruler: &Ruler,
    take: &Take,
    view: Option<&TakeView>,
    snap: Snap,
    height: f32,
) -> (egui::Response, Option<Dragged>) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let response = ui.interact(rect, id, Sense::click_and_drag());
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, theme::ROUND, theme::FIELD);
    for (_, x) in ruler.lines(rect) {
        painter.vline(x, rect.y_range(), Stroke::new(1.0, theme::LINE.gamma_multiply(0.5)));
    }
    let body = |dragged: &Dragged| {
        let start = ruler.song.seconds_of(&dragged.place);
        let (left, right) = (ruler.x(rect, start), ruler.x(rect, start + take.seconds()));
        Rect::from_x_y_ranges(left..=right.max(left + 2.0), rect.y_range().shrink(2.0))
    };
    let resting = body(&Dragged::none(take));
    let (dragged, over) = drag::follow(ui, &response, ruler, take, snap, (rect, resting));
    let body = body(&dragged);
    clip(&painter, body, take, dragged.fades, view);
    let moving = dragged != Dragged::none(take);
    if moving || response.hover_pos().is_some_and(|pointer| resting.contains(pointer)) {
        for handle in drag::handles(body, dragged.fades, take.seconds()) {
            painter.circle(handle, 3.5, theme::FIELD, Stroke::new(1.5, theme::TEXT));
        }
    }
    if moving {
        label(&painter, rect, body, ruler, &dragged, take);
    }
    if let Some(seconds) = ruler.playhead {
        painter.vline(ruler.x(rect, seconds), rect.y_range(), Stroke::new(1.5, theme::TEXT));
    }
    let about = !moving && response.hover_pos().is_some_and(|pointer| body.contains(pointer));
    let response = if about { response.on_hover_text_at_pointer(describe(take)) } else { response };
    (response, (over && moving).then_some(dragged))
}

fn clip(painter: &egui::Painter, body: Rect, take: &Take, fades: Fades, view: Option<&TakeView>) {
    let colour = if take.muted { theme::QUIET.gamma_multiply(0.5) } else { theme::ACCENT };
    painter.rect(
        body,
        theme::ROUND,
        colour.gamma_multiply(0.14),
        Stroke::new(1.0, colour.gamma_multiply(0.6)),
        StrokeKind::Inside,
    );
    if let Some(audio) = view.and_then(|view| view.audio.as_ref()) {
        // In points of the picture instead of samples.
        let points = body.width().ceil() as usize;
        let per_second = (points as f64 / take.seconds()) as u32;
        let envelope = Envelope::new(take.gain, fades, points, per_second.max(1));
        waveform(painter, body, audio.peaks(), |column| envelope.at(column), colour.gamma_multiply(0.7));
    }
    for steering in &take.recipe.steering {
        let frames = (take.recipe.seconds * 50.0).ceil().max(1.0) as usize;
        curve(painter, body, frames, |frame| steering.curve.at(frame), theme::SLOT[steering.slot - 1]);
    }
    let [rise, fall] = drag::handles(body, fades, take.seconds()).map(|handle| handle.x);
    fade(painter, body, body.left(), rise);
    fade(painter, body, body.right(), fall);
}

/// Shades what a fade takes away, from silence at `from` to full level at `to`.
fn fade(painter: &egui::Painter, body: Rect, from: f32, to: f32) {
    if (to - from).abs() < 1.0 {
        return;
    }
    let point = |step: usize| {
        let part = step as f32 / FADE_POINTS as f32;
        let level = (part * std::f32::consts::FRAC_PI_2).sin();
        pos2(from + (to - from) * part, body.bottom() - level * body.height())
    };
    let line: Vec<Pos2> = (0..=FADE_POINTS).map(point).collect();
    for pair in line.windows(2) {
        let corners = vec![pos2(pair[0].x, body.top()), pair[0], pair[1], pos2(pair[1].x, body.top())];
        let shade = theme::FIELD.gamma_multiply(0.7);
        painter.add(Shape::convex_polygon(corners, shade, Stroke::NONE));
    }
    painter.line(line, Stroke::new(1.0, theme::TEXT.gamma_multiply(0.6)));
}

/// Where the take would start, in bars and beats, or how long its fades would be.
fn label(painter: &egui::Painter, rect: Rect, body: Rect, ruler: &Ruler, dragged: &Dragged, take: &Take) {
    let text = if dragged.fades == take.fades {
        let (bar, beats) = (ruler.host.bar_length(), dragged.place.beats.max(0.0));
        format!("bar {}, beat {:.2}", (beats / bar).floor() + 1.0, beats % bar + 1.0)
    } else {
        format!("in {:.2} s, out {:.2} s", dragged.fades.rise, dragged.fades.fall)
    };
    let text = painter.layout_no_wrap(text, egui::FontId::proportional(12.0), theme::TEXT);
    let room = text.size() + vec2(10.0, 4.0);
    let left = (body.left() + 6.0).clamp(rect.left(), (rect.right() - room.x).max(rect.left()));
    let frame = Rect::from_min_size(pos2(left, body.bottom() - room.y - 4.0), room);
    painter.rect_filled(frame, theme::ROUND, theme::GROUND.gamma_multiply(0.85));
    painter.galley(frame.min + vec2(5.0, 2.0), text, theme::TEXT);
}

/// A column a point, as loud as the loudest peak in it.
fn waveform(
    painter: &egui::Painter,
    body: Rect,
    peaks: impl ExactSizeIterator<Item = f32>,
    level: impl Fn(usize) -> f32,
    colour: egui::Color32,
) {
    let peaks: Vec<f32> = peaks.collect();
    let columns = body.width().ceil() as usize;
    // What is out of sight is not drawn.
    let visible = body.intersect(painter.clip_rect());
    for column in 0..columns {
        let x = body.left() + column as f32 + 0.5;
        if !visible.x_range().contains(x) {
            continue;
        }
        let from = column * peaks.len() / columns;
        let to = ((column + 1) * peaks.len()).div_ceil(columns).max(from + 1).min(peaks.len());
        let peak = peaks.get(from..to).into_iter().flatten().copied().fold(0.0, f32::max);
        if peak > 0.0 {
            let half = ((peak * level(column)).min(1.0) * (body.height() / 2.0 - 3.0)).max(0.5);
            painter.vline(x, body.center().y - half..=body.center().y + half, Stroke::new(1.0, colour));
        }
    }
}

/// A strength over a take; its middle is 0.
fn curve(
    painter: &egui::Painter,
    body: Rect,
    frames: usize,
    at: impl Fn(usize) -> f32,
    colour: egui::Color32,
) {
    let point = |frame: usize| -> Pos2 {
        let x = body.left() + body.width() * frame as f32 / frames as f32;
        pos2(x, body.center().y - at(frame.min(frames - 1)) / 2.0 * (body.height() / 2.0 - 3.0))
    };
    let step = (frames as f32 / body.width().max(1.0)).ceil().max(1.0) as usize;
    let mut points: Vec<Pos2> = (0..frames).step_by(step).map(point).collect();
    points.push(point(frames));
    painter.line(points, Stroke::new(2.0, colour));
}

fn describe(take: &Take) -> String {
    let recipe = &take.recipe;
    let mut text = format!(
        "{}\n{:.1} s, seed {}, guidance {}, temperature {}, top-k {}",
        if recipe.prompt.is_empty() { "no prompt" } else { &recipe.prompt },
        recipe.seconds,
        recipe.seed,
        recipe.guidance,
        recipe.temperature,
        recipe.top_k,
    );
    if recipe.opening.is_some() {
        text.push_str(&format!("\ngoes on from its first {:.1} s", take.opening_seconds()));
    }
    for steering in &recipe.steering {
        let values = steering.curve.values();
        let (low, high) =
            values.iter().fold((f32::MAX, f32::MIN), |(low, high), &value| (low.min(value), high.max(value)));
        let strength = if low == high { format!("{low:+.2}") } else { format!("{low:+.2} to {high:+.2}") };
        text.push_str(&format!("\n{} {strength}", steering.vector.name));
    }
    if let Some(fit) = &take.fit {
        text.push_str(&format!("\n{}", fit::described(take, fit)));
    }
    if !recipe.model.is_empty() {
        text.push_str(&format!("\n{}", recipe.model));
    }
    text
}
