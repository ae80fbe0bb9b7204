//! `tiller bench`: speed and memory, measured so that a loaded machine disturbs every side of a ratio alike.

mod positions;
mod process;
mod profile;
mod roof;
mod worker;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use tiller_models::bundle::Bundle;
use tiller_models::encodec::StreamDecoder;
use tiller_models::musicgen::{Cancel, Engine, GenerateError, Generation, Recipe, frames_of};
use tiller_models::steering::{Slot, Steering, StrengthCurve, Vector};

use super::{EngineArguments, Fallible, Outcome, open_bundle};

/// Rounds of the interleaved measurements; the fastest tenth of all steps is averaged.
const ROUNDS: usize = 12;
/// Steps of each side in a round.
const STEPS: usize = 10;
/// Length of the take of which a part is steered anew, seconds.
const RESTEERED: f64 = 30.0;
/// That part: its end, seconds.
const PART: f64 = 2.0;

/// Arguments of `tiller bench`.
#[derive(Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    engine: EngineArguments,
    /// Length of the take whose speed is measured.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Time steps at these positions and the codec, and leave out what compares Tiller with itself.
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    positions: Vec<usize>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Measure what the lines of the standard input ask, and answer each with a line of JSON.
    #[arg(long, conflicts_with_all = ["positions", "json"])]
    worker: bool,
    /// Print as JSON how long each kind of operator takes, at --positions or at 50, 500 and 1,400.
    #[arg(long, conflicts_with = "worker")]
    profile: bool,
}

impl Bench {
    pub fn run(&self) -> Outcome {
        if self.worker {
            return worker::run(self);
        }
        let bundle = open_bundle(self.engine.bundle.as_deref())?;
        let started = Instant::now();
        let engine = Engine::load(&bundle, &self.engine.options())?;
        if self.profile {
            let positions = if self.positions.is_empty() { &[50, 500, 1_400][..] } else { &self.positions };
            let threads = self.engine.threads.map_or(2, NonZeroUsize::get);
            println!("{:#}", profile::run(&engine, threads, positions)?);
            return Ok(());
        }
        let (whole, first_audio) = self.take_of(&engine, self.seconds, started)?;
        let again = Instant::now();
        let (warm, first_audio_warm) = self.take_of(&engine, self.seconds, again)?;
        let seconds =
            frames_of(self.seconds, bundle.architecture())? as f64 / bundle.architecture().frame_rate();

        let steps = if self.positions.is_empty() {
            within_a_take(&engine, &bundle)?
        } else {
            json!({
                "step_milliseconds": positions::steps(&engine, &self.positions)?,
                "codec_real_time_factor": positions::codec(&engine)?,
            })
        };
        let mut figures = json!({
            "bundle": bundle.manifest().name,
            "precision": engine.precision(),
            "provider": engine.provider(),
            "runtime": engine.runtime().version().to_string(),
            "take_seconds": seconds,
            "real_time_factor": seconds / warm.as_secs_f64(),
            "real_time_factor_with_loading": seconds / whole.as_secs_f64(),
            "first_audio_seconds_with_loading": first_audio.as_secs_f64(),
            "first_audio_seconds": first_audio_warm.as_secs_f64(),
            "resident_megabytes": process::resident_megabytes(),
        });
        if let (Value::Object(all), Value::Object(steps)) = (&mut figures, steps) {
            all.extend(steps);
        }
        self.print(&figures)
    }

    fn print(&self, result: &Value) -> Outcome {
        if self.json {
            println!("{result}");
        } else if let Value::Object(entries) = result {
            entries.iter().for_each(|(name, value)| println!("{name:34} {value}"));
        }
        Ok(())
    }

    /// Generates and decodes a take, and returns how long it took and how long until its first audio.
    fn take_of(
        &self,
        engine: &Arc<Engine>,
        seconds: f64,
        started: Instant,
    ) -> Fallible<(Duration, Duration)> {
        let frames = frames_of(seconds, engine.bundle().architecture())?;
        let recipe = recipe(engine, frames, Steering::default());
        let mut generation = Generation::new(engine, recipe, &[], &Cancel::new())?;
        let mut decoder = StreamDecoder::new(engine);
        let mut first_audio = None;
        while let Some(frame) = generation.advance()? {
            if !decoder.push(frame)?.is_empty() {
                first_audio.get_or_insert_with(|| started.elapsed());
            }
        }
        decoder.finish()?;
        let whole = started.elapsed();
        Ok((whole, first_audio.unwrap_or(whole)))
    }
}

/// What a step costs early and late in a take, with and without steering, and what steering its end anew does.
fn within_a_take(engine: &Arc<Engine>, bundle: &Bundle) -> Fallible<Value> {
    let at = |frame: usize| at_frame(engine, frame, STEPS, Steering::default(), &[]);
    let [early, late] = fastest([at(50)?, at(1_000)?])?;

    let (slots, vectors): (Vec<_>, Vec<_>) = every_layer(bundle)?.into_iter().unzip();
    let with = |count: usize| {
        let steering = Steering { slots: slots[..count].to_vec(), ..Steering::default() };
        at_frame(engine, 100, STEPS, steering, &vectors)
    };
    let [none, one, four] = fastest([with(0)?, with(1)?, with(4)?])?;

    Ok(json!({
        "step_milliseconds_at_frame_50": early * 1e3,
        "step_milliseconds_at_frame_1000": late * 1e3,
        "step_ratio_1000_to_50": late / early,
        "steering_ratio_1_slot": one / none,
        "steering_ratio_4_slots": four / none,
        "resteering_share": resteering(engine)?,
    }))
}

