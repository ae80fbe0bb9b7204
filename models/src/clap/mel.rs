//! Slaney's mel filter bank, as librosa has it: linear below 1000 Hz, logarithmic above; triangles of equal area.

/// Hertz where the logarithmic part begins, and its mel.
const KNEE: (f64, f64) = (1_000.0, 15.0);

/// One band: what bins from `first` on count.
#[derive(Debug, Clone)]
pub struct Band {
    /// The first bin that counts.
    pub first: usize,
    /// Weights of the bins from there.
    pub weights: Vec<f64>,
}

/// `bands` bands from `lowest` to `highest` hertz over `bins` bins that reach up to `nyquist`.
pub fn filter_bank(bins: usize, nyquist: f64, bands: usize, lowest: f64, highest: f64) -> Vec<Band> {
    let (low, high) = (mel(lowest), mel(highest));
    let corner = |index: usize| hertz(low + (high - low) * index as f64 / (bands + 1) as f64);
    let frequency = |bin: usize| nyquist * bin as f64 / (bins - 1) as f64;
    (0..bands)
        .map(|band| {
            let [left, centre, right] = [0, 1, 2].map(|offset| corner(band + offset));
            let weight = |bin: usize| {
                let at = frequency(bin);
                let height = ((at - left) / (centre - left)).min((right - at) / (right - centre));
                height.max(0.0) * 2.0 / (right - left)
            };
            let first = (0..bins).find(|&bin| frequency(bin) > left).unwrap_or(bins);
            Band {
                first,
                weights: (first..bins).take_while(|&bin| frequency(bin) < right).map(weight).collect(),
            }
        })
        .collect()
}

fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn mel(hertz: f64) -> f64 {
    if hertz < KNEE.0 { 3.0 * hertz / 200.0 } else { KNEE.1 + (hertz / KNEE.0).ln() / log_step() }
}

fn hertz(mel: f64) -> f64 {
    if mel < KNEE.1 { 200.0 * mel / 3.0 } else { KNEE.0 * (log_step() * (mel - KNEE.1)).exp() }
}
