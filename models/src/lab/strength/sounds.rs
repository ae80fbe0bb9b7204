//! What was found, to be heard: one clip unsteered, steered, and with a random direction.

use std::path::Path;
use std::sync::Arc;

use super::Found;
use super::maker::Maker;
use crate::lab::LabError;
use crate::lab::clips::Sound;
use crate::musicgen::{Cancel, Engine};
use crate::steering::Vector;

/// Clips of one prompt and one seed that had no part in choosing.
pub(in crate::lab) struct Sounds {
    /// What was asked for.
    pub prompt: String,
    /// The prompt alone.
    pub plain: Sound,
    /// The vector at the strength that was chosen.
    pub steered: Sound,
    /// A random direction as strongly.
    pub random: Sound,
}

impl Found {
    /// The first clip of those that confirmed.
    ///
    /// # Errors
    /// Those of making a clip; it is there unless somebody removed it.
    pub(in crate::lab) fn sounds(
        &self,
        engine: &Arc<Engine>,
        vector: &Vector,
        folder: &Path,
        cancel: &Cancel,
    ) -> Result<Sounds, LabError> {
        let maker = Maker::new(engine, vector, &self.search, folder, cancel)?;
        let prompt = self.search.prompts.first().cloned().unwrap_or_default();
        let seed = self.search.confirming().start;
        let [own, random] = maker.vectors(&self.region, seed)?;
        let sound = |vector: Option<&Arc<Vector>>| -> Result<Sound, LabError> {
            let take = maker.take(&prompt, seed, vector.map(|vector| (vector, self.strength)))?;
            Sound::of(engine, &take.codes)
        };
        Ok(Sounds { plain: sound(None)?, steered: sound(Some(&own))?, random: sound(Some(&random))?, prompt })
    }
}
