//! What makes a clip, beside its prompt and its seed.

use serde::Serialize;

use super::Spot;
use crate::steering::Rule;

/// What makes a clip, beside its prompt and its seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Condition {
    /// The prompt alone.
    Unsteered,
    /// The vector.
    Steered {
        /// Where it acts.
        spot: Spot,
        /// How strongly.
        strength: f32,
    },
    /// The vector, which lets go where its concept is there already.
    Monitored {
        /// By which rule.
        rule: Rule,
        /// Where it acts.
        spot: Spot,
        /// How strongly.
        strength: f32,
    },
    /// Random directions for each place of the vector, others for each seed.
    Random {
        /// Where they act.
        spot: Spot,
        /// How strongly.
        strength: f32,
    },
    /// The prompt that names the target.
    Prompt,
}

impl Condition {
    /// What a clip of the condition is called in file names: the first random direction of a seed is number 0. Folders of
    /// earlier versions have the clips of one prompt, one place and one random direction under the same names.
    pub(super) fn name(self, number: usize) -> String {
        match self {
            Self::Unsteered => "unsteered".to_owned(),
            Self::Steered { spot, strength } => format!("steered-{strength}{}", spot.suffix()),
            Self::Monitored { rule, spot, strength } => {
                format!("{}-{strength}{}", rule.name(), spot.suffix())
            }
            Self::Random { spot, strength } => {
                let number = if number > 0 { format!("+{number}") } else { String::new() };
                format!("random-{strength}{}{number}", spot.suffix())
            }
            Self::Prompt => "prompt".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_clips_have_the_same_name_and_those_of_earlier_versions_keep_theirs() {
        let spots = [Spot::default(), Spot { layers: "2-3".parse().unwrap(), ..Spot::default() }];
        let mut names = vec![Condition::Unsteered.name(0), Condition::Prompt.name(0)];
        for spot in spots {
            for strength in [0.5, -0.5] {
                names.push(Condition::Steered { spot, strength }.name(0));
                names.extend(Rule::ALL.map(|rule| Condition::Monitored { rule, spot, strength }.name(0)));
                names.extend((0..3).map(|number| Condition::Random { spot, strength }.name(number)));
            }
        }
        let all = names.len();
        for expected in ["unsteered", "steered-0.5", "random--0.5", "prompt", "random-0.5@recommended.2-3+2"]
        {
            assert!(names.iter().any(|name| name == expected), "{expected}: {names:?}");
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
