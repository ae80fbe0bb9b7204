//! Listening to the sidechain, in the melody's menu.

use egui::{Align, Button, Label, Layout, ProgressBar, RichText, Ui, vec2};

use super::scene::Scene;
use super::theme;
use crate::listening::{Heard, LONGEST, Listened};

/// Quietest level shown, dB.
const QUIETEST: f32 = -60.0;
/// How much of the level shown is left with every picture.
const FALL: f32 = 0.85;

/// The level that is shown, and what could not begin.
#[derive(Default)]
pub struct Listen {
    level: f32,
    refused: Option<String>,
}

impl Listen {
    pub fn show(&mut self, ui: &mut Ui, scene: &Scene, listened: &Listened) {
        if let Listened::Underway(seconds) = listened {
            self.underway(ui, scene, *seconds);
            return;
        }
        let listen = ui.add(Button::new("Listen to the sidechain"));
        let hint = format!(
            "Send a track to Tiller's input \u{201c}Sidechain\u{201d} in the host, press this, and play the song. It ends when \
             the song stops, or after {LONGEST:.0} s."
        );
        if listen.on_hover_text(hint).clicked() {
            self.refused = scene.listen().err();
        }
        if let Some(message) = &self.refused {
            ui.add(Label::new(RichText::new(message).size(12.0).color(theme::ERROR)).wrap());
        } else if let Listened::Over(Ok(heard)) = listened {
            theme::caption(ui, &said(heard));
        }
    }

    fn underway(&mut self, ui: &mut Ui, scene: &Scene, seconds: f64) {
        let decibels = 20.0 * scene.instance.listening.take_peak().max(f32::MIN_POSITIVE).log10();
        let level = (1.0 - decibels / QUIETEST).clamp(0.0, 1.0);
        self.level = level.max(self.level * FALL);
        ui.horizontal(|ui| {
            let text = if scene.clock.host.playing || seconds > 0.0 {
                format!("Listening\u{2026} {seconds:.1} s")
            } else {
                "Listening\u{2026} play the song".to_owned()
            };
            ui.label(text);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.add(Button::new("Stop").min_size(vec2(64.0, theme::ROW))).clicked() {
                    scene.stop_listening();
                }
                ui.add(ProgressBar::new(self.level).fill(theme::ACCENT).desired_width(ui.available_width()));
            });
        });
    }
}

fn said(heard: &Heard) -> String {
    let name = heard.file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let rest = if heard.is_cut { ", the longest there is; what came later is not in it" } else { "" };
    format!("Heard {:.1} s of it, in {name}{rest}.", heard.seconds)
}
