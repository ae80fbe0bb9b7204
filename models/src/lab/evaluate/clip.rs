//! What is measured of one clip.

use serde::Serialize;

use crate::lab::LabError;
use crate::lab::clips::Sound;
use crate::lab::judge::{Judge, label_of};
use crate::lab::key::in_key;
use crate::lab::quality::{Picture, clipping, silence};

/// What is measured of one clip.
#[derive(Debug, Clone, Serialize)]
pub struct Clip {
    /// Number of its prompt, from 0.
    pub prompt: usize,
    /// Its seed.
    pub seed: u64,
    /// Which of the seed's random directions steered it, from 0; 0 where none did.
    pub direction: usize,
    /// The judge's probability of the source.
    pub source: f64,
    /// The judge's probability of the target.
    pub target: f64,
    /// Probability of the target over source and target, 0 to 1.
    pub normalised: f64,
    /// Distance in dB: of an unsteered clip to that of the next seed, of others to the unsteered clip of the same seed.
    pub distance: f64,
    /// Share of it that is silent, 0 to 1.
    pub silence: f64,
    /// Share of its samples at full scale, 0 to 1.
    pub clipping: f64,
    /// Share of it in the diatonic scale that holds the most of it, 7/12 to 1; `None` if it is silent.
    pub in_key: Option<f64>,
    /// How much of the strength was let through, 0 to 1 on average over its frames; `None` where nothing steered.
    pub steered: Option<f64>,
}

/// A judge that is asked for two of its labels.
pub(super) struct Listener<'a> {
    judge: &'a dyn Judge,
    /// Source and target.
    labels: [usize; 2],
}

impl<'a> Listener<'a> {
    /// Fails for a label that the judge has not.
    pub fn new(judge: &'a dyn Judge, source: &str, target: &str) -> Result<Self, LabError> {
        Ok(Self { judge, labels: [label_of(judge, source)?, label_of(judge, target)?] })
    }

    /// What is heard in a clip of a prompt, a seed and a direction. Its distance, and how much it was steered, are not known
    /// yet, but its picture is.
    pub fn hear(
        &self,
        sound: &Sound,
        [prompt, direction]: [usize; 2],
        seed: u64,
    ) -> Result<(Clip, Picture), LabError> {
        let Sound { audio, mono, sample_rate } = sound;
        let told = self.judge.hear(mono, *sample_rate)?;
        let [source, target] = self.labels.map(|label| told[label]);
        let both = source + target;
        let clip = Clip {
            prompt,
            seed,
            direction,
            source,
            target,
            // A judge that hears neither prefers neither.
            normalised: if both > 0.0 { target / both } else { 0.5 },
            distance: 0.0,
            silence: silence(mono, *sample_rate),
            clipping: clipping(audio),
            in_key: in_key(mono, *sample_rate),
            steered: None,
        };
        Ok((clip, Picture::new(mono, *sample_rate)))
    }
}
