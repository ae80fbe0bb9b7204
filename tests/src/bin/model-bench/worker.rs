//! A program under measurement: started once, it answers questions in its turn and does nothing between them.

use crate::plan::Program;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running program.
pub struct Worker {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// # Errors
    /// A program that cannot be started.
    pub fn start(program: &Program) -> Result<Self> {
        let mut child = Command::new(&program.command[0])
            .args(&program.command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started: {}", program.name, program.command.join(" ")))?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("a program's output could not be read")?;
        Ok(Self { name: program.name.clone(), child, input, output: BufReader::new(output) })
    }

    /// Asks `question` and waits for the answer.
    ///
    /// # Errors
    /// What the program says that it cannot do, or how it ended.
    pub fn ask(&mut self, question: &Value) -> Result<Value> {
        let name = &self.name;
        let input = self.input.as_mut().with_context(|| format!("{name} has ended"))?;
        let asked = writeln!(input, "{question}").and_then(|()| input.flush());
        let mut line = String::new();
        if asked.is_err() || self.output.read_line(&mut line)? == 0 {
            let status = self.child.wait()?;
            self.input = None;
            bail!("{name} ended without an answer ({status})");
        }
        let answer: Value = serde_json::from_str(&line)
            .with_context(|| format!("{name} answered with something else: {line}"))?;
        match answer["error"].as_str() {
            Some(error) => bail!("{name}: {error}"),
            None => Ok(answer),
        }
    }

    /// Asks no more, and waits until the program has ended.
    ///
    /// # Errors
    /// A program that fails at its end.
    pub fn finish(mut self) -> Result<()> {
        self.input = None;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("{} failed at its end ({status})", self.name);
        }
        Ok(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Of no interest here: it may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
