//! What is to be measured: a file that `cargo xtask bench` writes, and that can be written by hand.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A program that answers questions as `tiller bench --worker` does.
#[derive(Debug, Clone)]
pub struct Program {
    /// What the tables call it.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
}

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Who reads memory, to know its roof.
    pub roof: Program,
    /// How much of it is read at a time, megabytes: several times what the caches hold.
    pub roof_megabytes: u64,
    /// Whose speed is measured; ratios are to the first.
    pub programs: Vec<Program>,
    /// Positions at which steps are timed.
    pub positions: Vec<u64>,
    /// Takes of which a step together is timed, at the first position.
    pub takes: Vec<u64>,
    /// Rounds in which the programs take turns.
    pub rounds: u64,
    /// Steps timed in a turn.
    pub steps: u64,
    /// Seconds of audio that the codec decodes in a turn.
    pub codec_seconds: f64,
    /// Length of the take that each program makes in a process of its own; 0 for none.
    pub take_seconds: f64,
    /// How long each is watched doing nothing, seconds.
    pub idle_seconds: f64,
    /// Folder of the results.
    pub out: PathBuf,
}

impl Plan {
    /// # Errors
    /// A file that is no plan, with what it lacks.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} could not be read", path.display()))?;
        serde_json::from_str(&text)
            .map_err(Into::into)
            .and_then(|plan| Self::parse(&plan))
            .with_context(|| format!("{} is no plan of a measurement", path.display()))
    }

    fn parse(plan: &Value) -> Result<Self> {
        let programs = plan["programs"].as_array().context("it lists no programs")?;
        let plan = Self {
            roof: program(&plan["roof"]).context("nothing reads memory: `roof` is missing")?,
            roof_megabytes: plan["roof_megabytes"].as_u64().context("`roof_megabytes` is no number")?,
            programs: programs.iter().map(program).collect::<Result<_>>()?,
            positions: numbers(plan, "positions")?,
            takes: numbers(plan, "takes")?,
            rounds: plan["rounds"].as_u64().context("`rounds` is no number")?,
            steps: plan["steps"].as_u64().context("`steps` is no number")?,
            codec_seconds: seconds(plan, "codec_seconds")?,
            take_seconds: seconds(plan, "take_seconds")?,
            idle_seconds: seconds(plan, "idle_seconds")?,
            out: plan["out"].as_str().context("`out` names no folder")?.into(),
        };
        ensure!(!plan.programs.is_empty() && !plan.positions.is_empty(), "there is nothing to measure");
        ensure!((1..=65_536).contains(&plan.roof_megabytes), "`roof_megabytes` is from 1 to 65536");
        ensure!(plan.rounds > 0 && plan.steps > 0, "`rounds` and `steps` are at least 1");
        Ok(plan)
    }
}

fn program(value: &Value) -> Result<Program> {
    let words = value["command"].as_array().context("a program has no command")?;
    let command: Option<Vec<String>> = words.iter().map(|word| word.as_str().map(str::to_owned)).collect();
    Ok(Program {
        name: value["name"].as_str().context("a program has no name")?.to_owned(),
        command: command
            .filter(|words| !words.is_empty())
            .context("a program's command is no list of words")?,
    })
}

fn numbers(plan: &Value, field: &str) -> Result<Vec<u64>> {
    let all: Option<Vec<u64>> =
        plan[field].as_array().and_then(|values| values.iter().map(Value::as_u64).collect());
    all.with_context(|| format!("`{field}` is no list of numbers"))
}

fn seconds(plan: &Value, field: &str) -> Result<f64> {
    plan[field]
        .as_f64()
        .filter(|seconds| *seconds >= 0.0)
        .with_context(|| format!("`{field}` is no length in seconds"))
}
