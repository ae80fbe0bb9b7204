//! Going back to a frame, in a generation or in a take that is stored, and reading again what is kept.

use std::sync::Arc;

use crate::codes::Codes;
use crate::musicgen::{Cancel, Engine, GenerateError, Recipe, check_codes};
use crate::steering::{Intervention, Steering, Vector};

use super::Generation;

impl Generation {
    /// Goes on at `frame` with the tokens of an earlier rendering, which `recipe` must share up to there: the same in
    /// everything but the strengths from `frame` on.
    ///
    /// The keys and values are computed again for the window that `frame` is in, and then every token is what
    /// rendering the whole recipe would have given. What monitors had read is read again too, from the first window on.
    ///
    /// # Errors
    /// As [`Generation::new`], and codes that do not fit the engine.
    pub fn resume(
        engine: &Arc<Engine>,
        recipe: Recipe,
        vectors: &[Arc<Vector>],
        codes: &Codes,
        frame: usize,
        cancel: &Cancel,
    ) -> Result<Self, GenerateError> {
        check_codes(codes, engine.bundle())?;
        let mut generation = Self::new(engine, recipe, vectors, cancel)?;
        let frame = frame.min(codes.frames()).min(generation.recipe.frames);
        for (codebook, row) in codes.rows().iter().enumerate() {
            // What the take begins with is there already, and is the recipe's.
            let opening = generation.windows.opening();
            let known = generation.known_at(frame, codebook).min(row.len()).max(opening);
            if let Some(made) = row.get(opening..known) {
                generation.tokens[codebook][opening..known].copy_from_slice(made);
            }
            generation.drawn[codebook] = known;
        }
        generation.window = generation.first_window_read(frame);
        generation.frames = frame;
        Ok(generation)
    }

    /// Goes back to `frame`, from which on `steering` acts; before it, `steering` must be the same as it was (see
    /// [`Steering::first_difference`]).
    ///
    /// Tokens, keys and values before it are kept, so that the next frames come as fast as ever, and the result is the
    /// same as rendering the whole take again. Only going back past the beginning of a window (30 s in the published
    /// models) computes the keys and values of an earlier window again.
    ///
    /// # Errors
    /// A steering that does not fit the engine or `vectors`; nothing has changed then.
    pub fn rewind(
        &mut self,
        frame: usize,
        steering: Steering,
        vectors: &[Arc<Vector>],
    ) -> Result<(), GenerateError> {
        let architecture = self.engine.bundle().architecture();
        let intervention = Intervention::new(&steering, vectors, architecture, self.decoder.rows())?;
        let frame = frame.min(self.frames);
        if intervention.rows() != self.intervention.rows() {
            // The steering inputs have another shape: a new decoder, which frame 0 needs anyway.
            let recipe = Recipe { steering, ..self.recipe.clone() };
            *self = Self::resume(&self.engine, recipe, vectors, &self.codes(), frame, &self.cancel)?;
            return Ok(());
        }
        for codebook in 0..self.drawn.len() {
            self.drawn[codebook] = self.drawn[codebook].min(self.known_at(frame, codebook));
        }
        let window = self.window_of(frame);
        let kept = if window == self.window { self.windows.first_step_of(frame) } else { 0 };
        self.window = window;
        self.decoder.truncate(kept);
        self.monitored.forget_from(self.windows.first_reading_of(frame));
        self.intervention = intervention;
        self.strengths.clear();
        self.recipe.steering = steering;
        self.frames = frame;
        Ok(())
    }

    /// How many steps of the decoder it takes to read the frames so far again, as far as the next one needs them: none while
    /// that is one the take begins with. It only becomes less until there are none, through however many windows that leads.
    #[must_use]
    pub fn behind(&self) -> usize {
        if !self.is_behind() {
            return 0;
        }
        self.to_read_from(self.window).saturating_sub(self.decoder.length())
    }

    /// The same if nothing of that had been read: [`behind`](Self::behind) when [`resume`](Self::resume) returned.
    #[must_use]
    pub fn to_recall(&self) -> usize {
        self.to_read_from(self.first_window_read(self.frames))
    }

    /// Steps from the beginning of a window to the end of the frames so far.
    fn to_read_from(&self, window: usize) -> usize {
        let last = self.window_of(self.frames).max(window);
        let whole: usize = (window..last).map(|window| self.windows.steps(window)).sum();
        whole + self.frames.saturating_sub(self.windows.range(last).start)
    }

    /// The window at which reading frames before `frame` again begins: what monitors had read is in all of them.
    fn first_window_read(&self, frame: usize) -> usize {
        let is_monitored = self.intervention.monitors().flatten().next().is_some();
        self.window_of(if is_monitored { 0 } else { frame })
    }

    /// Frames of `codebook` that are known when everything from `frame` on is to be made again.
    fn known_at(&self, frame: usize, codebook: usize) -> usize {
        if frame == self.recipe.frames { frame } else { self.windows.independent_of(frame, codebook) }
    }
}
