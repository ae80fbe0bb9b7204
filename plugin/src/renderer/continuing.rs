//! From a take, or from a recording, to a take that goes on from it.
//!
//! It begins with the other's tokens as they are, or with those of the recording, and is a take of its own: these tokens are
//! in its recipe, so it stays what it is whatever becomes of what it went on from.

use std::path::Path;
use std::sync::Arc;

use tiller_models::lab::listen;

use super::recipe::take_of;
use crate::MAX_TAKE_SECONDS;
use crate::instance::{Instance, Press};
use crate::state::{Fit, PackedCodes, Project, Take, curve};

/// Adds the take that [`continued`] makes of `take` to the project, and mutes `take`. `false` if there is none.
pub fn continue_take(instance: &Instance, take: &Arc<Take>, frame: usize) -> bool {
    let press = Press::now(&instance.params, instance.clock().host);
    instance.store().edit(|project| {
        let Some(next) = continued(take, frame, &press, project) else { return false };
        if let Some(take) = project.takes.iter_mut().find(|other| Arc::ptr_eq(other, take)) {
            Arc::make_mut(take).muted = true;
        }
        project.takes.push(Arc::new(next));
        true
    })
}

/// A take that begins with the first `frame` frames of `take`, as they are, and goes on with the words, vectors and
/// parameters of now for as long as the next take is to be. Over what it begins with, vectors that steered `take` in the
/// same slot keep their curves, and others have no strength. `None` if `take` has no such frames, or would be longer than
/// [`MAX_TAKE_SECONDS`] already.
#[must_use]
pub fn continued(take: &Take, frame: usize, press: &Press, project: &Project) -> Option<Take> {
    let (codes, frame_rate) = (take.codes.as_ref()?.codes(), take.made_frame_rate());
    if frame == 0 || frame > codes.frames() {
        return None;
    }
    let mut opening = codes.clone();
    opening.truncate(frame);
    let known = frame as f64 / frame_rate;
    let mut next = Take::clone(&take_of(press, project));
    let recipe = &mut next.recipe;
    // The length is one in the song, where the take may be stretched.
    let more = recipe.seconds / take.stretch_of(&take.recipe).unwrap_or(1.0);
    recipe.seconds = (known + more).min(MAX_TAKE_SECONDS);
    if ((recipe.seconds - known) * frame_rate).round() < 1.0 {
        return None;
    }
    // Tokens mean something to the model that made them only.
    recipe.model.clone_from(&take.recipe.model);
    recipe.model_sha256.clone_from(&take.recipe.model_sha256);
    for steering in &mut recipe.steering {
        let same = |before: &&crate::state::Steering| {
            before.slot == steering.slot && before.vector.name == steering.vector.name
        };
        let before = take.recipe.steering.iter().find(same);
        let strengths = (0..frame).map(|at| before.map_or(0.0, |before| before.curve.at(at)));
        steering.curve = curve::compact(strengths.chain([steering.curve.at(0)]).collect());
    }
    recipe.opening = Some(Arc::new(PackedCodes::from(opening)));
    let longer = recipe.seconds / take.recipe.seconds;
    let fit = take.fit.map(|fit| Fit { beats: fit.beats * longer, ..fit });
    next.fit = fit.filter(|fit| fit.ratio(next.recipe.seconds).is_some());
    (next.place, next.gain, next.fades) = (take.place, take.gain, take.fades);
    Some(next)
}

/// The take a press asks for, which begins with a recording and is longer by that. What is wrong with the recording is said
/// when the take is made.
pub(super) fn going_on_from(recording: &Path, press: &Press, project: &Project) -> Arc<Take> {
    let mut take = Take::clone(&take_of(press, project));
    let recipe = &mut take.recipe;
    let known = listen(recording).map_or(0.0, |(samples, rate)| samples.len() as f64 / f64::from(rate));
    recipe.seconds = (known + recipe.seconds).min(MAX_TAKE_SECONDS);
    recipe.recording = Some(recording.to_string_lossy().into_owned());
    Arc::new(take)
}

#[cfg(test)]
mod tests {
    use tiller_models::codes::Codes;
    use tiller_models::steering::StrengthCurve;

    use super::*;
    use crate::state::{Anchor, MadeBy, Place, Recipe, Slot, Steering};
    use crate::timeline::Landing;

    const FRAMES: usize = 100;

    fn slot(name: &str) -> Slot {
        Slot { name: name.into(), ..Slot::default() }
    }

