//! Audio that was due and not there. Counted, located and shown; never silent.

use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Places remembered. What is missed elsewhere is still counted.
const PLACES: usize = 64;

/// What an instance has missed. The audio thread writes, anyone reads.
#[derive(Debug)]
pub struct Misses {
    samples: AtomicU64,
    located: AtomicU64,
    places: [Place; PLACES],
    used: AtomicUsize,
    logged: AtomicU64,
}

/// A run of missed samples. Its start is written before it counts as used; after that it only grows.
#[derive(Debug, Default)]
struct Place {
    start: AtomicI64,
    length: AtomicU64,
    sample_rate: AtomicU32,
}

impl Default for Misses {
    fn default() -> Self {
        Self {
            samples: AtomicU64::new(0),
            located: AtomicU64::new(0),
            places: std::array::from_fn(|_| Place::default()),
            used: AtomicUsize::new(0),
            logged: AtomicU64::new(0),
        }
    }
}

impl Place {
    fn start(&self) -> i64 {
        self.start.load(Ordering::Relaxed)
    }

    fn end(&self) -> i64 {
        self.start().saturating_add_unsigned(self.length.load(Ordering::Relaxed))
    }

    fn rate(&self) -> u32 {
        self.sample_rate.load(Ordering::Relaxed)
    }
}

impl Misses {
    /// Adds `samples` from `position` of the song, which is `None` where the host has none. Wait-free; for the audio
    /// thread alone.
    pub fn add(&self, position: Option<i64>, samples: usize, sample_rate: u32) {
        let samples = samples as u64;
        if samples == 0 {
            return;
        }
        self.samples.fetch_add(samples, Ordering::Relaxed);
        if position.is_some_and(|position| self.locate(position, samples, sample_rate)) {
            self.located.fetch_add(samples, Ordering::Relaxed);
        }
    }

    fn locate(&self, position: i64, samples: u64, sample_rate: u32) -> bool {
        let end = position.saturating_add_unsigned(samples);
        let used = self.used.load(Ordering::Relaxed);
        let known = self.places[..used]
            .iter()
            .find(|place| place.rate() == sample_rate && (place.start()..=place.end()).contains(&position));
        if let Some(place) = known {
            place.length.fetch_max(end.abs_diff(place.start()), Ordering::Release);
            return true;
        }
        let Some(free) = self.places.get(used) else { return false };
        free.start.store(position, Ordering::Relaxed);
        free.length.store(samples, Ordering::Relaxed);
        free.sample_rate.store(sample_rate, Ordering::Relaxed);
        // Fails where the list was cleared meanwhile; then this run is forgotten with the rest.
        self.used.compare_exchange(used, used + 1, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Samples missed in all, each time they were due.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Where they were, in seconds of the song, in order and without overlaps; and whether there was more than could be
    /// remembered.
    #[must_use]
    pub fn places(&self) -> (Vec<Range<f64>>, bool) {
        let used = self.used.load(Ordering::Acquire);
        let mut all: Vec<Range<f64>> = self.places[..used]
            .iter()
            .map(|place| {
                let rate = f64::from(place.rate().max(1));
                place.start() as f64 / rate..place.end() as f64 / rate
            })
            .collect();
        all.sort_by(|a, b| a.start.total_cmp(&b.start));
        let mut joined: Vec<Range<f64>> = Vec::new();
        for next in all {
            match joined.last_mut() {
                Some(last) if next.start <= last.end => last.end = last.end.max(next.end),
                _ => joined.push(next),
            }
        }
        (joined, self.located.load(Ordering::Relaxed) < self.samples())
    }

    /// Writes what was missed since the last call to the log, for hosts whose window nobody looks at. Not for the audio
    /// thread.
    pub fn log(&self, sample_rate: u32) {
        let samples = self.samples();
        if self.logged.swap(samples, Ordering::Relaxed) < samples {
            let seconds = samples as f64 / f64::from(sample_rate.max(1));
            tracing::warn!(
                "{seconds:.3} s of music was due before it was made{}",
                located(&self.places(), PLACES)
            );
        }
    }

    /// Begins to count anew.
    pub fn clear(&self) {
        self.logged.store(0, Ordering::Relaxed);
        self.used.store(0, Ordering::Release);
        self.samples.store(0, Ordering::Relaxed);
        self.located.store(0, Ordering::Relaxed);
    }
}

/// Where something was missed, as the end of a sentence: the first `most` places, and that there are more.
#[must_use]
pub fn located((places, more): &(Vec<Range<f64>>, bool), most: usize) -> String {
    if places.is_empty() {
        return String::new();
    }
    let shown: Vec<_> =
        places.iter().take(most).map(|place| format!("{:.2} to {:.2} s", place.start, place.end)).collect();
    let rest = if *more || places.len() > most { " and elsewhere" } else { "" };
    format!(", at {} of the song{rest}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    // Sample counts of tests are small.
    #![allow(clippy::cast_possible_wrap)]

    use super::*;

    #[test]
    fn blocks_in_a_row_are_one_place_and_repeats_are_counted_but_not_listed_twice() {
        let misses = Misses::default();
        for block in [0, 512, 1_024, 0, 512, 48_000] {
            misses.add(Some(block), 512, 48_000);
        }
        let (places, more) = misses.places();
        assert_eq!(places, [0.0..0.032, 1.0..1.0 + 512.0 / 48_000.0]);
        assert_eq!((misses.samples(), more), (6 * 512, false));
        assert_eq!(located(&(places.clone(), more), 3), ", at 0.00 to 0.03 s, 1.00 to 1.01 s of the song");
        assert_eq!(located(&(places, more), 1), ", at 0.00 to 0.03 s of the song and elsewhere");
    }

    #[test]
    fn rates_and_orders_are_joined_in_seconds() {
        let misses = Misses::default();
        misses.add(Some(48_000), 48_000, 48_000);
        misses.add(Some(0), 96_000, 96_000);
        assert_eq!(misses.places().0, [0.0..2.0]);
    }

    #[test]
    fn what_cannot_be_located_is_counted_and_said() {
        let misses = Misses::default();
        misses.add(None, 100, 48_000);
        assert_eq!(misses.places(), (Vec::new(), true));
        for block in 0..2 * PLACES as i64 {
            misses.add(Some(block * 1_000), 10, 48_000);
        }
        let (places, more) = misses.places();
        assert_eq!((places.len(), more), (PLACES, true));
        assert_eq!(misses.samples(), 100 + 20 * PLACES as u64);
        misses.clear();
        assert_eq!((misses.samples(), misses.places()), (0, (Vec::new(), false)));
        misses.add(Some(i64::MAX - 5), 10, 48_000);
        assert_eq!(misses.places().0.len(), 1);
    }
}
