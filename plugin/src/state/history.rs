//! The versions of a take besides the one that sounds.
//!
//! Versions differ mostly from some frame on, and are stored so: each of a list holds tokens and strengths only of the
//! frames that it does not share with the version listed before it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{MadeBy, PackedCodes, Recipe, curve};

/// What a take was at some time.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// What it was made from.
    pub recipe: Recipe,
    /// The tokens it became.
    pub codes: Arc<PackedCodes>,
    /// What made them.
    pub made: Option<MadeBy>,
}

/// Earlier versions of a take and those that were undone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct History {
    /// What it was before, the latest last.
    pub earlier: Vec<Arc<Version>>,
    /// What was undone, what comes next last.
    pub later: Vec<Arc<Version>>,
}

impl History {
    /// Versions kept; the oldest make room.
    pub const MOST: usize = 16;

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.earlier.is_empty() && self.later.is_empty()
    }

    /// All of them.
    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        self.earlier.iter().chain(&self.later).map(|version| &**version)
    }

    /// Adds what was just replaced. What was undone before that becomes earlier, too, so that nothing is lost.
    pub(super) fn remember(&mut self, version: Version) {
        self.earlier.append(&mut self.later);
        self.earlier.push(Arc::new(version));
        self.earlier.drain(..self.earlier.len().saturating_sub(Self::MOST));
    }

    /// Takes out the version that was made from `recipe`.
    pub(super) fn take(&mut self, recipe: &Recipe) -> Option<Arc<Version>> {
        let out_of = |list: &mut Vec<Arc<Version>>| {
            list.iter().position(|version| version.recipe == *recipe).map(|found| list.remove(found))
        };
        out_of(&mut self.earlier).or_else(|| out_of(&mut self.later))
    }
}

/// The nearest version comes first in both lists.
#[derive(Clone, Serialize, Deserialize)]
struct Written {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<WrittenVersion>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    later: Vec<WrittenVersion>,
}

#[derive(Clone, Serialize, Deserialize)]
struct WrittenVersion {
    /// Frames whose tokens and strengths are those of the version before this one in its list.
    #[serde(default, skip_serializing_if = "is_zero")]
    shares: usize,
    recipe: Recipe,
    codes: PackedCodes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made: Option<MadeBy>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl From<History> for Written {
    fn from(history: History) -> Self {
        let written = |list: &[Arc<Version>]| {
            let nearest_first: Vec<&Version> = list.iter().rev().map(|version| &**version).collect();
            let before = [None].into_iter().chain(nearest_first.iter().copied().map(Some));
            before.zip(&nearest_first).map(|(before, version)| write(version, before)).collect()
        };
        Self { earlier: written(&history.earlier), later: written(&history.later) }
    }
}

impl TryFrom<Written> for History {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let read = |list: Vec<WrittenVersion>| {
            let mut versions: Vec<Arc<Version>> = Vec::new();
            for version in list {
                let version = read(version, versions.last().map(|version| &**version))?;
                versions.push(Arc::new(version));
            }
            versions.reverse();
            Ok::<_, String>(versions)
        };
        Ok(Self { earlier: read(written.earlier)?, later: read(written.later)? })
    }
}

fn write(version: &Version, before: Option<&Version>) -> WrittenVersion {
    let shares = before.map_or(0, |before| shared(before, version));
    let codes = version.codes.codes();
    let mut recipe = version.recipe.clone();
    if shares > 0 {
        // What shares frames begins alike.
        recipe.opening = None;
    }
    for steering in &mut recipe.steering {
        let tail = (shares..codes.frames()).map(|frame| steering.curve.at(frame));
        steering.curve = if shares == 0 { steering.curve.clone() } else { curve::compact(tail.collect()) };
    }
    WrittenVersion { shares, recipe, codes: codes.tail(shares).into(), made: version.made.clone() }
}

fn read(written: WrittenVersion, before: Option<&Version>) -> Result<Version, String> {
    let WrittenVersion { shares, mut recipe, codes, made } = written;
    if shares == 0 {
        return Ok(Version { recipe, codes: Arc::new(codes), made });
    }
    let before = before.ok_or("the first version of a list shares frames with none")?;
    let (head, tail) = (before.codes.codes(), codes.codes());
    if head.codebooks() != tail.codebooks() || head.frames() < shares {
        return Err(format!("a version shares {shares} frames with one that does not have them"));
    }
    recipe.opening.clone_from(&before.recipe.opening);
    for steering in &mut recipe.steering {
        let other = before.recipe.steering.iter().find(|other| other.slot == steering.slot);
        let other =
            other.ok_or("a version shares strengths of a slot that the one before it does not have")?;
        let own = |frame: usize| steering.curve.at(frame - shares);
        let strengths = (0..shares + tail.frames())
            .map(|frame| if frame < shares { other.curve.at(frame) } else { own(frame) });
        steering.curve = curve::compact(strengths.collect());
    }
    let mut codes = head.clone();
    codes.truncate(shares);
    codes.append(tail);
    Ok(Version { recipe, codes: Arc::new(codes.into()), made })
}

