//! `tiller vectors combine` and `tiller vectors project`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use tiller_models::steering::{Vector, combine, project};

use super::super::output::{Pending, Reporting};
use super::super::{Fallible, Outcome};
use super::{Source, describe, listed};

/// Arguments of `tiller vectors combine`.
#[derive(Args)]
pub(crate) struct Combine {
    /// Vectors (files, or names of the bundle's) with weights, as in flute*1.0 drums*-0.5 or "flute*1.0 + drums*-0.5";
    /// without a weight it is 1.
    #[arg(value_name = "VECTOR*WEIGHT", required = true)]
    terms: Vec<String>,
    #[command(flatten)]
    making: Making,
}

/// Arguments of `tiller vectors project`.
#[derive(Args)]
pub(crate) struct Project {
    /// The vector: a file, or the name of a vector of the bundle.
    vector: String,
    /// The vector whose component is taken out.
    #[arg(long, value_name = "VECTOR")]
    out_of: String,
    #[command(flatten)]
    making: Making,
}

/// What is made, and how it is reported.
#[derive(Args)]
struct Making {
    /// The vector file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What the new vector stands for; by default how it was made.
    #[arg(long, value_name = "NAME")]
    concept: Option<String>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    reporting: Reporting,
}

impl Combine {
    pub fn run(&self) -> Outcome {
        let terms: Fallible<Vec<(Vector, f64)>> = terms(&self.terms)
            .into_iter()
            .map(|(name, weight)| Ok((self.making.source.vector(&name)?, weight)))
            .collect();
        self.making.write(combine(&terms?, self.making.concept.as_deref())?)
    }
}

impl Project {
    pub fn run(&self) -> Outcome {
        let vector = self.making.source.vector(&self.vector)?;
        let other = self.making.source.vector(&self.out_of)?;
        self.making.write(project(&vector, &other, self.making.concept.as_deref())?)
    }
}

impl Making {
    fn write(&self, bytes: Vec<u8>) -> Outcome {
        let vector = Vector::from_bytes(&bytes, &self.out.display().to_string())?;
        Pending::create(&self.out)?.finish_with(bytes)?;
        let line = format!(
            "{}: {}, recommended layers {}",
            self.out.display(),
            vector.concept(),
            listed(vector.recommended_layers())
        );
        self.reporting.result(&json!({ "out": self.out, "vector": describe(&vector) }), &line);
        Ok(())
    }
}

/// The names and weights in the arguments. A file's name may hold what looks like either; what follows the last star is
/// a weight only if it is a number.
fn terms(arguments: &[String]) -> Vec<(String, f64)> {
    let split = |argument: &'_ String| match Path::new(argument).is_file() {
        true => vec![argument.clone()],
        false => argument.split(" + ").map(|term| term.trim().to_owned()).collect(),
    };
    let terms = arguments.iter().filter(|argument| argument.trim() != "+").flat_map(split);
    terms
        .map(|term| {
            let weighted = term.rsplit_once('*').and_then(|(name, weight)| {
                Some((name.trim().to_owned(), weight.trim().parse::<f64>().ok()?))
            });
            weighted.unwrap_or((term, 1.0))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn terms_are_arguments_of_their_own_or_one_sum() {
        let terms = |arguments: &[&str]| {
            super::terms(&arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>())
        };
        let expected = [("a".to_owned(), 1.0), ("b c".to_owned(), -0.5), ("d*e".to_owned(), 1.0)];
        assert_eq!(terms(&["a*1.0", "b c*-0.5", "d*e"]), expected);
        assert_eq!(terms(&["a*1.0 + b c * -0.5 + d*e"]), expected);
        assert_eq!(terms(&["a", "+", "b c*-0.5", "+", "d*e*1"]), expected);
    }
}
