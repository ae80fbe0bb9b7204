//! The tempo of a song that stands.

use std::sync::atomic::{AtomicU64, Ordering};

/// The tempo of the whole song as the transport stood last, for takes that last whole bars; none where it has not stood
/// or has played at another tempo since. The audio thread writes it, the renderer reads it.
#[derive(Debug, Default)]
pub struct Standing {
    /// The bits of the tempo; 0 for none.
    tempo: AtomicU64,
    changes: AtomicU64,
}

impl Standing {
    /// The song stands or plays, and has this tempo from its start on, quarter notes a minute. Returns whether what is
    /// known changes by that. Wait-free.
    pub fn note(&self, tempo: Option<f64>, playing: bool) -> bool {
        let stood = || self.tempo().filter(|&stood| tempo == Some(stood));
        let tempo = if playing { stood() } else { tempo };
        let bits = tempo.map_or(0, f64::to_bits);
        let changed = self.tempo.swap(bits, Ordering::Release) != bits;
        if changed {
            self.changes.fetch_add(1, Ordering::Release);
        }
        changed
    }

    /// The tempo, quarter notes a minute.
    #[must_use]
    pub fn tempo(&self) -> Option<f64> {
        Some(f64::from_bits(self.tempo.load(Ordering::Acquire))).filter(|tempo| *tempo > 0.0)
    }

    /// How often it changed. Whoever asks this first gets the tempo of that change or of a later one.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tempo_counts_once_the_song_has_stood_at_it_and_until_it_plays_at_another() {
        let standing = Standing::default();
        assert!(!standing.note(Some(120.0), true) && standing.tempo().is_none(), "it has not stood");
        assert!(standing.note(Some(120.0), false));
        assert!(!standing.note(Some(120.0), true) && standing.tempo() == Some(120.0));
        assert!(standing.note(Some(121.0), true) && standing.tempo().is_none(), "a ramp may have begun");
        assert!(!standing.note(Some(120.0), true), "it has not stood since");
        assert!(standing.note(Some(121.0), false) && standing.tempo() == Some(121.0));
        assert_eq!(standing.changes(), 3);
    }
}
