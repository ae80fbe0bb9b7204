//! One instance's takes as the renderer sees them: what is wished, what there is, what to do next.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::job::{Job, Outcome};
use super::manners::HostAudio;
use super::recipe::take_of;
use super::studio::{Made, ModelCard, Studio};
use super::underway::{Doing, Underway};
use super::urgency::{SILENT, Urgency, due};
use super::view::{Status, TakeView, View};
use crate::audio::{Rendition, RenditionWriter, Stand};
use crate::instance::{Instance, Press};
use crate::params::SLOTS;
use crate::state::{PackedCodes, Project, Recipe, Settings, Take};
use crate::timeline::{Entry, Envelope, Timeline};

/// The renderer's books on one instance.
pub(super) struct Desk {
    instance: Weak<Instance>,
    pieces: Vec<Piece>,
    next_key: u64,
    answered: u64,
    /// The project's version and the sample rate that `pieces` were brought in line with.
    in_line_with: Option<(u64, u32)>,
    settings: Option<Settings>,
    model: Option<Result<ModelCard, String>>,
}

/// The audio of one take, or of several with equal recipes.
struct Piece {
    key: u64,
    /// The version of the project that first asked for it.
    since: u64,
    recipe: Recipe,
    codes: Option<Arc<PackedCodes>>,
    /// Strengths of a take that was asked for in this session, and may still follow the transport.
    live: Option<Live>,
    audio: Arc<Rendition>,
    status: Status,
    /// How long it will take, while it is being made and as far as that can be told.
    left: Option<Duration>,
    work: Pending,
}

enum Pending {
    Begin(RenditionWriter),
    Continue(Box<Job>, Wanted),
    Nothing,
}

/// Whether a project still wants what is being made.
type Wanted = Arc<dyn Fn(&Project) -> bool + Send + Sync>;

/// Where a new take's strengths come from: what the transport recorded at its place in the song, else what the
/// parameters were when Generate was pressed.
#[derive(Debug, Clone, Copy)]
struct Live {
    start_seconds: f64,
    held: [f32; SLOTS],
    follow: bool,
}

impl Desk {
    pub fn for_instance(instance: Weak<Instance>) -> Self {
        Self {
            instance,
            pieces: Vec::new(),
            next_key: 1,
            answered: 0,
            in_line_with: None,
            settings: None,
            model: None,
        }
    }

    pub fn serves(&self, instance: &Weak<Instance>) -> bool {
        self.instance.ptr_eq(instance)
    }

    /// Answers presses of Generate and brings the pieces in line with the project.
    pub fn attend(&mut self, studio: &mut dyn Studio) {
        let Some(instance) = self.instance.upgrade() else { return };
        let mut live = Vec::new();
        let mut answered = self.answered;
        while let Some(press) = instance.presses.pop() {
            answered += 1;
            live.extend(add_take(&instance, &press));
        }
        let rate = instance.clock().sample_rate;
        let version = instance.store().version();
        let project = instance.store().project();
        if instance.take_retry() {
            self.pieces.retain(|piece| !matches!(piece.status, Status::Failed(_)));
            (self.in_line_with, self.model) = (None, None);
        }
        if self.settings.as_ref().is_some_and(|settings| !same_model(settings, &project.settings)) {
            // What failed or runs with another model begins anew; what sounds stays.
            self.pieces.retain(|piece| piece.status == Status::Ready);
            (self.in_line_with, self.model) = (None, None);
        }
        let shown_model = self.model.is_some();
        if instance.window_is_open() && !shown_model {
            self.model = Some(studio.model(&project.settings));
        }
        let changed = self.in_line_with != Some((version, rate)) || answered != self.answered;
        if changed {
            self.settings = Some(project.settings.clone());
            self.bring_in_line(&project, version, rate, &live);
            self.in_line_with = Some((version, rate));
            self.answered = answered;
            instance.publish(self.timeline(&project, rate, version));
        }
        if changed || shown_model != self.model.is_some() {
            self.show(&instance, &project);
        }
    }

    /// What should be worked on first, if anything.
    pub fn most_urgent(&mut self) -> Option<Urgency> {
        let instance = self.instance.upgrade()?;
        let clock = instance.clock();
        let project = instance.store().project();
        let urgency = |(index, piece): (usize, &Piece)| {
            let ready = piece.audio.ready() as f64 / f64::from(clock.sample_rate.max(1));
            let takes = project.takes.iter().filter(|take| !take.muted && piece.is_of(take));
            let due = takes.map(|take| due(&clock, take, ready)).fold(SILENT, f64::min);
            Urgency::new(index, piece.codes.is_none(), due)
        };
        let open =
            self.pieces.iter().enumerate().filter(|(_, piece)| !matches!(piece.work, Pending::Nothing));
        open.map(urgency).min_by(Urgency::order)
    }

