//! Lists of prompts, each of a class, for the model to play.

use std::collections::BTreeMap;
use std::path::Path;

use super::LabError;

/// Prompts in classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompts {
    /// Names of the classes, sorted: the label is the place in the list.
    pub classes: Vec<String>,
    /// The prompts, each with its class, an index into the classes; by class, and in the order of the file.
    pub prompts: Vec<(usize, String)>,
}

impl Prompts {
    /// Reads a list. A file whose name ends in `.csv` is a table with the columns `class` and `prompt`; in any other, each
    /// line is a class, a tab and a prompt. Empty lines say nothing.
    ///
    /// # Errors
    /// [`LabError::Read`]; [`LabError::File`] for a line that is neither, a prompt that is there twice, fewer than two
    /// classes.
    pub fn open(path: &Path) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| LabError::Read { path: path.to_owned(), source })?;
        let is_table = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        let pairs = if is_table { of_table(&text) } else { of_lines(&text) };
        pairs
            .and_then(Self::new)
            .map_err(|reason| LabError::File { file: path.display().to_string(), reason })
    }

    fn new(pairs: Vec<(String, String)>) -> Result<Self, String> {
        let mut by_class: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut class_of: BTreeMap<&str, &str> = BTreeMap::new();
        for (class, prompt) in &pairs {
            if let Some(other) = class_of.insert(prompt, class) {
                return Err(format!(
                    "the prompt {prompt:?} is there twice, in {other} and in {class}; name it once"
                ));
            }
            by_class.entry(class).or_default().push(prompt);
        }
        if by_class.len() < 2 {
            return Err(format!(
                "it has prompts of {} classes; write some of two classes or more",
                by_class.len()
            ));
        }
        let classes = by_class.keys().map(|&class| class.to_owned()).collect();
        let of_class = |(class, prompts): (usize, &Vec<&str>)| {
            prompts.iter().map(move |&prompt| (class, prompt.to_owned())).collect::<Vec<_>>()
        };
        let prompts = by_class.values().enumerate().flat_map(of_class).collect();
        Ok(Self { classes, prompts })
    }

    /// Whether each class has several prompts, so that some can be held out.
    #[must_use]
    pub fn several(&self) -> bool {
        let of_class = |class: usize| self.prompts.iter().filter(|(found, _)| *found == class).count();
        (0..self.classes.len()).all(|class| of_class(class) > 1)
    }
}

fn of_lines(text: &str) -> Result<Vec<(String, String)>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| match line.split_once('\t') {
            Some((class, prompt)) if !class.trim().is_empty() && !prompt.trim().is_empty() => {
                Ok((class.trim().to_owned(), prompt.trim().to_owned()))
            }
            _ => Err(format!("line {} is not a class, a tab and a prompt", number + 1)),
        })
        .collect()
}

fn of_table(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| error.to_string())?.clone();
    let column = |name: &str| {
        headers.iter().position(|header| header == name).ok_or_else(|| {
            let found: Vec<&str> = headers.iter().collect();
            format!("it has no column {name}, but {}; its columns are class and prompt", found.join(", "))
        })
    };
    let [class, prompt] = [column("class")?, column("prompt")?];
    let of_row = |(number, row): (usize, Result<csv::StringRecord, csv::Error>)| {
        let row = row.map_err(|error| error.to_string())?;
        match (&row[class], &row[prompt]) {
            ("", _) | (_, "") => Err(format!("row {} has no class or no prompt", number + 1)),
            (class, prompt) => Ok((class.to_owned(), prompt.to_owned())),
        }
    };
    reader.records().enumerate().map(of_row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(name: &str, text: &str) -> Result<Prompts, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Prompts::open(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_and_tables_are_lists_of_prompts() {
        let lines = list("a.txt", "rock\ta loud guitar\n\npop\ta catchy tune, sung\nrock\ta garage band\n");
        let table = "prompt,class\na loud guitar,rock\n\"a catchy tune, sung\",pop\na garage band,rock\n";
        let expected = Prompts {
            classes: ["pop", "rock"].map(str::to_owned).to_vec(),
            prompts: [(0, "a catchy tune, sung"), (1, "a loud guitar"), (1, "a garage band")]
                .map(|(class, prompt)| (class, prompt.to_owned()))
                .to_vec(),
        };
        assert_eq!(lines.as_ref(), Ok(&expected));
        assert_eq!(list("a.CSV", table), Ok(expected.clone()));
        assert!(!expected.several());
        assert!(list("a.txt", "a\t1\na\t2\nb\t3\nb\t4").unwrap().several());
    }

    #[test]
    fn what_is_no_list_is_said() {
        for (expected, name, text) in [
            ("line 2 is not a class", "a.txt", "a\tb\na loud guitar\n"),
            ("line 1 is not a class", "a.txt", "\ta loud guitar\n"),
            ("no column class", "a.csv", "genre,prompt\na,b\n"),
            ("row 1 has no class", "a.csv", "class,prompt\n,b\n"),
            ("in b and in a", "a.txt", "b\tloud\na\tloud\n"),
            ("1 classes", "a.txt", "a\tloud\na\tlouder\n"),
            ("0 classes", "a.csv", "class,prompt\n"),
        ] {
            let error = list(name, text).unwrap_err();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
