//! The direction at every place, by the method that tells held-out tracks apart best.

use crate::lab::{
    Activations, Contrast, DraftSummary, Estimate, LabError, Method, Settings, Shard, Study, VectorDraft,
    learn,
};

/// A vector that has not steered yet.
pub(super) struct Draft {
    pub bytes: Vec<u8>,
    pub summary: DraftSummary,
    pub method: Method,
    /// Why that method, a sentence.
    pub reason: String,
}

/// Learns by difference in means and by a probe, and takes the first unless the second is clearly better: usually it
/// steers better. `each` is called after every place of either.
///
/// # Errors
/// A class with a single track, a value that is not finite, a place where nothing varies at all.
pub(super) fn choose(
    activations: &Activations,
    contrast: &Contrast,
    concept: &str,
    seed: u64,
    mut each: impl FnMut() -> Result<(), LabError>,
) -> Result<Draft, LabError> {
    let mut draft = |method| -> Result<(Vec<u8>, DraftSummary), LabError> {
        let settings = Settings { method, seed, ..Settings::default() };
        let study = Study::new(activations, contrast, &settings)?;
        let mut draft = VectorDraft::new(&study, concept, Shard::WHOLE);
        for place in study.places(Shard::WHOLE) {
            draft.add(place, learn(&study, place)?);
            each()?;
        }
        draft.vector()
    };
    let means = draft(Method::Dim)?;
    let probe = draft(Method::Mse)?;
    let [by_means, by_probe] = [&means.1, &probe.1].map(best);
    let is_better = by_probe.value > by_means.high;
    let (method, (bytes, summary)) = if is_better { (Method::Mse, probe) } else { (Method::Dim, means) };
    let reason = format!(
        "The direction is the {}: on recordings held out difference in means explains {:.3} of what differs ({:.3} to \
         {:.3}), a probe {:.3}{}.",
        match method {
            Method::Mse => "weight of a linear probe",
            _ => "difference in means",
        },
        by_means.value,
        by_means.low,
        by_means.high,
        by_probe.value,
        if is_better {
            ""
        } else {
            "; unless a probe is clearly better, difference in means usually steers better"
        }
    );
    Ok(Draft { bytes, summary, method, reason })
}

/// The largest R2.
fn best(summary: &DraftSummary) -> Estimate {
    let scores = summary.scores.iter().map(|scored| scored.score.r2);
    scores.max_by(|a, b| a.value.total_cmp(&b.value)).unwrap_or(Estimate { value: 0.0, low: 0.0, high: 0.0 })
}
