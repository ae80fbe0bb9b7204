//! What an entry is named by.

use std::fmt;

use sha2::{Digest, Sha256};
use tiller_models::codes::Codes;
use tiller_models::encodec;
use tiller_models::runtime;

use crate::renderer::studio::Decoder;

/// SHA-256 over everything that decides a take's decoded samples: its tokens, the bundle (whose id covers the codec's
/// graphs), the precision (which decides between them), the execution provider, ONNX Runtime's version, the processor's instruction sets, and the revision of
/// Tiller's own decoding. Not the host's sample rate: audio is kept at the model's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of what `decoder` makes of `codes` on this machine.
    #[must_use]
    pub fn of(codes: &Codes, decoder: &Decoder) -> Self {
        let mut hash = Sha256::new();
        let processor = runtime::processor();
        for text in [&decoder.bundle, &decoder.precision, &decoder.provider, &decoder.runtime, &processor] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hash.update(encodec::REVISION.to_le_bytes());
        hash.update((codes.codebooks() as u64).to_le_bytes());
        hash.update((codes.frames() as u64).to_le_bytes());
        for code in codes.rows().iter().flatten() {
            hash.update(code.to_le_bytes());
        }
        Self(hash.finalize().into())
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoder() -> Decoder {
        Decoder {
            bundle: "b".into(),
            precision: "int8".into(),
            provider: "cpu".into(),
            runtime: "1.24.4".into(),
        }
    }

    fn codes(rows: Vec<Vec<u16>>) -> Codes {
        Codes::try_from(rows).unwrap()
    }

    #[test]
    fn whatever_decides_the_samples_changes_the_key() {
        let tokens = codes(vec![vec![1, 2], vec![3, 4]]);
        let keys = [
            Key::of(&tokens, &decoder()),
            Key::of(&codes(vec![vec![1, 2], vec![3, 5]]), &decoder()),
            Key::of(&codes(vec![vec![1, 2, 3, 4]]), &decoder()),
            Key::of(&tokens, &Decoder { bundle: "c".into(), ..decoder() }),
            Key::of(&tokens, &Decoder { precision: "f32".into(), ..decoder() }),
            Key::of(&tokens, &Decoder { provider: "cuda".into(), ..decoder() }),
            Key::of(&tokens, &Decoder { runtime: "1.24.5".into(), ..decoder() }),
            // The same letters, cut elsewhere.
            Key::of(&tokens, &Decoder { bundle: "bi".into(), precision: "nt8".into(), ..decoder() }),
        ];
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key), "{i}");
        }
        assert_eq!(Key::of(&tokens, &decoder()), keys[0]);
    }
}
