//! From logits to a token: guidance, temperature, top-k, top-p, softmax, draw, in the order of transformers.

use serde::{Deserialize, Serialize};

/// How tokens are drawn. The defaults are audiocraft's for MusicGen: temperature 1, top-k 250, no top-p.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Divides the logits; 0 takes the most probable token always. At least 0.
    pub temperature: f32,
    /// Only this many of the most probable tokens are drawn from; 0 for all.
    pub top_k: usize,
    /// Only the most probable tokens that together reach this probability are drawn from; 0 or 1 for all.
    pub top_p: f32,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: 250, top_p: 0.0 }
    }
}

impl Sampling {
    /// The most probable token always.
    pub const GREEDY: Self = Self { temperature: 0.0, top_k: 0, top_p: 0.0 };

    /// What is wrong with the numbers, as a sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        if !(self.temperature.is_finite() && (0.0..=100.0).contains(&self.temperature)) {
            return Err(format!("temperature is {}; it must be from 0 (greedy) to 100", self.temperature));
        }
        if !(0.0..=1.0).contains(&self.top_p) {
            return Err(format!(
                "top-p is {}; it must be from 0 to 1, where 0 and 1 switch it off",
                self.top_p
            ));
        }
        Ok(())
    }
}

/// Classifier-free guidance: `unconditional + (conditional - unconditional) * scale`, into `conditional`.
pub(super) fn guide(conditional: &mut [f32], unconditional: &[f32], scale: f32) {
    for (conditional, &unconditional) in conditional.iter_mut().zip(unconditional) {
        *conditional = unconditional + (*conditional - unconditional) * scale;
    }
}

/// Draws tokens; keeps its work space between draws.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    /// Tokens that may be drawn, most probable first.
    order: Vec<usize>,
    weights: Vec<f64>,
}

impl Sampler {
    /// The token for `logits` `[V]`, none of them NaN, and a uniform random number in [0, 1).
    ///
    /// Equal logits keep the order of their tokens, so the result never depends on how they were sorted.
    pub fn token(&mut self, logits: &[f32], sampling: &Sampling, uniform: f64) -> usize {
        if sampling.temperature == 0.0 {
            return argmax(logits);
        }
        let by_probability = |&a: &usize, &b: &usize| logits[b].total_cmp(&logits[a]).then(a.cmp(&b));
        self.order.clear();
        self.order.extend(0..logits.len());
        let kept = if sampling.top_k == 0 { logits.len() } else { sampling.top_k.min(logits.len()) };
        if kept < logits.len() {
            self.order.select_nth_unstable_by(kept - 1, by_probability);
            self.order.truncate(kept);
        }
        self.order.sort_unstable_by(by_probability);

        let temperature = f64::from(sampling.temperature);
        let largest = f64::from(logits[self.order[0]]);
        self.weights.clear();
        self.weights.extend(
            self.order.iter().map(|&token| ((f64::from(logits[token]) - largest) / temperature).exp()),
        );
        let mut total: f64 = self.weights.iter().sum();

        if sampling.top_p > 0.0 && sampling.top_p < 1.0 {
            let enough = f64::from(sampling.top_p) * total;
            let mut reached = 0.0;
            let nucleus = self.weights.iter().position(|weight| {
                reached += weight;
                reached >= enough
            });
            if let Some(last) = nucleus {
                self.weights.truncate(last + 1);
                total = reached;
            }
        }

        let mut left = uniform * total;
        for (&token, &weight) in self.order.iter().zip(&self.weights) {
            if left < weight {
                return token;
            }
            left -= weight;
        }
        // Rounding can leave a crumb past the last token.
        self.order[self.weights.len() - 1]
    }
}

/// The first of the largest logits.
fn argmax(logits: &[f32]) -> usize {
    let mut best = 0;
    for (token, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = token;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn histogram(logits: &[f32], sampling: &Sampling) -> Vec<f64> {
        let count = 4_000;
        let mut sampler = Sampler::default();
        let mut found = vec![0.0; logits.len()];
        for i in 0..count {
            found[sampler.token(logits, sampling, (f64::from(i) + 0.5) / f64::from(count))] +=
                1.0 / f64::from(count);
        }
        found
    }

    fn near(found: &[f64], expected: &[f64]) -> bool {
        found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3)
    }

    const LOGITS: [f32; 4] = [0.0, 1.098_612_3, std::f32::consts::LN_2, f32::NEG_INFINITY];

    #[test]
    fn tokens_are_drawn_with_the_softmax_of_their_logits() {
        let all = Sampling { top_k: 0, ..Sampling::default() };
        let found = histogram(&LOGITS, &all);
        assert!(near(&found, &[1.0 / 6.0, 3.0 / 6.0, 2.0 / 6.0, 0.0]), "{found:?}");
    }

    #[test]
    fn temperature_divides_the_logits() {
        let found = histogram(&LOGITS, &Sampling { temperature: 0.5, top_k: 0, top_p: 0.0 });
        assert!(near(&found, &[1.0 / 14.0, 9.0 / 14.0, 4.0 / 14.0, 0.0]), "{found:?}");
    }

    #[test]
    fn top_k_keeps_the_most_probable() {
        let found = histogram(&LOGITS, &Sampling { temperature: 1.0, top_k: 2, top_p: 0.0 });
        assert!(near(&found, &[0.0, 3.0 / 5.0, 2.0 / 5.0, 0.0]), "{found:?}");
    }

    #[test]
    fn top_p_keeps_the_fewest_that_reach_it() {
        let found = histogram(&LOGITS, &Sampling { temperature: 1.0, top_k: 0, top_p: 0.75 });
        assert!(near(&found, &[0.0, 3.0 / 5.0, 2.0 / 5.0, 0.0]), "{found:?}");
        let one = histogram(&LOGITS, &Sampling { temperature: 1.0, top_k: 0, top_p: 0.1 });
        assert!(near(&one, &[0.0, 1.0, 0.0, 0.0]), "{one:?}");
    }

    #[test]
    fn temperature_zero_takes_the_first_of_the_largest() {
        assert_eq!(Sampler::default().token(&[0.5, 2.0, 2.0, -1.0], &Sampling::GREEDY, 0.99), 1);
    }

    #[test]
    fn guidance_one_is_the_conditional_and_zero_the_unconditional() {
        let (conditional, unconditional) = ([1.0, -2.0], [0.5, 4.0]);
        for (scale, expected) in [(1.0, conditional), (0.0, unconditional), (3.0, [2.0, -14.0])] {
            let mut logits = conditional;
            guide(&mut logits, &unconditional, scale);
            assert_eq!(logits, expected);
        }
    }

    proptest! {
        #[test]
        fn a_drawn_token_is_one_of_the_k_largest(
            logits in prop::collection::vec(-20.0_f32..20.0, 1..64),
            top_k in 0_usize..70, top_p in 0.0_f32..=1.0, temperature in 0.01_f32..3.0, uniform in 0.0_f64..1.0,
        ) {
            let sampling = Sampling { temperature, top_k, top_p };
            let token = Sampler::default().token(&logits, &sampling, uniform);
            let larger = logits.iter().filter(|&&logit| logit > logits[token]).count();
            prop_assert!(top_k == 0 || larger < top_k);
        }
    }
}
