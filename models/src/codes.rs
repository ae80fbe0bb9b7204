//! The tokens of a piece of audio, after MusicGen's delay pattern has been removed.

use serde::{Deserialize, Serialize};

/// Codebook indices of one piece of audio, `[codebooks][frames]`, all codebooks aligned in time (no delay).
///
/// A frame is one step of the codec, 20 ms at 50 Hz. Every row has the same length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<u16>>", into = "Vec<Vec<u16>>")]
pub struct Codes {
    rows: Vec<Vec<u16>>,
}

/// Rows of unequal length are no codes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("codebook {codebook} has {frames} frames where codebook 0 has {expected}")]
pub struct RaggedCodes {
    codebook: usize,
    frames: usize,
    expected: usize,
}

impl Codes {
    /// Codes without frames, for `codebooks` codebooks.
    #[must_use]
    pub fn empty(codebooks: usize) -> Self {
        Self { rows: vec![Vec::new(); codebooks] }
    }

    /// Number of codebooks.
    #[must_use]
    pub fn codebooks(&self) -> usize {
        self.rows.len()
    }

    /// Number of frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.rows.first().map_or(0, Vec::len)
    }

    /// The rows, `[codebooks][frames]`.
    #[must_use]
    pub fn rows(&self) -> &[Vec<u16>] {
        &self.rows
    }

    /// One frame: an index for each codebook.
    ///
    /// # Panics
    /// If there are not so many frames.
    #[must_use]
    pub fn frame(&self, frame: usize) -> Vec<u16> {
        self.rows.iter().map(|row| row[frame]).collect()
    }

    /// Appends one frame: one index for each codebook.
    ///
    /// # Panics
    /// If `frame` has not one index for each codebook.
    pub fn push(&mut self, frame: &[u16]) {
        assert_eq!(frame.len(), self.rows.len(), "a frame holds one index for each codebook");
        for (row, &code) in self.rows.iter_mut().zip(frame) {
            row.push(code);
        }
    }

    /// Keeps the first `frames` frames.
    pub fn truncate(&mut self, frames: usize) {
        for row in &mut self.rows {
            row.truncate(frames);
        }
    }

    /// The frames from `frame` on; none if it has fewer.
    #[must_use]
    pub fn tail(&self, frame: usize) -> Self {
        Self { rows: self.rows.iter().map(|row| row[frame.min(row.len())..].to_vec()).collect() }
    }

    /// Appends all frames of `other`.
    ///
    /// # Panics
    /// If `other` has not as many codebooks.
    pub fn append(&mut self, other: &Self) {
        assert_eq!(other.codebooks(), self.codebooks(), "codes of equally many codebooks can be joined");
        for (row, more) in self.rows.iter_mut().zip(&other.rows) {
            row.extend_from_slice(more);
        }
    }

    /// The first frame at which any codebook differs, as far as both go.
    #[must_use]
    pub fn first_difference(&self, other: &Self) -> Option<usize> {
        let rows = self.rows.iter().zip(&other.rows);
        rows.filter_map(|(row, other)| row.iter().zip(other).position(|(a, b)| a != b)).min()
    }

    /// The largest index present; `None` without frames. Untrusted codes are checked against the vocabulary by it.
    #[must_use]
    pub fn largest(&self) -> Option<u16> {
        self.rows.iter().flatten().copied().max()
    }
}

impl TryFrom<Vec<Vec<u16>>> for Codes {
    type Error = RaggedCodes;

    fn try_from(rows: Vec<Vec<u16>>) -> Result<Self, RaggedCodes> {
        let expected = rows.first().map_or(0, Vec::len);
        match rows.iter().position(|row| row.len() != expected) {
            Some(codebook) => Err(RaggedCodes { codebook, frames: rows[codebook].len(), expected }),
            None => Ok(Self { rows }),
        }
    }
}

impl From<Codes> for Vec<Vec<u16>> {
    fn from(codes: Codes) -> Self {
        codes.rows
    }
}
