//! The audio of a take on its way: what it is to be, how far it is, and when it becomes the take.

use std::sync::Arc;
use std::time::Duration;

use super::desk::same_model;
use super::follow::Company;
use super::job::Job;
use super::stretch::LOOK_AHEAD;
use super::studio::{Made, Stage};
use super::view::Status;
use crate::audio::{Rendition, RenditionWriter};
use crate::instance::{Clock, Instance};
use crate::params::SLOTS;
use crate::state::{PackedCodes, Project, Recipe, Settings, Take, Version};
use crate::timeline::{Renewal, Song};

/// A playing song switches to a take's new version only while it is at least this far from what is new in it, in seconds:
/// farther than a block is long and the codec looks ahead, so that no step is heard.
const CLEAR: f64 = 0.5;

/// Frames before a change that its audio may already act on: more than the codec and the resampler look ahead.
const FRAMES_ASIDE: usize = 10;

/// The audio of one take, or of several with equal recipes and lengths: of what it is, or of what it is to become.
pub(super) struct Piece {
    pub key: u64,
    /// The version of the project that first asked for it; 0 for one that takes the place of another.
    pub since: u64,
    pub recipe: Recipe,
    pub codes: Option<Arc<PackedCodes>>,
    /// How many times as long its audio is as it was made, if it is stretched.
    pub stretch: Option<f64>,
    /// The version that this one continues, and how many of its frames stay as they are.
    pub continues: Option<(Arc<PackedCodes>, usize)>,
    /// What it became, until the takes that wait for it have taken it over.
    pub made: Option<Box<Made>>,
    /// Strengths of a take that was asked for in this session, and may still follow the transport.
    pub live: Option<Live>,
    /// The transport's company, if it is made while that passes over the take.
    pub company: Option<Company>,
    pub audio: Arc<Rendition>,
    pub status: Status,
    /// How long it will take, while it is being made and as far as that can be told.
    pub left: Option<Duration>,
    pub work: Pending,
}

pub(super) enum Pending {
    Begin(RenditionWriter),
    Continue(Box<Job>, Wanted),
    Nothing,
}

/// Whether a project still wants what is being made.
pub(super) type Wanted = Arc<dyn Fn(&Project) -> bool + Send + Sync>;

/// What a piece is to be.
pub(super) struct Wish<'a> {
    pub since: u64,
    pub recipe: &'a Recipe,
    pub codes: Option<Arc<PackedCodes>>,
    pub stretch: Option<f64>,
    pub continues: Option<(Arc<PackedCodes>, usize)>,
    pub live: Option<Live>,
    pub company: Option<Company>,
}

/// Where a new take's strengths come from: what the transport recorded at its place in the song, else what the
/// parameters were when Generate was pressed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Live {
    pub start_seconds: f64,
    pub held: [f32; SLOTS],
    pub follow: bool,
}

impl Piece {
    /// A piece that is still to be made, at `rate` samples a second.
    pub fn begin(key: u64, wish: Wish<'_>, rate: u32) -> Self {
        let Wish { since, recipe, codes, stretch, continues, live, company } = wish;
        let length = (recipe.seconds * stretch.unwrap_or(1.0) * f64::from(rate)).round() as usize;
        let (audio, writer) = Rendition::begin(length);
        Self {
            key,
            since,
            recipe: recipe.clone(),
            codes,
            stretch,
            continues,
            made: None,
            live,
            company,
            audio,
            status: Status::Waiting,
            left: None,
            work: Pending::Begin(writer),
        }
    }

    /// It is to become what is now known to be wanted; what was made is a part of that.
    pub fn turn_into(&mut self, recipe: Recipe, settings: &Settings) {
        self.recipe = recipe;
        let wanted = self.wanted(settings);
        if let Pending::Continue(_, before) = &mut self.work {
            *before = wanted;
        }
    }

    /// Whether there is something to do on it now.
    pub fn is_open(&self) -> bool {
        let next = match &self.work {
            Pending::Nothing => return false,
            Pending::Begin(_) => self.continues.as_ref().map(|(_, frame)| *frame),
            Pending::Continue(job, _) => match job.stage() {
                Stage::Generating { frame, .. } => Some(frame),
                _ => None,
            },
        };
        let Some((company, next)) = self.company.as_ref().zip(next) else { return true };
        !company.holds(next)
    }

