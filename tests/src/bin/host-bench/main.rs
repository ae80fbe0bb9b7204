//! Speed of generation, and what the plugin costs its host: time to scan and instantiate, idle processor time, memory,
//! time to first audio.
//!
//! `host-bench TILLER CLAP` runs `TILLER bench --json` and measures the plugin, and prints each figure beside the
//! project's target and their ratio: at most 1 where the target is met. Nothing is asserted.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tiller_tests::scene::{Scene, finish};
use tiller_tests::{AudioSettings, Blocks, Instance, Pace, Pass, PluginFile};

mod song;

/// How often short things are measured; the median counts.
const TIMES: usize = 21;
/// Longest a take may take before the measurement is given up.
const LIMIT: Duration = Duration::from_secs(300);

/// Asks this program, started by itself, for the first sound of a song, and to fill the cache with all of it.
const FILL: &str = "--fill-cache";
/// Asks this program, started by itself, for the first sound of a song.
const OPEN: &str = "--open";

/// Which side of its target a figure should be on.
#[derive(Clone, Copy)]
enum Target {
    AtMost(f64),
    AtLeast(f64),
}

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [tiller, clap] = arguments.as_slice() else { bail!("usage: host-bench TILLER CLAP") };
    if tiller == Path::new(FILL) || tiller == Path::new(OPEN) {
        return song::measure(clap, tiller == Path::new(FILL));
    }
    println!("  {:62} {:>8} {:6} {:>22} {:>6}", "", "measured", "", "target", "ratio");
    generation(tiller)?;
    plugin(clap)?;
    leaving(clap)?;
    reopening(clap)
}

/// How long the last instance takes to go, whatever the renderer is doing for it: as long as a cancel takes at most,
/// and freeing the model.
fn leaving(clap: &Path) -> Result<()> {
    let plugin = PluginFile::load(clap)?;
    let scene = Scene { seconds: 60.0, ..Scene::default() };
    let mut longest = 0.0_f64;
    for delay in [0, 5, 10, 20, 40, 60, 80, 100, 150, 200, 400, 800] {
        let mut instance = plugin.instantiate()?;
        scene.apply(&mut instance)?;
        instance.activate(AudioSettings::default())?;
        scene.press(&mut instance)?;
        std::thread::sleep(Duration::from_millis(delay));
        let start = Instant::now();
        drop(instance);
        longest = longest.max(milliseconds(start.elapsed()));
    }
    report(
        "plugin: last instance removed while its take is made (longest)",
        longest,
        "ms",
        Target::AtMost(50.0),
    );
    Ok(())
}

