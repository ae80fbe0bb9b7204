//! A studio that makes tones: every frame of a take is a constant that says which take and which frame it is.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tiller::renderer::{
    Audio, Decoder, Identify, Made, ModelCard, Stage, Step, Strengths, Studio, VectorChoice, Work,
};
use tiller::state::{MadeBy, PackedCodes, Recipe, Settings, curve};
use tiller_models::codes::Codes;
use tiller_models::musicgen::Cancel;

/// The tones' own sample rate: a host at this rate hears them unchanged.
pub const RATE: u32 = 32_000;
/// Samples of a frame of 20 ms.
pub const FRAME: usize = 640;

/// What was asked of the studio.
#[derive(Default)]
pub struct Log {
    pub generated: AtomicUsize,
    pub decoded: AtomicUsize,
    /// Takes resumed, and the frame at which the latest was.
    pub resumed: AtomicUsize,
    pub resumed_at: AtomicUsize,
    pub steps: AtomicUsize,
    /// Frames of the latest work.
    pub frames: AtomicUsize,
    pub dropped: AtomicUsize,
    /// While it is set, the renderer is caught in a step of a take with the prompt `held`.
    pub hold: AtomicBool,
    /// Seeds of takes in the order in which they became whole.
    pub whole: Mutex<Vec<u64>>,
    /// Vectors that can be chosen.
    pub vectors: Mutex<Vec<VectorChoice>>,
}

/// The studio. Prompts that matter: `fail` fails, `panic` panics, `slow` takes 2 ms for each frame, `forever` never
/// ends, `held` waits for `Log::hold`, and `hard` begins with a step that lasts until someone ends it.
pub struct Tones(pub Arc<Log>);

impl Studio for Tones {
    fn generate(&mut self, recipe: &Recipe, _settings: &Settings) -> Box<dyn Work> {
        self.0.generated.fetch_add(1, Ordering::SeqCst);
        Box::new(Tone {
            log: self.0.clone(),
            recipe: recipe.clone(),
            codes: None,
            kept: 0,
            strengths: Vec::new(),
            frame: 0,
            cancel: Cancel::new(),
        })
    }

    fn resume(
        &mut self,
        recipe: &Recipe,
        codes: Arc<PackedCodes>,
        frame: usize,
        _settings: &Settings,
    ) -> Box<dyn Work> {
        self.0.resumed.fetch_add(1, Ordering::SeqCst);
        self.0.resumed_at.store(frame, Ordering::SeqCst);
        Box::new(Tone {
            log: self.0.clone(),
            recipe: recipe.clone(),
            codes: Some(codes),
            kept: frame,
            strengths: Vec::new(),
            frame: 0,
            cancel: Cancel::new(),
        })
    }

    fn decode(&mut self, recipe: &Recipe, codes: Arc<PackedCodes>, _settings: &Settings) -> Box<dyn Work> {
        self.0.decoded.fetch_add(1, Ordering::SeqCst);
        Box::new(Tone {
            log: self.0.clone(),
            recipe: recipe.clone(),
            kept: codes.codes().frames(),
            codes: Some(codes),
            strengths: Vec::new(),
            frame: 0,
            cancel: Cancel::new(),
        })
    }

    fn decoder(&self, recipe: &Recipe, _settings: &Settings) -> Identify {
        let (bundle, precision) = (recipe.model_sha256.clone(), recipe.precision.clone());
        Box::new(|| Ok(Decoder { bundle, precision, provider: "fork".into(), runtime: "1".into() }))
    }

    fn model(&mut self, _settings: &Settings) -> Result<ModelCard, String> {
        let vectors = self.0.vectors.lock().unwrap().clone();
        Ok(ModelCard { name: "tones".into(), vectors, ..ModelCard::default() })
    }

    fn rest(&mut self) {}
}

