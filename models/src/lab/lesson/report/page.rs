//! What stands on the page.

use std::fmt::Write as _;

use plotters::style::RGBColor;

use super::chart::{Line, chart};
use super::spectrogram::{address, audio};
use crate::lab::lesson::Learnt;
use crate::lab::lesson::method::Draft;
use crate::lab::strength::{Found, Sounds};
use crate::lab::{Estimate, LabError, PlaceScore};
use crate::steering::Site;

/// Colours of what is learnt, and of what it is set against.
const OWN: RGBColor = RGBColor(217, 72, 15);
const OTHER: RGBColor = RGBColor(28, 126, 214);

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;\
background:#fff}h1{margin:0}.verdict{border-left:6px solid #868e96;padding:.4rem 1rem;background:#f1f3f5}.works{\
border-color:#2f9e44}figure{margin:0}figcaption{font-size:.9rem;color:#555}.row{display:grid;grid-template-columns:\
repeat(auto-fit,minmax(18rem,1fr));gap:1.5rem;margin:1rem 0}svg,.row img{width:100%;height:auto}.row img{height:10rem;\
image-rendering:pixelated}audio{width:100%}table{\
border-collapse:collapse}td,th{padding:.15rem .8rem .15rem 0;text-align:right}code{background:#f1f3f5}";

/// The page about a vector called `name`, learnt from two folders, whose recordings people call `sides`; without `sounds`
/// it has not steered.
///
/// # Errors
/// [`LabError::Request`] for clips that are too long to be put into it.
pub(in crate::lab::lesson) fn page(
    name: &str,
    sides: &[String; 2],
    draft: &Draft,
    learnt: &Learnt,
    sounds: Option<&Sounds>,
) -> Result<String, LabError> {
    let [plus, minus] = sides.each_ref().map(|side| escaped(side));
    let name = escaped(name);
    let class = if learnt.works { "verdict works" } else { "verdict" };
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{name}</title><style>{STYLE}</style><h1>{name}</h1><p>What {plus} has and \
         {minus} has not, as a steering vector.</p><p class=\"{class}\">{}</p>",
        escaped(&learnt.verdict)
    );
    // Writing to a string does not fail.
    for doubt in &learnt.doubts {
        let _ = write!(page, "<p class=\"verdict\">{}</p>", escaped(doubt));
    }
    if let (Some(found), Some(sounds)) = (&learnt.found, sounds) {
        page.push_str(&heard(found, sounds)?);
        page.push_str(&doses(found)?);
    }
    page.push_str(&places(&draft.summary.scores)?);
    let _ = write!(
        page,
        "<p>{} {}.</p><h2>What was read</h2><p>{} segments of {plus} and {minus}",
        escaped(&draft.reason),
        escaped(&sentence(&draft.summary.reason)),
        learnt.segments
    );
    match learnt.skipped.as_slice() {
        [] => page.push_str(", and no file was skipped.</p>"),
        skipped => {
            let _ = write!(page, "; {} files were skipped, or in part:</p><ul>", skipped.len());
            for skipped in skipped {
                let path = skipped.path.display().to_string();
                let _ = write!(page, "<li>{}: {}</li>", escaped(&path), escaped(&skipped.reason));
            }
            page.push_str("</ul>");
        }
    }
    page.push_str("</html>\n");
    Ok(page)
}

/// Clips and their spectrograms.
fn heard(found: &Found, sounds: &Sounds) -> Result<String, LabError> {
    let prompt = match sounds.prompt.as_str() {
        "" => "without a prompt".to_owned(),
        prompt => format!("of \u{201c}{}\u{201d}", escaped(prompt)),
    };
    let mut html = format!(
        "<h2>How it sounds</h2><p>A clip {prompt} that had no part in choosing.</p><div class=\"row\">"
    );
    let clips = [
        ("Unsteered".to_owned(), &sounds.plain),
        (format!("Steered at {}", found.strength), &sounds.steered),
        ("With a random direction as strong".to_owned(), &sounds.random),
    ];
    for (caption, sound) in clips {
        let _ = write!(
            html,
            "<figure><img alt=\"Mel spectrogram: time to the right, frequency upwards\" src=\"{}\"><audio controls \
             src=\"{}\"></audio><figcaption>{caption}</figcaption></figure>",
            address(sound)?,
            audio(sound)?
        );
    }
    html.push_str("</div>");
    Ok(html)
}

