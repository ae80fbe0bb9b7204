//! Random numbers that are a function of where they are used, not of what was drawn before.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Keeps these numbers apart from any other use of the same seed.
const DOMAIN: [u8; 24] = *b"tiller/musicgen/sample/1";

/// A uniform number in [0, 1) for `codebook` of `frame`: ChaCha8 keyed by `seed`, its stream the frame, its position
/// the codebook. The same on every machine.
pub(super) fn uniform(seed: u64, frame: usize, codebook: usize) -> f64 {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..].copy_from_slice(&DOMAIN);
    let mut generator = ChaCha8Rng::from_seed(key);
    generator.set_stream(frame as u64);
    // A number takes two words of 32 bits.
    generator.set_word_pos(2 * codebook as u128);
    (generator.next_u64() >> 11) as f64 * (-53_f64).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_depends_on_seed_frame_and_codebook_alone() {
        assert_eq!(uniform(7, 3, 1), uniform(7, 3, 1));
        let others = [uniform(8, 3, 1), uniform(7, 4, 1), uniform(7, 3, 2), uniform(7, 1, 3)];
        assert!(others.iter().all(|&other| other != uniform(7, 3, 1)));
    }

    #[test]
    fn numbers_are_the_ones_of_earlier_versions() {
        assert_eq!(uniform(0, 0, 0).to_bits(), 4_586_392_205_739_539_584);
    }

    #[test]
    fn numbers_are_uniform() {
        let count = 20_000;
        let mut tenths = [0_u32; 10];
        for i in 0..count {
            tenths[(uniform(1, i / 4, i % 4) * 10.0) as usize] += 1;
        }
        // Five standard deviations of a binomial with p = 0.1.
        let spread = 5.0 * (f64::from(20_000) * 0.09).sqrt();
        assert!(tenths.iter().all(|&tenth| (f64::from(tenth) - 2_000.0).abs() < spread), "{tenths:?}");
    }
}
