//! The tables of a report, as Markdown.

use super::{Condition, Experiment, Report, Spot};
use crate::lab::Estimate;

impl Report {
    /// The tables, as Markdown: probabilities as in the paper, then what each place and strength does.
    #[must_use]
    pub fn tables(&self) -> String {
        let Experiment { source, target, seeds, prompts, .. } = &self.experiment;
        let of = match prompts.len() {
            1 => String::new(),
            several => format!(" of each of {several} prompts"),
        };
        let mut lines = vec![
            format!("{} over {seeds} seeds{of}, heard by {}", self.concept, self.judge),
            String::new(),
            format!("| | {source} | {target} |"),
            "|---|---|---|".to_owned(),
        ];
        for heard in &self.conditions {
            lines.push(format!(
                "| {} | {:.4} | {:.4} |",
                self.row(heard.condition),
                heard.source,
                heard.target
            ));
        }
        lines.extend([
            String::new(),
            "| | lift | 95 % | over random | 95 % | p | d | source kept | distance | silence | clipping | in key | \
             spread | steered |"
                .to_owned(),
            "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|".to_owned(),
        ]);
        for heard in &self.conditions {
            let figure = |value: Option<f64>, digits| {
                value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
            };
            let spread = |estimate: Option<Estimate>| match estimate {
                Some(Estimate { value, low, high }) => format!("{value:+.4} | {low:+.4} to {high:+.4}"),
                None => "- | -".to_owned(),
            };
            lines.push(format!(
                "| {} | {} | {} | {} | {} | {} | {} | {:.3} | {:.5} | {} | {} | {} |",
                self.row(heard.condition),
                spread(heard.lift),
                spread(heard.over_random),
                figure(heard.p, 5),
                figure(heard.effect, 2),
                figure(heard.source_kept, 2),
                figure(heard.distance, 2),
                heard.silence,
                heard.clipping,
                figure(heard.in_key, 3),
                figure(heard.spread, 4),
                figure(heard.steered, 2),
            ));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// What a row is called.
    fn row(&self, condition: Condition) -> String {
        let Experiment { source, target, target_prompts, randoms, .. } = &self.experiment;
        let at = |spot: Spot| match spot == Spot::default() {
            true => String::new(),
            false => format!(", {spot}"),
        };
        match condition {
            Condition::Unsteered => source.clone(),
            Condition::Steered { spot, strength } => {
                format!("{source} to {target}, strength {strength}{}", at(spot))
            }
            Condition::Monitored { rule, spot, strength } => {
                format!("{source} to {target}, strength {strength}, {}{}", rule.name(), at(spot))
            }
            Condition::Random { spot, strength } => {
                let what = match randoms.get() {
                    1 => "random direction".to_owned(),
                    several => format!("{several} random directions"),
                };
                format!("{what}, strength {strength}{}", at(spot))
            }
            Condition::Prompt => match &target_prompts[..] {
                // A bar would end the cell.
                [prompt] => format!("prompt {:?}", prompt.replace('|', "/")),
                several => format!("{} prompts that name {target}", several.len()),
            },
        }
    }
}
