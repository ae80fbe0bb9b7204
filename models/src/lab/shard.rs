//! A part of the places, for one of several machines.
//!
//! What is learnt at one place (a site of a layer) depends on no other place. So work is shared out by place: every
//! shard reads its own tensors alone, and the parts put together are the single run, bit for bit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::LabError;

/// Shard `index` of `count`, counted from 1. As text: `2/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Number of this shard, from 1 to [`count`](Self::count).
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// Number of shards.
    #[must_use]
    pub fn count(self) -> usize {
        self.count
    }

    /// Its share of `items`: every count-th one. Empty if there are more shards than items.
    pub fn of<T: Copy>(self, items: &[T]) -> Vec<T> {
        items.iter().copied().skip(self.index - 1).step_by(self.count).collect()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        let parsed = text
            .split_once('/')
            .and_then(|(index, count)| Some((index.trim().parse().ok()?, count.trim().parse().ok()?)));
        match parsed {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err(LabError::request(format!(
                "{text:?} is no shard; shards are counted from 1: 1/4, 2/4, 3/4 and 4/4 are the four of four"
            ))),
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = LabError;

    fn try_from(text: String) -> Result<Self, LabError> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_hold_everything_once() {
        let items: Vec<usize> = (0..7).collect();
        for count in 1..=9 {
            let mut all: Vec<usize> =
                (1..=count).flat_map(|index| Shard { index, count }.of(&items)).collect();
            all.sort_unstable();
            assert_eq!(all, items);
        }
    }

    #[test]
    fn a_shard_is_written_as_it_is_read_and_none_is_counted_from_zero() {
        assert_eq!("2/8".parse::<Shard>().unwrap().to_string(), "2/8");
        for text in ["", "0/2", "3/2", "1/0", "1", "a/b", "-1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
