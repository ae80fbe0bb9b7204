//! Strengths as a project keeps them: in thousandths, which is a tenth of the smallest step anyone hears.
//!
//! A curve is written as a list of numbers, one for each frame, which is what scripts write; or, if it has many values
//! and all of them are whole thousandths, packed as a string. Automation is smooth, so what is packed are the changes of
//! its slope: with thousandths `v` and slopes `d[i] = v[i] - v[i - 1]`, the numbers `d[i] - d[i - 1]` (nothing before the
//! first is 0, 16 bits wrap around), written as [`packing`](super::packing) says.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tiller_models::steering::StrengthCurve;

use super::packing;

/// Thousandths of a strength of 1.
const PER_UNIT: f32 = 1_000.0;
/// The longest curve that is written as a list: below this, a list is shorter as well.
const LISTED: usize = 8;

/// A strength in thousandths, the nearest there is.
#[must_use]
pub fn thousandths(strength: f32) -> i16 {
    (strength * PER_UNIT).round() as i16
}

/// The strength of so many thousandths.
#[must_use]
pub fn strength(thousandths: i16) -> f32 {
    f32::from(thousandths) / PER_UNIT
}

/// A curve of these strengths, a frame each, as every curve of a project is held: without the repetitions at its end,
/// because the last value holds, and with at least one value.
#[must_use]
pub fn compact(mut strengths: Vec<f32>) -> StrengthCurve {
    while let [.., before, last] = strengths[..]
        && before == last
    {
        strengths.pop();
    }
    if strengths.is_empty() {
        strengths.push(0.0);
    }
    StrengthCurve::from_frames(strengths)
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Listed(Vec<f32>),
    Packed(String),
}

pub(super) fn serialize<S: Serializer>(curve: &StrengthCurve, serializer: S) -> Result<S::Ok, S::Error> {
    let values = curve.values();
    let steps: Vec<i16> = values.iter().map(|&value| thousandths(value)).collect();
    let exact = || values.iter().zip(&steps).all(|(&value, &steps)| value == strength(steps));
    let written = if values.len() > LISTED && exact() {
        let (mut value, mut slope) = (0_i16, 0_i16);
        let bends = steps.iter().map(|&next| {
            let next_slope = next.wrapping_sub(value);
            let bend = next_slope.wrapping_sub(slope);
            (value, slope) = (next, next_slope);
            bend.cast_unsigned()
        });
        Written::Packed(packing::pack(&bends.collect::<Vec<_>>()))
    } else {
        Written::Listed(values.to_vec())
    };
    written.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StrengthCurve, D::Error> {
    let values = match Written::deserialize(deserializer)? {
        Written::Listed(values) => values,
        Written::Packed(text) => {
            let bends =
                packing::unpack(&text).map_err(|error| D::Error::custom(format!("a curve: {error}")))?;
            let (mut value, mut slope) = (0_i16, 0_i16);
            let values = bends.into_iter().map(|bend| {
                slope = slope.wrapping_add(bend.cast_signed());
                value = value.wrapping_add(slope);
                strength(value)
            });
            values.collect()
        }
    };
    Ok(compact(values))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Held(#[serde(with = "super")] StrengthCurve);

    fn text(values: Vec<f32>) -> String {
        serde_json::to_string(&Held(compact(values))).unwrap()
    }

    #[test]
    fn short_curves_are_lists_and_long_ones_strings() {
        assert_eq!(text(vec![0.0, 0.125, 2.0, 2.0]), "[0.0,0.125,2.0]");
        let ramp = text((0..1_500).map(|frame| strength(frame - 750)).collect());
        assert!(ramp.starts_with('"') && ramp.len() < 100, "{ramp}");
    }

    #[test]
    fn strengths_that_are_no_thousandths_are_kept_as_they_are() {
        let odd = text((0..20_u8).map(|frame| f32::from(frame) / 7.0).collect());
        assert!(odd.starts_with('['), "{odd}");
        assert_eq!(serde_json::from_str::<Held>(&odd).unwrap().0.at(3), 3.0 / 7.0);
    }

    #[test]
    fn a_damaged_curve_is_refused_with_its_reason() {
        for damaged in ["\"?\"", "\"AAAA\"", "\"\""] {
            let error = serde_json::from_str::<Held>(damaged).unwrap_err().to_string();
            assert!(error.contains("a curve: "), "{error}");
        }
    }

    proptest! {
        #[test]
        fn every_curve_comes_back_as_it_was(steps in prop::collection::vec(any::<i16>(), 0..400)) {
            let curve = Held(compact(steps.into_iter().map(strength).collect()));
            let text = serde_json::to_string(&curve).unwrap();
            prop_assert_eq!(serde_json::from_str::<Held>(&text).unwrap(), curve);
        }
    }
}
