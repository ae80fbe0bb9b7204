//! What a melody model's decoder is told: states of a melody and of the prompt, which stand before the music.

use ort::session::RunOptions;
use ort::value::TensorRef;

use crate::bundle::{Architecture, Chroma};

use super::text::Text;
use super::{Engine, GenerateError, Melody};

/// The states before a window's music.
#[derive(Debug)]
pub(super) struct Prefix {
    text: Text,
    melody: Option<Melody>,
    /// The frame of the melody that they begin with.
    begin: usize,
    /// Positions, P.
    pub positions: usize,
    /// `[B,P,D]`: the melody's, then the prompt's.
    pub states: Vec<f32>,
}

impl Prefix {
    /// The states before the beginning of a take. Without a melody all rows hear the null melody.
    pub fn new(
        engine: &Engine,
        text: Text,
        melody: Option<&Melody>,
        chroma: &Chroma,
        options: &RunOptions,
    ) -> Result<Self, GenerateError> {
        let positions = chroma.frames + text.tokens;
        let states = run(engine, &text, melody, chroma, 0, options)?;
        Ok(Self { text, melody: melody.cloned(), begin: 0, positions, states })
    }

    /// Tells of a window of music that begins at `frame` of the take, and says whether that is anything new.
    ///
    /// A melody goes on where the window begins, and from its beginning where it ends, as audiocraft's does in takes
    /// longer than the window.
    pub fn begin_at(
        &mut self,
        engine: &Engine,
        frame: usize,
        options: &RunOptions,
    ) -> Result<bool, GenerateError> {
        let architecture = engine.bundle().architecture();
        let (Some(chroma), Some(melody)) = (&architecture.chroma, &self.melody) else { return Ok(false) };
        let begin = frame_of_melody(frame, architecture, chroma) % melody.classes().len();
        if begin == self.begin {
            return Ok(false);
        }
        self.states = run(engine, &self.text, Some(melody), chroma, begin, options)?;
        self.begin = begin;
        Ok(true)
    }
}

/// The frame of a melody that sounds with `frame` of the music.
fn frame_of_melody(frame: usize, architecture: &Architecture, chroma: &Chroma) -> usize {
    (frame as f64 / architecture.frame_rate() * chroma.frame_rate()).round() as usize
}

/// The melody's classes as the graph takes them for each row, `[B,F,C]`. The first row hears the melody from frame
/// `begin`; rows that hear none have class 0 throughout, as in training.
fn one_hot(rows: usize, melody: Option<&Melody>, chroma: &Chroma, begin: usize) -> Vec<f32> {
    let mut heard = vec![0.0; rows * chroma.frames * chroma.classes];
    for (position, frame) in heard.chunks_exact_mut(chroma.classes).enumerate() {
        let class = melody.filter(|_| position < chroma.frames).map_or(0, |melody| {
            let classes = melody.classes();
            classes[(begin + position) % classes.len()]
        });
        frame[usize::from(class)] = 1.0;
    }
    heard
}

fn run(
    engine: &Engine,
    text: &Text,
    melody: Option<&Melody>,
    chroma: &Chroma,
    begin: usize,
    options: &RunOptions,
) -> Result<Vec<f32>, GenerateError> {
    let (rows, tokens) = (text.rows, text.tokens);
    let architecture = engine.bundle().architecture();
    let heard = one_hot(rows, melody, chroma, begin);
    let mut session = engine.condition.session()?;
    let mut run = || -> ort::Result<Vec<f32>> {
        let states =
            TensorRef::from_array_view(([rows, tokens, architecture.text_width], text.states.as_slice()))?;
        let mask = TensorRef::from_array_view(([rows, tokens, 1], text.mask.as_slice()))?;
        let heard = TensorRef::from_array_view(([rows, chroma.frames, chroma.classes], heard.as_slice()))?;
        let inputs = ort::inputs!["text_states" => states, "text_mask" => mask, "melody" => heard];
        let outputs = session.run_with_options(inputs, options)?;
        Ok(outputs["prefix_states"].try_extract_tensor::<f32>()?.1.to_vec())
    };
    let failed = |reason: String| GenerateError::Run { graph: "prefix graph", reason };
    let states = run().map_err(|error| failed(error.to_string()))?;
    let expected = rows * (chroma.frames + tokens) * architecture.width;
    if states.len() != expected || states.iter().any(|state| !state.is_finite()) {
        let reason = "its result has the wrong size or is not finite: the bundle's weights are damaged, import it again";
        return Err(failed(reason.to_owned()));
    }
    Ok(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_hears_the_melody_round_and_round_and_the_others_class_0() {
        let chroma = Chroma { classes: 3, frames: 4, sample_rate: 1, window: 4, hop: 1 };
        let melody = Melody::new(vec![1, 2, 0]).unwrap();
        let classes = |melody, begin| -> Vec<usize> {
            let heard = one_hot(2, melody, &chroma, begin);
            let frames = heard.chunks_exact(3);
            frames.map(|frame| frame.iter().position(|&value| value == 1.0).unwrap()).collect()
        };
        assert_eq!(classes(Some(&melody), 0), [1, 2, 0, 1, 0, 0, 0, 0]);
        assert_eq!(classes(Some(&melody), 2), [0, 1, 2, 0, 0, 0, 0, 0]);
        assert_eq!(classes(None, 0), [0; 8]);
    }
}
