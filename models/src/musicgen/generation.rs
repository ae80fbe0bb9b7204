//! The decode loop: one recipe, one frame at a time.

mod going_back;

use std::sync::Arc;

use ort::session::RunOptions;

use crate::codes::Codes;
use crate::steering::{Intervention, Site, Vector};

use super::conditioning::Conditioning;
use super::decoder::Decoder;
use super::monitored::Monitored;
use super::outputs::Purpose;
use super::random::uniform;
use super::sampling::{Sampler, guide};
use super::windows::Windows;
use super::{Cancel, Engine, GenerateError, Recipe, Take, cancelled_or, stop_if, take};

/// One recipe on its way to becoming codes.
///
/// Dropping it is always safe; so is going on after an error, except after [`GenerateError::Cancelled`].
pub struct Generation {
    engine: Arc<Engine>,
    recipe: Recipe,
    intervention: Intervention,
    windows: Windows,
    decoder: Decoder,
    cancel: Cancel,
    options: Arc<RunOptions>,
    sampler: Sampler,
    /// Tokens, `[K][frames]`; those of codebook k are valid before `drawn[k]`.
    tokens: Vec<Vec<u16>>,
    drawn: Vec<usize>,
    window: usize,
    /// What the decoder is steered with, to set it only when it changes.
    strengths: Vec<f32>,
    monitored: Monitored,
    /// Frames handed out.
    frames: usize,
    frame: Vec<u16>,
}

/// How far a generation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Frames finished.
    pub frames: usize,
    /// Frames there will be.
    pub total: usize,
}

impl Generation {
    /// Reads the prompt and makes room for the take. `vectors` holds at least those that the recipe's slots name.
    ///
    /// # Errors
    /// A recipe that does not fit the engine or its vectors, graphs that do not load, or a cancel.
    pub fn new(
        engine: &Arc<Engine>,
        recipe: Recipe,
        vectors: &[Arc<Vector>],
        cancel: &Cancel,
    ) -> Result<Self, GenerateError> {
        check(engine, &recipe)?;
        let architecture = engine.bundle().architecture();
        let rows = if recipe.is_guided() { 2 } else { 1 };
        let intervention = Intervention::new(&recipe.steering, vectors, architecture, rows)?;
        let options = run_options(cancel)?;
        stop_if(cancel)?;
        let prompts = [recipe.prompt.as_str(), recipe.negative.as_str()];
        let prompts = if recipe.is_guided() { &prompts[..] } else { &prompts[..1] };
        let conditioning = Conditioning::new(engine, prompts, recipe.melody.as_ref(), &options)
            .map_err(|error| cancelled_or(cancel, error.on(engine.provider())))?;
        let opening = recipe.opening.as_ref().map_or(0, Codes::frames);
        let windows = Windows::new(architecture, recipe.frames, opening);
        let mut tokens = vec![vec![0; recipe.frames]; architecture.codebooks];
        for (row, known) in tokens.iter_mut().zip(recipe.opening.iter().flat_map(Codes::rows)) {
            row[..opening].copy_from_slice(known);
        }
        let decoder =
            Decoder::new(engine, Purpose::Generating, conditioning, windows.positions(), intervention.rows())
                .map_err(|error| error.on(engine.provider()))?;
        Ok(Self {
            engine: Arc::clone(engine),
            monitored: Monitored::new(&intervention),
            intervention,
            decoder,
            cancel: cancel.clone(),
            options,
            sampler: Sampler::default(),
            tokens,
            drawn: vec![opening; architecture.codebooks],
            window: windows.of_frame(opening),
            strengths: Vec::new(),
            frames: 0,
            frame: Vec::new(),
            windows,
            recipe,
        })
    }

