//! What a divergence means for somebody who wants to play.

use crate::bundle::Precision;

use super::Divergence;

/// Nats a token up to which no token in ten is drawn otherwise: the chance of that is at most the root of half the divergence.
const ALIKE: f64 = 0.02;
/// Nats a token up to which a decoder is taken to play other takes of the same kind. In four bits the embedded model is at
/// 0.35, and judges hear what was asked for as often as in eight (docs/performance.md, "Precisions"); nothing beyond was heard.
const CLOSE: f64 = 0.4;

/// What follows, as a sentence.
pub fn of(precision: Precision, divergence: &Divergence) -> String {
    let (kl, agreement) = (divergence.mean_kl, divergence.agreement() * 100.0);
    if kl <= ALIKE {
        format!(
            "{precision} plays what the exact weights play ({agreement:.0} % of the most probable tokens are the same): use it"
        )
    } else if kl <= CLOSE {
        format!(
            "{precision} plays other takes of the same kind ({agreement:.0} % of the most probable tokens are the same): use it \
             where its speed is needed"
        )
    } else {
        format!(
            "{precision} plays something else ({agreement:.0} % of the most probable tokens are the same): choose another \
             precision for this model"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_follows_the_divergence() {
        let of = |kl| {
            let mut divergence = Divergence::new(4);
            divergence.mean_kl = kl;
            of(Precision::Int4, &divergence)
        };
        assert!(of(0.01).contains("plays what the exact weights play"));
        assert!(of(0.35).contains("other takes of the same kind"));
        assert!(of(0.9).contains("choose another precision"));
    }
}
