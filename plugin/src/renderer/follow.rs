//! Automation that passed becomes a take's strength curve.

use std::sync::Arc;

use crate::instance::Instance;
use crate::state::{Project, Recipe, Take, curve};
use crate::timeline::{Lane, Passage, Song};

/// Most passages kept for takes that are still being made for the first time.
const KEPT: usize = 64;

/// What a take has to become.
enum Change {
    /// What it is: the automation came back to it while another version was being made.
    Stay,
    /// Something else.
    Become(Recipe),
}

/// Makes takes follow the passages that left them, and keeps in `passages` those that have to wait for a take to be
/// made first. Of takes that were heard in an offline render with other strengths, the instance learns how many.
pub(super) fn follow(instance: &Instance, passages: &mut Vec<Passage>) {
    let project = instance.store().project();
    if passages.is_empty() || !project.settings.follow_automation || project.settings.freeze {
        passages.clear();
        return;
    }
    let clock = instance.clock();
    let host = &clock.host;
    let song = Song::new(f64::from(clock.sample_rate), host.tempo, host.seconds, host.beats);
    let mut waiting = Vec::new();
    for passage in passages.drain(..) {
        // What an earlier passage asked for is what this one is compared with.
        let project = instance.store().project();
        let mut waits = false;
        for take in project.takes.iter().filter(|take| may_follow(take)) {
            let start = song.seconds_of(&take.place);
            if !passage.has_left(start, start + take.recipe.seconds) {
                continue;
            }
            match &take.codes {
                None => waits = true,
                Some(_) => {
                    if let Some(change) = change(take, start, &instance.lane, &passage) {
                        apply(instance, take, change);
                        if passage.offline {
                            instance.outdated.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        }
                    }
                }
            }
        }
        if waits {
            waiting.push(passage);
        }
    }
    waiting.drain(..waiting.len().saturating_sub(KEPT));
    *passages = waiting;
}

fn may_follow(take: &Take) -> bool {
    !take.muted && !take.frozen && !take.recipe.steering.is_empty()
}

/// What the strengths recorded in a passage make of a take that starts at `start`, in seconds of the song; `None` if
/// nothing. Frames that were not passed keep their strengths.
fn change(take: &Take, start: f64, lane: &Lane, passage: &Passage) -> Option<Change> {
    let frames = take.codes.as_ref()?.codes().frames();
    let due = take.wanted.as_deref().unwrap_or(&take.recipe);
    let mut recipe = due.clone();
    for steering in &mut recipe.steering {
        let strength = |frame: usize| {
            let seconds = start + frame as f64 / take.frame_rate();
            let before = steering.curve.at(frame);
            let recorded = if passage.recorded(seconds) { lane.at(steering.slot - 1, seconds) } else { None };
            // Equal in thousandths is equal: curves of scripts and of older projects may be finer.
            recorded.filter(|&now| curve::thousandths(now) != curve::thousandths(before)).unwrap_or(before)
        };
        steering.curve = curve::compact((0..frames).map(strength).collect());
    }
    due.first_difference(&recipe, frames)?;
    Some(if take.recipe.first_difference(&recipe, frames).is_none() {
        Change::Stay
    } else {
        Change::Become(recipe)
    })
}

fn apply(instance: &Instance, take: &Arc<Take>, change: Change) {
    instance.store().edit(|project: &mut Project| {
        let Some(take) = project.takes.iter_mut().find(|other| Arc::ptr_eq(other, take)) else { return };
        let take = Arc::make_mut(take);
        match change {
            Change::Stay => take.wanted = None,
            Change::Become(recipe) => {
                if !take.recall(&recipe) {
                    take.wanted = Some(Arc::new(recipe));
                }
            }
        }
    });
}