/// How soon a song sounds that is opened again in a new process, on a machine that has its audio in the cache.
fn reopening(clap: &Path) -> Result<()> {
    let cache = tempfile::tempdir()?;
    let process = |what: &str| -> Result<String> {
        let output = Command::new(std::env::current_exe()?)
            .arg(what)
            .arg(clap)
            .env("TILLER_CACHE", cache.path())
            .output()
            .context("the measurement cannot start itself")?;
        ensure!(
            output.status.success(),
            "opening a song failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    };
    let cold: f64 = process(FILL)?.trim().parse()?;
    let times: Result<Vec<f64>> = (0..5).map(|_| Ok(process(OPEN)?.trim().parse()?)).collect();
    report("plugin: song of 10 takes of 30 s, first sound, cold cache", cold, "ms", Target::AtMost(1_000.0));
    report("plugin: the same with a warm cache (median)", median(times?), "ms", Target::AtMost(200.0));
    Ok(())
}

/// Figures of the command line, without a host.
fn generation(tiller: &Path) -> Result<()> {
    let output = Command::new(tiller)
        .args(["bench", "--json"])
        .output()
        .with_context(|| format!("{} cannot be started", tiller.display()))?;
    ensure!(output.status.success(), "`tiller bench` failed: {}", String::from_utf8_lossy(&output.stderr));
    let figures: Value =
        serde_json::from_slice(&output.stdout).context("`tiller bench --json` printed no JSON")?;
    let rows = [
        ("take of 10 s: speed over real time", "real_time_factor", "x", Target::AtLeast(5.0)),
        ("first audio after Generate, model loaded", "first_audio_seconds", "s", Target::AtMost(1.0)),
        (
            "first audio after Generate, loading included",
            "first_audio_seconds_with_loading",
            "s",
            Target::AtMost(1.0),
        ),
        (
            "decode step at frame 1,000 over one at frame 50",
            "step_ratio_1000_to_50",
            "x",
            Target::AtMost(1.6),
        ),
        (
            "decode step with 1 slot steering over one without",
            "steering_ratio_1_slot",
            "x",
            Target::AtMost(1.1),
        ),
        (
            "decode step with 4 slots steering over one without",
            "steering_ratio_4_slots",
            "x",
            Target::AtMost(1.1),
        ),
        (
            "steering the last 2 s of a take of 30 s anew, of making it",
            "resteering_share",
            "",
            Target::AtMost(0.12),
        ),
    ];
    for (what, field, unit, target) in rows {
        let measured = figures[field].as_f64().with_context(|| format!("`tiller bench` names no {field}"))?;
        report(what, measured, unit, target);
    }
    Ok(())
}

/// Figures of the plugin in this host.
fn plugin(clap: &Path) -> Result<()> {
    let before = memory()?;
    let start = Instant::now();
    let plugin = PluginFile::load(clap)?;
    let mut instance = plugin.instantiate()?;
    report("plugin: scan and first instance", milliseconds(start.elapsed()), "ms", Target::AtMost(100.0));
    let instances: Result<Vec<f64>> = (0..TIMES)
        .map(|_| {
            let start = Instant::now();
            let instance = plugin.instantiate()?;
            let time = milliseconds(start.elapsed());
            drop(instance);
            Ok(time)
        })
        .collect();
    report("plugin: a further instance (median)", median(instances?), "ms", Target::AtMost(100.0));

    let scene = Scene { seconds: 8.0, ..Scene::default() };
    scene.apply(&mut instance)?;
    instance.activate(AudioSettings { max_block: 64, ..AudioSettings::default() })?;
    let start = Instant::now();
    scene.press(&mut instance)?;
    let live = Pass { frames: 480, pace: Pace::Live, ..scene.pass(&instance) };
    while instance.play(&live)?.peak() == 0.0 {
        ensure!(start.elapsed() < LIMIT, "no audio {} s after Generate", LIMIT.as_secs());
    }
    let first = start.elapsed().as_secs_f64();
    report("plugin: first audio after the first Generate, loading included", first, "s", Target::AtMost(1.0));
    finish(&mut instance, LIMIT)?;
    let speed = scene.seconds / start.elapsed().as_secs_f64();
    report("plugin: take of 8 s: speed over real time, loading included", speed, "x", Target::AtLeast(5.0));
    report("plugin: memory with the model", (memory()? - before) / 1e6, "MB", Target::AtMost(300.0));

    let stopped = Pass { playing: false, frames: 5 * 48_000, pace: Pace::Live, ..Pass::over(0, 0) };
    let (start, used) = (Instant::now(), processor_time()?);
    instance.play(&stopped)?;
    let share = (processor_time()? - used) / start.elapsed().as_secs_f64() * 100.0;
    report("plugin: idle, blocks of 64 at 48 kHz, host included", share, "% core", Target::AtMost(1.0));
    let (start, used) = (Instant::now(), processor_time()?);
    std::thread::sleep(Duration::from_secs(3));
    let share = (processor_time()? - used) / start.elapsed().as_secs_f64() * 100.0;
    report("plugin: idle, host asks for no audio", share, "% core", Target::AtMost(1.0));

    let blocks: Result<Vec<f64>> = (0..TIMES)
        .map(|_| {
            let start = Instant::now();
            let pass = Pass { blocks: Blocks::Of(64), ..Pass::over(0, 48_000) };
            instance.play(&pass)?;
            Ok(start.elapsed().as_secs_f64() * 100.0)
        })
        .collect();
    report("plugin: a take playing, host included (median)", median(blocks?), "% core", Target::AtMost(2.0));
    eight_takes(&mut instance)
}

/// How long `process()` takes for 64 frames at 48 kHz with eight takes sounding at once, as a sound card asks for them.
fn eight_takes(instance: &mut Instance) -> Result<()> {
    const SOUNDING: u64 = 8;
    let state = instance.state()?.with_project(|project| {
        let take = project["takes"][0].clone();
        let takes = (0..SOUNDING).map(|seed| {
            let mut take = take.clone();
            // Another seed, so that each has its own audio.
            take["recipe"]["seed"] = seed.into();
            take["muted"] = false.into();
            take
        });
        project["takes"] = takes.collect();
    })?;
    instance.restore(&state)?;
    instance.set_offline(true)?;
    let whole = Pass { blocks: Blocks::Of(64), ..Pass::over(0, 8 * 48_000) };
    instance.play(&whole)?;
    instance.set_offline(false)?;
    let mut timed = |playing: bool| -> Result<Vec<f64>> {
        let pass = Pass { pace: Pace::Live, playing, ..whole.clone() };
        let times = instance.time(&pass)?.into_iter();
        let mut shares: Vec<f64> = times.map(|time| time.as_secs_f64() / (64.0 / 48_000.0) * 100.0).collect();
        shares.sort_by(f64::total_cmp);
        Ok(shares)
    };
    let (standing, playing) = (timed(false)?, timed(true)?);
    let quantile = |shares: &[f64], part: f64| {
        shares.get((shares.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN)
    };
    for (what, shares, part) in [
        ("plugin: 64 frames, 8 takes sounding: median block", &playing, 0.5),
        ("plugin: 64 frames, 8 takes sounding: 99.9th block", &playing, 0.999),
        // What this machine costs a block that has nothing to do.
        ("plugin: 64 frames, the song standing: 99.9th block", &standing, 0.999),
    ] {
        report(what, quantile(shares, part), "% of it", Target::AtMost(2.0));
    }
    Ok(())
}

fn report(what: &str, measured: f64, unit: &str, target: Target) {
    let (sign, limit, ratio) = match target {
        Target::AtMost(limit) => ("at most", limit, measured / limit),
        Target::AtLeast(limit) => ("at least", limit, limit / measured),
    };
    println!("  {what:62} {measured:8.3} {unit:6} {sign:>9} {limit:5} {unit:6} {ratio:6.3}");
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
