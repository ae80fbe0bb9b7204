//! Random numbers that are the same on every machine and in every version, for splits, restarts and resampling.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A generator for one use. Its numbers depend on the seed, the use and the number of the stream alone.
pub struct Random(ChaCha8Rng);

impl Random {
    /// The generator of `stream` for `purpose`, at most 24 bytes that keep it apart from other uses of the seed.
    pub fn new(seed: u64, purpose: &str, stream: usize) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..8 + purpose.len()].copy_from_slice(purpose.as_bytes());
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(stream as u64);
        Self(generator)
    }

    /// A uniform number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (-53_f64).exp2()
    }

    /// A uniform whole number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: usize) -> usize {
        // The bias of multiplying is below bound / 2^64.
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Puts `items` in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_purposes_and_streams_are_apart_and_a_shuffle_keeps_every_item() {
        let drawn = |seed, purpose, stream| Random::new(seed, purpose, stream).unit();
        assert_eq!(drawn(1, "split", 0), drawn(1, "split", 0));
        let others = [drawn(2, "split", 0), drawn(1, "restart", 0), drawn(1, "split", 1)];
        assert!(others.iter().all(|&other| other != drawn(1, "split", 0)));

        let mut items: Vec<usize> = (0..100).collect();
        Random::new(3, "split", 0).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
        let mut random = Random::new(4, "split", 0);
        assert!((0..1_000).all(|_| random.below(3) < 3));
    }
}
