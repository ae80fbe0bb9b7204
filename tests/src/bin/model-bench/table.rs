//! What was measured as tables in Markdown.

use crate::measure::{Measured, deciles};
use crate::plan::Plan;
use std::fmt::Write as _;

/// The tables; `roof` is in bytes a second, one for each round.
pub fn write(plan: &Plan, all: &[Measured], roof: &[f64]) -> String {
    let mut text = String::new();
    let heads = plan.positions.iter().map(|position| format!("position {position}"));
    table(
        &mut text,
        "A step with guidance, milliseconds: median (first to ninth decile)",
        heads.collect(),
        all,
        |one, column| spread(one.steps_of(plan.positions[column], 1)?),
    );
    let first = &all[0];
    let heads = plan.positions.iter().map(|position| format!("position {position}"));
    table(
        &mut text,
        &format!("How many times the step of {} that is", first.name),
        heads.collect(),
        all,
        |one, column| {
            let position = plan.positions[column];
            Some(format!("{:.2}", one.median(position, 1)? / first.median(position, 1)?))
        },
    );
    if let Some([slow, median, fast]) = deciles(roof) {
        let heads = plan.positions.iter().map(|position| format!("position {position}"));
        let title = format!(
            "Share of what memory gives ({:.1} GB/s; {:.1} to {:.1}), and megabytes that a step reads",
            median / 1e9,
            slow / 1e9,
            fast / 1e9
        );
        table(&mut text, &title, heads.collect(), all, |one, column| {
            let position = plan.positions[column];
            let bytes = one.bytes_of_step(position)?;
            let share = bytes / (one.median(position, 1)? / 1e3) / median;
            Some(format!("{:.0} % of {:.0} MB", share * 100.0, bytes / 1e6))
        });
    }
    let several: Vec<u64> = plan.takes.iter().copied().filter(|&takes| takes > 1).collect();
    let heads = several.iter().map(|takes| format!("{takes} takes"));
    table(
        &mut text,
        &format!("A step of several takes at position {} over one of one", plan.positions[0]),
        heads.collect(),
        all,
        |one, column| {
            let position = plan.positions[0];
            Some(format!("{:.2}", one.median(position, several[column])? / one.median(position, 1)?))
        },
    );
    let take = format!("whole process, take of {} s", plan.take_seconds);
    let heads = ["codec, times real time", &take, "first audio, loaded", "most memory", "idle, of a core"];
    table(&mut text, "Besides the step", heads.map(str::to_owned).into(), all, |one, column| match column {
        0 => deciles(&one.codec).map(|[_, median, _]| format!("{:.1}", plan.codec_seconds / median)),
        1 => one.process.as_ref().map(|(whole, _)| format!("{whole:.1} s")),
        2 => Some(format!("{:.2} s", one.process.as_ref()?.1["first_audio_seconds"].as_f64()?)),
        3 => one.peak_megabytes.map(|megabytes| format!("{megabytes:.0} MB")),
        _ => one.idle_share.map(|share| format!("{:.2} %", share * 100.0)),
    });
    for one in all {
        for note in &one.notes {
            let _ = writeln!(text, "Not measured: {note}.");
        }
    }
    text
}

fn table(
    text: &mut String,
    title: &str,
    heads: Vec<String>,
    all: &[Measured],
    cell: impl Fn(&Measured, usize) -> Option<String>,
) {
    if heads.is_empty() {
        return;
    }
    let _ = write!(text, "{title}\n\n| | {} |\n| --- |{}\n", heads.join(" | "), " --- |".repeat(heads.len()));
    for one in all {
        let cells =
            (0..heads.len()).map(|column| cell(one, column).unwrap_or_else(|| "not measured".to_owned()));
        let _ = writeln!(text, "| {} | {} |", one.name, cells.collect::<Vec<_>>().join(" | "));
    }
    text.push('\n');
}

fn spread(times: &[f64]) -> Option<String> {
    deciles(times).map(|[tenth, median, ninetieth]| format!("{median:.2} ({tenth:.2}–{ninetieth:.2})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Program;
    use serde_json::json;

    #[test]
    fn ratios_and_shares_come_from_medians_and_what_is_missing_says_so() {
        let program = Program { name: "roof".to_owned(), command: vec!["true".to_owned()] };
        let plan = Plan {
            roof: program,
            roof_megabytes: 1,
            programs: Vec::new(),
            positions: vec![50],
            takes: vec![1, 4],
            rounds: 1,
            steps: 1,
            codec_seconds: 10.0,
            take_seconds: 0.0,
            idle_seconds: 1.0,
            out: "out".into(),
        };
        let about = json!({ "weight_bytes_per_step": 90_000_000, "bytes_per_position": 200_000 });
        let fast = Measured {
            name: "fast".to_owned(),
            about,
            steps: vec![(50, 1, vec![10.0]), (50, 4, vec![15.0])],
            codec: vec![0.5],
            ..Measured::default()
        };
        let slow =
            Measured { name: "slow".to_owned(), steps: vec![(50, 1, vec![40.0])], ..Measured::default() };
        let text = write(&plan, &[fast, slow], &[20e9]);
        for line in [
            "| fast | 10.00 (10.00–10.00) |",
            "| slow | 4.00 |",
            "| fast | 50 % of 100 MB |",
            "| slow | not measured |",
            "| fast | 1.50 |",
            "| fast | 20.0 | not measured | not measured | not measured | not measured |",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
