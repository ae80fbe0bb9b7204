//! The CLAP's part of the host matrix, and the reference all hosts are compared with.
//!
//! `host-matrix CLAP FOLDER` makes a project of two takes, bounces it in every way, and writes into the folder:
//! `state.json`, the project's state; `song-RATE.f32` and `note-RATE.f32`, what its song and a note of it sound like
//! (left and right, interleaved); `clap.tsv`, a line a bounce: host, mode, rate, block size, which bounce, and verdict.
//! `tests/python/matrix.py` adds the other hosts and prints the table.

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tiller_tests::scene::{Scene, takes};
use tiller_tests::{Audio, AudioSettings, Blocks, Event, Instance, Pass, PluginFile, Position, State};

const RATES: [u32; 3] = [44_100, 48_000, 96_000];
/// The song's length in seconds. The takes are in its first 1.75.
const SECONDS: f64 = 2.0;
/// Where the first take starts, in seconds: no whole number of samples at 44.1 kHz per block of any size.
const FIRST: f64 = 0.25;
/// A host that fetches faster than real time is known by being this many seconds ahead, or three of its longest blocks
/// where those are longer; it shows up to two blocks later.
const KNOWN_SECONDS: f64 = 0.5;
const KNOWN_BLOCKS: f64 = 3.0;
/// Longest the takes may take to generate.
const LIMIT: Duration = Duration::from_secs(120);

/// How a host renders to a file, as far as the plugin can tell.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// It says so.
    Flagged,
    /// It does not say so.
    Unflagged,
    /// It does not say so, and the project's setting is to wait always.
    Always,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Flagged, Self::Unflagged, Self::Always];

    fn name(self) -> &'static str {
        match self {
            Self::Flagged => "flagged",
            Self::Unflagged => "unflagged",
            Self::Always => "set to always",
        }
    }
}

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [clap, folder] = arguments.as_slice() else { bail!("usage: host-matrix CLAP FOLDER") };
    let plugin = PluginFile::load(clap)?;
    let state = project(&plugin)?;
    fs::write(folder.join("state.json"), state.json()?.to_string())?;
    let always = state.with_project(|project| project["settings"]["wait"] = json!("always"))?;
    let mut lines = String::new();
    for rate in RATES {
        let reference = reference(&plugin, &state, rate, folder)?;
        for mode in Mode::ALL {
            let state = if mode == Mode::Always { &always } else { &state };
            for (name, longest, blocks) in blocks() {
                let settings = AudioSettings { sample_rate: f64::from(rate), max_block: longest };
                let verdicts = bounces(&plugin, state, settings, mode, blocks, &reference)?;
                for (bounce, verdict) in ["first", "second", "reload"].iter().zip(verdicts) {
                    let mode = mode.name();
                    writeln!(lines, "clack-host, CLAP\t{mode}\t{rate}\t{name}\t{bounce}\t{verdict}")?;
                }
            }
        }
    }
    fs::write(folder.join("clap.tsv"), lines).context("clap.tsv cannot be written")
}

