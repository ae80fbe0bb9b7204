//! A song of ten takes of 30 s, opened in a process of its own.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;
use tiller_models::bundle::Bundle;
use tiller_tests::{AudioSettings, Pace, Pass, PluginFile, fixture};

const TAKES: usize = 10;
const SECONDS: f64 = 30.0;

/// Opens the song and prints how many milliseconds after activation it sounds. `whole` then waits for all of its audio.
pub fn measure(clap: &Path, whole: bool) -> Result<()> {
    let takes = takes()?;
    let mut instance = PluginFile::load(clap)?.instantiate()?;
    let state = instance.state()?.with_project(|project| project["takes"] = json!(takes))?;
    instance.restore(&state)?;
    let settings = AudioSettings::default();
    let start = Instant::now();
    instance.activate(settings)?;
    let first = Pass { frames: 480, pace: Pace::Live, ..Pass::over(0, 480) };
    while instance.play(&first)?.peak() == 0.0 {}
    println!("{}", start.elapsed().as_secs_f64() * 1e3);
    if whole {
        instance.set_offline(true)?;
        for take in 1..=TAKES {
            let end = (take as f64 * SECONDS * settings.sample_rate) as u64;
            instance.play(&Pass::over(end - 480, 480))?;
        }
    }
    Ok(())
}

/// Takes one after the other, whose tokens mean nothing: decoding them is as much work as any.
fn takes() -> Result<Vec<Value>> {
    let bundle = Bundle::open(&fixture::bundle())?;
    let architecture = bundle.architecture();
    let frames = (SECONDS * architecture.frame_rate()).round() as usize;
    let vocabulary = u32::try_from(architecture.vocabulary).context("the vocabulary is too large")?;
    let mut state = 1_u32;
    let mut token = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) % vocabulary) as u16
    };
    let mut take = |index: usize| {
        let bytes: Vec<u8> =
            (0..architecture.codebooks * frames).flat_map(|_| token().to_le_bytes()).collect();
        let start = index as f64 * SECONDS;
        json!({
            "place": { "beats": start * 2.0, "seconds": start },
            "recipe": { "prompt": "tokens", "seconds": SECONDS, "model_sha256": bundle.id() },
            "codes": { "codebooks": architecture.codebooks, "frames": frames, "data": STANDARD.encode(bytes) },
        })
    };
    Ok((0..TAKES).map(&mut take).collect())
}