/// What steering the last [`PART`] of a take of [`RESTEERED`] anew costs, audio included, as a share of making all of it.
fn resteering(engine: &Arc<Engine>) -> Fallible<f64> {
    let architecture = engine.bundle().architecture();
    let frames = frames_of(RESTEERED, architecture)?;
    let changed = frames_of(RESTEERED - PART, architecture)?;
    let (slot, vector) = every_layer(engine.bundle())?.swap_remove(0);
    let steered = |then: f32| {
        let strengths = (0..frames).map(|frame| if frame < changed { 0.2 } else { then });
        let curve = StrengthCurve::from_frames(strengths.collect());
        Steering { slots: vec![Slot { curve, ..slot.clone() }], ..Steering::default() }
    };
    let vectors = [vector.clone()];
    let started = Instant::now();
    let before = recipe(engine, frames, steered(0.2));
    let mut generation = Generation::new(engine, before, &vectors, &Cancel::new())?;
    let mut decoder = StreamDecoder::new(engine);
    to_its_end(&mut generation, &mut decoder)?;
    let whole = started.elapsed();
    let started = Instant::now();
    generation.rewind(changed, steered(0.4), &vectors)?;
    decoder.rewind(changed)?;
    to_its_end(&mut generation, &mut decoder)?;
    Ok(started.elapsed().as_secs_f64() / whole.as_secs_f64())
}

fn to_its_end(generation: &mut Generation, decoder: &mut StreamDecoder) -> Fallible<()> {
    while let Some(frame) = generation.advance()? {
        decoder.push(frame)?;
    }
    decoder.finish()?;
    Ok(())
}

fn recipe(engine: &Engine, frames: usize, steering: Steering) -> Recipe {
    Recipe { steering, ..Recipe::plain(engine, "a calm flute melody over soft drums", 1, frames) }
}

/// A generation that stands at `frame`, and the frame.
struct Standing {
    generation: Generation,
    frame: usize,
    /// Frames there is room for after it.
    room: usize,
    steering: Steering,
    vectors: Vec<Arc<Vector>>,
}

impl Standing {
    /// Goes back to its frame.
    fn back(&mut self) -> Result<(), GenerateError> {
        self.generation.rewind(self.frame, self.steering.clone(), &self.vectors)
    }
}

/// The frames before it are an opening, which is read in one run: made one by one, 1,500 would take minutes.
fn at_frame(
    engine: &Arc<Engine>,
    frame: usize,
    room: usize,
    steering: Steering,
    vectors: &[Arc<Vector>],
) -> Fallible<Standing> {
    let opening = (frame > 0).then(|| positions::codes(engine, frame)).transpose()?;
    let recipe = Recipe { opening, ..recipe(engine, frame + room, steering.clone()) };
    let generation = Generation::new(engine, recipe, vectors, &Cancel::new())?;
    let mut standing = Standing { generation, frame, room, steering, vectors: vectors.to_vec() };
    // What the take begins with is handed out as it is; the frame after it is the first that is made.
    for _ in 0..=frame {
        standing.generation.advance()?;
    }
    standing.back()?;
    Ok(standing)
}

/// Seconds of a step of each, undisturbed: they take turns, and the fastest tenth counts.
fn fastest<const N: usize>(mut all: [Standing; N]) -> Result<[f64; N], GenerateError> {
    let mut times: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (standing, times) in all.iter_mut().zip(&mut times) {
            for _ in 0..STEPS {
                let started = Instant::now();
                standing.generation.advance()?;
                times.push(started.elapsed().as_secs_f64());
            }
            standing.back()?;
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        let count = times.len() / 10;
        times[..count].iter().sum::<f64>() / count as f64
    }))
}

/// Four slots that act in every layer, at both sites, with strengths that change at every frame.
fn every_layer(bundle: &Bundle) -> Fallible<Vec<(Slot, Arc<Vector>)>> {
    let model = bundle.architecture();
    let frames = 200;
    let mut slots = Vec::new();
    for number in 0..4 {
        let values: Vec<u8> =
            (0..model.width).flat_map(|i| ((i * (number + 3)) as f32).sin().to_le_bytes()).collect();
        let names = ["residual", "attention"]
            .iter()
            .flat_map(|site| (0..model.layers).map(move |layer| format!("{site}.{layer}")));
        let tensors = names
            .map(|name| Ok((name, TensorView::new(Dtype::F32, vec![model.width], &values)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
        let metadata = [
            ("format", "tiller-vector/1".to_owned()),
            ("concept", format!("bench {number}")),
            ("sites", r#"["residual","attention"]"#.to_owned()),
        ];
        let metadata: HashMap<_, _> =
            metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let vector = Vector::from_bytes(&safetensors::serialize(tensors, Some(metadata))?, "bench")?;
        let curve =
            StrengthCurve::from_frames((0..frames).map(|frame| frame as f32 / frames as f32).collect());
        slots.push((Slot::new(&vector, curve), Arc::new(vector)));
    }
    Ok(slots)
}
