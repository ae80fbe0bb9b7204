//! Which part of the song is shown, how wide, and where its bars are.

use egui::{Align2, Rect, Sense, pos2, vec2};

use super::scene::Scene;
use super::theme;
use crate::timeline::{Landing, Song};

/// Bars shown at least.
const LEAST_BARS: f64 = 8.0;
/// Bars shown behind the last take, to have somewhere to drag it.
const ROOM: f64 = 2.0;

/// The song from left to right.
pub struct Ruler {
    pub song: Song,
    pub host: Landing,
    pub playhead: Option<f64>,
    seconds: f64,
}

impl Ruler {
    pub fn of(scene: &Scene) -> Self {
        let host = scene.clock.host;
        let song = Song::new(f64::from(scene.clock.sample_rate), host.tempo, host.seconds, host.beats);
        let bar = host.seconds_of_bars(1);
        let end = scene.project.takes.iter().map(|take| song.seconds_of(&take.place) + take.seconds());
        let last = end.map(|end| end + ROOM * bar);
        let playhead = host.seconds.filter(|seconds| seconds.is_finite());
        let last = last.chain(playhead).fold(0.0, f64::max);
        Self { song, host, playhead, seconds: (last / bar).ceil().clamp(LEAST_BARS, 10_000.0) * bar }
    }

    /// Where a second of the song is.
    pub fn x(&self, rect: Rect, seconds: f64) -> f32 {
        rect.left() + rect.width() * (seconds / self.seconds) as f32
    }

    /// How many seconds a distance is.
    pub fn seconds(&self, rect: Rect, distance: f32) -> f64 {
        f64::from(distance / rect.width()) * self.seconds
    }

    /// Every bar that gets a line, counted from 0: all of them as long as there is room. Where the tempo changes on the
    /// way, they are right around the playhead.
    pub fn lines(&self, rect: Rect) -> impl Iterator<Item = (i64, f32)> {
        let bar = self.host.bar_length();
        let width = f64::from(rect.width()) * self.host.seconds_of_bars(1) / self.seconds;
        let step = (26.0 / width).max(1.0).log2().ceil().exp2();
        let first = -self.host.seconds_at(0.0) / self.host.seconds_of_bars(1) / step;
        let count = self.seconds / self.host.seconds_of_bars(1) / step;
        let numbers = (first - 1e-6).ceil() as i64..=(first + count).floor() as i64;
        numbers.map(move |number| {
            let number = number * step as i64;
            (number, self.x(rect, self.host.seconds_at(number as f64 * bar)))
        })
    }

    /// The bars' numbers.
    pub fn show(&self, ui: &mut egui::Ui) {
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), theme::ROW), Sense::hover());
        let font = egui::FontId::proportional(11.0);
        for (bar, x) in self.lines(rect).filter(|&(_, x)| x < rect.right() - 16.0) {
            let at = pos2(x + 3.0, rect.center().y);
            ui.painter().text(at, Align2::LEFT_CENTER, bar + 1, font.clone(), theme::QUIET);
        }
    }
}
