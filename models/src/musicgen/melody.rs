//! A melody as a model is told of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The base in which pitch classes are written.
const BASE: u32 = 36;

/// Most frames of a melody: two hours of the published models'.
const LONGEST: usize = 1 << 16;

/// The loudest pitch class of every frame of a melody, C first; about 8 frames a second in the published models.
///
/// It is written as a string of a digit for each frame, 0 to 9 and then letters from a.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Melody {
    classes: Vec<u8>,
}

/// Why something is no melody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MelodyError {
    /// Nothing or too much.
    #[error("a melody has 1 to {LONGEST} frames; this one has {0}")]
    Length(usize),
    /// No pitch class.
    #[error("a melody is written in digits and lower-case letters, a pitch class each; {0:?} is none")]
    Class(char),
}

impl Melody {
    /// From pitch classes, `[frames]`, each less than 36.
    ///
    /// # Errors
    /// [`MelodyError::Length`] without frames or with more than 65,536.
    ///
    /// # Panics
    /// If a class is 36 or more, which no model has.
    pub fn new(classes: Vec<u8>) -> Result<Self, MelodyError> {
        assert!(classes.iter().all(|&class| u32::from(class) < BASE), "a pitch class is below {BASE}");
        match classes.len() {
            1..=LONGEST => Ok(Self { classes }),
            other => Err(MelodyError::Length(other)),
        }
    }

    /// The pitch classes, `[frames]`.
    #[must_use]
    pub fn classes(&self) -> &[u8] {
        &self.classes
    }
}

impl FromStr for Melody {
    type Err = MelodyError;

    fn from_str(written: &str) -> Result<Self, MelodyError> {
        let class = |digit: char| {
            let class = digit.to_digit(BASE).filter(|_| !digit.is_uppercase());
            class.map(|class| class as u8).ok_or(MelodyError::Class(digit))
        };
        Self::new(written.chars().map(class).collect::<Result<_, _>>()?)
    }
}

impl TryFrom<String> for Melody {
    type Error = MelodyError;

    fn try_from(written: String) -> Result<Self, MelodyError> {
        written.parse()
    }
}

impl fmt::Display for Melody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.classes.iter().try_for_each(|&class| {
            let digit = char::from_digit(u32::from(class), BASE).unwrap_or('?');
            write!(formatter, "{digit}")
        })
    }
}

impl From<Melody> for String {
    fn from(melody: Melody) -> Self {
        melody.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_melody_is_a_string_of_its_classes() {
        let melody = Melody::new(vec![0, 9, 10, 11, 35]).unwrap();
        let json = serde_json::to_string(&melody).unwrap();
        assert_eq!(json, "\"09abz\"");
        assert_eq!(serde_json::from_str::<Melody>(&json).unwrap(), melody);
    }

    #[test]
    fn what_is_no_melody_is_refused() {
        assert_eq!("".parse::<Melody>(), Err(MelodyError::Length(0)));
        assert_eq!("01B".parse::<Melody>(), Err(MelodyError::Class('B')));
        assert_eq!("0 1".parse::<Melody>(), Err(MelodyError::Class(' ')));
        assert_eq!("0".repeat(70_000).parse::<Melody>(), Err(MelodyError::Length(70_000)));
    }
}
