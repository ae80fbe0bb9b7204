//! `--steer` and `--curve`: finding vectors, and strengths over time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tiller_models::bundle::Bundle;
use tiller_models::steering::{Slot, StrengthCurve, Vector};

use super::Fallible;

/// Strength of a vector that neither the command nor its file gives one: what the authors of the paper use.
const STRENGTH: f32 = 0.5;

/// One `--steer FILE[:STRENGTH]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Steer {
    name: String,
    strength: Option<f32>,
}

impl std::str::FromStr for Steer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A file's name may hold colons; what follows the last one is a strength only if it is a number.
        let split =
            text.rsplit_once(':').and_then(|(name, strength)| Some((name, strength.parse::<f32>().ok()?)));
        let (name, strength) = split.map_or((text, None), |(name, strength)| (name, Some(strength)));
        if name.is_empty() {
            return Err("name a vector file or a vector of the bundle, as in flute:0.5".to_owned());
        }
        if strength.is_some_and(|strength| !strength.is_finite()) {
            return Err(format!("the strength of {name} must be a finite number"));
        }
        Ok(Self { name: name.to_owned(), strength })
    }
}

/// A vector: a file, or one of the bundle's by concept or file name.
pub(crate) fn find_vector(name: &str, bundle: &Bundle) -> Fallible<Vector> {
    find_vector_file(name, bundle).map(|(_, vector)| vector)
}

/// The same with the place of its file.
pub(crate) fn find_vector_file(name: &str, bundle: &Bundle) -> Fallible<(PathBuf, Vector)> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok((path.to_owned(), Vector::open(path)?));
    }
    let mut concepts = Vec::new();
    for path in bundle.vectors() {
        let vector = Vector::open(&path)?;
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if vector.concept().eq_ignore_ascii_case(name) || stem.eq_ignore_ascii_case(name) {
            return Ok((path, vector));
        }
        concepts.push(vector.concept().to_owned());
    }
    let known = if concepts.is_empty() { "no vectors".to_owned() } else { concepts.join(", ") };
    Err(format!(
        "{name} is neither a vector file nor a vector of {}, which has {known}",
        bundle.manifest().name
    )
    .into())
}

/// The slots of `steer` and `curve`, and their vectors. Says on stderr what may not mean what it says.
pub(crate) fn slots(
    steer: &[Steer],
    curve: Option<&PathBuf>,
    bundle: &Bundle,
    frames: usize,
) -> Fallible<(Vec<Slot>, Vec<Arc<Vector>>)> {
    let mut columns = curve.map(|path| read_curves(path)).transpose()?.unwrap_or_default();
    let mut named = steer.to_vec();
    for (name, _) in &columns {
        if !named.iter().any(|steer| names(steer, name)) {
            named.push(Steer { name: name.clone(), strength: None });
        }
    }
    let (mut slots, mut vectors) = (Vec::new(), Vec::new());
    for steer in &named {
        let vector = find_vector(&steer.name, bundle)?;
        if let Some(warning) = vector.warning(bundle) {
            eprintln!("tiller: {warning}");
        }
        let column = columns.iter().position(|(name, _)| names(steer, name) || vector.concept() == name);
        let curve = match column {
            Some(at) => {
                StrengthCurve::through(&columns.remove(at).1, bundle.architecture().frame_rate(), frames)
            }
            None => {
                StrengthCurve::constant(steer.strength.or(vector.recommended_strength()).unwrap_or(STRENGTH))
            }
        };
        slots.push(Slot::new(&vector, curve));
        vectors.push(Arc::new(vector));
    }
    Ok((slots, vectors))
}

/// Whether a curve's column means this vector: by what was given to `--steer`, or by its file's name.
fn names(steer: &Steer, column: &str) -> bool {
    steer.name == column || Path::new(&steer.name).file_stem().is_some_and(|stem| stem == column)
}

/// Columns of a curve file: a vector's name, and its strength at points in seconds.
type Columns = Vec<(String, Vec<(f64, f32)>)>;

fn read_curves(path: &Path) -> Result<Columns, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the curve {}: {error}", path.display()))?;
    parse_curves(&text).map_err(|reason| format!("the curve {} cannot be used: {reason}", path.display()))
}

/// `seconds,<vector name>,...`, then a line for each point.
fn parse_curves(text: &str) -> Result<Columns, String> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (_, header) = lines.next().ok_or("it is empty")?;
    let mut names = header.split(',').map(str::trim);
    if names.next() != Some("seconds") {
        return Err("its first line must be \"seconds,\" and the names of vectors".to_owned());
    }
    let mut columns: Columns = names.map(|name| (name.to_owned(), Vec::new())).collect();
    if columns.is_empty() || columns.iter().any(|(name, _)| name.is_empty()) {
        return Err("its first line names no vector, or one without a name".to_owned());
    }
    let mut before = f64::NEG_INFINITY;
    for (number, line) in lines {
        let off = |what: &str| format!("line {} {what}", number + 1);
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        if cells.len() != columns.len() + 1 {
            return Err(off(&format!("has {} cells where {} are due", cells.len(), columns.len() + 1)));
        }
        let seconds: f64 = cells[0].parse().map_err(|_| off("does not begin with seconds"))?;
        if !seconds.is_finite() || seconds < before {
            return Err(off("goes back in time"));
        }
        before = seconds;
        for ((name, points), cell) in columns.iter_mut().zip(&cells[1..]) {
            let strength: f32 = cell.parse().map_err(|_| off(&format!("has no number for {name}")))?;
            if !strength.is_finite() {
                return Err(off(&format!("has no finite number for {name}")));
            }
            points.push((seconds, strength));
        }
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strength_follows_the_last_colon_if_it_is_a_number() {
        let steer = |text: &str| text.parse::<Steer>().map(|steer| (steer.name, steer.strength));
        assert_eq!(steer("flute:-0.5"), Ok(("flute".to_owned(), Some(-0.5))));
        assert_eq!(steer("C:\\v.safetensors"), Ok(("C:\\v.safetensors".to_owned(), None)));
        assert_eq!(steer("a:b:2"), Ok(("a:b".to_owned(), Some(2.0))));
        assert!(steer(":1").is_err() && steer("x:nan").is_err());
    }

    #[test]
    fn a_curve_file_is_columns_of_points() {
        let columns = parse_curves("seconds, flute,drums\n0,0,1\n\n2.5,0.5,-1\n").unwrap();
        assert_eq!(columns[0], ("flute".to_owned(), vec![(0.0, 0.0), (2.5, 0.5)]));
        assert_eq!(columns[1], ("drums".to_owned(), vec![(0.0, 1.0), (2.5, -1.0)]));
    }

    #[test]
    fn what_is_wrong_in_a_curve_file_is_named_by_its_line() {
        for (text, named) in [
            ("", "empty"),
            ("time,flute\n", "seconds"),
            ("seconds\n", "no vector"),
            ("seconds,flute\n0\n", "line 2"),
            ("seconds,flute\n0,1\nx,1\n", "line 3"),
            ("seconds,flute\n1,1\n0,1\n", "back in time"),
            ("seconds,flute\n0,inf\n", "finite"),
        ] {
            assert!(parse_curves(text).unwrap_err().contains(named), "{text}");
        }
    }
}
