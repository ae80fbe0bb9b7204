//! A probe of the model's own activations, as an ear.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::codes::Codes;
use crate::lab::activations::Read;
use crate::lab::{
    Activations, Contrast, LabError, Learned, Method, Place, Pooling, Score, Settings, Shard, Study, learn,
};
use crate::musicgen::{Cancel, Engine, Reading, stop_if};
use crate::steering::{Direction, Gauge, Site};

/// Most places that are read together: what one misreads the others put right.
const MOST_PLACES: usize = 4;

/// What a clip can count: one that is far off must not decide for all.
const RANGE: RangeInclusive<f64> = -1.0..=2.0;

/// Linear probes with squared error at the places that tell the two sides apart best. What is heard is how far the clip
/// is on the way from the mean of one side to that of the other, both on held-out tracks.
pub struct Own {
    pub(super) identity: String,
    probes: Vec<Probe>,
    reading: Reading,
    pooling: Pooling,
    every: NonZeroUsize,
    score: Score,
}

/// One place's probe.
struct Probe {
    place: Place,
    direction: Direction,
    gauge: Gauge,
}

impl Own {
    /// Fits the ear of `contrast` on `activations` that [`extract`](crate::lab::extract) made with this engine's
    /// model, to hear clips of up to `frames` frames. `seed` decides how tracks are held out.
    ///
    /// # Errors
    /// [`LabError::Request`] for activations of another model, or that do not say how they were read; for a class with a
    /// single track; if no place tells the sides apart at all. [`LabError::Model`] for clips longer than the model's
    /// window.
    pub fn fit(
        engine: &Arc<Engine>,
        activations: &Activations,
        contrast: &Contrast,
        frames: usize,
        seed: u64,
        cancel: &Cancel,
    ) -> Result<Self, LabError> {
        let model = &engine.bundle().manifest().source.sha256;
        if activations.model() != Some(model) {
            return Err(LabError::request(format!(
                "the activations to listen with are not of the model {}; extract them with this bundle",
                engine.bundle().manifest().name
            )));
        }
        let Some(Read { prompt, pooling, every }) = activations.reading() else {
            return Err(LabError::request(
                "the activations to listen with do not say how they were read; make them with tiller lab activations",
            ));
        };
        let settings = Settings { method: Method::Mse, seed, ..Settings::default() };
        let study = Study::new(activations, contrast, &settings)?;
        let mut learned: Vec<(Place, Learned)> = Vec::new();
        for place in study.places(Shard::WHOLE).into_iter().filter(|place| place.head.is_none()) {
            stop_if(cancel)?;
            learned.extend(learn(&study, place)?.map(|learned| (place, learned)));
        }
        learned.sort_by(|(_, a), (_, b)| b.score.r2.value.total_cmp(&a.score.r2.value));
        let score = learned.first().map(|(_, best)| best.score);
        let probe = |(place, learned): &(Place, Learned)| {
            let gauge = learned.gauge.filter(|gauge| gauge.plus.mean > gauge.minus.mean)?;
            Some(Probe { place: *place, direction: Direction::new(&learned.direction)?, gauge })
        };
        let probes: Vec<Probe> = learned.iter().take(MOST_PLACES).filter_map(probe).collect();
        let Some(score) = score.filter(|_| !probes.is_empty()) else {
            return Err(LabError::request(
                "nothing that the model holds tells the two sides apart on tracks held out; use clearer examples",
            ));
        };
        let tracks: usize =
            contrast.classes().iter().map(|&class| activations.samples().tracks_of(class).len()).sum();
        let identity = format!(
            "the model itself, by probes at {} places fitted on {tracks} tracks that the direction was not learnt from \
             ({:.3} right on tracks held out)",
            probes.len(),
            score.accuracy.value
        );
        let reading = Reading::new(engine, &prompt, frames, cancel)?;
        Ok(Self { identity, probes, reading, pooling, every, score })
    }

    /// How well its best probe tells tracks that were held out from it.
    #[must_use]
    pub fn score(&self) -> Score {
        self.score
    }

    /// The places it reads, the best one first.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.probes.iter().map(|probe| probe.place)
    }

    pub(super) fn hear(&mut self, codes: &Codes) -> Result<f64, LabError> {
        let every = match self.pooling {
            Pooling::Last => NonZeroUsize::new(codes.frames()).unwrap_or(NonZeroUsize::MIN),
            Pooling::Mean | Pooling::Each => self.every,
        };
        let probes = &self.probes;
        let mut sums = vec![0.0; probes.len()];
        let mut count = 0.0;
        self.reading.read(codes, every, |held| {
            for (sum, probe) in sums.iter_mut().zip(probes) {
                let values = match probe.place.site {
                    Site::Residual => held.residual,
                    Site::Attention => held.attention,
                };
                let direction = probe.direction.values();
                let row = values.chunks_exact(direction.len()).nth(probe.place.layer).unwrap_or_default();
                *sum += row.iter().zip(direction).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
            }
            count += 1.0;
        })?;
        let share = |(sum, Probe { gauge, .. }): (&f64, &Probe)| {
            let from = gauge.reading(sum / count) - gauge.minus.mean;
            (from / (gauge.plus.mean - gauge.minus.mean)).clamp(*RANGE.start(), *RANGE.end())
        };
        Ok(sums.iter().zip(probes).map(share).sum::<f64>() / probes.len() as f64)
    }
}
