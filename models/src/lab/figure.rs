//! Figures of the lab: heat maps under each other, as SVG.
//!
//! SVG names its fonts and leaves letters to whoever shows it, so that drawing needs no font of the system.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::LabError;

/// Size of a cell, in pixels.
const CELL: (i32, i32) = (40, 24);
/// Room above a panel for its title, and for the names of its columns.
const TITLE: i32 = 34;
const COLUMN_NAMES: i32 = 18;
const MARGIN: i32 = 14;
/// Width that a letter takes at most, of the size used for names.
const LETTER: i32 = 8;
/// Names of rows are cut after so many letters.
const LONGEST_NAME: usize = 40;

/// A table of figures from 0 to 1, drawn as colours with the figures in them.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// What is drawn.
    pub title: String,
    /// Names of the rows.
    pub rows: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// `[row][column]`; `None` where there is no figure. Below 0 is drawn as 0, above 1 as 1.
    pub values: Vec<Vec<Option<f64>>>,
    /// The cell, or the column of all rows, that is framed.
    pub marked: Option<(Option<usize>, usize)>,
}

impl HeatMap {
    fn size(&self) -> (i32, i32) {
        let (rows, columns) = (signed(self.rows.len()), signed(self.columns.len()));
        let width = (self.names_width() + columns * CELL.0).max(signed(self.title.chars().count()) * LETTER);
        (width, TITLE + COLUMN_NAMES + rows * CELL.1)
    }

    fn names_width(&self) -> i32 {
        let longest = self.rows.iter().map(|name| name.chars().count().min(LONGEST_NAME)).max();
        signed(longest.unwrap_or(0)) * LETTER + 8
    }
}

/// Heat maps under each other, as the text of an SVG file.
///
/// # Errors
/// [`LabError::Request`] if there is nothing to draw.
pub fn figure(maps: &[HeatMap]) -> Result<String, LabError> {
    let sizes: Vec<(i32, i32)> = maps.iter().map(HeatMap::size).collect();
    let width = sizes.iter().map(|size| size.0).max().unwrap_or(0) + 2 * MARGIN;
    let height = sizes.iter().map(|size| size.1 + MARGIN).sum::<i32>() + MARGIN;
    if maps.iter().all(|map| map.values.iter().all(Vec::is_empty)) {
        return Err(LabError::request("there is nothing to draw"));
    }
    let mut text = String::new();
    {
        let size = (width.unsigned_abs(), height.unsigned_abs());
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        let mut top = MARGIN;
        let mut all = || -> Result<(), DrawingError> {
            area.fill(&WHITE)?;
            for (map, size) in maps.iter().zip(&sizes) {
                draw(&area, map, top)?;
                top += size.1 + MARGIN;
            }
            area.present()
        };
        all().map_err(|error| LabError::request(format!("the figure cannot be drawn: {error}")))?;
    }
    Ok(text)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type DrawingError = DrawingAreaErrorKind<<SVGBackend<'static> as DrawingBackend>::ErrorType>;

fn draw(area: &Area<'_>, map: &HeatMap, top: i32) -> Result<(), DrawingError> {
    let write = |text: &str, at: (i32, i32), size: i32, colour: &RGBColor, horizontal: HPos| {
        let style = TextStyle::from(("sans-serif", size).into_font()).color(colour);
        area.draw(&Text::new(text.to_owned(), at, style.pos(Pos::new(horizontal, VPos::Center))))
    };
    let (left, cells_top) = (MARGIN + map.names_width(), top + TITLE + COLUMN_NAMES);
    write(&map.title, (MARGIN, top + TITLE / 2), 15, &BLACK, HPos::Left)?;
    for (column, name) in (0..).zip(&map.columns) {
        let middle = left + column * CELL.0 + CELL.0 / 2;
        write(&short(name, 6), (middle, cells_top - COLUMN_NAMES / 2), 12, &BLACK, HPos::Center)?;
    }
    for ((row, name), values) in (0..).zip(&map.rows).zip(&map.values) {
        let y = cells_top + row * CELL.1;
        write(&short(name, LONGEST_NAME), (left - 6, y + CELL.1 / 2), 13, &BLACK, HPos::Right)?;
        for (column, value) in (0..).zip(values) {
            let x = left + column * CELL.0;
            let corners = [(x, y), (x + CELL.0 - 1, y + CELL.1 - 1)];
            let Some(value) = value else {
                area.draw(&Rectangle::new(corners, RGBColor(230, 230, 230).filled()))?;
                continue;
            };
            let shade = value.clamp(0.0, 1.0);
            area.draw(&Rectangle::new(corners, ViridisRGB.get_color(shade).filled()))?;
            let ink = if shade > 0.6 { &BLACK } else { &WHITE };
            write(&written(*value), (x + CELL.0 / 2, y + CELL.1 / 2), 12, ink, HPos::Center)?;
        }
    }
    if let Some((row, column)) = map.marked {
        let x = left + signed(column) * CELL.0;
        let (first, count) = row.map_or((0, map.rows.len()), |row| (row, 1));
        let y = cells_top + signed(first) * CELL.1;
        let corners = [(x - 1, y - 1), (x + CELL.0 - 1, y + signed(count) * CELL.1 - 1)];
        area.draw(&Rectangle::new(corners, RGBColor(220, 30, 30).stroke_width(2)))?;
    }
    Ok(())
}

/// Two digits without the leading zero, as in a table of the paper.
fn written(value: f64) -> String {
    let text = format!("{value:.2}");
    match text.strip_prefix("0.") {
        Some(digits) => format!(".{digits}"),
        None => text.replace("-0.", "-."),
    }
}

fn short(name: &str, longest: usize) -> String {
    match name.chars().count() {
        length if length > longest => name.chars().take(longest - 1).chain(['…']).collect(),
        _ => name.to_owned(),
    }
}

fn signed(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX / 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> HeatMap {
        HeatMap {
            title: "R2 <of> classes".to_owned(),
            rows: ["all", "rock & roll"].map(str::to_owned).to_vec(),
            columns: ["0", "1", "2"].map(str::to_owned).to_vec(),
            values: vec![vec![Some(0.0), Some(1.0), None], vec![Some(-0.5), Some(0.256), Some(1.5)]],
            marked: Some((Some(1), 2)),
        }
    }

    fn count(text: &str, part: &str) -> usize {
        text.matches(part).count()
    }

    #[test]
    fn every_figure_is_a_cell_in_its_colour_and_a_number() {
        let svg = figure(&[map(), HeatMap { marked: None, ..map() }]).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        // White ground, 12 cells and one frame.
        assert_eq!(count(&svg, "<rect"), 14);
        assert_eq!(count(&svg, "stroke=\"#DC1E1E\""), 1);
        for number in [".26", "-.50", "1.50", "1.00"] {
            assert!(svg.contains(number), "{number}: {svg}");
        }
        // 0 and what is below it are of the darkest colour, 1 and what is above of the lightest.
        let of = |shade: f64| {
            let RGBColor(red, green, blue) = ViridisRGB.get_color(shade);
            count(&svg, &format!("fill=\"#{red:02X}{green:02X}{blue:02X}\""))
        };
        assert_eq!((of(0.0), of(1.0)), (4, 4));
        assert!(svg.contains("rock &amp; roll") && svg.contains("&lt;of&gt;"));
        assert!(figure(&[]).unwrap_err().to_string().contains("nothing to draw"));
    }
}