    /// The recipe, with the steering of the last [`rewind`](Self::rewind).
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress { frames: self.frames, total: self.recipe.frames }
    }

    /// The next finished frame, `[codebooks]`; `None` after the last one.
    ///
    /// # Errors
    /// [`GenerateError::Cancelled`] within milliseconds of a cancel, [`GenerateError::NotANumber`] if the logits are
    /// none, [`GenerateError::Run`] or [`GenerateError::Card`] if the decoder fails.
    pub fn advance(&mut self) -> Result<Option<&[u16]>, GenerateError> {
        if self.frames == self.recipe.frames {
            return Ok(None);
        }
        while self.catch_up()? {}
        self.frame.clear();
        self.frame.extend(self.tokens.iter().map(|row| row[self.frames]));
        self.frames += 1;
        Ok(Some(&self.frame))
    }

    /// Runs the decoder once, if the next frame takes more than that has been done, and says whether it takes still
    /// more. After [`resume`](Self::resume) all known frames are read again: this does it step by step, where
    /// [`advance`](Self::advance) would do it at once.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub fn catch_up(&mut self) -> Result<bool, GenerateError> {
        if !self.is_behind() {
            return Ok(false);
        }
        if self.decoder.length() == self.windows.steps(self.window) {
            self.window += 1;
            self.decoder.truncate(0);
        }
        stop_if(&self.cancel)?;
        self.step().map_err(|error| cancelled_or(&self.cancel, error.on(self.engine.provider())))?;
        Ok(self.is_behind())
    }

    /// Whether the next frame is not complete yet.
    fn is_behind(&self) -> bool {
        self.frames < self.recipe.frames
            && self.windows.complete(self.window, self.decoder.length()) <= self.frames
    }

    /// Listens to another switch from now on, for whoever goes on with what another began. A generation that was
    /// cancelled can go on after it.
    ///
    /// # Errors
    /// [`GenerateError::Run`] if ONNX Runtime has no room.
    pub fn obey(&mut self, cancel: &Cancel) -> Result<(), GenerateError> {
        self.options = run_options(cancel)?;
        self.cancel = cancel.clone();
        Ok(())
    }

    /// The codes of a frame that is finished, `[codebooks]`.
    ///
    /// # Panics
    /// If there is no such frame.
    #[must_use]
    pub fn frame(&self, frame: usize) -> Vec<u16> {
        self.tokens.iter().map(|row| row[frame]).collect()
    }

    /// Memory that its keys and values take, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.decoder.bytes()
    }

    /// What steering finds at a site at the last step, before it acts: `[L,B,D]` for layers L, rows B (the conditional
    /// one first) and width D.
    ///
    /// # Errors
    /// [`GenerateError::Run`] if they cannot be fetched from the device.
    pub fn activations(&mut self, site: Site) -> Result<&[f32], GenerateError> {
        self.decoder.fetch()?;
        Ok(self.decoder.activations(site))
    }

    /// What the last run says of a codebook: the frame of the token that is due, and the guided logits it is drawn from,
    /// `[V]`. `None` if no token of it is due there, or before the first run.
    pub(crate) fn scores(&self, codebook: usize) -> Option<(usize, Vec<f32>)> {
        let position = self.decoder.length().checked_sub(1)?;
        let frame = self.windows.produced(self.window, position, codebook)?;
        let mut scores = Vec::new();
        self.guided(codebook, &mut scores);
        Some((frame, scores))
    }

    /// The largest magnitude of every channel of the keys and of the values so far, for each layer keys, then values,
    /// `[H*Dh]` each: what 8-bit keys and values have to hold.
    ///
    /// # Errors
    /// [`GenerateError::Run`] if they are no floats in the host's memory.
    pub(crate) fn cache_peaks(&self) -> Result<Vec<Vec<f32>>, GenerateError> {
        self.decoder.cache_peaks()
    }

    /// What monitoring has let through of each slot's strength, 0 to 1 for each frame handed out; no frames for slots that
    /// are not monitored, and no slots if none is.
    #[must_use]
    pub fn let_through(&self) -> Vec<Vec<f32>> {
        let is_monitored: Vec<bool> = self.intervention.monitors().map(|monitor| monitor.is_some()).collect();
        if !is_monitored.contains(&true) {
            return Vec::new();
        }
        let mut by_slot = vec![Vec::new(); is_monitored.len()];
        for frame in 0..self.frames {
            let window = self.window_of(frame);
            let step = frame + self.windows.largest_delay();
            let step = step.saturating_sub(self.windows.range(window).start);
            let strengths = self.intervention.strengths(self.windows.step_of_take(window, step));
            let parts = self.let_through_at(window, step, &strengths);
            for ((parts, &part), _) in
                by_slot.iter_mut().zip(&parts).zip(&is_monitored).filter(|(_, is)| **is)
            {
                parts.push(part);
            }
        }
        by_slot
    }

    /// The frames handed out so far.
    #[must_use]
    pub fn codes(&self) -> Codes {
        let mut codes = Codes::empty(self.tokens.len());
        for frame in 0..self.frames {
            codes.push(&self.tokens.iter().map(|row| row[frame]).collect::<Vec<_>>());
        }
        codes
    }

    /// The take, if every frame is finished.
    #[must_use]
    pub fn take(&self) -> Option<Take> {
        let architecture = self.engine.bundle().architecture();
        (self.frames == self.recipe.frames).then(|| Take {
            schema: take::SCHEMA,
            id: self.recipe.id(),
            recipe: self.recipe.clone(),
            frame_rate: architecture.frame_rate(),
            sample_rate: architecture.codec.sample_rate,
            provider: self.engine.provider(),
            runtime: self.engine.runtime().version().to_string(),
            codes: self.codes(),
            let_through: self.let_through(),
        })
    }

    /// The window in which everything from `frame` on is made.
    fn window_of(&self, frame: usize) -> usize {
        self.windows.of_frame(frame.max(self.windows.opening()).min(self.recipe.frames - 1))
    }

    /// Runs the decoder once, and draws what it produced and is not known yet.
    fn step(&mut self) -> Result<(), GenerateError> {
        let first = self.decoder.length();
        if first == 0 {
            self.decoder.begin_at(self.windows.range(self.window).start, &self.options)?;
        }
        let positions = if first == 0 { self.block() } else { 1 };
        self.steer(first)?;
        let tokens = self.inputs(first, positions);
        self.decoder.run(&tokens, positions, &self.options)?;

        let mut scores = Vec::new();
        for codebook in 0..self.tokens.len() {
            let Some(frame) = self.windows.produced(self.window, first + positions - 1, codebook) else {
                continue;
            };
            if frame < self.drawn[codebook] {
                continue;
            }
            self.guided(codebook, &mut scores);
            if scores.iter().any(|score| score.is_nan()) {
                // The step has not happened, so that it is not taken for done by whoever goes on.
                self.decoder.truncate(first);
                return Err(GenerateError::NotANumber { frame, codebook });
            }
            let number = uniform(self.recipe.seed, frame, codebook);
            let token = self.sampler.token(&scores, &self.recipe.sampling, number);
            self.tokens[codebook][frame] = token as u16;
            self.drawn[codebook] = frame + 1;
        }
        self.watch(first + positions - 1).inspect_err(|_| self.decoder.truncate(first))
    }

    /// Puts what tokens of a codebook are drawn from after the last run into `scores`, `[V]`.
    fn guided(&self, codebook: usize, scores: &mut Vec<f32>) {
        let vocabulary = self.engine.bundle().architecture().vocabulary;
        let (conditional, unconditional) = self.decoder.logits().split_at(vocabulary * self.tokens.len());
        let of_codebook = codebook * vocabulary..(codebook + 1) * vocabulary;
        scores.clear();
        scores.extend_from_slice(&conditional[of_codebook.clone()]);
        if !unconditional.is_empty() {
            guide(scores, &unconditional[of_codebook], self.recipe.guidance);
        }
    }

    /// Has the monitors read what the last run held, which was of a window's step.
    fn watch(&mut self, step: usize) -> Result<(), GenerateError> {
        let of_take = self.windows.step_of_take(self.window, step);
        // Each frame is read once: not again in the next window's prompt, nor what is read when no frames are left.
        let range = self.windows.range(self.window);
        let prompt = self.windows.first_new(self.window);
        let is_new = prompt == 0 || of_take > prompt;
        if !is_new || of_take > range.end || !self.monitored.is_due(&self.intervention, of_take) {
            return Ok(());
        }
        self.decoder.fetch()?;
        let activations = Site::ALL.map(|site| self.decoder.activations(site));
        self.monitored.read(&self.intervention, of_take, activations, self.decoder.rows());
        Ok(())
    }

    /// What monitoring lets through of each slot's strength at a step of a window. All of a window's prompt is steered by
    /// what was known when the window began.
    fn let_through_at(&self, window: usize, step: usize, strengths: &[f32]) -> Vec<f32> {
        let before = self.windows.step_of_take(window, step).max(self.windows.first_new(window) + 1);
        self.monitored.let_through(&self.intervention, before, strengths)
    }

    /// The strengths at a step of the present window.
    fn strengths(&self, step: usize) -> Vec<f32> {
        let mut strengths = self.intervention.strengths(self.windows.step_of_take(self.window, step));
        let parts = self.let_through_at(self.window, step, &strengths);
        for (strength, part) in strengths.iter_mut().zip(parts) {
            *strength *= part;
        }
        strengths
    }

    /// Positions of a window's first run, as far as all of them are steered alike, because a run has one strength for all
    /// its positions.
    fn block(&self) -> usize {
        let all = self.windows.first_run(self.window);
        let first = self.strengths(0);
        (1..all).find(|&step| self.strengths(step) != first).unwrap_or(all)
    }

    fn steer(&mut self, step: usize) -> Result<(), GenerateError> {
        let strengths = self.strengths(step);
        if strengths != self.strengths {
            self.decoder.steer(&self.intervention.inputs(&strengths))?;
            self.strengths = strengths;
        }
        Ok(())
    }

    /// The tokens read at the steps from `first` on, `[K,S]`.
    #[expect(clippy::cast_possible_wrap, reason = "a vocabulary is at most 2^16")]
    fn inputs(&self, first: usize, positions: usize) -> Vec<i64> {
        let pad = self.engine.bundle().architecture().vocabulary as i64;
        let token = |codebook: usize, step: usize| {
            let frame = self.windows.read(self.window, step, codebook);
            frame.map_or(pad, |frame| i64::from(self.tokens[codebook][frame]))
        };
        (0..self.tokens.len())
            .flat_map(|codebook| (first..first + positions).map(move |step| (codebook, step)))
            .map(|(codebook, step)| token(codebook, step))
            .collect()
    }
}

