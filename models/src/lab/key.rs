//! How much of a clip is in one key, by what its spectrum holds and not by its notes.
//!
//! In each quarter of a second the peaks of the spectrum from A2 to C6 (110 to 1,100 Hz) add their power to the pitch
//! class that they are nearest to (equal temperament, A4 at 440 Hz). Each part that is not silent counts as much as any
//! other, so that neither a loud bass nor a drum drowns the rest. Of the twelve diatonic scales, each that of a major key
//! and of its relative minor, the one that holds the most counts: the natural minor, whose raised leading tone is outside.
//!
//! Overtones of notes in a key are not all in it, and noise is in none: it is between 7/12 and about .7, never 0. What that
//! gave for music of a known key, for decoded music and for drums is in `docs/lab.md`.

use std::f64::consts::TAU;

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

use super::quality::SILENCE;

/// Hz between which peaks count: lower ones are too close to each other for so short a part, higher ones are overtones.
const LOWEST: f64 = 110.0;
const HIGHEST: f64 = 1_100.0;

/// Steps of a major scale, in semitones above its root.
const SCALE: [usize; 7] = [0, 2, 4, 5, 7, 9, 11];

/// Share of a clip that is in the diatonic scale that holds the most of it, 0 to 1; `None` if it is silent, or has no
/// peak in range.
pub fn in_key(audio: &[f32], sample_rate: u32) -> Option<f64> {
    let classes = pitch_classes(audio, sample_rate);
    let total: f64 = classes.iter().sum();
    let held = |root: usize| SCALE.iter().map(|step| classes[(root + step) % 12]).sum::<f64>();
    let most = (0..12).map(held).fold(0.0, f64::max);
    (total > 0.0).then(|| most / total)
}

/// The pitch classes from C, each with the shares that it has of the parts of a clip, summed.
fn pitch_classes(audio: &[f32], sample_rate: u32) -> [f64; 12] {
    let length = (sample_rate as usize / 4).max(8);
    let window: Vec<f64> =
        (0..length).map(|time| 0.5 - 0.5 * (TAU * time as f64 / length as f64).cos()).collect();
    let fft = RealFftPlanner::new().plan_fft_forward(length);
    let mut spectrum = fft.make_output_vec();
    let mut part = vec![0.0; length];
    let mut classes = [0.0; 12];
    let last = audio.len().saturating_sub(length);
    for start in (0..=last).step_by(length / 2) {
        let mut squares = 0.0;
        for (time, (value, window)) in part.iter_mut().zip(&window).enumerate() {
            // A clip may be shorter than a part.
            let sample = audio.get(start + time).map_or(0.0, |&sample| f64::from(sample));
            squares += sample * sample;
            *value = sample * window;
        }
        if (squares / length as f64).sqrt() < SILENCE {
            continue;
        }
        // Fails only for buffers of another length than the transform's own.
        if fft.process(&mut part, &mut spectrum).is_err() {
            unreachable!("the buffers are as long as the transform");
        }
        let of_part = peaks(&spectrum, f64::from(sample_rate) / length as f64);
        let total: f64 = of_part.iter().sum();
        if total > 0.0 {
            for (class, power) in classes.iter_mut().zip(of_part) {
                *class += power / total;
            }
        }
    }
    classes
}

