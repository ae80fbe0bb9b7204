//! Which classes a direction leads from and to, and what a row of each counts.
//!
//! Always balanced (paper, "Data"): both sides weigh the same, and on the far side of one-vs-rest every class weighs the
//! same. The weights are scikit-learn's `class_weight="balanced"` where there are two classes: they add up to the number
//! of rows.

use super::{LabError, Samples};

/// One class against one other, or against all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contrast {
    plus: usize,
    /// At least one, none of them `plus`.
    minus: Vec<usize>,
    names: [String; 2],
}

impl Contrast {
    /// The contrasts asked for by the names of classes: `plus` against `minus`, `plus` against all others, or, without
    /// names, the second class against the first of two, and each of more against all others.
    ///
    /// # Errors
    /// [`LabError::Request`] if there is no such class, the two are one, or only `minus` is given.
    pub fn named(samples: &Samples, plus: Option<&str>, minus: Option<&str>) -> Result<Vec<Self>, LabError> {
        let present = samples.present();
        let name = |class: usize| samples.classes()[class].clone();
        let against = |plus: usize, minus: Vec<usize>| {
            let away = if let &[only] = minus.as_slice() { name(only) } else { "rest".to_owned() };
            Self { plus, minus, names: [name(plus), away] }
        };
        let others = |plus: usize| present.iter().copied().filter(|&class| class != plus).collect();
        match (plus, minus) {
            (Some(plus), Some(minus)) if plus == minus => {
                Err(LabError::request(format!("a direction from {plus} to itself is none; name two classes")))
            }
            (Some(plus), Some(minus)) => {
                Ok(vec![against(samples.class_named(plus)?, vec![samples.class_named(minus)?])])
            }
            (Some(plus), None) => {
                let plus = samples.class_named(plus)?;
                Ok(vec![against(plus, others(plus))])
            }
            (None, Some(minus)) => Err(LabError::request(format!(
                "a direction away from {minus} alone leads nowhere; name the class to go to as well"
            ))),
            (None, None) => match present.as_slice() {
                &[first, second] => Ok(vec![against(second, vec![first])]),
                classes => Ok(classes.iter().map(|&class| against(class, others(class))).collect()),
            },
        }
    }

    /// Names of where it leads to and from.
    #[must_use]
    pub fn names(&self) -> &[String; 2] {
        &self.names
    }

    /// The classes that take part, where it leads to first.
    #[must_use]
    pub fn classes(&self) -> Vec<usize> {
        std::iter::once(self.plus).chain(self.minus.iter().copied()).collect()
    }

    /// +1 for rows of the class it leads to, -1 for others.
    pub(super) fn target(&self, class: usize) -> f64 {
        if class == self.plus { 1.0 } else { -1.0 }
    }

    /// What a row of each class counts, by label; 0 for classes that take no part.
    pub(super) fn weights(&self, samples: &Samples) -> Vec<f64> {
        let mut weights = vec![0.0; samples.classes().len()];
        let rows: usize = self.classes().iter().map(|&class| samples.rows_of(class)).sum();
        let half = rows as f64 / 2.0;
        weights[self.plus] = half / samples.rows_of(self.plus) as f64;
        for &class in &self.minus {
            weights[class] = half / (self.minus.len() * samples.rows_of(class)) as f64;
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Samples {
        let names = ["rock", "pop", "folk", "none"].map(str::to_owned).to_vec();
        Samples::new(Some(names), &[0, 0, 0, 1, 2, 2], &[0, 1, 2, 3, 4, 5]).unwrap()
    }

    #[test]
    fn sides_and_the_classes_of_the_rest_weigh_the_same() {
        let samples = samples();
        let [contrast] = &Contrast::named(&samples, Some("rock"), None).unwrap()[..] else { panic!() };
        assert_eq!(contrast.names(), &["rock", "rest"]);
        assert_eq!(contrast.weights(&samples), [1.0, 1.5, 0.75, 0.0]);
        let [contrast] = &Contrast::named(&samples, Some("folk"), Some("rock")).unwrap()[..] else {
            panic!()
        };
        assert_eq!(contrast.weights(&samples), [2.5 / 3.0, 0.0, 1.25, 0.0]);
        assert_eq!([0, 2].map(|class| contrast.target(class)), [-1.0, 1.0]);
    }

    #[test]
    fn without_names_there_is_one_contrast_of_two_classes_and_one_for_each_of_more() {
        let all = Contrast::named(&samples(), None, None).unwrap();
        let names: Vec<&str> = all.iter().map(|contrast| contrast.names()[0].as_str()).collect();
        assert_eq!(names, ["rock", "pop", "folk"]);
        let two = Samples::new(None, &[0, 1], &[0, 1]).unwrap();
        let [contrast] = &Contrast::named(&two, None, None).unwrap()[..] else { panic!() };
        assert_eq!(contrast.names(), &["1", "0"]);
        let [contrast] = &Contrast::named(&two, Some("0"), None).unwrap()[..] else { panic!() };
        assert_eq!(contrast.names(), &["0", "1"]);
    }

    #[test]
    fn contrasts_that_lead_nowhere_are_refused() {
        let refused = |plus, minus| Contrast::named(&samples(), plus, minus).unwrap_err().to_string();
        assert!(refused(Some("rock"), Some("rock")).contains("itself"));
        assert!(refused(None, Some("rock")).contains("name the class"));
        assert!(refused(Some("none"), None).contains("rock, pop, folk"));
    }
}