    /// One step of a piece, which others may end through `underway`.
    pub fn work(&mut self, index: usize, studio: &mut dyn Studio, underway: &Underway) {
        let Some(instance) = self.instance.upgrade() else { return };
        let project = instance.store().project();
        let rate = self.in_line_with.map_or(0, |(_, rate)| rate);
        let Some(piece) = self.pieces.get_mut(index) else { return };
        let (job, wanted) = match std::mem::replace(&mut piece.work, Pending::Nothing) {
            Pending::Continue(job, wanted) => (job, wanted),
            Pending::Begin(writer) => {
                let work = match &piece.codes {
                    Some(codes) => studio.decode(&piece.recipe, codes.clone(), &project.settings),
                    None => studio.generate(&piece.recipe, &project.settings),
                };
                (Box::new(Job::new(work, writer, rate)), piece.wanted(&project.settings))
            }
            Pending::Nothing => return,
        };
        piece.status = Status::Working(job.stage());
        piece.left = job.left();
        self.show(&instance, &project);
        let piece = &mut self.pieces[index];
        let live = piece.live;
        let strengths = live.map(|live| {
            let instance = &instance;
            move |seconds: f64| live.at(instance, seconds)
        });
        let doing = (!job.is_brief()).then(|| Doing {
            instance: self.instance.clone(),
            rate,
            wanted: wanted.clone(),
            cancel: job.cancel(),
        });
        match underway.during(doing, || job.step(strengths.as_ref().map(|at| at as _))) {
            Outcome::Continues(job) => piece.work = Pending::Continue(job, wanted),
            Outcome::Finished(None) => piece.status = Status::Ready,
            Outcome::Finished(Some(made)) => piece.complete(&instance, *made),
            Outcome::Failed { message, panicked } => {
                tracing::warn!("{message}");
                piece.status = Status::Failed(message);
                if panicked {
                    studio.rest();
                }
            }
            Outcome::Cancelled => {
                // Whether it was taken away or changed, the project says what there is to do now.
                self.pieces.remove(index);
                self.in_line_with = None;
                return;
            }
        }
        if !matches!(self.pieces[index].work, Pending::Continue(..)) {
            self.show(&instance, &instance.store().project());
        }
    }

    /// Nothing is left to do: time to say what was missed meanwhile.
    pub fn log_misses(&self) {
        if let Some(instance) = self.instance.upgrade() {
            instance.misses.log(instance.clock().sample_rate);
        }
    }

    /// How the host's audio is.
    pub fn host(&self) -> Option<HostAudio> {
        self.instance.upgrade().map(|instance| HostAudio::of(&instance))
    }

    /// Tells the instance that something got done, for it or for another.
    pub fn note_progress(&self) {
        if let Some(instance) = self.instance.upgrade() {
            instance.advanced();
        }
    }

    fn bring_in_line(&mut self, project: &Project, version: u64, rate: u32, live: &[(Arc<Take>, Live)]) {
        let mut before = std::mem::take(&mut self.pieces);
        if rate == 0 || self.in_line_with.is_some_and(|(_, old)| old != rate) {
            before.clear();
        }
        if rate == 0 {
            return;
        }
        for take in &project.takes {
            if self.pieces.iter().any(|piece| piece.is_of(take)) {
                continue;
            }
            if let Some(found) = before.iter().position(|piece| piece.is_of(take)) {
                self.pieces.push(before.swap_remove(found));
                continue;
            }
            let length = (take.recipe.seconds * f64::from(rate)).round() as usize;
            let (audio, writer) = Rendition::begin(length);
            self.pieces.push(Piece {
                key: self.next_key,
                since: version,
                recipe: take.recipe.clone(),
                codes: take.codes.clone(),
                live: live.iter().find(|(asked, _)| Arc::ptr_eq(asked, take)).map(|(_, live)| *live),
                audio,
                status: Status::Waiting,
                left: None,
                work: Pending::Begin(writer),
            });
            self.next_key += 1;
        }
        // What is left in `before` is wanted no more: dropping its work cancels it.
    }

