//! Self-monitoring: a vector lets go while its concept is there, and pulls again when it fades.
//!
//! After Koo et al. 2024, "SMITIN: Self-Monitored Inference-Time INtervention for Generative Music Transformers", with the
//! readings of a vector's [`Gauge`]s in place of probes of attention heads. What a monitor reads must be the music and
//! not the push itself. So it reads the last row of guidance, which knows nothing of the prompt, as the clips knew nothing
//! that most gauges are measured on; and where that row is steered too, only places that no push has reached yet (see
//! [`Monitor::new`]). Either way a reading is a function of the tokens so far.
//!
//! A reading is linear in the activation. The running mean of readings is therefore the reading of the mean activation,
//! which is what gauges are measured on, and much steadier than that of one position.

use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;

use super::{Direction, Gauge, Site, SteeringError, Vector};

/// How a vector lets go of what it has reached. Part of the recipe of a take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitoring {
    /// How strongly it pulls at what is read.
    pub rule: Rule,
    /// It reads, and decides anew, at every step whose number is a multiple of this. SMITIN: 5.
    pub every: NonZeroUsize,
    /// It reads so many places of the vector at most, those with the best accuracy. SMITIN: 16. Places that are worse than
    /// the best by more than a tenth are left out however many there are, since in a small model 16 would be all.
    pub places: NonZeroUsize,
    /// Frames over which readings are averaged: as an exponential mean, and plainly as long as there are fewer. 50 are a
    /// second: shorter than a change of strength that anyone plays, longer than most notes.
    pub memory: NonZeroUsize,
}

impl Monitoring {
    /// The usual numbers.
    #[must_use]
    pub const fn new(rule: Rule) -> Self {
        const fn number(number: usize) -> NonZeroUsize {
            NonZeroUsize::new(number).expect("the usual numbers are above 0")
        }
        Self { rule, every: number(5), places: number(16), memory: number(50) }
    }
}

/// How strongly a vector pulls at what is read of its concept. A negative strength leads away from the concept, and lets
/// go when it is gone: both rules then take the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// SMITIN's: not at all while the median probability of the concept is above the threshold, the median of the places'
    /// accuracies minus their deviation; wholly else. The threshold is kept within .5 and .95, because accuracies of 1
    /// would put it where no probability gets.
    Smitin,
    /// Wholly up to the middle between the two sides, not at all from the mean of the side it leads to on, and along a
    /// line in between: nothing switches on and off, and a vector settles where what is there needs it.
    Fade,
}

impl Rule {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Smitin, Self::Fade];

    /// The name used in recipes and arguments.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Smitin => "smitin",
            Self::Fade => "fade",
        }
    }
}

impl std::str::FromStr for Rule {
    type Err = SteeringError;

    fn from_str(text: &str) -> Result<Self, SteeringError> {
        let unknown =
            || SteeringError::Request(format!("{text:?} is no rule of letting go; use smitin or fade"));
        Self::ALL.into_iter().find(|rule| rule.name() == text).ok_or_else(unknown)
    }
}

/// Least and most threshold of [`Rule::Smitin`].
const THRESHOLD: std::ops::RangeInclusive<f64> = 0.5..=0.95;
/// How much less accurate than the best a place may be.
const MOST_WORSE: f64 = 0.1;
/// Parts that a factor is given in. Finer ones nobody hears, and every change costs an upload of the steering inputs.
const PARTS: f64 = 100.0;

/// What reads one vector's concept.
#[derive(Debug)]
pub(crate) struct Monitor {
    setting: Monitoring,
    /// The best first, at least one.
    probes: Vec<Probe>,
    threshold: f64,
}

/// What reads it at one place.
#[derive(Debug)]
struct Probe {
    site: Site,
    layer: usize,
    direction: Direction,
    gauge: Gauge,
}

/// Running means of the readings at each of a monitor's places.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Means {
    readings: usize,
    values: Vec<f64>,
}

