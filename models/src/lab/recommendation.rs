//! Where and how to steer, after what the probes say, in words.

use serde::Serialize;

use super::{Method, Place, ProbeScore, Samples};

/// A place and a method, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommendation {
    /// The place that represents the classes best: where probes explain most on held-out tracks.
    #[serde(flatten)]
    pub place: Place,
    /// How to find the direction there.
    pub method: Method,
    /// The reason, a sentence or two.
    pub reason: String,
}

impl Recommendation {
    /// After the scores of all places; `None` if there are none.
    #[must_use]
    pub fn of(samples: &Samples, scores: &[(Place, ProbeScore)]) -> Option<Self> {
        let (place, score) = scores.iter().max_by(|(_, a), (_, b)| a.r2.value.total_cmp(&b.r2.value))?;
        let classes = samples.present().len();
        let mut reason = format!(
            "of {} places {place} represents the {classes} classes best: on tracks held out a probe explains {:.3} of \
             their variance ({:.3} to {:.3}) and reads {:.3} of them right ({:.3} to {:.3}; chance {:.3}, permuted \
             labels {:.3})",
            scores.len(),
            score.r2.value,
            score.r2.low,
            score.r2.high,
            score.accuracy.value,
            score.accuracy.low,
            score.accuracy.high,
            1.0 / classes as f64,
            score.baseline.mean,
        );
        if score.accuracy.value <= score.baseline.high {
            reason.push_str("; that is no better than labels at random, so do not rely on it");
        }
        // Difference in means steers better where it separates as well (a probe's weights also cancel noise).
        let as_good = score.means.value >= score.accuracy.low;
        let means = score.means.value;
        reason.push_str(&if as_good {
            format!(". Difference in means reads {means:.3}, within the probe's interval, and usually steers better")
        } else {
            format!(". Difference in means reads only {means:.3}, so that the probe's weights are the better direction")
        });
        let method = if as_good { Method::Dim } else { Method::Mse };
        Some(Self { place: *place, method, reason })
    }
}
