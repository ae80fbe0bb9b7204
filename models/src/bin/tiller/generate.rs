//! `tiller generate`.

use std::fs;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};
use tiller_models::encodec::StreamDecoder;
use tiller_models::lab::melody_of;
use tiller_models::musicgen::{Cancel, Engine, Generation, Recipe, Sampling, Take, frames_of};
use tiller_models::steering::{Layers, Monitoring, Rows, Rule, Scale, Slot, Steering, Vector};

use super::opening::opening;
use super::output::{Pending, Reporting, Wav};
use super::steering::{Steer, slots};
use super::{EngineArguments, Outcome, open_bundle};

/// Arguments of `tiller generate`.
#[derive(Args)]
pub(crate) struct Generate {
    #[command(flatten)]
    engine: EngineArguments,
    /// What to play; empty for whatever the model likes.
    #[arg(long)]
    prompt: String,
    /// Length.
    #[arg(long, allow_negative_numbers = true)]
    seconds: f64,
    /// Seed of the random numbers: the same seed gives the same take.
    #[arg(long)]
    seed: u64,
    /// Make this many takes, with this seed, the next and so on; --out and --label then name folders, which get SEED.wav
    /// and SEED.json.
    #[arg(long, value_name = "N")]
    count: Option<NonZeroU64>,
    /// 0 takes the most probable token always.
    #[arg(long, default_value_t = Sampling::default().temperature, allow_negative_numbers = true)]
    temperature: f32,
    /// Draw from this many of the most probable tokens; 0 for all.
    #[arg(long, value_name = "K", default_value_t = Sampling::default().top_k)]
    top_k: usize,
    /// Draw from the most probable tokens that reach this probability; 0 for all.
    #[arg(long, value_name = "P", default_value_t = Sampling::default().top_p, allow_negative_numbers = true)]
    top_p: f32,
    /// How strongly the prompt is followed; 1 switches guidance off and halves the work.
    #[arg(long, value_name = "G", default_value_t = Recipe::DEFAULT_GUIDANCE, allow_negative_numbers = true)]
    guidance: f32,
    /// What guidance leads away from.
    #[arg(long, value_name = "TEXT", default_value = "")]
    negative: String,
    /// Steer by a vector file, or by a vector of the bundle by its name.
    #[arg(long, value_name = "FILE[:STRENGTH]")]
    steer: Vec<Steer>,
    /// Length of a steering step: the activation's norm, or literally 1 as in the paper.
    #[arg(long, value_name = "norm|literal", default_value = "norm", value_parser = scale)]
    steer_scale: Scale,
    /// Which rows of guidance are steered.
    #[arg(long, value_name = "conditional|both", default_value = "conditional", value_parser = rows)]
    steer_rows: Rows,
    /// Which layers are steered.
    #[arg(long, value_name = "recommended|all|L|A-B", default_value = "recommended")]
    steer_layers: Layers,
    /// Let go of each vector's concept while it is there, and pull again when it fades: on and off at a threshold, as
    /// SMITIN does, or along a line. Takes vectors that say how they are read, as `tiller learn` makes them.
    #[arg(long, value_name = "smitin|fade")]
    monitor: Option<Rule>,
    /// Go on from this: a recording of any common format, or a take's label (.json). It is the beginning of the take, and
    /// part of its length.
    #[arg(long = "continue", value_name = "FILE")]
    opening: Option<PathBuf>,
    /// Go on at this time of it; by default at its end.
    #[arg(long, value_name = "SECONDS", requires = "opening", allow_negative_numbers = true)]
    from: Option<f64>,
    /// Follow the melody of this recording, of any common format; it is heard best without drums and bass. Takes a model
    /// that hears melodies, such as musicgen-melody.
    #[arg(long, value_name = "FILE")]
    melody: Option<PathBuf>,
    /// Strengths over time, as CSV: `seconds,<vector name>,...`, joined by lines.
    #[arg(long, value_name = "FILE.csv")]
    curve: Option<PathBuf>,
    /// Where the audio goes: WAV, 32-bit floats, at the model's sample rate.
    #[arg(long, value_name = "take.wav")]
    out: PathBuf,
    /// Where the label goes: all that is needed to make the take again.
    #[arg(long, value_name = "take.json")]
    label: Option<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
}

pub(super) fn scale(text: &str) -> Result<Scale, String> {
    match text {
        "norm" => Ok(Scale::Norm),
        "literal" => Ok(Scale::Literal),
        _ => Err("use norm or literal".to_owned()),
    }
}

pub(super) fn rows(text: &str) -> Result<Rows, String> {
    match text {
        "conditional" => Ok(Rows::Conditional),
        "both" => Ok(Rows::Both),
        _ => Err("use conditional or both".to_owned()),
    }
}

/// A take's seed and files.
struct Place {
    seed: u64,
    out: PathBuf,
    label: Option<PathBuf>,
}

