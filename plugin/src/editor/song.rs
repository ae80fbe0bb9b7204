//! The song from left to right: bars, playhead, and a take's waveform and curves at its place.

use egui::{Align2, Pos2, Rect, Sense, Stroke, StrokeKind, pos2, vec2};

use super::scene::Scene;
use super::theme;
use crate::renderer::TakeView;
use crate::state::Take;
use crate::timeline::Song;

/// Bars shown at least.
const LEAST_BARS: f64 = 8.0;

/// Which part of the song is shown, and how wide.
pub struct Ruler {
    song: Song,
    seconds_per_bar: f64,
    bars: f64,
    playhead: Option<f64>,
}

impl Ruler {
    pub fn of(scene: &Scene) -> Self {
        let host = &scene.clock.host;
        let song = Song::new(f64::from(scene.clock.sample_rate), host.tempo, host.seconds, host.beats);
        let seconds_per_bar = host.seconds_of_bars(1);
        let end = scene.project.takes.iter().map(|take| song.seconds_of(&take.place) + take.recipe.seconds);
        let playhead = host.seconds.filter(|seconds| seconds.is_finite());
        let last = end.chain(playhead).fold(0.0, f64::max);
        let bars = (last / seconds_per_bar * 1.05).ceil().clamp(LEAST_BARS, 10_000.0);
        Self { song, seconds_per_bar, bars, playhead }
    }

    /// Where a second of the song is.
    fn x(&self, rect: Rect, seconds: f64) -> f32 {
        rect.left() + rect.width() * (seconds / (self.seconds_per_bar * self.bars)) as f32
    }

    /// Every bar that gets a line: all of them as long as there is room.
    fn lines(&self, rect: Rect) -> impl Iterator<Item = (u32, f32)> {
        let mut step = 1_u32;
        while f64::from(rect.width()) / self.bars * f64::from(step) < 26.0 {
            step *= 2;
        }
        let bars = self.bars as u32;
        (0..=bars)
            .step_by(step as usize)
            .map(move |bar| (bar, self.x(rect, f64::from(bar) * self.seconds_per_bar)))
    }

    /// The bars' numbers.
    pub fn show(&self, ui: &mut egui::Ui) {
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 20.0), Sense::hover());
        let font = egui::FontId::proportional(11.0);
        for (bar, x) in self.lines(rect).filter(|&(_, x)| x < rect.right() - 16.0) {
            let at = pos2(x + 3.0, rect.center().y);
            ui.painter().text(at, Align2::LEFT_CENTER, bar + 1, font.clone(), theme::QUIET);
        }
    }
}

/// A take at its place in the song.
pub fn clip(ui: &mut egui::Ui, ruler: &Ruler, take: &Take, view: Option<&TakeView>, height: f32) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, theme::ROUND, theme::FIELD);
    for (_, x) in ruler.lines(rect) {
        painter.vline(x, rect.y_range(), Stroke::new(1.0, theme::LINE.gamma_multiply(0.5)));
    }
    let start = ruler.song.seconds_of(&take.place);
    let (left, right) = (ruler.x(rect, start), ruler.x(rect, start + take.recipe.seconds));
    let body = Rect::from_x_y_ranges(left..=right.max(left + 2.0), rect.y_range().shrink(2.0));
    let colour = if take.muted { theme::QUIET.gamma_multiply(0.5) } else { theme::ACCENT };
    painter.rect(
        body,
        theme::ROUND,
        colour.gamma_multiply(0.14),
        Stroke::new(1.0, colour.gamma_multiply(0.6)),
        StrokeKind::Inside,
    );
    if let Some(audio) = view.and_then(|view| view.audio.as_ref()) {
        waveform(&painter, body, audio.peaks(), colour.gamma_multiply(0.7));
    }
    for steering in &take.recipe.steering {
        let frames = (take.recipe.seconds * 50.0).ceil().max(1.0) as usize;
        curve(&painter, body, frames, |frame| steering.curve.at(frame), theme::SLOT[steering.slot - 1]);
    }
    if let Some(seconds) = ruler.playhead {
        painter.vline(ruler.x(rect, seconds), rect.y_range(), Stroke::new(1.5, theme::TEXT));
    }
    let hovered = response.hover_pos().is_some_and(|pointer| body.contains(pointer));
    if hovered {
        response.on_hover_text_at_pointer(describe(take));
    }
}

/// A column a point, as loud as the loudest peak in it.
fn waveform(
    painter: &egui::Painter,
    body: Rect,
    peaks: impl ExactSizeIterator<Item = f32>,
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
            let half = (peak.min(1.0) * (body.height() / 2.0 - 3.0)).max(0.5);
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
    for steering in &recipe.steering {
        let values = steering.curve.values();
        let (low, high) =
            values.iter().fold((f32::MAX, f32::MIN), |(low, high), &value| (low.min(value), high.max(value)));
        let strength = if low == high { format!("{low:+.2}") } else { format!("{low:+.2} to {high:+.2}") };
        text.push_str(&format!("\n{} {strength}", steering.vector.name));
    }
    if !recipe.model.is_empty() {
        text.push_str(&format!("\n{}", recipe.model));
    }
    text
}
