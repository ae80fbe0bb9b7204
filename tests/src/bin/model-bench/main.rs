//! Tiller beside other programs on the same weights: what a step, the codec, a take, memory and doing nothing cost.
//!
//! `model-bench PLAN.json` starts every program of the plan once and lets them take turns, round after round, so that
//! whatever else the machine does disturbs all of them alike. Speed of reading memory is measured in the same rounds.
//! Writes `bench.json`, `bench.md` and `bench.svg`, and prints the tables. Nothing is asserted.

use anyhow::{Context, Result, bail};
use measure::Measured;
use plan::Plan;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

mod machine;
mod measure;
mod plan;
mod plot;
mod table;
mod worker;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [plan] = arguments.as_slice() else { bail!("usage: model-bench PLAN.json") };
    let plan = Plan::read(plan)?;
    let (machine, load) = (machine::describe(), machine::load());
    let warning = machine::warning(load);
    if let Some(warning) = &warning {
        println!("warning: {warning}");
    }
    let (all, roof) = measure::run(&plan)?;
    let results = json!({
        "machine": machine,
        "load_before": load,
        "load_after": machine::load(),
        "warning": warning,
        "roof_bytes_per_second": roof,
        "programs": all.iter().map(entry).collect::<Vec<_>>(),
    });
    let tables = table::write(&plan, &all, &roof);
    let (processor, cores) =
        (machine["processor"].as_str().unwrap_or("unknown processor"), &machine["cores"]);
    let note = warning.map_or(String::new(), |warning| format!("Warning: {warning}.\n"));
    let page = format!("{processor}, {cores} cores, {} rounds.\n{note}\n{tables}", plan.rounds);
    std::fs::create_dir_all(&plan.out)
        .with_context(|| format!("{} could not be made", plan.out.display()))?;
    plot::draw(&plan, &all, &plan.out.join("bench.svg"))?;
    write(&plan.out.join("bench.json"), &format!("{results:#}\n"))?;
    write(&plan.out.join("bench.md"), &page)?;
    println!("\n{page}\nThe same with every step's time and a picture: {}", plan.out.display());
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} could not be written", path.display()))
}

fn entry(one: &Measured) -> Value {
    let steps = one.steps.iter().map(
        |(position, takes, times)| json!({ "position": position, "takes": takes, "milliseconds": times }),
    );
    json!({
        "name": one.name,
        "about": one.about,
        "steps": steps.collect::<Vec<_>>(),
        "codec_seconds": one.codec,
        "idle_share_of_a_core": one.idle_share,
        "process_seconds": one.process.as_ref().map(|(whole, _)| whole),
        "take": one.process.as_ref().map(|(_, answer)| answer),
        "peak_megabytes": one.peak_megabytes,
        "not_measured": one.notes,
    })
}