/// The power of a spectrum's peaks by pitch class; bins are `width` Hz apart.
fn peaks(spectrum: &[Complex<f64>], width: f64) -> [f64; 12] {
    let mut classes = [0.0; 12];
    let first = (LOWEST / width).ceil().max(1.0) as usize;
    for (bin, near) in spectrum.windows(3).enumerate().map(|(at, near)| (at + 1, near)).skip(first - 1) {
        if bin as f64 * width > HIGHEST {
            break;
        }
        let [before, here, after] = [near[0], near[1], near[2]].map(|value| value.norm_sqr());
        if !(here > before && here >= after) {
            continue;
        }
        // The top of the parabola through three decibels is where the tone is, within a tenth of a bin.
        let [before_log, here_log, after_log] =
            [before, here, after].map(|power| power.max(f64::MIN_POSITIVE).ln());
        let shift = 0.5 * (before_log - after_log) / (before_log - 2.0 * here_log + after_log);
        let hertz = (bin as f64 + shift) * width;
        let semitone = (69.0 + 12.0 * (hertz / 440.0).log2()).round() as usize;
        classes[semitone % 12] += here;
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::random::Random;

    const RATE: u32 = 16_000;

    /// Notes of a quarter of a second each, MIDI numbers; overtone n has the amplitude 1 / n.
    fn tune(notes: &[u32], overtones: u32) -> Vec<f32> {
        let note = |&number: &u32| {
            let hertz = 440.0 * ((f64::from(number) - 69.0) / 12.0).exp2();
            (0..RATE / 4).map(move |time| {
                let phase = TAU * hertz * f64::from(time) / f64::from(RATE);
                (1..=overtones).map(|n| (phase * f64::from(n)).sin() / f64::from(n)).sum::<f64>() as f32 * 0.2
            })
        };
        notes.iter().flat_map(note).collect()
    }

    fn of(audio: &[f32]) -> f64 {
        in_key(audio, RATE).unwrap()
    }

    const MAJOR: [u32; 8] = [60, 62, 64, 65, 67, 69, 71, 72];

    #[test]
    fn notes_of_a_scale_are_in_key_and_twelve_equal_ones_are_as_much_as_chance() {
        for root in [0, 1, 6, 11] {
            let scale = MAJOR.map(|note| note + root);
            assert!(of(&tune(&scale, 1)) > 0.99, "{root}: {}", of(&tune(&scale, 1)));
        }
        // The notes of A minor are those of C major.
        assert!(of(&tune(&[57, 60, 64, 69, 65, 62, 55], 1)) > 0.99);
        let chromatic: Vec<u32> = (60..72).collect();
        let chance = of(&tune(&chromatic, 1));
        assert!((chance - 7.0 / 12.0).abs() < 0.03, "{chance}");
        // Two keys a tritone apart share two notes of seven.
        let both: Vec<u32> = MAJOR[..7].iter().flat_map(|note| [*note, note + 6]).collect();
        let share = of(&tune(&both, 1));
        assert!((0.55..0.75).contains(&share), "{share}");
    }

    #[test]
    fn each_wrong_note_costs_its_share_and_overtones_cost_a_little() {
        let mut notes = MAJOR.to_vec();
        notes.extend([61, 66]);
        let share = of(&tune(&notes, 1));
        assert!((share - 0.8).abs() < 0.04, "{share}");
        // From C3 on: the third overtone of B is F sharp, the fifth of E is G sharp.
        let rich = of(&tune(&MAJOR.map(|note| note - 12), 8));
        assert!((0.95..0.99).contains(&rich), "{rich}");
    }

    #[test]
    fn level_does_not_matter_and_silence_has_no_key() {
        let tones = tune(&MAJOR, 3);
        let soft: Vec<f32> = tones.iter().map(|sample| sample * 0.05).collect();
        assert!((of(&tones) - of(&soft)).abs() < 1e-3);
        assert_eq!(in_key(&vec![0.0; 16_000], RATE), None);
        assert_eq!(in_key(&[], RATE), None);
        // Half a second of silence in between changes nothing.
        let gap = [&tones[..], &vec![0.0; 8_000], &tones[..]].concat();
        assert!((of(&gap) - of(&tones)).abs() < 0.02);
    }

    #[test]
    fn noise_is_in_no_key() {
        let mut random = Random::new(1, "noise", 0);
        let noise: Vec<f32> = (0..6 * RATE).map(|_| random.unit() as f32 - 0.5).collect();
        assert!((0.55..0.72).contains(&of(&noise)), "{}", of(&noise));
    }

    #[test]
    fn a_clip_shorter_than_a_part_is_heard() {
        assert!(of(&tune(&[69], 1)[..2_000]) > 0.99);
    }
}
