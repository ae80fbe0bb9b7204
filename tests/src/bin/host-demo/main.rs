//! The demo: one take, bounced through a host with and without steering.
//!
//! `host-demo CLAP FOLDER` writes `take.wav`, `unsteered.wav`, `take.png` and `take.json` into the folder.

mod label;
mod picture;
mod spectrogram;

use anyhow::{Context, Result, bail, ensure};
use picture::Panel;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tiller_tests::scene::{Scene, finish, newest_take};
use tiller_tests::{Audio, AudioSettings, PluginFile, fixture, packing};

/// What is played before the steering sets in.
const PROMPT: &str = "solo flute";
/// What it is steered to, if the bundle has it; otherwise the bundle's first vector.
const CONCEPT: &str = "drums";
const SECONDS: f64 = 8.0;
/// Until here the strength is 0.
const RISE_FROM: f64 = 2.0;
/// How far ahead the resampler from the codec's rate to the host's looks, seconds: two of its chunks of 1,024 samples.
const RESAMPLER_REACH: f64 = 0.064;
/// From here it is full: what the vector recommends, or else [`FULL`].
const RISE_TO: f64 = 5.0;
/// Full strength where the vector recommends none, of the parameter's -2 to 2.
const FULL: f64 = 1.0;
/// How long after its last sample a take may take to be entered in the project.
const LIMIT: Duration = Duration::from_secs(10);
/// Frames of the song bounced between two lines of progress.
const STEP: u64 = 48_000;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [clap, folder] = arguments.as_slice() else { bail!("usage: host-demo CLAP FOLDER") };
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;

    let plugin = PluginFile::load(clap)?;
    let vector = fixture::vector(CONCEPT)?;
    let (concept, full) = (vector.concept(), vector.recommended_strength().map_or(FULL, f64::from));
    let strength = |seconds| full * rise(seconds);
    let scene = Scene {
        prompt: PROMPT.into(),
        seed: 1,
        seconds: SECONDS,
        concept: Some(concept.to_owned()),
        at: 0.0,
    };
    println!("      prompt: {PROMPT}; steered towards {concept}, to a strength of {full:.2}");
    let (unsteered, plain_take) = bounce("unsteered.wav", &plugin, &scene, |_| 0.0)?;
    let (steered, steered_take) = bounce("take.wav", &plugin, &scene, strength)?;
    check(&steered, &unsteered, &steered_take, &plain_take)?;

    steered.write_wav(&folder.join("take.wav"))?;
    unsteered.write_wav(&folder.join("unsteered.wav"))?;
    let label = serde_json::to_string(&label::of(&steered_take)?)?;
    std::fs::write(folder.join("take.json"), label).context("take.json cannot be written")?;
    let title = format!("take.wav: \"{PROMPT}\", steered towards {concept}");
    let panels = [
        Panel { title: &title, audio: &steered, strength: &strength },
        Panel {
            title: "unsteered.wav: the same take without steering",
            audio: &unsteered,
            strength: &|_| 0.0,
        },
    ];
    picture::draw(&folder.join("take.png"), &panels, full)?;

    for name in ["take.wav", "unsteered.wav", "take.png", "take.json"] {
        println!("      wrote {}", folder.join(name).display());
    }
    println!(
        "\nListen to {} beside unsteered.wav: the same music for {RISE_FROM} s, then it turns towards {concept}, fully from {RISE_TO} s on.",
        folder.join("take.wav").display()
    );
    Ok(())
}

/// The shape of the automation lane: nothing, a rise, 1.
fn rise(seconds: f64) -> f64 {
    ((seconds - RISE_FROM) / (RISE_TO - RISE_FROM)).clamp(0.0, 1.0)
}

/// What a musician does: draw the automation, play it once, press Generate, bounce.
fn bounce(
    name: &str,
    plugin: &PluginFile,
    scene: &Scene,
    strength: impl Fn(f64) -> f64,
) -> Result<(Audio, Value)> {
    let mut instance = scene.open(plugin, AudioSettings::default())?;
    scene.rehearse(&mut instance, &strength)?;
    scene.press(&mut instance)?;
    let song = scene.steered(&mut instance, &strength)?;
    let mut audio = Audio { sample_rate: instance.settings().sample_rate, ..Audio::default() };
    for from in (0..song.frames).step_by(STEP as usize) {
        audio.append(&instance.play(&song.part(from, STEP))?)?;
        println!("      {name}: {:.0} of {SECONDS:.0} s bounced", audio.frames() as f64 / audio.sample_rate);
    }
    finish(&mut instance, LIMIT)?;
    let take = newest_take(&mut instance)?;
    ensure!(audio.peak() > 1e-4, "{name} is silent: the plugin did not render the take");
    // The host plays the same song again, and must get the same samples.
    let again = instance.play(&song)?;
    if let Some(frame) = audio.first_difference(&again) {
        bail!("a second bounce of {name} differs from sample {frame} on");
    }
    Ok((audio, take))
}

/// The promise of the demo: equal while the strength is 0, different after.
fn check(steered: &Audio, unsteered: &Audio, steered_take: &Value, plain_take: &Value) -> Result<()> {
    let (with, without) = (packing::codes(steered_take)?, packing::codes(plain_take)?);
    let token = label::first_difference(&with, &without).context("steering changed no token")?;
    let rate = fixture::frame_rate()?;
    let begins = (RISE_FROM * rate).floor() as usize;
    ensure!(token >= begins, "token frame {token} differs before the strength leaves 0 at frame {begins}");
    let sample = steered.first_difference(unsteered).context("steering changed no sample")?;
    let earliest = (token.saturating_sub(fixture::look_ahead()?)) as f64 / rate;
    let differs = sample as f64 / steered.sample_rate;
    ensure!(
        differs >= earliest - RESAMPLER_REACH,
        "the audio differs from {differs:.3} s on, before the codec looks ahead to the changed tokens at {earliest:.3} s"
    );
    println!(
        "      checked: tokens equal to the bit up to {:.2} s, audio up to {differs:.2} s, different after",
        token as f64 / rate
    );
    Ok(())
}
