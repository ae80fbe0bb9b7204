//! Automation that passed becomes a take's strength curve.
//!
//! Without a look-ahead, when the transport has left the take. With one, at once: a take is then made again from the first
//! frame that changed while the transport passes over it, always a little behind the transport ([`Company`]), and is heard
//! in the same pass.

use std::sync::Arc;

use super::piece::Piece;
use super::stretch::LOOK_AHEAD;
use crate::instance::Instance;
use crate::params::SLOTS;
use crate::state::{LEAST_LOOK_AHEAD, Project, Recipe, Settings, Steering, Take, curve};
use crate::timeline::{Lane, Passage, Song};

/// Frames between two looks at strengths while frames are made. A frame is made only when the strengths of all frames up
/// to the next look are known, if they are still to pass.
pub(super) const LOOK_AT_STRENGTHS: usize = 5;

/// Most passages kept for takes that are still being made for the first time.
const KEPT: usize = 64;

/// What a take has to become.
enum Change {
    /// What it is: the automation came back to it while another version was being made.
    Stay,
    /// Something else.
    Become(Box<Recipe>),
}

/// A take that is made again while the transport passes over it.
#[derive(Debug, Clone)]
pub(super) struct Company {
    /// Second of the song at which the take starts.
    start: f64,
    frames: usize,
    /// Frames that sound in a second of the song.
    frame_rate: f64,
    /// How many times as long it sounds as it was made.
    stretch: f64,
    /// What holds for frames that are not passed.
    due: Recipe,
    passage: Passage,
    /// Whether nothing more will pass.
    left: bool,
}

impl Company {
    /// Whether frame `frame` has to wait for strengths that have not passed yet.
    pub fn holds(&self, frame: usize) -> bool {
        let passed = ((self.passage.to - self.start) * self.frame_rate + 1e-6).floor().max(0.0) as usize;
        let look = (frame / LOOK_AT_STRENGTHS + 1) * LOOK_AT_STRENGTHS;
        !self.left && passed < look.min(self.frames)
    }

    /// The slots' strengths at a second of the take as it is made.
    pub fn at(&self, lane: &Lane, seconds: f64) -> [f32; SLOTS] {
        let frame = (seconds * self.stretch * self.frame_rate).round() as usize;
        let mut strengths = [0.0; SLOTS];
        for steering in &self.due.steering {
            let second = self.start + frame as f64 / self.frame_rate;
            strengths[steering.slot - 1] = passed(steering, lane, &self.passage, frame, second);
        }
        strengths
    }

    /// Nothing more passes: frames that did not keep their strengths.
    pub fn leave(&mut self) {
        self.left = true;
    }
}