impl Monitor {
    /// A monitor of `vector` that reads the places for which `is_clean` says that no push is felt there.
    ///
    /// # Errors
    /// [`SteeringError::Request`] for a vector that does not say how its concept is read, or not at a clean place.
    pub fn new(
        setting: Monitoring,
        vector: &Vector,
        is_clean: impl Fn(Site, usize) -> bool,
    ) -> Result<Self, SteeringError> {
        let concept = vector.concept();
        if !vector.is_readable() {
            return Err(SteeringError::Request(format!(
                "the vector {concept} does not say how its concept is read, and so cannot let go of it: learn it with \
                 tiller learn or tiller lab directions, whose files say it, or let it pull all the time"
            )));
        }
        let of_place = |(site, layer)| {
            let (direction, gauge) = (vector.direction(site, layer)?.clone(), *vector.gauge(site, layer)?);
            (gauge.tells() && is_clean(site, layer)).then_some(Probe { site, layer, direction, gauge })
        };
        let mut probes: Vec<Probe> = vector.places().filter_map(of_place).collect();
        probes.sort_by(|a, b| {
            let by = |figure: fn(&Gauge) -> f64| figure(&b.gauge).total_cmp(&figure(&a.gauge));
            by(|gauge| gauge.accuracy).then(by(Gauge::separation))
        });
        probes.truncate(setting.places.get());
        let best = probes.first().map_or(0.0, |probe| probe.gauge.accuracy);
        probes.retain(|probe| probe.gauge.accuracy >= best - MOST_WORSE);
        if probes.is_empty() {
            return Err(SteeringError::Request(format!(
                "the concept of the vector {concept} is read only where its own push is felt: steer the conditional row \
                 alone, with guidance above 1, or other layers, or let it pull all the time"
            )));
        }
        let accuracies: Vec<f64> = probes.iter().map(|probe| probe.gauge.accuracy).collect();
        let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
        let variance = accuracies.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / accuracies.len() as f64;
        let threshold = (median(accuracies) - variance.sqrt()).clamp(*THRESHOLD.start(), *THRESHOLD.end());
        Ok(Self { setting, probes, threshold })
    }

    /// Whether it reads at a step, counted from the beginning of the take. There is nothing to read at the first one.
    pub fn reads_at(&self, step: usize) -> bool {
        step > 0 && step.is_multiple_of(self.setting.every.get())
    }

    /// The running means after one more reading, of activations before steering: residual streams and attention outputs
    /// `[L,B,D]` of `rows` rows B, of which the last one is read.
    pub fn read(&self, before: Option<&Means>, activations: [&[f32]; 2], rows: usize) -> Means {
        let reading = |probe: &Probe| {
            let direction = probe.direction.values();
            let width = direction.len();
            let from = (probe.layer * rows + rows - 1) * width;
            let held = &activations[probe.site as usize][from..from + width];
            let along = held.iter().zip(direction).map(|(&x, &r)| f64::from(x) * f64::from(r)).sum();
            probe.gauge.reading(along)
        };
        let readings = before.map_or(0, |means| means.readings) + 1;
        let by_memory = self.setting.every.get() as f64 / self.setting.memory.get() as f64;
        let weight = by_memory.max(1.0 / readings as f64).min(1.0);
        let mean = |(at, probe): (usize, &Probe)| match before {
            Some(means) => means.values[at] + (reading(probe) - means.values[at]) * weight,
            None => reading(probe),
        };
        Means { readings, values: self.probes.iter().enumerate().map(mean).collect() }
    }