struct Tone {
    log: Arc<Log>,
    recipe: Recipe,
    codes: Option<Arc<PackedCodes>>,
    /// Frames whose codes are kept.
    kept: usize,
    strengths: Vec<f32>,
    frame: usize,
    cancel: Cancel,
}

/// What frame `frame` of a take with this seed and strength sounds like.
pub fn level(seed: u64, frame: usize, strength: f32) -> f32 {
    seed as f32 / 100.0 + frame as f32 / 100_000.0 + strength / 10.0
}

impl Tone {
    /// The prompt without what the song added.
    fn asked(&self) -> &str {
        self.recipe.prompt.split(',').next().unwrap_or_default()
    }

    fn frames(&self) -> usize {
        (self.recipe.seconds * 50.0).round() as usize
    }

    /// The code of a frame that is kept, or that the take begins with.
    fn known(&self, frame: usize) -> Option<u16> {
        let kept = self.codes.as_ref().filter(|_| frame < self.kept);
        let code = |codes: &Arc<PackedCodes>| codes.codes().rows()[0].get(frame).copied();
        kept.and_then(code).or_else(|| self.recipe.opening.as_ref().and_then(code))
    }

    fn code(&self, frame: usize, strength: f32) -> u16 {
        (level(self.recipe.seed, frame, strength) * 10_000.0).round() as u16
    }
}

impl Work for Tone {
    fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    fn stage(&self) -> Stage {
        Stage::Generating { frame: self.frame, of: self.frames() }
    }

    fn step(&mut self, strengths: Option<&Strengths>) -> Result<Step, String> {
        self.log.steps.fetch_add(1, Ordering::SeqCst);
        match self.asked() {
            "fail" => return Err("There are no tones today.".into()),
            "panic" => panic!("the tuning fork broke"),
            "held" => {
                while self.log.hold.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            "hard" => {
                let started = Instant::now();
                while !self.cancel.is_cancelled() {
                    assert!(started.elapsed() < Duration::from_secs(60), "nobody ends this step");
                    std::thread::sleep(Duration::from_millis(1));
                }
                return Err("This step was ended.".into());
            }
            "slow" | "forever" => std::thread::sleep(Duration::from_millis(2)),
            _ => {}
        }
        if self.asked() == "forever" {
            return Ok(Step::More(None));
        }
        let frame = self.frame;
        self.frame += 1;
        self.log.frames.store(self.frame, Ordering::SeqCst);
        let strength = match (strengths, self.recipe.steering.first()) {
            (Some(at), Some(steering)) => at(frame as f64 / 50.0)[steering.slot - 1],
            (None, Some(steering)) => steering.curve.at(frame),
            (_, None) => 0.0,
        };
        self.strengths.push(strength);
        let code = self.known(frame).unwrap_or_else(|| self.code(frame, strength));
        let samples = vec![f32::from(code) / 10_000.0; FRAME];
        let audio = Some(Audio { sample_rate: RATE, channels: vec![samples] });
        if self.frame < self.frames() {
            return Ok(Step::More(audio));
        }
        self.log.whole.lock().unwrap().push(self.recipe.seed);
        let generated = self.codes.is_none() || self.kept < self.frames();
        let made = generated.then(|| {
            let row = (0..self.frames())
                .map(|frame| self.known(frame).unwrap_or_else(|| self.code(frame, self.strengths[frame])))
                .collect();
            let mut recipe = Recipe { model: "tones".into(), ..self.recipe.clone() };
            for steering in &mut recipe.steering {
                steering.curve = curve::compact(self.strengths.clone());
            }
            Box::new(Made {
                codes: Codes::try_from(vec![row]).unwrap(),
                recipe,
                by: MadeBy {
                    provider: "fork".into(),
                    runtime: "1".into(),
                    frame_rate: 50.0,
                    sample_rate: RATE,
                },
            })
        });
        Ok(Step::Done(audio, made))
    }
}

impl Drop for Tone {
    fn drop(&mut self) {
        self.log.dropped.fetch_add(1, Ordering::SeqCst);
    }
}