    /// From which sample of the take on it is heard while the transport passes, at `rate` samples a second.
    pub fn renewal(&self, take: &Take, rate: u32) -> Option<Renewal> {
        let (_, frame) = self.company.as_ref().and(self.continues.as_ref())?;
        let stretched = self.stretch.map_or(0.0, |ratio| LOOK_AHEAD * ratio);
        let seconds = (frame.saturating_sub(FRAMES_ASIDE) as f64 / take.frame_rate() - stretched).max(0.0);
        Some(Renewal { from: (seconds * f64::from(rate)) as usize, audio: self.audio.clone() })
    }

    pub fn is_of(&self, take: &Take) -> bool {
        Name::of(take) == self.name()
    }

    pub fn is_wanted_by(&self, take: &Take) -> bool {
        Name::wanted_by(take) == Some(self.name())
    }

    /// Whether it is what a take would be as another of its versions.
    pub fn is_version(&self, take: &Take, version: &Version) -> bool {
        let (recipe, stretch) = (&version.recipe, take.stretch_of(&version.recipe));
        Name { recipe, codes: Some(&version.codes), stretch } == self.name()
    }

    fn name(&self) -> Name<'_> {
        Name { recipe: &self.recipe, codes: self.codes.as_ref(), stretch: self.stretch }
    }

    /// Whether a project still wants this piece, asked from any thread.
    pub fn wanted(&self, settings: &Settings) -> Wanted {
        let (recipe, codes, settings) = (self.recipe.clone(), self.codes.clone(), settings.clone());
        let stretch = self.stretch;
        Arc::new(move |project| {
            let name = Name { recipe: &recipe, codes: codes.as_ref(), stretch };
            let wants = |take: &Arc<Take>| Name::of(take) == name || Name::wanted_by(take) == Some(name);
            same_model(&settings, &project.settings) && project.takes.iter().any(wants)
        })
    }

    /// Writes what a take became into the project.
    pub fn complete(&mut self, instance: &Instance, made: Made) {
        let codes = Arc::new(PackedCodes::from(made.codes));
        let version = Version { recipe: made.recipe, codes, made: Some(made.by) };
        instance.store().edit(|project| {
            for take in &mut project.takes {
                if self.is_of(take) || self.is_wanted_by(take) {
                    Arc::make_mut(take).become_version(version.clone());
                }
            }
        });
        (self.recipe, self.codes, self.continues) = (version.recipe, Some(version.codes), None);
    }
}

/// What decides a take's audio: what it is made from, the tokens that became, and how many times as long it is then.
#[derive(Clone, Copy)]
struct Name<'a> {
    recipe: &'a Recipe,
    codes: Option<&'a Arc<PackedCodes>>,
    stretch: Option<f64>,
}

impl<'a> Name<'a> {
    fn of(take: &'a Take) -> Self {
        let stretch = take.stretch_of(&take.recipe);
        Self { recipe: &take.recipe, codes: take.codes.as_ref(), stretch }
    }

    /// Of what a take is to become.
    fn wanted_by(take: &'a Take) -> Option<Self> {
        let recipe = take.wanted.as_deref().filter(|_| take.codes.is_some())?;
        Some(Self { recipe, codes: None, stretch: take.stretch_of(recipe) })
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        let same_codes = match (self.codes, other.codes) {
            (Some(mine), Some(its)) => Arc::ptr_eq(mine, its) || mine == its,
            (mine, its) => mine.is_none() && its.is_none(),
        };
        same_codes && self.stretch == other.stretch && self.recipe == other.recipe
    }
}

/// Whether the song plays what is new in a take from frame `from` on, or is about to.
pub(super) fn sounds_near(take: &Take, from: usize, clock: &Clock) -> bool {
    let host = &clock.host;
    let Some(now) = host.seconds.filter(|_| host.playing && !clock.offline && !take.muted) else {
        return false;
    };
    let song = Song::new(f64::from(clock.sample_rate), host.tempo, host.seconds, host.beats);
    let start = song.seconds_of(&take.place);
    let new = start + from as f64 / take.frame_rate();
    (new - 2.0 * CLEAR..start + take.seconds()).contains(&now)
}

impl Live {
    pub fn at(&self, instance: &Instance, seconds: f64) -> [f32; SLOTS] {
        std::array::from_fn(|slot| {
            let recorded =
                if self.follow { instance.lane.at(slot, self.start_seconds + seconds) } else { None };
            recorded.unwrap_or(self.held[slot])
        })
    }
}
