//! Statistics of differences between clips of the same seed.

use super::Estimate;
use super::random::Random;

/// Replicates of a bootstrap, and of a permutation test that cannot try all signs.
const REPLICATES: usize = 10_000;

/// Pairs up to which all signs are tried: 65,536.
const EXACT: usize = 16;

/// The mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The mean with its 95 % interval: percentiles of a bootstrap over `values`, linear between ranks.
pub fn bootstrap_mean(values: &[f64], seed: u64) -> Estimate {
    let mut random = Random::new(seed, "tiller/lab/evaluate/mean", 0);
    let replicate = |_| (0..values.len()).map(|_| values[random.below(values.len())]).sum::<f64>();
    let mut means: Vec<f64> = (0..REPLICATES).map(replicate).map(|sum| sum / values.len() as f64).collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let rank = share * (REPLICATES - 1) as f64;
        let (below, rest) = (rank.floor() as usize, rank.fract());
        means[below] + rest * (means[(below + 1).min(REPLICATES - 1)] - means[below])
    };
    Estimate { value: mean(values), low: at(0.025), high: at(0.975) }
}

/// Two-sided p of a mean as far from zero as that of `differences`, were the sign of each up to chance. Of up to 16
/// differences all signs are tried; of more, 10,000 drawn ones, of which the differences themselves are one more.
pub fn sign_flip(differences: &[f64], seed: u64) -> f64 {
    let sum: f64 = differences.iter().sum();
    // Sums of the same terms with other signs differ by rounding.
    let least = sum.abs() - 1e-12 * differences.iter().map(|value| value.abs()).sum::<f64>();
    let is_far = |flips: &mut dyn FnMut(usize) -> bool| {
        let signed = differences.iter().enumerate();
        let sum: f64 = signed.map(|(at, value)| if flips(at) { -value } else { *value }).sum();
        sum.abs() >= least
    };
    if differences.len() <= EXACT {
        let all = 1_usize << differences.len();
        let far = (0..all).filter(|signs| is_far(&mut |at| signs >> at & 1 == 1)).count();
        return far as f64 / all as f64;
    }
    let mut random = Random::new(seed, "tiller/lab/evaluate/sign", 0);
    let far = (0..REPLICATES).filter(|_| is_far(&mut |_| random.below(2) == 1)).count();
    (far + 1) as f64 / (REPLICATES + 1) as f64
}

/// Cohen's d of paired differences: their mean over their standard deviation (of n - 1). `None` if they are all the same
/// or fewer than two.
pub fn cohen_d(differences: &[f64]) -> Option<f64> {
    let mean = mean(differences);
    let squares: f64 = differences.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (squares / (differences.len().checked_sub(1)? as f64)).sqrt();
    (deviation > 1e-12 * mean.abs() && deviation > 0.0).then(|| mean / deviation)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFFERENCES: [f64; 8] = [0.31, 0.12, -0.05, 0.22, 0.4, 0.08, -0.11, 0.27];

    fn many() -> Vec<f64> {
        (0..40).map(|n| f64::from((n * 37) % 41) / 41.0 - 0.37).collect()
    }

    /// `scipy.stats.permutation_test((x,), mean, permutation_type="samples", n_resamples=inf)` and
    /// `x.mean() / x.std(ddof=1)`.
    #[test]
    fn p_and_effect_size_are_those_of_scipy() {
        assert!((sign_flip(&DIFFERENCES, 1) - 0.0546875).abs() < 1e-12, "{}", sign_flip(&DIFFERENCES, 1));
        assert!((cohen_d(&DIFFERENCES).unwrap() - 0.873128097431).abs() < 1e-9);
        let drawn = sign_flip(&many(), 1);
        assert!((drawn - 0.0088).abs() < 0.004, "{drawn}");
        assert_eq!(drawn, sign_flip(&many(), 1));
    }

    #[test]
    fn p_is_what_a_count_by_hand_gives() {
        // Of the eight signs of three equal differences two are as far from zero.
        assert_eq!(sign_flip(&[1.0, 1.0, 1.0], 0), 0.25);
        assert_eq!(sign_flip(&[1.0, -1.0], 0), 1.0);
        assert_eq!(sign_flip(&[0.0; 4], 0), 1.0);
        // None of the drawn signs is as far as forty equal ones.
        assert_eq!(sign_flip(&[0.1; 40], 0), 1.0 / 10_001.0);
    }

    #[test]
    fn an_interval_is_as_wide_as_the_standard_error_says() {
        let values = many();
        let found = bootstrap_mean(&values, 1);
        let squares: f64 = values.iter().map(|value| (value - mean(&values)).powi(2)).sum();
        let error = (squares / 40.0).sqrt() / 40.0_f64.sqrt();
        assert_eq!(found.value, mean(&values));
        for off in [found.value - found.low, found.high - found.value] {
            assert!((off / error - 1.96).abs() < 0.1, "{found:?}");
        }
        assert_eq!(found, bootstrap_mean(&values, 1));
        assert_ne!(found.low, bootstrap_mean(&values, 2).low);
    }

    #[test]
    fn no_spread_has_no_effect_size() {
        assert_eq!(cohen_d(&[0.1, 0.1, 0.1]), None);
        assert_eq!(cohen_d(&[0.3]), None);
        assert!((cohen_d(&[0.0, 2.0]).unwrap() - 0.5_f64.sqrt()).abs() < 1e-12);
    }
}