/// Block sizes by name, with the longest the host announces.
fn blocks() -> [(&'static str, u32, Blocks); 5] {
    // Any lengths will do, but the same each time.
    let random = (1..200_u32).map(|n| n.wrapping_mul(2_654_435_761) >> 19).collect();
    [
        ("16", 16, Blocks::Of(16)),
        ("64", 64, Blocks::Of(64)),
        ("512", 512, Blocks::Of(512)),
        ("8192", 8_192, Blocks::Of(8_192)),
        ("random", 8_192, Blocks::Cycle(random)),
    ]
}

/// Two takes that overlap, the second quieter, with their tokens.
fn project(plugin: &PluginFile) -> Result<State> {
    let scene = Scene { at: FIRST, seconds: 1.0, ..Scene::default() };
    let mut instance = scene.open(plugin, AudioSettings::default())?;
    scene.generate(&mut instance, LIMIT)?;
    let second = Scene { at: 0.75, seed: 11, ..scene };
    second.apply(&mut instance)?;
    second.generate(&mut instance, LIMIT)?;
    ensure!(takes(&mut instance)?.len() == 2, "the project does not hold its two takes");
    instance.state()?.with_project(|project| project["takes"][1]["gain"] = json!(0.5))
}

fn opened(plugin: &PluginFile, state: &State, settings: AudioSettings, offline: bool) -> Result<Instance> {
    let mut instance = plugin.instantiate()?;
    instance.restore(state)?;
    instance.set_offline(offline)?;
    instance.activate(settings)?;
    Ok(instance)
}

fn song(settings: AudioSettings) -> Pass {
    Pass::over(0, (SECONDS * settings.sample_rate) as u64)
}

/// What the song is to sound like at a rate: a bounce that the host flags, checked for its onset.
fn reference(plugin: &PluginFile, state: &State, rate: u32, folder: &Path) -> Result<Audio> {
    let settings = AudioSettings { sample_rate: f64::from(rate), max_block: 1_024 };
    let mut instance = opened(plugin, state, settings, true)?;
    let song = instance.play(&song(settings))?;
    let onset = (FIRST * f64::from(rate)).round() as usize;
    let first = (0..song.frames()).find(|&frame| song.channels[0][frame] != 0.0);
    ensure!(first == Some(onset), "at {rate} Hz the first take sounds from {first:?} on, not from {onset}");
    write(&song, &folder.join(format!("song-{rate}.f32")))?;
    let note = Pass {
        position: Position::Unknown,
        playing: false,
        events: vec![(0, Event::NoteOn(60, 1.0))],
        ..self::song(settings)
    };
    write(&instance.play(&note)?, &folder.join(format!("note-{rate}.f32")))?;
    Ok(song)
}

fn write(audio: &Audio, path: &Path) -> Result<()> {
    let [left, right] = &audio.channels;
    let interleaved = left.iter().zip(right).flat_map(|(left, right)| [*left, *right]);
    let bytes: Vec<u8> = interleaved.flat_map(f32::to_le_bytes).collect();
    fs::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}

/// A first bounce right after opening the project, a second, and one after saving and loading it again.
fn bounces(
    plugin: &PluginFile,
    state: &State,
    settings: AudioSettings,
    mode: Mode,
    blocks: Blocks,
    reference: &Audio,
) -> Result<[String; 3]> {
    let pass = Pass { blocks, ..song(settings) };
    let offline = mode == Mode::Flagged;
    let mut instance = opened(plugin, state, settings, offline)?;
    let longest = f64::from(settings.max_block) / settings.sample_rate;
    // Only the first blocks of an unannounced bounce may lack something, and only before the takes are decoded.
    let known = KNOWN_SECONDS.max(KNOWN_BLOCKS * longest) + 2.0 * longest;
    let bounce = |instance: &mut Instance, fresh: bool| -> Result<String> {
        let started = Instant::now();
        let audio = instance.play(&pass)?;
        let may_miss = known + started.elapsed().as_secs_f64();
        Ok(verdict(&audio, reference, if fresh && mode == Mode::Unflagged { may_miss } else { 0.0 }))
    };
    let (first, second) = (bounce(&mut instance, true)?, bounce(&mut instance, false)?);
    let saved = instance.state()?;
    drop(instance);
    let reload = bounce(&mut opened(plugin, &saved, settings, offline)?, true)?;
    Ok([first, second, reload])
}

/// `=` where the audio is the reference to the byte; `~S` where it is from S seconds on and may be so; `x S` where it
/// differs at S seconds and may not.
fn verdict(audio: &Audio, reference: &Audio, may_miss: f64) -> String {
    let differs = |frame: &usize| {
        let at = |audio: &Audio, channel: usize| audio.channels[channel].get(*frame).map(|x| x.to_bits());
        (0..2).any(|channel| at(audio, channel) != at(reference, channel))
    };
    match (0..audio.frames().max(reference.frames())).rev().find(differs) {
        None => "=".into(),
        Some(last) => {
            let seconds = (last + 1) as f64 / audio.sample_rate;
            format!("{}{seconds:.2}", if seconds <= may_miss { "~" } else { "x" })
        }
    }
}
