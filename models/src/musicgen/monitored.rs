//! What the monitors of a generation have read, by step, and what they let through.
//!
//! Every reading is kept, so that a generation that goes back knows what was known there, and goes on as one that never
//! was ahead.

use crate::steering::{Intervention, Means, Monitor};

/// What has been read for each slot; nothing for slots that are not monitored.
#[derive(Debug, Default)]
pub(super) struct Monitored(Vec<Log>);

/// Running means by the step, counted from the beginning of the take, at which they were read; steps ascend.
#[derive(Debug, Default)]
struct Log(Vec<(usize, Means)>);

impl Log {
    /// What was known before a step.
    fn before(&self, step: usize) -> Option<&Means> {
        let known = self.0.partition_point(|&(read, _)| read < step);
        known.checked_sub(1).map(|last| &self.0[last].1)
    }

    /// Whether the monitor is to read at a step, and has not yet.
    fn is_due(&self, monitor: &Monitor, step: usize) -> bool {
        monitor.reads_at(step) && self.0.last().is_none_or(|&(read, _)| read < step)
    }
}

impl Monitored {
    /// Nothing read yet.
    pub fn new(intervention: &Intervention) -> Self {
        Self(intervention.monitors().map(|_| Log::default()).collect())
    }

    /// What of each slot's strength is let through, by what was known before a step; 1 for slots that are not monitored.
    pub fn let_through(&self, intervention: &Intervention, before: usize, strengths: &[f32]) -> Vec<f32> {
        let slots = intervention.monitors().zip(&self.0).zip(strengths);
        slots
            .map(|((monitor, log), &strength)| {
                monitor.map_or(1.0, |monitor| monitor.lets_through(log.before(before), strength))
            })
            .collect()
    }

    /// Whether a monitor is to read at a step, and has not yet.
    pub fn is_due(&self, intervention: &Intervention, step: usize) -> bool {
        let mut slots = intervention.monitors().zip(&self.0);
        slots.any(|(monitor, log)| monitor.is_some_and(|monitor| log.is_due(monitor, step)))
    }

    /// Reads at a step, where it is due: residual streams and attention outputs `[L,B,D]` of `rows` rows.
    pub fn read(&mut self, intervention: &Intervention, step: usize, activations: [&[f32]; 2], rows: usize) {
        for (monitor, log) in intervention.monitors().zip(&mut self.0) {
            let Some(monitor) = monitor.filter(|monitor| log.is_due(monitor, step)) else { continue };
            let means = monitor.read(log.0.last().map(|(_, means)| means), activations, rows);
            log.0.push((step, means));
        }
    }

    /// Forgets what was read at `step` and later.
    pub fn forget_from(&mut self, step: usize) {
        for log in &mut self.0 {
            log.0.retain(|&(read, _)| read < step);
        }
    }
}
