//! Lines with their intervals, as SVG. As in the heat maps of the lab, letters are left to whoever shows the page, so that
//! drawing needs no font: axes are drawn here, because plotters measures what it writes along its own.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::lab::LabError;

/// A line of a chart.
pub(super) struct Line<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Its colour.
    pub colour: RGBColor,
    /// x, y and the ends of y's interval; those that are no numbers are left out.
    pub points: Vec<[f64; 4]>,
}

const SIZE: (i32, i32) = (460, 260);
/// Room for the scales: left, right, above, below.
const MARGIN: [i32; 4] = [48, 14, 40, 40];
const GREY: RGBColor = RGBColor(90, 90, 90);
const PALE: RGBColor = RGBColor(225, 228, 232);
/// As many values of x as there is room for.
const MOST_MARKS: usize = 12;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type DrawingError = DrawingAreaErrorKind<<SVGBackend<'static> as DrawingBackend>::ErrorType>;

/// A chart of `lines` over `across`, whose values are marked where points are. `down` names what y is, and `shown` are
/// values of y that are shown in any case, a line for each.
///
/// # Errors
/// [`LabError::Request`] if it cannot be drawn.
pub(super) fn chart(across: &str, down: &str, lines: &[Line<'_>], shown: &[f64]) -> Result<String, LabError> {
    let mut text = String::new();
    {
        let size = (SIZE.0.unsigned_abs(), SIZE.1.unsigned_abs());
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        let all = || -> Result<(), DrawingError> {
            draw(&area, across, down, lines, shown)?;
            area.present()
        };
        all().map_err(|error| LabError::request(format!("a chart cannot be drawn: {error}")))?;
    }
    Ok(text)
}

fn draw(
    area: &Area<'_>,
    across: &str,
    down: &str,
    lines: &[Line<'_>],
    shown: &[f64],
) -> Result<(), DrawingError> {
    let is_number = |point: &&[f64; 4]| point.iter().all(|value| value.is_finite());
    let points = || lines.iter().flat_map(|line| line.points.iter().filter(is_number));
    let (first, last) = ends(points().map(|point| point[0]));
    let (low, high) =
        ends(points().flat_map(|point| point[1..].iter().copied()).chain(shown.iter().copied()));
    let [left, right, top, bottom] = [MARGIN[0], SIZE.0 - MARGIN[1], MARGIN[2], SIZE.1 - MARGIN[3]];
    let place = |share: f64, from: i32, to: i32| from + (share * f64::from(to - from)).round() as i32;
    let x = |value: f64| place((value - first) / (last - first), left, right);
    let y = |value: f64| place((value - low) / (high - low), bottom, top);
    let write = |text: String, at: (i32, i32), colour: RGBColor, side: HPos| {
        let style = TextStyle::from(("sans-serif", 12).into_font()).color(&colour);
        area.draw(&Text::new(text, at, style.pos(Pos::new(side, VPos::Center))))
    };
    let level = |value: f64, colour: RGBColor| {
        area.draw(&PathElement::new(vec![(left, y(value)), (right, y(value))], colour))
    };

    for value in ticks(low, high) {
        level(value, PALE)?;
        write(format!("{value:.2}"), (left - 6, y(value)), GREY, HPos::Right)?;
    }
    for &value in shown {
        level(value, GREY)?;
    }
    let mut marked: Vec<f64> = points().map(|point| point[0]).collect();
    marked.sort_by(f64::total_cmp);
    marked.dedup();
    for &value in marked.iter().step_by(marked.len().div_ceil(MOST_MARKS).max(1)) {
        let text = format!("{value:.2}");
        let text = text.trim_end_matches('0').trim_end_matches('.').to_owned();
        write(text, (x(value), bottom + 12), GREY, HPos::Center)?;
    }
    write(across.to_owned(), ((left + right) / 2, SIZE.1 - 8), GREY, HPos::Center)?;
    write(down.to_owned(), (4, 12), GREY, HPos::Left)?;
    for (number, line) in (0..).zip(lines) {
        let points: Vec<[f64; 4]> = line.points.iter().filter(is_number).copied().collect();
        let along = |end: usize| points.iter().map(move |point| (x(point[0]), y(point[end])));
        let band: Vec<(i32, i32)> = along(3).chain(along(2).rev()).collect();
        area.draw(&Polygon::new(band, line.colour.mix(0.15)))?;
        area.draw(&PathElement::new(along(1).collect::<Vec<_>>(), line.colour.stroke_width(2)))?;
        for at in along(1) {
            area.draw(&Circle::new(at, 3, line.colour.filled()))?;
        }
        write(line.name.to_owned(), (right, 10 + 15 * number), line.colour, HPos::Right)?;
    }
    Ok(())
}

/// The least and the largest, never the same.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let widest = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = values.fold(widest, |(low, high), value| (low.min(value), high.max(value)));
    match low < high {
        true => (low, high),
        false if low.is_finite() => (low - 0.5, low + 0.5),
        false => (0.0, 1.0),
    }
}

/// Round values between two ends, about five.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step).ceil() as i64;
    (first..).map(|number| number as f64 * step).take_while(|value| *value <= high + 1e-9 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let rounded =
            |low, high| ticks(low, high).iter().map(|tick| (tick * 100.0).round()).collect::<Vec<_>>();
        assert_eq!(rounded(0.0, 1.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(rounded(-0.13, 0.31), [-10.0, 0.0, 10.0, 20.0, 30.0]);
    }

    #[test]
    fn a_point_alone_is_drawn_and_one_that_is_no_number_is_not() {
        let line = |points| Line { name: "a", colour: RED, points };
        let circles = |line| chart("x", "y", &[line], &[0.0]).unwrap().matches("<circle").count();
        assert_eq!(circles(line(vec![[0.0, 0.3, 0.3, 0.3]])), 1);
        assert_eq!(circles(line(vec![[0.0, f64::INFINITY, 0.0, 1.0], [1.0, 0.5, 0.4, 0.6]])), 1);
        assert_eq!(circles(line(Vec::new())), 0);
    }
}
