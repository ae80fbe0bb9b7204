//! From a press of Generate to a take without tokens.

use std::sync::Arc;

use tiller_models::steering::StrengthCurve;

use super::wording::worded;
use crate::MAX_TAKE_SECONDS;
use crate::instance::Press;
use crate::state::{Project, Recipe, Steering, Take, curve};
use crate::timeline::land;

/// Shortest take, seconds: a few frames.
const MIN_TAKE_SECONDS: f64 = 0.1;

/// The take a press asks for, steered by the strengths as they were at the press.
pub(super) fn take_of(press: &Press, project: &Project) -> Arc<Take> {
    let seconds = if press.seconds > 0.0 { press.seconds } else { press.host.seconds_of_bars(press.bars) };
    let slots = project.slots.iter().zip(press.strengths).enumerate();
    let steering = slots
        .filter_map(|(slot, (vector, strength))| {
            let curve = StrengthCurve::constant(curve::strength(curve::thousandths(strength)));
            vector.clone().map(|vector| Steering { slot: slot + 1, vector, curve })
        })
        .collect();
    Arc::new(Take::new(
        land(project.settings.position, &press.host),
        Recipe {
            precision: project.settings.precision.clone(),
            prompt: worded(&project.prompt, &project.settings, &press.host),
            negative: project.negative.clone(),
            melody: project.melody.clone(),
            seed: press.seed,
            seconds: seconds.clamp(MIN_TAKE_SECONDS, MAX_TAKE_SECONDS),
            guidance: press.guidance,
            temperature: press.temperature,
            top_k: press.top_k,
            steering,
            scale: project.settings.scale,
            rows: project.settings.rows,
            layers: project.settings.layers,
            ..Recipe::default()
        },
    ))
}

/// What a take becomes when it is made again, at its length, from the words, vectors and parameters of now. Slots that
/// steered it keep their curves, and what it began with stays.
#[must_use]
pub fn again(take: &Take, press: &Press, project: &Project) -> Recipe {
    let mut recipe = take_of(press, project).recipe.clone();
    recipe.seconds = take.recipe.seconds;
    if take.recipe.opening.is_some() {
        recipe.opening.clone_from(&take.recipe.opening);
        recipe.model.clone_from(&take.recipe.model);
        recipe.model_sha256.clone_from(&take.recipe.model_sha256);
    }
    for steering in &mut recipe.steering {
        if let Some(before) = take.recipe.steering.iter().find(|before| before.slot == steering.slot) {
            steering.curve.clone_from(&before.curve);
        }
    }
    recipe
}

#[cfg(test)]
mod tests {
    use tiller_models::steering::Rule;

    use super::*;
    use crate::state::Slot;
    use crate::timeline::Landing;

    fn press(seconds: f64, bars: u32) -> Press {
        Press {
            host: Landing { tempo: Some(90.0), bar_length: Some(3.0), ..Landing::default() },
            strengths: [0.5, -1.0, 0.0, 2.0],
            guidance: 4.0,
            temperature: 0.8,
            top_k: 50,
            bars,
            seconds,
            seed: 9,
        }
    }

    #[test]
    fn bars_last_as_long_as_the_host_says_and_seconds_win_over_them() {
        let project = Project::default();
        assert_eq!(take_of(&press(0.0, 4), &project).recipe.seconds, 8.0);
        assert_eq!(take_of(&press(5.5, 4), &project).recipe.seconds, 5.5);
    }

    #[test]
    fn the_songs_tempo_is_sent_and_kept_with_the_take_but_not_in_the_musicians_prompt() {
        let project = Project { prompt: "solo flute".into(), ..Project::default() };
        assert_eq!(take_of(&press(1.0, 1), &project).recipe.prompt, "solo flute, 90 bpm");
        assert_eq!(project.prompt, "solo flute");
    }

    #[test]
    fn lengths_no_model_can_make_are_brought_into_range() {
        let mut slow = press(0.0, 64);
        slow.host.tempo = Some(1.0);
        assert_eq!(take_of(&slow, &Project::default()).recipe.seconds, MAX_TAKE_SECONDS);
        assert_eq!(take_of(&press(1e-9, 1), &Project::default()).recipe.seconds, MIN_TAKE_SECONDS);
    }

    #[test]
    fn a_take_made_again_keeps_its_length_and_the_curves_of_its_slots() {
        let slot = |name: &str| Some(Slot { name: name.into(), ..Slot::default() });
        let mut project = Project { slots: [slot("flute"), None, None, None], ..Project::default() };
        let mut take = Take::clone(&take_of(&press(5.0, 1), &project));
        take.recipe.steering[0].curve = curve::compact(vec![0.0, 1.0]);
        let codes = tiller_models::codes::Codes::try_from(vec![vec![3; 50]]).unwrap();
        take.recipe.opening = Some(Arc::new(codes.into()));
        project.slots = [slot("drums"), slot("violin"), None, None];
        project.prompt = "other words".into();
        let recipe = again(&take, &press(9.0, 1), &project);
        assert_eq!((recipe.seconds, recipe.prompt.as_str()), (5.0, "other words, 90 bpm"));
        assert_eq!(recipe.opening, take.recipe.opening);
        let [first, second] = &recipe.steering[..] else { panic!("two slots are filled") };
        assert_eq!((first.vector.name.as_str(), first.curve.at(1)), ("drums", 1.0));
        assert_eq!(second.curve.at(1), -1.0);
    }

    #[test]
    fn filled_slots_steer_with_the_strengths_of_the_press() {
        let mut project = Project::default();
        project.slots[1] = Some(Slot { name: "flute".into(), monitor: Some(Rule::Fade), ..Slot::default() });
        let take = take_of(&press(1.0, 1), &project);
        let [steering] = &take.recipe.steering[..] else { panic!("one slot is filled") };
        assert_eq!((steering.slot, steering.curve.at(0)), (2, -1.0));
        assert_eq!(steering.vector.monitor, Some(Rule::Fade));
        let mut others = project.clone();
        others.slots[1].as_mut().unwrap().monitor = None;
        let other = take_of(&press(1.0, 1), &others);
        assert_eq!(take.recipe.first_difference(&other.recipe, 50), Some(0), "it is another take");
    }
}