impl Generate {
    pub fn run(&self) -> Outcome {
        let mut started = Instant::now();
        let bundle = open_bundle(self.engine.bundle.as_deref())?;
        let frames = frames_of(self.seconds, bundle.architecture())?;
        let (slots, vectors) = slots(&self.steer, self.curve.as_ref(), &bundle, frames)?;
        if self.monitor.is_some() && slots.is_empty() {
            return Err("--monitor needs a vector to let go of: add --steer".into());
        }
        if !self.negative.is_empty() && self.guidance <= 1.0 {
            return Err(
                "--negative needs --guidance above 1: without guidance nothing leads away from it".into()
            );
        }
        let places = self.places()?;
        let engine = Engine::load(&bundle, &self.engine.options())?;
        let mut recipe = Recipe {
            negative: self.negative.clone(),
            sampling: Sampling { temperature: self.temperature, top_k: self.top_k, top_p: self.top_p },
            guidance: self.guidance,
            steering: Steering {
                scale: self.steer_scale,
                rows: self.steer_rows,
                layers: self.steer_layers,
                period: 1,
                slots,
            }
            .monitored(self.monitor.map(Monitoring::new)),
            opening: self.opening.as_ref().map(|file| opening(file, self.from, &engine)).transpose()?,
            melody: self.melody.as_ref().map(|file| melody_of(file, &bundle)).transpose()?,
            ..Recipe::plain(&engine, &*self.prompt, self.seed, frames)
        };
        if let Some(remark) = bundle.words().and_then(|words| words.remark(&self.prompt)) {
            eprintln!("{remark}");
        }
        let cancel = Cancel::new();
        let by_keyboard = cancel.clone();
        ctrlc::set_handler(move || by_keyboard.cancel())?;
        for place in places {
            recipe.seed = place.seed;
            self.make(&engine, recipe.clone(), &vectors, &place, &cancel, started)?;
            started = Instant::now();
        }
        Ok(())
    }

    /// Where the takes go. Makes the folders of several.
    fn places(&self) -> Result<Vec<Place>, String> {
        let Some(count) = self.count else {
            return Ok(vec![Place { seed: self.seed, out: self.out.clone(), label: self.label.clone() }]);
        };
        for folder in std::iter::once(&self.out).chain(&self.label) {
            fs::create_dir_all(folder)
                .map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
        }
        let last = self.seed.checked_add(count.get() - 1);
        let last = last.ok_or("--seed and --count lead past the largest seed: choose a smaller seed")?;
        let place = |seed| Place {
            seed,
            out: self.out.join(format!("{seed}.wav")),
            label: self.label.as_ref().map(|folder| folder.join(format!("{seed}.json"))),
        };
        Ok((self.seed..=last).map(place).collect())
    }

    fn make(
        &self,
        engine: &Arc<Engine>,
        recipe: Recipe,
        vectors: &[Arc<Vector>],
        place: &Place,
        cancel: &Cancel,
        started: Instant,
    ) -> Outcome {
        let codec = &engine.bundle().architecture().codec;
        let mut wav = Wav::create(&place.out, codec.sample_rate, codec.channels)?;
        let label = place.label.as_deref().map(Pending::create).transpose()?;
        let frames = recipe.frames;
        let mut generation = Generation::new(engine, recipe, vectors, cancel)?;
        let mut decoder = StreamDecoder::cancellable(engine, cancel)?;
        let bar = self.reporting.bar(frames, "generating");
        let mut first_audio = None;
        while let Some(frame) = generation.advance()? {
            let audio = decoder.push(frame)?;
            if !audio.is_empty() {
                first_audio.get_or_insert_with(|| started.elapsed());
                wav.write(&audio)?;
            }
            bar.inc(1);
        }
        wav.write(&decoder.finish()?)?;
        bar.finish_and_clear();
        let first_audio = first_audio.unwrap_or_else(|| started.elapsed());
        let take = generation.take().ok_or("the take is not whole")?;
        wav.finish()?;
        if let Some(label) = label {
            label.finish_with(&serde_json::to_string(&take)?)?;
        }
        let elapsed = started.elapsed().as_secs_f64();
        let (monitored, shares) = monitored(&take);
        self.reporting.result(
            &json!({
                "id": take.id,
                "out": place.out,
                "label": place.label,
                "frames": frames,
                "seconds": take.seconds(),
                "sample_rate": take.sample_rate,
                "provider": take.provider,
                "runtime": take.runtime,
                "elapsed_seconds": elapsed,
                "first_audio_seconds": first_audio.as_secs_f64(),
                "monitored": monitored,
            }),
            &format!("{}: {:.1} s of music in {elapsed:.1} s{shares}", place.out.display(), take.seconds()),
        );
        Ok(())
    }
}

/// What monitoring let through of each slot, for machines and, as the rest of a sentence, for people.
fn monitored(take: &Take) -> (Vec<Value>, String) {
    let slots = take.recipe.steering.slots.iter().zip(&take.let_through).enumerate();
    let of_slot = |(slot, (steered, parts)): (usize, (&Slot, &Vec<f32>))| {
        // Hundredths, which 32 bits hold only nearly.
        let parts: Vec<f64> = parts.iter().map(|&part| (100.0 * f64::from(part)).round() / 100.0).collect();
        let share = take.share_steered(slot);
        let said = share.map(|share| format!(", {} pulled {:.0} % of the time", steered.name, 100.0 * share));
        (
            json!({ "name": steered.name, "share_steered": share, "let_through": parts }),
            said.unwrap_or_default(),
        )
    };
    slots.map(of_slot).unzip()
}