/// Frames that two versions share: those before the first whose strengths or tokens differ.
fn shared(one: &Version, other: &Version) -> usize {
    let (a, b) = (one.codes.codes(), other.codes.codes());
    let frames = b.frames();
    if a.codebooks() != b.codebooks() || a.frames() != frames {
        return 0;
    }
    let strengths = one.recipe.first_difference(&other.recipe, frames).unwrap_or(frames);
    // At least one frame of its own, since there are no tokens of no frames.
    strengths.min(a.first_difference(b).unwrap_or(frames)).min(frames - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tiller_models::codes::Codes;

    use super::*;
    use crate::state::{Slot, Steering};

    /// A version whose strengths and tokens are those of no other version from `frame` on.
    fn version(frames: usize, frame: usize, number: u16) -> Version {
        let of = |at: usize| if at < frame { 0 } else { number };
        let slot = Slot { name: "flute".into(), ..Slot::default() };
        let strengths = (0..frames).map(|at| f32::from(of(at)) / 1_000.0).collect();
        let row = |codebook: u16| (0..frames).map(|at| of(at) + codebook).collect();
        let steering = vec![Steering { slot: 1, vector: slot, curve: curve::compact(strengths) }];
        Version {
            recipe: Recipe { prompt: "strings".into(), seconds: 30.0, steering, ..Recipe::default() },
            codes: Arc::new(PackedCodes::from(Codes::try_from(vec![row(0), row(1)]).unwrap())),
            made: None,
        }
    }

    fn history(versions: Vec<Version>, later: usize) -> History {
        let mut earlier: Vec<_> = versions.into_iter().map(Arc::new).collect();
        let later = earlier.split_off(earlier.len() - later);
        History { earlier, later }
    }

    #[test]
    fn only_the_frames_that_differ_are_written() {
        let two = history(vec![version(1_500, 1_400, 7), version(1_500, 1_450, 8)], 0);
        let written: serde_json::Value = serde_json::to_value(&two).unwrap();
        let of = |index: usize, field: &str| written["earlier"][index]["codes"][field].clone();
        assert_eq!((of(0, "frames"), of(1, "frames")), (1_500.into(), 100.into()));
        assert_eq!(written["earlier"][1]["shares"], 1_400);
        assert_eq!(serde_json::from_value::<History>(written).unwrap(), two);
    }

    #[test]
    fn what_a_take_goes_on_from_is_written_once() {
        let continued = |frame, number| {
            let mut version = version(20, frame, number);
            let opening = Codes::try_from(vec![vec![5; 4]; 2]).unwrap();
            version.recipe.opening = Some(Arc::new(opening.into()));
            version
        };
        let two = history(vec![continued(10, 3), continued(12, 4)], 0);
        let written = serde_json::to_value(&two).unwrap();
        let of = |index: usize| written["earlier"][index]["recipe"].get("opening").is_some();
        assert_eq!((of(0), of(1)), (true, false));
        assert_eq!(serde_json::from_value::<History>(written).unwrap(), two);
    }

    #[test]
    fn versions_of_other_words_share_nothing() {
        let mut other = version(20, 10, 3);
        other.recipe.prompt = "bells".into();
        let two = history(vec![other, version(20, 10, 3)], 0);
        let written: serde_json::Value = serde_json::to_value(&two).unwrap();
        assert_eq!(written["earlier"][1]["codes"]["frames"], 20);
        assert_eq!(serde_json::from_value::<History>(written).unwrap(), two);
    }

    #[test]
    fn a_list_that_shares_what_is_not_there_is_refused() {
        let written = serde_json::to_value(history(vec![version(20, 10, 3), version(20, 10, 4)], 0)).unwrap();
        for (index, shares) in [(0, 5), (1, 21)] {
            let mut broken = written.clone();
            broken["earlier"][index]["shares"] = shares.into();
            assert!(serde_json::from_value::<History>(broken).unwrap_err().to_string().contains("shares"));
        }
        let mut broken = written;
        broken["earlier"][1]["recipe"]["steering"][0]["slot"] = 2.into();
        assert!(serde_json::from_value::<History>(broken).unwrap_err().to_string().contains("shares"));
    }

    proptest! {
        #[test]
        fn every_history_comes_back_as_it_was(
            changes in prop::collection::vec((0_usize..40, 1_u16..50), 1..8),
            later in 0_usize..8,
        ) {
            let later = later.min(changes.len());
            let whole = history(changes.into_iter().map(|(frame, n)| version(40, frame, n)).collect(), later);
            let text = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(serde_json::from_str::<History>(&text).unwrap(), whole);
        }
    }
}
