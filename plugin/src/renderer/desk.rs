//! One instance's takes as the renderer sees them: what is wished, what there is, what to do next.

use std::sync::{Arc, Weak};

use super::continuing::going_on_from;
use super::fitting::follow_tempo;
use super::follow::{Company, follow};
use super::hearing::take_in_melody;
use super::job::{Job, Outcome};
use super::manners::HostAudio;
use super::piece::{Live, Pending, Piece, Wish, sounds_near};
use super::recipe::take_of;
use super::studio::{ModelCard, Strengths, Studio};
use super::underway::{Doing, Underway};
use super::urgency::{SILENT, Urgency, due};
use super::view::{Status, TakeView, View};
use crate::audio::Stand;
use crate::instance::{Instance, Press};
use crate::params::SLOTS;
use crate::state::{Project, Recipe, Settings, Take, curve};
use crate::timeline::{Entry, Envelope, Passage, Timeline};

/// The renderer's books on one instance.
pub(super) struct Desk {
    instance: Weak<Instance>,
    pieces: Vec<Piece>,
    next_key: u64,
    answered: u64,
    /// Passages and tempos of the standing song that were taken into account, and how many of those were tempos.
    followed: u64,
    tempos: u64,
    /// What the transport passed and takes still have to follow.
    passages: Vec<Passage>,
    /// The project's version and the sample rate that `pieces` were brought in line with.
    in_line_with: Option<(u64, u32)>,
    settings: Option<Settings>,
    model: Option<Result<ModelCard, String>>,
}

impl Desk {
    pub fn for_instance(instance: Weak<Instance>) -> Self {
        Self {
            instance,
            pieces: Vec::new(),
            next_key: 1,
            answered: 0,
            followed: 0,
            tempos: 0,
            passages: Vec::new(),
            in_line_with: None,
            settings: None,
            model: None,
        }
    }

    pub fn serves(&self, instance: &Weak<Instance>) -> bool {
        self.instance.ptr_eq(instance)
    }

    /// Looks again for the model and its vectors when they are shown next.
    pub fn forget_model(&mut self) {
        self.model = None;
    }

    /// Answers presses of Generate, follows what the transport passed, and brings the pieces in line with the project.
    pub fn attend(&mut self, studio: &mut dyn Studio) {
        let Some(instance) = self.instance.upgrade() else { return };
        let mut live = Vec::new();
        let mut answered = self.answered;
        while let Some(press) = instance.presses.pop() {
            answered += 1;
            live.extend(add_take(&instance, take_of(&press, &instance.store().project()), &press));
        }
        while let Some((press, recording)) = instance.recordings.pop() {
            let take = going_on_from(&recording, &press, &instance.store().project());
            live.extend(add_take(&instance, take, &press));
        }
        take_in_melody(&instance);
        let tempos = instance.standing.changes();
        let mut followed = self.followed + (tempos - self.tempos);
        while let Some(passage) = instance.passages.pop() {
            followed += 1;
            self.passages.push(passage);
        }
        let jumped = self.passages.iter().any(|passage| passage.over);
        let accompanied = follow(&instance, &mut self.passages, &mut self.pieces);
        self.take_over(&instance, jumped);
        // Afterwards: what passed was heard as it was fitted then.
        follow_tempo(&instance);
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
        let changed = self.in_line_with != Some((version, rate))
            || (answered, followed) != (self.answered, self.followed);
        if changed {
            self.settings = Some(project.settings.clone());
            self.bring_in_line(&project, version, rate, &live, accompanied);
            self.in_line_with = Some((version, rate));
            (self.answered, self.followed, self.tempos) = (answered, followed, tempos);
        }
        if changed || shown_model != self.model.is_some() {
            self.show(&instance, &project);
        }
        if changed {
            instance.publish(self.timeline(&project, rate, version));
        }
    }