/// The curve, as a picture and as a table.
fn doses(found: &Found) -> Result<String, LabError> {
    let point = |strength: f32, gain: Estimate| [f64::from(strength), gain.value, gain.low, gain.high];
    let own = found.dose.iter().map(|dose| point(dose.strength, dose.gain)).collect();
    let random = found.dose.iter().map(|dose| point(dose.strength, dose.random)).collect();
    let gains = chart(
        "strength",
        "more of the concept",
        &[
            Line { name: "the vector", colour: OWN, points: own },
            Line { name: "a random direction", colour: OTHER, points: random },
        ],
        &[0.0],
    )?;
    let far = |of: fn(&crate::lab::strength::Dose) -> f64| {
        found.dose.iter().map(|dose| [f64::from(dose.strength), of(dose), of(dose), of(dose)]).collect()
    };
    let distances = chart(
        "strength",
        "distance from unsteered",
        &[
            Line { name: "the vector", colour: OWN, points: far(|dose| dose.distance) },
            Line { name: "a random direction", colour: OTHER, points: far(|dose| dose.random_distance) },
        ],
        &[0.0, 1.0, 1.5],
    )?;
    let mut html = format!(
        "<h2>How strongly</h2><p>Over {} pairs of clips, steered at {}. Heard by {}: 0 is as without the concept, 1 as with \
         it; unsteered clips are at {:.2}. Bands are 95 % intervals. Distance 1 is as far as clips of two seeds are apart, and \
         beyond 1.5 a strength is not recommended.</p><div class=\"row\">{gains}{distances}</div><table><tr><th>strength\
         <th>more of it<th>random<th>distance<th>silence<th>clipping</tr>",
        found.pairs,
        escaped(&found.region.to_string()),
        escaped(&found.ear),
        found.before
    );
    for dose in &found.dose {
        let _ = write!(
            html,
            "<tr><td>{}<td>{:+.2} ({:+.2} to {:+.2})<td>{:+.2}<td>{:.2}{}<td>{:+.3}<td>{:+.4}</tr>",
            dose.strength,
            dose.gain.value,
            dose.gain.low,
            dose.gain.high,
            dose.random.value,
            dose.distance,
            if dose.within { "" } else { " (too far)" },
            dose.silence,
            dose.clipping
        );
    }
    html.push_str("</table>");
    Ok(html)
}

/// How well the folders are told apart at each layer and site.
fn places(scores: &[PlaceScore]) -> Result<String, LabError> {
    let chart_of = |down: &str, of: fn(&PlaceScore) -> Estimate, shown: &[f64]| {
        let line = |site: Site, name: &'static str, colour| {
            let here = scores.iter().filter(|scored| scored.place.site == site);
            let point = |scored: &PlaceScore| {
                let Estimate { value, low, high } = of(scored);
                [scored.place.layer as f64, value, low, high]
            };
            Line { name, colour, points: here.map(point).collect() }
        };
        let lines =
            [line(Site::Residual, "residual stream", OWN), line(Site::Attention, "attention output", OTHER)];
        chart("layer", down, &lines, shown)
    };
    let accuracy = chart_of("accuracy", |scored| scored.score.accuracy, &[0.5, 1.0])?;
    let r2 = chart_of("R2", |scored| scored.score.r2, &[0.0, 1.0])?;
    Ok(format!(
        "<h2>Where the concept is</h2><p>How well recordings that were held out are told apart. Chance is an accuracy of .5 \
         and an R2 of 0.</p><div class=\"row\">{accuracy}{r2}</div>"
    ))
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Text as HTML: names of files and folders are whatever somebody called them.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            letter => html.push(letter),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_write_html() {
        assert_eq!(escaped("<b>\"R&B\""), "&lt;b&gt;&quot;R&amp;B&quot;");
        assert_eq!(sentence("of 12 places"), "Of 12 places");
    }
}
