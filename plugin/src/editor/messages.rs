//! What went wrong, in sentences that can be read and copied.

use std::sync::atomic::Ordering;

use egui::{Label, RichText};

use super::scene::Scene;
use super::theme;
use crate::audio::located;
use crate::listening::Listened;
use crate::renderer::Status;

/// Messages at the window's foot.
#[derive(Default)]
pub struct Messages {
    dismissed: Vec<String>,
}

impl Messages {
    pub fn show(&mut self, ui: &mut egui::Ui, scene: &Scene) {
        let messages = messages(scene);
        self.dismissed.retain(|dismissed| messages.contains(dismissed));
        let shown: Vec<_> =
            messages.iter().filter(|message| !self.dismissed.contains(message)).take(3).collect();
        for message in shown {
            let frame = egui::Frame::new()
                .fill(theme::ERROR.gamma_multiply(0.10))
                .corner_radius(theme::ROUND)
                .inner_margin(egui::Margin::symmetric(12, 6));
            let mut dismiss = false;
            frame.show(ui, |ui| {
                ui.horizontal(|ui| {
                    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                        dismiss = ui.button("Dismiss").clicked();
                        if ui.button("Copy").clicked() {
                            ui.ctx().copy_text(message.clone());
                        }
                        if ui.button("Try again").clicked() {
                            scene.try_again();
                        }
                        ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                            let text = RichText::new(message).color(theme::ERROR);
                            ui.add(Label::new(text).wrap().selectable(true));
                        });
                    });
                });
            });
            if dismiss {
                self.dismissed.push(message.clone());
            }
        }
        misses(ui, scene);
        outdated(ui, scene);
    }
}

fn messages(scene: &Scene) -> Vec<String> {
    let mut messages: Vec<String> =
        scene.instance.store().problem().map(|problem| problem.message).into_iter().collect();
    if let Some(Err(message)) = &scene.view.model {
        messages.push(message.clone());
    }
    if let Listened::Over(Err(message)) = scene.instance.listening.stands() {
        messages.push(message);
    }
    for take in &scene.view.takes {
        if let Status::Failed(message) = &take.status
            && !messages.contains(message)
        {
            messages.push(message.clone());
        }
    }
    messages
}

fn outdated(ui: &mut egui::Ui, scene: &Scene) {
    let text = match scene.instance.outdated.load(Ordering::Relaxed) {
        0 => return,
        1 => "1 take was bounced with older strengths: its automation had changed and not been played. Bounce again."
            .to_owned(),
        takes => format!(
            "{takes} takes were bounced with older strengths: their automation had changed and not been played. Bounce again."
        ),
    };
    ui.horizontal(|ui| {
        ui.label(RichText::new(text).color(theme::ACCENT));
        if ui.small_button("Clear").clicked() {
            scene.instance.outdated.store(0, Ordering::Relaxed);
        }
    });
}

fn misses(ui: &mut egui::Ui, scene: &Scene) {
    let samples = scene.instance.misses.samples();
    if samples == 0 || scene.clock.sample_rate == 0 {
        return;
    }
    let seconds = samples as f64 / f64::from(scene.clock.sample_rate);
    let places = scene.instance.misses.places();
    ui.horizontal(|ui| {
        let text = format!("{seconds:.2} s of music was due before it was made{}.", located(&places, 3));
        ui.label(RichText::new(text).color(theme::ACCENT))
            .on_hover_text(format!("Play or bounce it again to hear it{}.", located(&places, 64)));
        if ui.small_button("Clear").clicked() {
            scene.instance.misses.clear();
        }
    });
}
