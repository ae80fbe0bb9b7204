//! `tiller bench --worker`: measures what it is asked, so that several programs can take turns in one run.
//!
//! Each line of the standard input is a question in JSON, and each is answered by one line. What cannot be measured is
//! answered with an `error`. `models/bench/transformers_peer.py --worker` speaks the same.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use tiller_models::bundle::Precision;
use tiller_models::musicgen::Engine;
use tiller_models::steering::Steering;

use super::{Bench, Fallible, Outcome, Standing, at_frame, positions, process, roof};
use crate::open_bundle;

/// What can be asked.
#[derive(Debug, Deserialize)]
#[serde(tag = "measure", rename_all = "snake_case", deny_unknown_fields)]
enum Question {
    /// What is measured, and how many bytes a step reads.
    About {},
    /// Milliseconds of each of `steps` steps with guidance of `takes` takes together, from `position` on.
    Step { position: usize, takes: usize, steps: usize },
    /// Seconds in which codes become `seconds` of audio.
    Codec { seconds: f64 },
    /// A whole take with its audio: how long until everything is loaded, until the first audio, until the end.
    Take { seconds: f64 },
    /// Processor time used in `seconds` in which nothing is asked.
    Idle { seconds: f64 },
    /// The most memory that was in use.
    Memory {},
    /// How fast memory can be read, passing over so many megabytes.
    Roof { megabytes: NonZeroUsize },
}

/// Answers questions until the input ends.
pub(super) fn run(bench: &Bench) -> Outcome {
    let mut worker = Worker { bench, engine: None, standing: HashMap::new() };
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = serde_json::from_str(&line?)
            .map_err(Into::into)
            .and_then(|question| worker.answer(&question))
            .unwrap_or_else(|error| json!({ "error": error.to_string() }));
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

struct Worker<'a> {
    bench: &'a Bench,
    /// Loaded when it is first needed: reading memory takes none.
    engine: Option<Arc<Engine>>,
    /// Takes that stand at a position.
    standing: HashMap<usize, Vec<Standing>>,
}

impl Worker<'_> {
    fn answer(&mut self, question: &Question) -> Fallible<Value> {
        Ok(match *question {
            Question::About {} => self.about()?,
            Question::Step { position, takes, steps } => {
                json!({ "milliseconds": self.steps(position, takes, steps)? })
            }
            Question::Codec { seconds } => json!({ "seconds": positions::decode(&self.engine()?, seconds)? }),
            Question::Take { seconds } => {
                let started = Instant::now();
                let engine = self.engine()?;
                engine.warm_up(&tiller_models::musicgen::Cancel::new())?;
                let loading = started.elapsed();
                let (whole, first_audio) = self.bench.take_of(&engine, seconds, Instant::now())?;
                json!({
                    "loading_seconds": loading.as_secs_f64(),
                    "first_audio_seconds": first_audio.as_secs_f64(),
                    "seconds": whole.as_secs_f64(),
                })
            }
            Question::Idle { seconds } => {
                let used =
                    || process::processor_seconds().ok_or("the system does not say how much time was used");
                let before = used()?;
                std::thread::sleep(Duration::from_secs_f64(seconds));
                json!({ "processor_seconds": used()? - before })
            }
            Question::Memory {} => json!({ "peak_megabytes": process::peak_megabytes() }),
            Question::Roof { megabytes } => {
                let threads = self.bench.engine.threads.or_else(|| std::thread::available_parallelism().ok());
                let bandwidth =
                    roof::read_bandwidth(megabytes.get() << 20, threads.unwrap_or(NonZeroUsize::MIN))?;
                json!({ "bytes_per_second": bandwidth })
            }
        })
    }

    fn engine(&mut self) -> Fallible<Arc<Engine>> {
        if let Some(engine) = &self.engine {
            return Ok(Arc::clone(engine));
        }
        let bundle = open_bundle(self.bench.engine.bundle.as_deref())?;
        let engine = Engine::load(&bundle, &self.bench.engine.options())?;
        Ok(Arc::clone(self.engine.insert(engine)))
    }

    fn steps(&mut self, position: usize, takes: usize, steps: usize) -> Fallible<Vec<f64>> {
        if takes == 0 || steps == 0 {
            return Err("at least one step of one take can be timed".into());
        }
        let engine = self.engine()?;
        positions::check(&engine, position, steps)?;
        let standing = self.standing.entry(position).or_default();
        if standing.iter().any(|one| one.room < steps + 1) {
            standing.clear();
        }
        while standing.len() < takes {
            standing.push(at_frame(&engine, position, steps + 1, Steering::default(), &[])?);
        }
        let standing = &mut standing[..takes];
        // One more comes before them, which finds the caches cold.
        for one in &mut *standing {
            one.generation.advance()?;
        }
        let mut times = Vec::with_capacity(steps);
        for _ in 0..steps {
            let started = Instant::now();
            for one in &mut *standing {
                one.generation.advance()?;
            }
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        standing.iter_mut().try_for_each(Standing::back)?;
        Ok(times)
    }

    fn about(&mut self) -> Fallible<Value> {
        let engine = self.engine()?;
        let model = engine.bundle().architecture();
        let one = at_frame(&engine, 0, 1, Steering::default(), &[])?;
        // Room for a take's frames and the steps by which the last codebook lags.
        let positions = one.generation.recipe().frames + model.largest_delay();
        Ok(json!({
            "program": format!("ONNX Runtime {}", engine.runtime().version()),
            "precision": engine.precision(),
            "weight_bytes_per_step": weight_bytes(&engine)?,
            "bytes_per_position": one.generation.bytes() / positions,
        }))
    }
}

/// Bytes of the decoder's weights that a step reads: all but the table of embeddings, of which it takes a few rows.
fn weight_bytes(engine: &Engine) -> Fallible<u64> {
    let model = engine.bundle().architecture();
    let mut data = engine.bundle().decoder(engine.precision())?.into_os_string();
    data.push(".data");
    let element = if engine.precision() == Precision::F32 { 4 } else { 2 };
    let table = model.codebooks * (model.vocabulary + 1) * model.width * element;
    Ok(std::fs::metadata(data)?.len().saturating_sub(table as u64))
}
