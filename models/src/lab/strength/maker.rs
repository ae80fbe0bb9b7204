//! Makes the clips of a search, and keeps them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Region, Search};
use crate::lab::control::random_vector;
use crate::lab::{LabError, clips};
use crate::musicgen::{Cancel, Engine, Take, stop_if};
use crate::steering::{Layers, Vector};

/// Makes clips of one vector.
pub(super) struct Maker<'a> {
    pub engine: &'a Arc<Engine>,
    pub vector: &'a Vector,
    pub search: &'a Search,
    clips: PathBuf,
    cancel: &'a Cancel,
}

impl<'a> Maker<'a> {
    /// With `folder` for the clips.
    pub fn new(
        engine: &'a Arc<Engine>,
        vector: &'a Vector,
        search: &'a Search,
        folder: &Path,
        cancel: &'a Cancel,
    ) -> Result<Self, LabError> {
        let clips = folder.join("clips");
        fs::create_dir_all(&clips).map_err(|source| LabError::Write { path: clips.clone(), source })?;
        Ok(Self { engine, vector, search, clips, cancel })
    }

    /// The take of a prompt and a seed, unsteered or steered by a vector at a strength.
    pub fn take(
        &self,
        prompt: &str,
        seed: u64,
        steered_by: Option<(&Arc<Vector>, f32)>,
    ) -> Result<Take, LabError> {
        stop_if(self.cancel)?;
        let push = steered_by.map(|(vector, strength)| (&**vector, Layers::Recommended, strength));
        let recipe = self.search.clips.recipe(self.engine, prompt, seed, push);
        // Named by its recipe, so that no two clips can be taken for each other.
        let place = self.clips.join(format!("{}.json", &recipe.id()[..24]));
        clips::take(self.engine, recipe, steered_by.map(|(vector, _)| vector), &place, self.cancel)
    }

    /// The vector that acts in `region`, and the random one in its place for a seed.
    pub fn vectors(&self, region: &Region, seed: u64) -> Result<[Arc<Vector>; 2], LabError> {
        let moved = region.of(self.vector)?;
        let random = random_vector(&moved, self.engine.bundle().architecture(), seed, 0)?;
        Ok([moved, Arc::new(random)])
    }
}
