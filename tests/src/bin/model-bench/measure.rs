//! The measurement: every program takes its turn in every round, so that what disturbs one disturbs all.

use crate::plan::{Plan, Program};
use crate::worker::Worker;
use anyhow::Result;
use serde_json::{Value, json};
use std::time::Instant;

/// What was measured of one program; what it could not do is in `notes`.
#[derive(Default)]
pub struct Measured {
    pub name: String,
    pub about: Value,
    /// Position, takes, and the milliseconds of each step.
    pub steps: Vec<(u64, u64, Vec<f64>)>,
    /// Seconds that the codec took, once a round.
    pub codec: Vec<f64>,
    /// Share of a core while nothing is asked.
    pub idle_share: Option<f64>,
    /// A process that makes one take: seconds from its start to its end, with what it answered.
    pub process: Option<(f64, Value)>,
    /// The most memory of that process, megabytes.
    pub peak_megabytes: Option<f64>,
    pub notes: Vec<String>,
}

impl Measured {
    /// Milliseconds of each step of `takes` takes at `position`.
    pub fn steps_of(&self, position: u64, takes: u64) -> Option<&[f64]> {
        let known = self.steps.iter().find(|(at, many, _)| (*at, *many) == (position, takes))?;
        Some(&known.2)
    }

    /// The median of them.
    pub fn median(&self, position: u64, takes: u64) -> Option<f64> {
        Some(deciles(self.steps_of(position, takes)?)?[1])
    }

    /// Bytes that a step at `position` reads: weights, and the keys and values of what came before.
    pub fn bytes_of_step(&self, position: u64) -> Option<f64> {
        let bytes = |field: &str| self.about[field].as_f64();
        Some(bytes("weight_bytes_per_step")? + bytes("bytes_per_position")? * position as f64)
    }

    /// What an answer gives, or a note of why it gives nothing.
    fn note<T>(&mut self, answer: Result<T>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                let note = format!("{error:#}");
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
                None
            }
        }
    }
}

/// The first decile, the median and the ninth decile; `None` of nothing.
pub fn deciles(values: &[f64]) -> Option<[f64; 3]> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (!sorted.is_empty()).then(|| [1, 5, 9].map(|tenths| sorted[sorted.len() * tenths / 10]))
}

/// Measures everything, and returns it with the bytes a second that memory gave in each round.
///
/// # Errors
/// A program that cannot be started, or memory that cannot be read.
pub fn run(plan: &Plan) -> Result<(Vec<Measured>, Vec<f64>)> {
    let mut all = Vec::new();
    for program in &plan.programs {
        println!("starting {}", program.name);
        let mut worker = Worker::start(program)?;
        let mut measured = Measured { name: program.name.clone(), ..Measured::default() };
        let about = worker.ask(&json!({ "measure": "about" }));
        measured.about = measured.note(about).unwrap_or_default();
        all.push((worker, measured));
    }
    let mut roof = Vec::new();
    for round in 0..plan.rounds {
        println!("round {} of {}", round + 1, plan.rounds);
        roof.push(read_memory(plan)?);
        turns(plan, &mut all);
    }
    for (worker, measured) in &mut all {
        let answer = worker.ask(&json!({ "measure": "idle", "seconds": plan.idle_seconds }));
        let used = measured.note(answer).and_then(|answer| answer["processor_seconds"].as_f64());
        measured.idle_share = used.map(|used| used / plan.idle_seconds);
    }
    let mut all: Vec<Measured> = all.into_iter().map(|(_, measured)| measured).collect();
    if plan.take_seconds > 0.0 {
        for (program, measured) in plan.programs.iter().zip(&mut all) {
            println!("a take of {} s by {}", plan.take_seconds, program.name);
            whole_process(program, plan.take_seconds, measured);
        }
    }
    Ok((all, roof))
}

/// One turn of each program at each thing.
fn turns(plan: &Plan, all: &mut [(Worker, Measured)]) {
    let alone = plan.positions.iter().map(|&position| (position, 1));
    let together = plan.takes.iter().filter(|&&takes| takes > 1).map(|&takes| (plan.positions[0], takes));
    for (position, takes) in alone.chain(together) {
        for (worker, measured) in &mut *all {
            let question =
                json!({ "measure": "step", "position": position, "takes": takes, "steps": plan.steps });
            let Some(answer) = measured.note(worker.ask(&question)) else { continue };
            let times = answer["milliseconds"].as_array().into_iter().flatten().filter_map(Value::as_f64);
            match measured.steps.iter_mut().find(|(at, many, _)| (*at, *many) == (position, takes)) {
                Some((_, _, known)) => known.extend(times),
                None => measured.steps.push((position, takes, times.collect())),
            }
        }
    }
    for (worker, measured) in all {
        let answer = worker.ask(&json!({ "measure": "codec", "seconds": plan.codec_seconds }));
        let seconds = measured.note(answer).and_then(|answer| answer["seconds"].as_f64());
        measured.codec.extend(seconds);
    }
}

/// In a process of its own, whose memory is nobody else's.
fn read_memory(plan: &Plan) -> Result<f64> {
    let mut worker = Worker::start(&plan.roof)?;
    let answer = worker.ask(&json!({ "measure": "roof", "megabytes": plan.roof_megabytes }))?;
    worker.finish()?;
    Ok(answer["bytes_per_second"].as_f64().unwrap_or(f64::NAN))
}

/// One take in a process that is started for it.
fn whole_process(program: &Program, seconds: f64, measured: &mut Measured) {
    let started = Instant::now();
    let answers = || -> Result<(Value, Value)> {
        let mut worker = Worker::start(program)?;
        let take = worker.ask(&json!({ "measure": "take", "seconds": seconds }))?;
        let memory = worker.ask(&json!({ "measure": "memory" }))?;
        worker.finish()?;
        Ok((take, memory))
    };
    if let Some((take, memory)) = measured.note(answers()) {
        measured.process = Some((started.elapsed().as_secs_f64(), take));
        measured.peak_megabytes = memory["peak_megabytes"].as_f64();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deciles_are_those_of_the_sorted_values() {
        let times: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!(deciles(&times), Some([10.0, 50.0, 90.0]));
        assert_eq!(deciles(&[]), None);
    }
}
