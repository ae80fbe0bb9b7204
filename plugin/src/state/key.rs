//! A musical key.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A root and a mode, written as prompts name them: `A minor`, `E flat major`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key {
    /// The root.
    pub root: Root,
    /// The mode.
    pub mode: Mode,
}

/// One of the twelve roots, by its most usual name.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Root {
    #[default]
    C,
    CSharp,
    D,
    EFlat,
    E,
    F,
    FSharp,
    G,
    AFlat,
    A,
    BFlat,
    B,
}

/// A mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Major.
    #[default]
    Major,
    /// Minor.
    Minor,
}

impl Key {
    /// All, upwards from C major and C minor.
    pub fn all() -> impl Iterator<Item = Self> {
        Root::ALL.into_iter().flat_map(|root| Mode::ALL.map(|mode| Self { root, mode }))
    }
}

impl Root {
    /// All, upwards from C.
    pub const ALL: [Self; 12] = [
        Self::C,
        Self::CSharp,
        Self::D,
        Self::EFlat,
        Self::E,
        Self::F,
        Self::FSharp,
        Self::G,
        Self::AFlat,
        Self::A,
        Self::BFlat,
        Self::B,
    ];

    /// Its name in a prompt.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::C => "C",
            Self::CSharp => "C sharp",
            Self::D => "D",
            Self::EFlat => "E flat",
            Self::E => "E",
            Self::F => "F",
            Self::FSharp => "F sharp",
            Self::G => "G",
            Self::AFlat => "A flat",
            Self::A => "A",
            Self::BFlat => "B flat",
            Self::B => "B",
        }
    }
}

impl Mode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Major, Self::Minor];

    /// Its name in a prompt.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Major => "major",
            Self::Minor => "minor",
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.root.name(), self.mode.name())
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::all().find(|key| key.to_string() == text).ok_or_else(|| {
            format!("\u{201c}{text}\u{201d} is no key: write one like \u{201c}A minor\u{201d} or \u{201c}E flat major\u{201d}")
        })
    }
}

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_back_from_its_name() {
        assert_eq!(Key::all().count(), 24);
        for key in Key::all() {
            let text = serde_json::to_string(&key).unwrap();
            assert_eq!(serde_json::from_str::<Key>(&text).unwrap(), key, "{text}");
        }
    }

    #[test]
    fn what_is_no_key_is_said_to_be_none() {
        for text in ["", "H minor", "A", "a minor", "A minor "] {
            assert!(text.parse::<Key>().unwrap_err().contains("is no key"), "{text}");
        }
    }
}