    /// What is let through of a strength at these means, 0 to 1, in hundredths; all of it before the first reading.
    pub fn lets_through(&self, means: Option<&Means>, strength: f32) -> f32 {
        let Some(means) = means else { return 1.0 };
        let is_away = strength < 0.0;
        let median_of = |figure: fn(&Gauge, f64) -> f64| {
            let readings = self.probes.iter().zip(&means.values);
            let there = median(readings.map(|(probe, &mean)| figure(&probe.gauge, mean)).collect());
            if is_away { 1.0 - there } else { there }
        };
        let part = match self.setting.rule {
            Rule::Smitin => f64::from(u8::from(median_of(Gauge::probability) <= self.threshold)),
            Rule::Fade => (2.0 * (1.0 - median_of(Gauge::way))).clamp(0.0, 1.0),
        };
        ((part * PARTS).round() / PARTS) as f32
    }
}

/// The middle one of some numbers, or the mean of the two in the middle.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 { numbers[middle] } else { f64::midpoint(numbers[middle - 1], numbers[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steering::gauge::tests::plain;
    use crate::steering::vector::{FORMAT, tests::file};

    /// A vector along the first axis at three layers of the residual stream, read there with these accuracies.
    fn vector(accuracies: [f64; 3]) -> Vector {
        let gauges = accuracies.map(|accuracy| plain(0.5, accuracy));
        with_monitor(&serde_json::json!({ "residual": gauges }).to_string())
    }

    fn with_monitor(monitor: &str) -> Vector {
        let tensors: [(&str, &[f32]); 3] =
            [("residual.0", &[1.0, 0.0]), ("residual.1", &[1.0, 0.0]), ("residual.2", &[1.0, 0.0])];
        let metadata = [("format", FORMAT), ("concept", "flute"), ("monitor", monitor)];
        Vector::from_bytes(&file(&tensors, &metadata), "flute").unwrap()
    }

    fn monitor(rule: Rule, accuracies: [f64; 3]) -> Monitor {
        Monitor::new(Monitoring::new(rule), &vector(accuracies), |_, _| true).unwrap()
    }

    /// Residual streams of three layers and two rows whose last row lies so far along the direction.
    fn held(along: f32) -> Vec<f32> {
        [[-9.0, 5.0], [along, 7.0]].concat().repeat(3)
    }

    /// The means after these readings, one after the other.
    fn after(monitor: &Monitor, readings: &[f32]) -> Option<Means> {
        readings.iter().fold(None, |means, &along| Some(monitor.read(means.as_ref(), [&held(along), &[]], 2)))
    }

    #[test]
    fn the_best_places_are_read_as_far_as_they_are_clean_and_tell_anything() {
        let setting = Monitoring { places: NonZeroUsize::new(2).unwrap(), ..Monitoring::new(Rule::Fade) };
        let layers = |accuracies, clean: fn(Site, usize) -> bool| -> Vec<usize> {
            let monitor = Monitor::new(setting, &vector(accuracies), clean).unwrap();
            monitor.probes.iter().map(|probe| probe.layer).collect()
        };
        assert_eq!(layers([0.81, 0.9, 0.85], |_, _| true), [1, 2]);
        assert_eq!(layers([0.81, 0.9, 0.85], |_, layer| layer != 1), [2, 0]);
        assert_eq!(layers([0.5, 0.55, 0.2], |_, _| true), [1], "no better than chance");
        assert_eq!(layers([0.75, 0.9, 0.7], |_, _| true), [1], "much worse than the best");
    }

    #[test]
    fn a_vector_that_cannot_be_read_is_refused_with_what_to_do() {
        let refused = |vector: &Vector, clean| {
            Monitor::new(Monitoring::new(Rule::Fade), vector, |_, _| clean).unwrap_err().to_string()
        };
        assert!(refused(&with_monitor("{}"), true).contains("learn it with tiller learn"));
        assert!(refused(&vector([0.5; 3]), true).contains("learn it with tiller learn"));
        assert!(refused(&vector([0.9; 3]), false).contains("its own push is felt"));
        assert!(!vector([0.5; 3]).is_readable() && vector([0.5, 0.5, 0.6]).is_readable());
    }

    #[test]
    fn smitin_pulls_below_the_threshold_and_not_above() {
        let rule = monitor(Rule::Smitin, [0.8, 0.84, 0.76]);
        // Median .8, deviation of .76, .8 and .84.
        assert!((rule.threshold - (0.8 - (0.0032_f64 / 3.0).sqrt())).abs() < 1e-12);
        // The log-odds of a reading are eight times as large with sides at -1 and 1 and a deviation of .5.
        let at = (rule.threshold / (1.0 - rule.threshold)).ln() / 8.0;
        for (reading, towards, away) in
            [(-1.0, 1.0, 0.0), (at - 0.01, 1.0, 1.0), (at + 0.01, 0.0, 1.0), (1.0, 0.0, 1.0)]
        {
            let means = after(&rule, &[reading as f32]);
            assert_eq!(rule.lets_through(means.as_ref(), 0.3), towards, "{reading}");
            assert_eq!(rule.lets_through(means.as_ref(), -0.3), away, "{reading}");
        }
        assert_eq!(monitor(Rule::Smitin, [1.0; 3]).threshold, 0.95);
        assert_eq!(monitor(Rule::Smitin, [0.51, 0.6, 0.51]).threshold, 0.5);
    }

    #[test]
    fn a_fade_follows_the_way_between_the_sides() {
        let rule = monitor(Rule::Fade, [0.9; 3]);
        for (reading, towards, away) in [
            (-9.0, 1.0, 0.0),
            (-1.0, 1.0, 0.0),
            (-0.5, 1.0, 0.5),
            (0.0, 1.0, 1.0),
            (0.5, 0.5, 1.0),
            (0.8, 0.2, 1.0),
            (9.0, 0.0, 1.0),
        ] {
            let means = after(&rule, &[reading]);
            let found = [1.0, -1.0].map(|strength| rule.lets_through(means.as_ref(), strength));
            assert_eq!(found, [towards, away], "{reading}");
        }
        assert_eq!(rule.lets_through(None, 1.0), 1.0, "nothing is known yet");
    }

    #[test]
    fn readings_are_averaged_plainly_at_first_and_then_forgotten_over_the_memory() {
        let rule = monitor(Rule::Fade, [0.9; 3]);
        let close = |readings: &[f32], expected: f64| {
            let found = after(&rule, readings).unwrap().values[0];
            assert!((found - expected).abs() < 1e-6, "{readings:?}: {found}");
        };
        close(&[3.0], 3.0);
        close(&[1.0, 2.0, 6.0], 3.0);
        // Ten readings of every fifth frame are the 50 frames remembered.
        close(&[[0.0; 100].as_slice(), &[1.0]].concat(), 0.1);
        close(&[[0.0; 100].as_slice(), &[1.0; 10]].concat(), 1.0 - 0.9_f64.powi(10));
    }

    #[test]
    fn numbers_that_are_none_let_everything_through() {
        let huge = r#"{"residual":[{"scale":1e308,"offset":0,"accuracy":0.9,
            "plus":{"mean":1,"deviation":0.5},"minus":{"mean":-1,"deviation":0.5}}]}"#;
        for rule in Rule::ALL {
            let monitor = Monitor::new(Monitoring::new(rule), &with_monitor(huge), |_, _| true).unwrap();
            let means = after(&monitor, &[1e30, -1e30, 1e30]);
            assert!(means.as_ref().unwrap().values[0].is_nan());
            assert_eq!(
                [1.0, -1.0].map(|strength| monitor.lets_through(means.as_ref(), strength)),
                [1.0, 1.0]
            );
        }
    }

    #[test]
    fn a_rule_is_read_by_its_name() {
        for rule in Rule::ALL {
            assert_eq!(rule.name().parse::<Rule>().unwrap(), rule);
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
        }
        assert!("off".parse::<Rule>().unwrap_err().to_string().contains("use smitin or fade"));
    }
}
