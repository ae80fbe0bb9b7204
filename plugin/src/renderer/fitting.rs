//! Takes that last whole bars follow the tempo of the song.
//!
//! They do while the song stands: a song that plays may be at the beginning of a ramp, and every tempo on it would stretch
//! them anew. So a tempo that is changed while the song plays is followed when it stops, and a take that a project
//! brings is stretched as it was saved until the host has shown another tempo. What is frozen never changes.

use std::sync::Arc;

use crate::instance::Instance;
use crate::state::{Fit, Take};
use crate::timeline::Song;

/// Difference of two tempos, as a part of them, below which they are one.
const SAME: f64 = 1e-6;

/// Writes the tempo at which the song stood last into the fits that follow it, if it is another.
pub(super) fn follow_tempo(instance: &Instance) {
    let song = Song { sample_rate: 1.0, steady_tempo: instance.standing.tempo() };
    let refitted = |take: &Take| {
        let fit = take.fit.filter(|_| !take.frozen)?;
        let tempo = song.tempo_of(&take.place).filter(|tempo| (tempo / fit.tempo - 1.0).abs() > SAME)?;
        let next = Fit { tempo, ..fit };
        // One that would be stretched too far keeps what it has.
        next.ratio(take.recipe.seconds).map(|_| next)
    };
    let project = instance.store().project();
    if !project.settings.freeze && project.takes.iter().any(|take| refitted(take).is_some()) {
        instance.store().edit(|project| {
            for take in &mut project.takes {
                if let Some(fit) = refitted(take) {
                    Arc::make_mut(take).fit = Some(fit);
                }
            }
        });
    }
}
