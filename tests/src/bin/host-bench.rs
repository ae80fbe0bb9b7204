//! What the plugin costs its host: time to scan and instantiate, idle processor time, memory, time to first audio.
//!
//! `host-bench CLAP` prints each figure beside the project's target and their ratio (below 1 is better than the
//! target). Nothing is asserted.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tiller_tests::scene::{Scene, newest_take};
use tiller_tests::{AudioSettings, Blocks, Pace, Pass, PluginFile};

/// How often short things are measured; the median counts.
const TIMES: usize = 21;
/// Longest a take may take before the measurement is given up.
const LIMIT: Duration = Duration::from_secs(300);

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [clap] = arguments.as_slice() else { bail!("usage: host-bench CLAP") };
    let before = memory()?;

    let start = Instant::now();
    let plugin = PluginFile::load(clap)?;
    let mut instance = plugin.instantiate()?;
    report("scan and first instance", milliseconds(start.elapsed()), "ms", 100.0);
    let instances: Result<Vec<f64>> = (0..TIMES)
        .map(|_| {
            let start = Instant::now();
            let instance = plugin.instantiate()?;
            let time = milliseconds(start.elapsed());
            drop(instance);
            Ok(time)
        })
        .collect();
    report("further instance (median)", median(instances?), "ms", 100.0);

    let scene = Scene { seconds: 8.0, ..Scene::default() };
    scene.apply(&mut instance)?;
    instance.activate(AudioSettings { max_block: 64, ..AudioSettings::default() })?;
    let start = Instant::now();
    scene.press(&mut instance)?;
    let second = Pass { frames: 480, pace: Pace::Live, ..scene.pass(&instance) };
    while instance.play(&second)?.peak() == 0.0 {
        if start.elapsed() > LIMIT {
            bail!("no audio {} s after Generate", LIMIT.as_secs());
        }
    }
    report(
        "first audio after the first Generate, model load included",
        start.elapsed().as_secs_f64(),
        "s",
        1.0,
    );
    instance.run_until(LIMIT, |instance| Ok(!newest_take(instance)?["codes"].is_null()))?;
    report(
        "whole take of 8 s, in takes' own length",
        start.elapsed().as_secs_f64() / scene.seconds,
        "x",
        0.2,
    );
    report("resident memory with the model", (memory()? - before) / 1e6, "MB", 300.0);

    let stopped = Pass { playing: false, frames: 5 * 48_000, pace: Pace::Live, ..Pass::over(0, 0) };
    let (start, used) = (Instant::now(), processor_time()?);
    instance.play(&stopped)?;
    let share = (processor_time()? - used) / start.elapsed().as_secs_f64() * 100.0;
    report("processor, stopped, blocks of 64 at 48 kHz, host included", share, "% of a core", 1.0);
    let (start, used) = (Instant::now(), processor_time()?);
    std::thread::sleep(Duration::from_secs(3));
    let share = (processor_time()? - used) / start.elapsed().as_secs_f64() * 100.0;
    report("processor, host not asking for audio", share, "% of a core", 1.0);

    let blocks: Result<Vec<f64>> = (0..TIMES)
        .map(|_| {
            let start = Instant::now();
            let pass = Pass { blocks: Blocks::Of(64), ..Pass::over(0, 48_000) };
            instance.play(&pass)?;
            Ok(start.elapsed().as_secs_f64() * 100.0)
        })
        .collect();
    report("processor, one take playing, host included (median)", median(blocks?), "% of real time", 2.0);
    Ok(())
}

fn report(what: &str, measured: f64, unit: &str, target: f64) {
    println!("  {what:58} {measured:9.3} {unit:14} target {target:6.1}  ratio {:6.3}", measured / target);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Resident memory of this process in bytes.
fn memory() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("memory is measured on Linux only")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the system names no VmRSS")?;
    let kilobytes: f64 =
        line.trim().trim_end_matches("kB").trim().parse().context("VmRSS is not a number")?;
    Ok(kilobytes * 1_024.0)
}

/// Processor time this process has used in all its threads, in seconds.
fn processor_time() -> Result<f64> {
    let tasks = std::fs::read_dir("/proc/self/task").context("processor time is measured on Linux only")?;
    let mut nanoseconds = 0.0;
    for task in tasks {
        // The first number is the time spent on a processor. A thread that has just ended is left out.
        if let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) {
            nanoseconds +=
                text.split_whitespace().next().and_then(|time| time.parse::<f64>().ok()).unwrap_or(0.0);
        }
    }
    Ok(nanoseconds / 1e9)
}