/// Makes takes follow the passages that left them, and keeps in `passages` those that have to wait for a take to be
/// made first. With a look-ahead, takes among `pieces` also follow while they are passed; what is new among those is
/// returned, with the recipe by which its piece is known. Of takes that were heard in an offline render with other
/// strengths, the instance learns how many.
pub(super) fn follow(
    instance: &Instance,
    passages: &mut Vec<Passage>,
    pieces: &mut [Piece],
) -> Vec<(Recipe, Company)> {
    let project = instance.store().project();
    let follows = project.settings.follow_automation && !project.settings.freeze;
    for piece in pieces.iter_mut().filter(|piece| piece.company.is_some()) {
        let goes_on = |take: &Arc<Take>| follows && may_follow(take) && piece.is_wanted_by(take);
        if !project.takes.iter().any(goes_on) {
            piece.company.iter_mut().for_each(Company::leave);
        }
    }
    if !follows {
        passages.clear();
    }
    let mut begun = Vec::new();
    if passages.is_empty() {
        return begun;
    }
    let ahead = project.settings.look_ahead();
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
            // Its last sample may begin a little before its end.
            let end = start + take.seconds() - 1.0 / song.sample_rate.max(1.0);
            let left = passage.has_left(start, end);
            let piece = pieces.iter_mut().find(|piece| piece.is_wanted_by(take));
            let piece = piece.filter(|piece| piece.company.as_ref().is_some_and(|it| !it.left));
            let follows = left || follows_at_once(take, ahead) && passage.touches(start, end);
            match (&take.codes, piece) {
                _ if !follows => {}
                (None, _) => waits |= left,
                (Some(_), Some(piece)) => accompany(instance, take, piece, &passage, left, &project.settings),
                (Some(_), None) => {
                    let due = take.wanted.as_deref().unwrap_or(&take.recipe);
                    if left {
                        // What had only begun to follow has the rest by now.
                        begun.retain(|(recipe, _)| recipe != due);
                    }
                    match change(take, due, start, &instance.lane, &passage) {
                        None => {}
                        Some(change) if left => {
                            apply(instance, take, change);
                            if passage.offline {
                                instance.outdated.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                            }
                        }
                        Some(Change::Become(recipe)) => {
                            begun.push((Recipe::clone(&recipe), Company::of(take, due, start, passage)));
                            want(instance, take, *recipe);
                        }
                        Some(Change::Stay) => {}
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
    begun
}

/// The transport has come further over a take that is made again as it passes, or has left it.
fn accompany(
    instance: &Instance,
    take: &Arc<Take>,
    piece: &mut Piece,
    passage: &Passage,
    left: bool,
    settings: &Settings,
) {
    let Some(company) = &mut piece.company else { return };
    company.passage = *passage;
    if !left {
        return;
    }
    company.leave();
    match change(take, &company.due, company.start, &instance.lane, passage) {
        Some(Change::Become(recipe)) => {
            piece.turn_into(Recipe::clone(&recipe), settings);
            want(instance, take, *recipe);
        }
        // The strengths of the take as it was after all.
        Some(Change::Stay) | None => apply(instance, take, Change::Stay),
    }
}

impl Company {
    fn of(take: &Take, due: &Recipe, start: f64, passage: Passage) -> Self {
        let frames = take.codes.as_ref().map_or(0, |codes| codes.codes().frames());
        let (frame_rate, stretch) = (take.frame_rate(), take.stretch_of(due).unwrap_or(1.0));
        Self { start, frames, frame_rate, stretch, due: due.clone(), passage, left: false }
    }
}

fn may_follow(take: &Take) -> bool {
    !take.muted && !take.frozen && !take.recipe.steering.is_empty()
}

/// Whether a look-ahead of so many seconds is enough for a take to be made again while the transport passes over it. What
/// is stretched takes longer to pass before it can be made.
fn follows_at_once(take: &Take, ahead: f64) -> bool {
    let needed = take.stretch_of(&take.recipe).map(|ratio| (LEAST_LOOK_AHEAD + LOOK_AHEAD) * ratio);
    ahead >= needed.unwrap_or(0.0).max(LEAST_LOOK_AHEAD)
}

/// What the strengths recorded in a passage make of a take that starts at `start`, in seconds of the song, and was `due`
/// to become something already; `None` if nothing. Frames that were not passed keep their strengths.
fn change(take: &Take, due: &Recipe, start: f64, lane: &Lane, passage: &Passage) -> Option<Change> {
    let frames = take.codes.as_ref()?.codes().frames();
    let mut recipe = due.clone();
    for steering in &mut recipe.steering {
        let second = |frame: usize| start + frame as f64 / take.frame_rate();
        let strengths = (0..frames).map(|frame| passed(steering, lane, passage, frame, second(frame)));
        steering.curve = curve::compact(strengths.collect());
    }
    due.first_difference(&recipe, frames)?;
    Some(if take.recipe.first_difference(&recipe, frames).is_none() {
        Change::Stay
    } else {
        Change::Become(Box::new(recipe))
    })
}

/// A slot's strength at a frame: what passed at that second of the song, else what it was.
fn passed(steering: &Steering, lane: &Lane, passage: &Passage, frame: usize, seconds: f64) -> f32 {
    let before = steering.curve.at(frame);
    let recorded = if passage.recorded(seconds) { lane.at(steering.slot - 1, seconds) } else { None };
    // Equal in thousandths is equal: curves of scripts and of older projects may be finer.
    recorded.filter(|&now| curve::thousandths(now) != curve::thousandths(before)).unwrap_or(before)
}

/// Asks for a version, whether or not there was one like it before.
fn want(instance: &Instance, take: &Arc<Take>, recipe: Recipe) {
    instance.store().edit(|project: &mut Project| {
        if let Some(take) = project.takes.iter_mut().find(|other| Arc::ptr_eq(other, take)) {
            Arc::make_mut(take).wanted = Some(Arc::new(recipe));
        }
    });
}

fn apply(instance: &Instance, take: &Arc<Take>, change: Change) {
    instance.store().edit(|project: &mut Project| {
        let Some(take) = project.takes.iter_mut().find(|other| Arc::ptr_eq(other, take)) else { return };
        let take = Arc::make_mut(take);
        match change {
            Change::Stay => take.wanted = None,
            Change::Become(recipe) => {
                if !take.recall(&recipe) {
                    take.wanted = Some(Arc::from(recipe));
                }
            }
        }
    });
}
