//! Clips of some seeds: unsteered ones, and what a setting makes of them.

use std::ops::Range;
use std::sync::Arc;

use super::Region;
use super::maker::Maker;
use crate::lab::LabError;
use crate::lab::clips::Sound;
use crate::lab::ear::Ear;
use crate::lab::quality::{Picture, clipping, silence};
use crate::lab::statistics::mean;
use crate::steering::Vector;

/// Makes and hears clips.
pub(super) struct Rig<'a> {
    pub maker: Maker<'a>,
    pub ear: &'a mut Ear,
}

/// What is measured of one clip.
struct Clip {
    score: f64,
    picture: Picture,
    silence: f64,
    clipping: f64,
}

/// The unsteered clips of some seeds, prompt by prompt.
pub(super) struct Panel {
    seeds: Range<u64>,
    plain: Vec<Clip>,
    /// Mean distance between unsteered clips of neighbouring seeds, dB.
    apart: f64,
}

/// What a setting does to the clips of a panel, in the order of the panel's.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    /// How much more of the concept is in each clip.
    pub gains: Vec<f64>,
    /// Mean distance to the unsteered clip, in distances between seeds; infinite if these are all the same.
    pub distance: f64,
    /// Mean share of silence beyond the unsteered clips'.
    pub silence: f64,
    /// Mean share of clipped samples beyond the unsteered clips'.
    pub clipping: f64,
}

impl Trial {
    /// The mean gain.
    pub fn gain(&self) -> f64 {
        mean(&self.gains)
    }
}

impl Rig<'_> {
    /// The unsteered clips of `seeds`. `each` is called after every clip.
    pub fn panel(&mut self, seeds: Range<u64>, mut each: impl FnMut()) -> Result<Panel, LabError> {
        let mut plain = Vec::new();
        let mut distances = Vec::new();
        for prompt in &self.maker.search.prompts {
            let first = plain.len();
            for seed in seeds.clone() {
                plain.push(self.clip(prompt, seed, None)?);
                each();
            }
            let of_prompt: &[Clip] = &plain[first..];
            let next = of_prompt.iter().cycle().skip(1);
            distances.extend(of_prompt.iter().zip(next).map(|(a, b)| a.picture.distance(&b.picture)));
        }
        Ok(Panel { seeds, apart: mean(&distances), plain })
    }

    /// Steers every clip of the panel. `random` is in the place of the vector's directions a random one, another for
    /// each seed. `each` is called after every clip.
    pub fn trial(
        &mut self,
        panel: &Panel,
        region: &Region,
        strength: f32,
        random: bool,
        mut each: impl FnMut(),
    ) -> Result<Trial, LabError> {
        let mut steered = Vec::with_capacity(panel.plain.len());
        for prompt in &self.maker.search.prompts {
            for seed in panel.seeds.clone() {
                let vectors = self.maker.vectors(region, seed)?;
                steered.push(self.clip(prompt, seed, Some((&vectors[usize::from(random)], strength)))?);
                each();
            }
        }
        let pairs = || steered.iter().zip(&panel.plain);
        let beyond = |figure: fn(&Clip) -> f64| {
            mean(&pairs().map(|(clip, plain)| figure(clip) - figure(plain)).collect::<Vec<_>>())
        };
        let far =
            mean(&pairs().map(|(clip, plain)| clip.picture.distance(&plain.picture)).collect::<Vec<_>>());
        Ok(Trial {
            gains: pairs().map(|(clip, plain)| clip.score - plain.score).collect(),
            distance: match far {
                0.0 => 0.0,
                far => far / panel.apart,
            },
            silence: beyond(|clip| clip.silence),
            clipping: beyond(|clip| clip.clipping),
        })
    }

    fn clip(
        &mut self,
        prompt: &str,
        seed: u64,
        steered_by: Option<(&Arc<Vector>, f32)>,
    ) -> Result<Clip, LabError> {
        let take = self.maker.take(prompt, seed, steered_by)?;
        let Sound { audio, mono, sample_rate } = Sound::of(self.maker.engine, &take.codes)?;
        Ok(Clip {
            score: self.ear.hear(&take.codes, &mono, sample_rate)?,
            picture: Picture::new(&mono, sample_rate),
            silence: silence(&mono, sample_rate),
            clipping: clipping(&audio),
        })
    }
}

impl Panel {
    /// Its clips.
    pub fn len(&self) -> usize {
        self.plain.len()
    }

    /// Mean score of the unsteered clips.
    pub fn score(&self) -> f64 {
        mean(&self.plain.iter().map(|clip| clip.score).collect::<Vec<_>>())
    }
}