/// Runs a recipe to its end.
///
/// `progress` is called after every frame.
///
/// # Errors
/// As [`Generation::new`] and [`Generation::advance`].
pub fn generate(
    engine: &Arc<Engine>,
    recipe: Recipe,
    vectors: &[Arc<Vector>],
    cancel: &Cancel,
    mut progress: impl FnMut(Progress),
) -> Result<Take, GenerateError> {
    let mut generation = Generation::new(engine, recipe, vectors, cancel)?;
    while generation.advance()?.is_some() {
        progress(generation.progress());
    }
    generation.take().ok_or(GenerateError::Cancelled)
}

pub(super) fn run_options(cancel: &Cancel) -> Result<Arc<RunOptions>, GenerateError> {
    let failed = |error: ort::Error| GenerateError::Run { graph: "run options", reason: error.to_string() };
    cancel.run_options().map_err(failed)
}

fn check(engine: &Engine, recipe: &Recipe) -> Result<(), GenerateError> {
    let bundle = engine.bundle();
    recipe.check(bundle.architecture()).map_err(GenerateError::Recipe)?;
    if recipe.bundle != bundle.id() {
        return Err(GenerateError::OtherBundle {
            wanted: recipe.bundle_name.clone(),
            found: bundle.manifest().name.clone(),
        });
    }
    if recipe.precision != engine.precision() {
        return Err(GenerateError::Recipe(format!(
            "the recipe asks for {} weights and the engine has {}: load the engine with the recipe's precision",
            recipe.precision,
            engine.precision()
        )));
    }
    Ok(())
}
