//! A clip of any length in windows of the model's length.

use std::borrow::Cow;

use super::{FeatureSettings, Padding};

/// The windows of a clip that has samples: one filled up if it is shorter, else as many as cover it, evenly spaced from
/// its beginning to its end. (Transformers takes one at random of a longer clip.)
#[must_use]
pub fn windows<'a>(audio: &'a [f32], settings: &FeatureSettings) -> Vec<Cow<'a, [f32]>> {
    let length = settings.samples;
    let Some(rest) = audio.len().checked_sub(length) else {
        return vec![Cow::Owned(filled(audio, length, settings.padding))];
    };
    let gaps = audio.len().div_ceil(length) - 1;
    let start = |index: usize| (rest * index).checked_div(gaps).unwrap_or(0);
    (0..=gaps).map(|index| Cow::Borrowed(&audio[start(index)..][..length])).collect()
}

fn filled(audio: &[f32], length: usize, padding: Padding) -> Vec<f32> {
    let repeated = match padding {
        Padding::RepeatPad => length / audio.len().max(1) * audio.len(),
        Padding::Repeat => length,
        Padding::Pad => audio.len(),
    };
    let mut window: Vec<f32> = audio.iter().copied().cycle().take(repeated).collect();
    window.resize(length, 0.0);
    window
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(padding: Padding) -> FeatureSettings {
        FeatureSettings {
            sample_rate: 8,
            samples: 8,
            transform: 4,
            hop: 2,
            bands: 2,
            lowest: 0.0,
            highest: 4.0,
            padding,
        }
    }

    #[test]
    fn a_short_clip_is_filled_up_as_asked() {
        let filled = |padding| windows(&[1.0, 2.0, 3.0], &settings(padding))[0].to_vec();
        assert_eq!(filled(Padding::RepeatPad), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 0.0, 0.0]);
        assert_eq!(filled(Padding::Repeat), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0, 2.0]);
        assert_eq!(filled(Padding::Pad), [1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn windows_cover_a_long_clip_from_end_to_end() {
        let audio: Vec<f32> = (0..20_u8).map(f32::from).collect();
        for (length, starts) in [(8, vec![0.0]), (9, vec![0.0, 1.0]), (20, vec![0.0, 6.0, 12.0])] {
            let found = windows(&audio[..length], &settings(Padding::Pad));
            assert_eq!(found.iter().map(|window| window[0]).collect::<Vec<_>>(), starts);
            assert_eq!(found.last().and_then(|window| window.last()), audio[..length].last());
        }
    }
}