    fn timeline(&self, project: &Project, rate: u32, version: u64) -> Timeline {
        let entry = |take: &Arc<Take>| {
            let piece = self.pieces.iter().find(|piece| piece.is_of(take))?;
            let envelope = Envelope::new(take.gain, take.fades, piece.audio.length(), rate);
            let (key, since, audio) = (piece.key, piece.since, piece.audio.clone());
            Some(Entry { key, place: take.place, envelope, since, audio })
        };
        Timeline {
            entries: project.takes.iter().filter(|take| !take.muted).filter_map(entry).collect(),
            newest: project.takes.last().and_then(entry),
            sample_rate: rate,
            answered: self.answered,
            version,
            release_on_note_off: project.settings.release_on_note_off,
        }
    }

    fn show(&self, instance: &Instance, project: &Project) {
        let take_view = |take: &Arc<Take>| match self.pieces.iter().find(|piece| piece.is_of(take)) {
            Some(piece) => TakeView {
                status: piece.status.clone(),
                seconds_left: piece
                    .left
                    .filter(|_| matches!(piece.status, Status::Working(_)))
                    .map(|left| left.as_secs_f64().ceil() as u32),
                audio: Some(piece.audio.clone()),
            },
            None => TakeView { status: Status::Waiting, seconds_left: None, audio: None },
        };
        instance
            .show(View { takes: project.takes.iter().map(take_view).collect(), model: self.model.clone() });
    }
}

impl Piece {
    fn is_of(&self, take: &Take) -> bool {
        is_of(&self.recipe, self.codes.as_ref(), take)
    }

    fn wanted(&self, settings: &Settings) -> Wanted {
        let (recipe, codes, settings) = (self.recipe.clone(), self.codes.clone(), settings.clone());
        Arc::new(move |project| {
            same_model(&settings, &project.settings)
                && project.takes.iter().any(|take| is_of(&recipe, codes.as_ref(), take))
        })
    }

    /// Writes what a take became into the project.
    fn complete(&mut self, instance: &Instance, made: Made) {
        let codes = Arc::new(PackedCodes::from(made.codes));
        instance.store().edit(|project| {
            for take in &mut project.takes {
                if take.codes.is_none() && take.recipe == self.recipe {
                    *take = Arc::new(Take {
                        recipe: made.recipe.clone(),
                        codes: Some(codes.clone()),
                        made: Some(made.by.clone()),
                        ..(**take).clone()
                    });
                }
            }
        });
        debug_assert_eq!(self.audio.stand(), Stand::Complete);
        self.recipe = made.recipe;
        self.codes = Some(codes);
        self.status = Status::Ready;
    }
}

impl Live {
    fn at(&self, instance: &Instance, seconds: f64) -> [f32; SLOTS] {
        std::array::from_fn(|slot| {
            let recorded =
                if self.follow { instance.lane.at(slot, self.start_seconds + seconds) } else { None };
            recorded.unwrap_or(self.held[slot])
        })
    }
}

/// Adds the take a press asks for to the project, silencing what stood at the same place. A second press for what is
/// being made already changes nothing.
fn add_take(instance: &Instance, press: &Press) -> Option<(Arc<Take>, Live)> {
    let project = instance.store().project();
    let take = take_of(press, &project);
    let same_place = |other: &Take| (other.place.beats - take.place.beats).abs() < 1e-6;
    let underway =
        |other: &Arc<Take>| other.codes.is_none() && other.recipe == take.recipe && same_place(other);
    if project.takes.iter().any(underway) {
        return None;
    }
    instance.store().edit(|project| {
        for other in project.takes.iter_mut().filter(|other| !other.muted && same_place(other)) {
            Arc::make_mut(other).muted = true;
        }
        project.takes.push(take.clone());
    });
    let live = Live {
        start_seconds: take.place.seconds,
        held: press.strengths,
        follow: project.settings.follow_automation,
    };
    Some((take, live))
}

/// Whether a take's audio is that of these codes, or of this recipe as long as there are none.
fn is_of(recipe: &Recipe, codes: Option<&Arc<PackedCodes>>, take: &Take) -> bool {
    let same_codes = match (codes, &take.codes) {
        (Some(mine), Some(its)) => Arc::ptr_eq(mine, its) || mine == its,
        (mine, its) => mine.is_none() && its.is_none(),
    };
    same_codes && *recipe == take.recipe
}

fn same_model(a: &Settings, b: &Settings) -> bool {
    (&a.bundle, &a.provider, &a.precision) == (&b.bundle, &b.provider, &b.precision)
}
