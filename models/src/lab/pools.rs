//! Which positions of a segment become rows of an activation file.
//!
//! Steering acts at every position, a probe reads some: which ones hold the concept best is a question for the data, so
//! that one reading can serve several choices at once.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::LabError;
use crate::codes::Codes;
use crate::musicgen::Reading;

/// Which positions become rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The last position of a segment, as the paper reads it.
    Last,
    /// The mean over every n-th position of a segment.
    Mean,
    /// Every n-th position and the last, each a row.
    Each,
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(["last", "mean", "each"][*self as usize])
    }
}

/// Some choices of positions, for segments of one length: the rows of the first choice, then those of the next.
#[derive(Debug, Clone)]
pub struct Pools {
    choices: Vec<Pooling>,
    /// The decoder stops at every n-th position.
    every: NonZeroUsize,
    frames: usize,
}

impl Pools {
    /// Those of segments of `frames` frames.
    ///
    /// # Errors
    /// [`LabError::Request`] for no choice or one that is there twice.
    pub fn new(choices: &[Pooling], every: NonZeroUsize, frames: usize) -> Result<Self, LabError> {
        if choices.is_empty() {
            return Err(LabError::request("choose which positions are read: last, mean or each"));
        }
        for (at, choice) in choices.iter().enumerate() {
            if choices[..at].contains(choice) {
                return Err(LabError::request(format!(
                    "the positions {choice} are there twice; name each once"
                )));
            }
        }
        // The last position alone takes no stop before it.
        let alone = choices == [Pooling::Last];
        let every = if alone { NonZeroUsize::new(frames).unwrap_or(NonZeroUsize::MIN) } else { every };
        Ok(Self { choices: choices.to_vec(), every, frames })
    }

    /// The choices.
    pub fn choices(&self) -> &[Pooling] {
        &self.choices
    }

    /// Rows of a segment, of all choices.
    pub fn rows(&self) -> usize {
        self.choices.iter().map(|&choice| self.rows_of(choice)).sum()
    }

    /// Which of a segment's rows are those of a choice.
    pub fn range(&self, index: usize) -> Range<usize> {
        let start = self.choices[..index].iter().map(|&choice| self.rows_of(choice)).sum();
        start..start + self.rows_of(self.choices[index])
    }

    fn rows_of(&self, choice: Pooling) -> usize {
        match choice {
            Pooling::Last | Pooling::Mean => 1,
            Pooling::Each => self.frames.div_ceil(self.every.get()),
        }
    }

    /// Reads a segment: its rows, each with the layers' residual streams, then their attention outputs and then their
    /// heads, if they are read, side by side.
    ///
    /// # Errors
    /// What the decoder refuses, and a cancel.
    pub fn read(&self, reading: &mut Reading, codes: &Codes) -> Result<Vec<f32>, LabError> {
        let mut stops: Vec<Vec<f32>> = Vec::new();
        let mut sums: Vec<f64> = Vec::new();
        let (each, mean) = (self.choices.contains(&Pooling::Each), self.choices.contains(&Pooling::Mean));
        let mut count = 0.0;
        reading.read(codes, self.every, |held| {
            let row: Vec<f32> =
                held.residual.iter().chain(held.attention).chain(held.heads).copied().collect();
            if mean {
                sums.resize(row.len(), 0.0);
                sums.iter_mut().zip(&row).for_each(|(sum, &value)| *sum += f64::from(value));
            }
            count += 1.0;
            if !each {
                // The last one is all that is wanted.
                stops.clear();
            }
            stops.push(row);
        })?;
        let last = stops.last().map_or(&[][..], Vec::as_slice);
        Ok(self
            .choices
            .iter()
            .flat_map(|choice| match choice {
                Pooling::Last => last.to_vec(),
                Pooling::Mean => sums.iter().map(|sum| (sum / count) as f32).collect(),
                Pooling::Each => stops.concat(),
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_choices_follow_each_other() {
        let every = NonZeroUsize::new(20).unwrap();
        let pools = Pools::new(&[Pooling::Mean, Pooling::Each, Pooling::Last], every, 50).unwrap();
        assert_eq!((pools.rows(), pools.range(0), pools.range(1), pools.range(2)), (5, 0..1, 1..4, 4..5));
        let refused = |choices: &[Pooling]| Pools::new(choices, every, 50).unwrap_err().to_string();
        assert!(refused(&[]).contains("choose which"));
        assert!(refused(&[Pooling::Last, Pooling::Last]).contains("last are there twice"));
    }
}