    /// What should be worked on first, if anything.
    pub fn most_urgent(&mut self) -> Option<Urgency> {
        let instance = self.instance.upgrade()?;
        let clock = instance.clock();
        let project = instance.store().project();
        let urgency = |(index, piece): (usize, &Piece)| {
            let ready = piece.audio.ready() as f64 / f64::from(clock.sample_rate.max(1));
            let takes = project
                .takes
                .iter()
                .filter(|take| !take.muted && (piece.is_of(take) || piece.is_wanted_by(take)));
            let due = takes.map(|take| due(&clock, take, ready)).fold(SILENT, f64::min);
            Urgency::new(index, piece.codes.is_none(), due)
        };
        let open = self.pieces.iter().enumerate().filter(|(_, piece)| piece.is_open());
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
                let work = match (&piece.codes, &piece.continues) {
                    (Some(codes), _) => studio.decode(&piece.recipe, codes.clone(), &project.settings),
                    (None, Some((codes, frame))) => {
                        studio.resume(&piece.recipe, codes.clone(), *frame, &project.settings)
                    }
                    (None, None) => studio.generate(&piece.recipe, &project.settings),
                };
                (Box::new(Job::new(work, writer, rate, piece.stretch)), piece.wanted(&project.settings))
            }
            Pending::Nothing => return,
        };
        piece.status = Status::Working(job.stage());
        piece.left = job.left();
        self.show(&instance, &project);
        let (live, company) = (self.pieces[index].live, &self.pieces[index].company);
        let strengths = |seconds: f64| match (live, company) {
            (Some(live), _) => live.at(&instance, seconds),
            (None, Some(company)) => company.at(&instance.lane, seconds),
            (None, None) => [0.0; SLOTS],
        };
        let strengths = (live.is_some() || company.is_some()).then_some(&strengths as &Strengths);
        let doing = (!job.is_brief()).then(|| Doing {
            instance: self.instance.clone(),
            rate,
            wanted: wanted.clone(),
            cancel: job.cancel(),
        });
        let outcome = underway.during(doing, || job.step(strengths));
        let piece = &mut self.pieces[index];
        match outcome {
            Outcome::Continues(job) => piece.work = Pending::Continue(job, wanted),
            Outcome::Finished(made) => {
                debug_assert_eq!(piece.audio.stand(), Stand::Complete);
                (piece.status, piece.made) = (Status::Ready, made);
                self.take_over(&instance, false);
            }
            Outcome::Failed { message } => {
                tracing::warn!("{message}");
                piece.status = Status::Failed(message);
                // Nobody needs to wait for it any more.
                self.in_line_with = None;
                // After a panic, or without its card, nothing that the work touched is to be trusted.
                studio.rest();
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

    fn bring_in_line(
        &mut self,
        project: &Project,
        version: u64,
        rate: u32,
        live: &[(Arc<Take>, Live)],
        accompanied: Vec<(Recipe, Company)>,
    ) {
        let mut before = std::mem::take(&mut self.pieces);
        if rate == 0 || self.in_line_with.is_some_and(|(_, old)| old != rate) {
            before.clear();
        }
        if rate == 0 {
            return;
        }
        for take in &project.takes {
            let live = live.iter().find(|(asked, _)| Arc::ptr_eq(asked, take)).map(|(_, live)| *live);
            self.keep_or_begin(
                &mut before,
                rate,
                |piece| piece.is_of(take),
                || Wish {
                    since: version,
                    recipe: &take.recipe,
                    codes: take.codes.clone(),
                    stretch: take.stretch_of(&take.recipe),
                    continues: None,
                    live,
                    company: None,
                },
            );
            if let (Some(recipe), Some(codes)) = (&take.wanted, &take.codes) {
                let frames = codes.codes().frames();
                let frame = take.recipe.first_difference(recipe, frames).unwrap_or(frames);
                self.keep_or_begin(
                    &mut before,
                    rate,
                    |piece| piece.is_wanted_by(take),
                    || {
                        let continues = Some((codes.clone(), frame));
                        // Something of the take has sounded all the time.
                        let company = accompanied.iter().find(|(wanted, _)| *wanted == **recipe);
                        let company = company.map(|(_, company)| company.clone());
                        let stretch = take.stretch_of(recipe);
                        Wish { since: 0, recipe, codes: None, stretch, continues, live: None, company }
                    },
                );
            }
        }
        // One step back or forth is heard at once.
        let nearest = project.takes.iter().flat_map(|take| {
            let versions = [take.history.earlier.last(), take.history.later.last()];
            versions.into_iter().flatten().map(move |version| (take, version))
        });
        for (take, version) in nearest {
            let found = before.iter().position(|piece| piece.is_version(take, version));
            self.pieces.extend(found.map(|found| before.swap_remove(found)));
        }
        // What is left in `before` is wanted no more: dropping its work cancels it.
    }

    /// The piece that `is` names, from those there are or begun anew.
    fn keep_or_begin<'a>(
        &mut self,
        before: &mut Vec<Piece>,
        rate: u32,
        is: impl Fn(&Piece) -> bool,
        wish: impl FnOnce() -> Wish<'a>,
    ) {
        if self.pieces.iter().any(&is) {
            return;
        }
        if let Some(found) = before.iter().position(is) {
            self.pieces.push(before.swap_remove(found));
            return;
        }
        self.pieces.push(Piece::begin(self.next_key, wish(), rate));
        self.next_key += 1;
    }

    /// Writes what takes became into the project: at once for new takes, and for new versions as soon as the switch is
    /// not heard as a step. `jumped` says that the song has just stopped or jumped, where any switch may be.
    fn take_over(&mut self, instance: &Instance, jumped: bool) {
        let project = instance.store().project();
        let clock = instance.clock();
        for piece in &mut self.pieces {
            let heard = |take: &Arc<Take>| {
                let from = piece.continues.as_ref().map_or(0, |(_, frame)| *frame);
                let same_so_far = piece.company.is_some();
                piece.is_wanted_by(take) && !same_so_far && !jumped && sounds_near(take, from, &clock)
            };
            if project.takes.iter().any(heard) {
                continue;
            }
            if let Some(made) = piece.made.take() {
                piece.complete(instance, *made);
            }
        }
    }

    fn timeline(&self, project: &Project, rate: u32, version: u64) -> Timeline {
        let entry = |take: &Arc<Take>| {
            let piece = self.pieces.iter().find(|piece| piece.is_of(take))?;
            let failed = |piece: &Piece| matches!(piece.status, Status::Failed(_));
            let next = self.pieces.iter().find(|piece| piece.is_wanted_by(take) && !failed(piece));
            let renewal = next.and_then(|next| next.renewal(take, rate));
            let renewed = next.is_some() && renewal.is_none();
            let (place, audio) = (take.place, piece.audio.clone());
            let (key, since) = (piece.key, piece.since);
            let envelope = Envelope::new(take.gain, take.fades, audio.length(), rate);
            Some(Entry { key, place, envelope, since, audio, renewed, renewal })
        };
        Timeline {
            entries: project.takes.iter().filter(|take| !take.muted).filter_map(entry).collect(),
            newest: project.takes.last().and_then(entry),
            sample_rate: rate,
            answered: self.answered,
            followed: self.followed,
            version,
            release_on_note_off: project.settings.release_on_note_off,
        }
    }

    fn show(&self, instance: &Instance, project: &Project) {
        let take_view = |take: &Arc<Take>| {
            let piece = self.pieces.iter().find(|piece| piece.is_of(take));
            let next = self.pieces.iter().find(|piece| piece.is_wanted_by(take));
            let working = |piece: &&Piece| matches!(piece.status, Status::Working(_));
            let left = next.or(piece).filter(working).and_then(|piece| piece.left);
            TakeView {
                seconds_left: left.map(|left| left.as_secs_f64().ceil() as u32),
                status: next.or(piece).map_or(Status::Waiting, |piece| piece.status.clone()),
                audio: piece.map(|piece| piece.audio.clone()),
            }
        };
        instance
            .show(View { takes: project.takes.iter().map(take_view).collect(), model: self.model.clone() });
    }
}

/// Adds the take a press asked for to the project, silencing what stood at the same place. A second press for what is
/// being made already changes nothing.
fn add_take(instance: &Instance, take: Arc<Take>, press: &Press) -> Option<(Arc<Take>, Live)> {
    let project = instance.store().project();
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
        held: press.strengths.map(|strength| curve::strength(curve::thousandths(strength))),
        follow: project.settings.follow_automation,
    };
    Some((take, live))
}

pub(super) fn same_model(a: &Settings, b: &Settings) -> bool {
    (&a.bundle, &a.provider, &a.precision) == (&b.bundle, &b.provider, &b.precision)
}
