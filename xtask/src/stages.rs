//! Numbered stages with their times, so that a long command always says where it is.

use anyhow::Result;
use std::time::{Duration, Instant};

/// Prints `[2/7] Title` before each stage and its time after it.
pub struct Stages {
    total: usize,
    started: usize,
    times: Vec<(String, Duration)>,
}

impl Stages {
    /// A command of `total` stages.
    pub fn of(total: usize) -> Self {
        Self { total, started: 0, times: Vec::new() }
    }

    /// Runs one stage. Its error ends the command.
    pub fn run<T>(&mut self, title: &str, stage: impl FnOnce() -> Result<T>) -> Result<T> {
        self.started += 1;
        println!("\n[{}/{}] {title}", self.started, self.total);
        let start = Instant::now();
        let result = stage();
        let time = start.elapsed();
        match &result {
            Ok(_) => println!("      {title}: done in {:.1} s", time.as_secs_f64()),
            Err(_) => println!("      {title}: failed after {:.1} s", time.as_secs_f64()),
        }
        self.times.push((title.to_owned(), time));
        result
    }

    /// Starts the last stage of a command that ends in a line of its own, which nothing may follow.
    pub fn last(&mut self, title: &str) {
        self.started += 1;
        println!("\n[{}/{}] {title}", self.started, self.total);
    }

    /// All stages so far with their times, one a line.
    pub fn summary(&self) -> String {
        let width = self.times.iter().map(|(title, _)| title.chars().count()).max().unwrap_or(0);
        self.times
            .iter()
            .map(|(title, time)| format!("  {title:width$}  {:7.1} s", time.as_secs_f64()))
            .collect::<Vec<_>>()
            .join("\n")
    }
}