    /// Two seconds at the second bar, steered by a flute in the first slot.
    fn take() -> Take {
        let place = Place { beats: 4.0, seconds: 2.0, tempo: None, anchor: Anchor::Beats };
        let curve = StrengthCurve::from_frames((0..FRAMES).map(|frame| frame as f32 / 100.0).collect());
        let recipe = Recipe {
            model: "tiller-default".into(),
            model_sha256: "abc".into(),
            seconds: 2.0,
            steering: vec![Steering { slot: 1, vector: slot("flute"), curve }],
            ..Recipe::default()
        };
        let codes = Codes::try_from(vec![(0..FRAMES as u16).collect::<Vec<_>>()]).unwrap();
        let made =
            MadeBy { provider: "cpu".into(), runtime: "1".into(), frame_rate: 50.0, sample_rate: 32_000 };
        let codes = Some(Arc::new(PackedCodes::from(codes)));
        Take { codes, made: Some(made), gain: 0.5, ..Take::new(place, recipe) }
    }

    fn press(seconds: f64) -> Press {
        Press {
            host: Landing::default(),
            strengths: [1.5, -1.0, 0.0, 0.0],
            guidance: 4.0,
            temperature: 1.0,
            top_k: 250,
            bars: 1,
            seconds,
            seed: 9,
        }
    }

    fn project() -> Project {
        let slots = [Some(slot("flute")), Some(slot("drums")), None, None];
        Project { prompt: "bells".into(), slots, ..Project::default() }
    }

    #[test]
    fn it_begins_with_the_tokens_at_the_same_place_and_is_longer_by_the_next_takes_length() {
        let next = continued(&take(), 60, &press(3.0), &project()).unwrap();
        let opening = next.recipe.opening.as_ref().unwrap().codes();
        assert_eq!(opening.rows(), [(0..60).collect::<Vec<u16>>()]);
        assert!((next.recipe.seconds - 4.2).abs() < 1e-9);
        assert_eq!((next.place, next.gain, next.codes), (take().place, 0.5, None));
        assert_eq!((next.recipe.prompt.as_str(), next.recipe.seed), ("bells", 9));
        assert_eq!(
            (next.recipe.model.as_str(), next.recipe.model_sha256.as_str()),
            ("tiller-default", "abc")
        );
    }

    #[test]
    fn vectors_keep_their_curves_over_the_beginning_and_pull_as_they_do_now_behind_it() {
        let next = continued(&take(), 60, &press(3.0), &project()).unwrap();
        let [flute, drums] = &next.recipe.steering[..] else { panic!("two slots are filled") };
        assert_eq!([0, 59, 60, 200].map(|frame| flute.curve.at(frame)), [0.0, 0.59, 1.5, 1.5]);
        assert_eq!([0, 59, 60, 200].map(|frame| drums.curve.at(frame)), [0.0, 0.0, -1.0, -1.0]);
        let mut other = project();
        other.slots[0] = Some(slot("violin"));
        let next = continued(&take(), 60, &press(3.0), &other).unwrap();
        assert_eq!([59, 60].map(|frame| next.recipe.steering[0].curve.at(frame)), [0.0, 1.5]);
    }

    #[test]
    fn a_stretched_take_stays_as_stretched_as_it_is() {
        let fitted = Take { fit: Some(Fit { beats: 4.0, tempo: 96.0 }), ..take() };
        let next = continued(&fitted, FRAMES, &press(5.0), &project()).unwrap();
        let ratio = |take: &Take| take.stretch_of(&take.recipe).unwrap();
        assert!((ratio(&fitted) - 1.25).abs() < 1e-9 && (ratio(&next) - 1.25).abs() < 1e-9);
        assert!((next.seconds() - 7.5).abs() < 1e-9, "five seconds of the song are added to two and a half");
    }

    #[test]
    fn there_is_nothing_to_go_on_from_without_tokens_or_beyond_them() {
        let none = |take: &Take, frame| continued(take, frame, &press(3.0), &project()).is_none();
        assert!(none(&Take { codes: None, ..take() }, 60));
        assert!(none(&take(), 0) && none(&take(), FRAMES + 1));
        let rows = vec![vec![0; 30_000]];
        let longest = Some(Arc::new(PackedCodes::from(Codes::try_from(rows).unwrap())));
        assert!(none(&Take { codes: longest.clone(), ..take() }, 30_000));
        assert!(!none(&Take { codes: longest, ..take() }, 29_999));
        assert!(!none(&Take { made: None, ..take() }, 60), "a script need not say what made its tokens");
    }
}
