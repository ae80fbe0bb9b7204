//! Sums of vectors, one without another, and how alike two are.
//!
//! Everything counts the directions at length 1, as steering does, at the places (site and layer) that all vectors of the
//! question have; vectors of different models have nothing to do with each other and are refused. What is made is a
//! vector file that says what it was made of (`made_of`: concept, hash and weight of each) and how (`method`). It
//! recommends the sites and layers that the vector of the largest weight recommends, as far as it has them; it claims no
//! score, strength or evidence, and names its model if all that it was made of do.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::{Direction, FORMAT, Site, SteeringError, Vector};
use crate::tensor_file;

/// A site of a layer.
type Place = (Site, usize);

/// Sizes of weights: with these, no sum leaves f32.
const WEIGHTS: RangeInclusive<f64> = 1e-6..=1e6;

/// Of what is left over, a thousandth and more would be the rounding of f32 below this share.
const NOTHING: f64 = 1e-4;

/// The vector file of a weighted sum; `concept` is what people call it, by default the sum itself.
///
/// # Errors
/// [`SteeringError::Request`] if the vectors are of different models or have no place in common, a weight is not a number
/// between a millionth and a million of either sign, or the directions cancel somewhere.
pub fn combine(terms: &[(Vector, f64)], concept: Option<&str>) -> Result<Vec<u8>, SteeringError> {
    if let Some((vector, weight)) = terms.iter().find(|(_, weight)| !WEIGHTS.contains(&weight.abs())) {
        return Err(refused(format!(
            "the weight of {} is {weight}, and should be between a millionth and a million, of either sign",
            vector.concept()
        )));
    }
    let vectors: Vec<&Vector> = terms.iter().map(|(vector, _)| vector).collect();
    let whole: f64 = terms.iter().map(|(_, weight)| weight.abs()).sum();
    let mut sums = BTreeMap::new();
    for place in common(&vectors)? {
        let parts = terms.iter().map(|(vector, weight)| (values(vector, place), *weight));
        let sum = weighted(parts, vectors[0].width());
        if length(&sum) < NOTHING * whole {
            let (site, layer) = place;
            return Err(refused(format!(
                "at {site} {layer} the vectors cancel each other and no direction is left; choose other weights"
            )));
        }
        sums.insert(place, sum);
    }
    // The first of equals.
    let Some((heaviest, _)) = terms.iter().rev().max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs())) else {
        return Err(refused("name the vectors to combine".to_owned()));
    };
    let sum = terms.iter().enumerate().map(|(position, (vector, weight))| {
        let sign = if *weight < 0.0 { "-" } else { "+" };
        let sign = if position == 0 { sign.trim_start_matches('+').to_owned() } else { format!(" {sign} ") };
        let weight = if weight.abs() == 1.0 { String::new() } else { format!("{} ", weight.abs()) };
        format!("{sign}{weight}{}", vector.concept())
    });
    let made_of = terms.iter().map(
        |(vector, weight)| json!({ "concept": vector.concept(), "sha256": vector.hash(), "weight": weight }),
    );
    let made_of = made_of.collect::<Vec<_>>();
    let concept = concept.map_or_else(|| sum.collect(), str::to_owned);
    file(heaviest, &vectors, &concept, "weighted sum of directions of length 1", &made_of.into(), &sums)
}

/// The vector file of `vector` without its component along `other`, at the places that both have; `concept` is what
/// people call it, by default "one without other".
///
/// # Errors
/// [`SteeringError::Request`] if the vectors are of different models or have no place in common, or are parallel somewhere.
pub fn project(vector: &Vector, other: &Vector, concept: Option<&str>) -> Result<Vec<u8>, SteeringError> {
    let mut rests = BTreeMap::new();
    for place in common(&[vector, other])? {
        let (kept, along) = (values(vector, place), values(other, place));
        let share = dot(kept, along) / dot(along, along);
        let rest = weighted([(kept, 1.0), (along, -share)].into_iter(), vector.width());
        if length(&rest) < NOTHING {
            let (site, layer) = place;
            return Err(refused(format!(
                "at {site} {layer} {} and {} are parallel, so that nothing is left of the former; take one out of \
                 another that differs",
                vector.concept(),
                other.concept()
            )));
        }
        rests.insert(place, rest);
    }
    let made_of = json!([
        { "concept": vector.concept(), "sha256": vector.hash() },
        { "concept": other.concept(), "sha256": other.hash() },
    ]);
    let method = "direction of length 1 of the first without its component along the second";
    let concept =
        concept.map_or_else(|| format!("{} without {}", vector.concept(), other.concept()), str::to_owned);
    file(vector, &[vector, other], &concept, method, &made_of, &rests)
}

/// The cosine of two vectors at `place`, or else at every place that either recommends and both have (possibly none).
///
/// # Errors
/// [`SteeringError::Request`] if they are of different models, or one has no direction at `place`.
pub fn similarity(
    a: &Vector,
    b: &Vector,
    place: Option<(Site, usize)>,
) -> Result<BTreeMap<(Site, usize), f64>, SteeringError> {
    same_model(&[a, b])?;
    let recommended = |vector: &Vector, (site, layer): Place| {
        vector.sites().contains(&site) && vector.recommended_layers().contains(&layer)
    };
    let places: Vec<Place> = match place {
        Some((site, layer)) => {
            if let Some(lacking) = [a, b].iter().find(|vector| vector.direction(site, layer).is_none()) {
                return Err(refused(format!(
                    "the vector {} has no direction at {site} {layer}; choose another place",
                    lacking.concept()
                )));
            }
            vec![(site, layer)]
        }
        None => a
            .places()
            .filter(|&(site, layer)| b.direction(site, layer).is_some())
            .filter(|&place| recommended(a, place) || recommended(b, place))
            .collect(),
    };
    let cosine = |place: Place| {
        let (a, b) = (values(a, place), values(b, place));
        (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()).clamp(-1.0, 1.0)
    };
    Ok(places.into_iter().map(|place| (place, cosine(place))).collect())
}

fn refused(sentence: String) -> SteeringError {
    SteeringError::Request(sentence)
}

/// The direction at a place the vector is known to have.
fn values(vector: &Vector, (site, layer): Place) -> &[f32] {
    vector.direction(site, layer).map_or(&[], Direction::values)
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|value| value.powi(2)).sum::<f64>().sqrt()
}

fn weighted<'a>(parts: impl Iterator<Item = (&'a [f32], f64)>, width: usize) -> Vec<f64> {
    parts.fold(vec![0.0; width], |mut sum, (values, weight)| {
        sum.iter_mut().zip(values).for_each(|(sum, &value)| *sum += weight * f64::from(value));
        sum
    })
}

fn same_model(vectors: &[&Vector]) -> Result<(), SteeringError> {
    let widths = |a: &Vector, b: &Vector| a.width() != b.width();
    let models = |a: &Vector, b: &Vector| a.model().zip(b.model()).is_some_and(|(a, b)| a != b);
    for (position, a) in vectors.iter().enumerate() {
        for b in &vectors[position + 1..] {
            if widths(a, b) {
                return Err(refused(format!(
                    "the vector {} is {} wide and {} is {}: use vectors of one model",
                    a.concept(),
                    a.width(),
                    b.concept(),
                    b.width()
                )));
            }
            if models(a, b) {
                return Err(refused(format!(
                    "the vectors {} and {} were made for different models, whose directions have nothing to do with \
                     each other; use vectors of one model",
                    a.concept(),
                    b.concept()
                )));
            }
        }
    }
    Ok(())
}

fn common(vectors: &[&Vector]) -> Result<BTreeSet<Place>, SteeringError> {
    same_model(vectors)?;
    let places: BTreeSet<Place> = vectors
        .first()
        .into_iter()
        .flat_map(|first| first.places())
        .filter(|&(site, layer)| vectors.iter().all(|vector| vector.direction(site, layer).is_some()))
        .collect();
    if places.is_empty() {
        let names: Vec<&str> = vectors.iter().map(|vector| vector.concept()).collect();
        return Err(refused(format!(
            "the vectors {} have no site of a layer in common; learn them at the same ones",
            names.join(", ")
        )));
    }
    Ok(places)
}

fn file(
    leader: &Vector,
    vectors: &[&Vector],
    concept: &str,
    method: &str,
    made_of: &Value,
    directions: &BTreeMap<Place, Vec<f64>>,
) -> Result<Vec<u8>, SteeringError> {
    let mut metadata: BTreeMap<String, String> = BTreeMap::new();
    let mut text = |key: &str, value: String| metadata.insert(key.to_owned(), value);
    text("format", FORMAT.to_owned());
    text("concept", concept.to_owned());
    text("method", method.to_owned());
    text("made_of", made_of.to_string());
    if let (true, Some(model)) = (vectors.iter().all(|vector| vector.model().is_some()), leader.model()) {
        text("model", model.to_owned());
    }
    let held = |site: Site| directions.keys().filter(move |place| place.0 == site).map(|place| place.1);
    let sites: Vec<Site> =
        leader.sites().iter().copied().filter(|&site| held(site).next().is_some()).collect();
    let layers: BTreeSet<usize> = sites
        .iter()
        .flat_map(|&site| held(site))
        .filter(|layer| leader.recommended_layers().contains(layer))
        .collect();
    if !sites.is_empty() {
        text("sites", json!(sites).to_string());
    }
    if !layers.is_empty() {
        text("layers", json!(layers).to_string());
    }
    let tensors = directions.iter().map(|((site, layer), values)| {
        (format!("{site}.{layer}"), values.iter().map(|&value| value as f32).collect())
    });
    let bytes = tensor_file::of_vectors(&metadata, &tensors.collect());
    // What is written can be read: an empty name, say, is found here.
    Vector::from_bytes(&bytes, "the vector that was made")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::steering::vector::tests::file as written;

    fn vector(tensors: &[(&str, &[f32])], metadata: &[(&str, &str)]) -> Vector {
        let metadata = [&[("format", FORMAT)], metadata].concat();
        Vector::from_bytes(&written(tensors, &metadata), "x").unwrap()
    }

    fn flute(values: &[f32]) -> Vector {
        vector(&[("residual.1", values)], &[("concept", "flute")])
    }

    fn drums(values: &[f32]) -> Vector {
        vector(&[("residual.1", values)], &[("concept", "drums")])
    }

    fn made(bytes: Result<Vec<u8>, SteeringError>) -> Vector {
        Vector::from_bytes(&bytes.unwrap(), "x").unwrap()
    }

    fn at(vector: &Vector) -> &[f32] {
        values(vector, (Site::Residual, 1))
    }

    fn near(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    #[test]
    fn weights_count_directions_of_length_one() {
        let sum = made(combine(&[(flute(&[9.0, 0.0]), 3.0), (drums(&[0.0, 0.1]), -4.0)], None));
        assert_eq!(sum.tensor(Site::Residual, 1), Some(&[3.0, -4.0][..]));
        assert_eq!(sum.concept(), "3 flute - 4 drums");
        let negated = made(combine(&[(flute(&[3.0, 4.0]), -1.0)], Some("no flute")));
        assert_eq!((at(&negated), negated.concept()), (&[-0.6, -0.8][..], "no flute"));
    }

    #[test]
    fn a_sum_says_what_it_is_made_of_and_claims_nothing_else() {
        let learnt = [
            ("concept", "flute"),
            ("strength", "0.5"),
            ("evidence", "{}"),
            ("scores", "{}"),
            ("model", "6a7c"),
            ("layers", "[1]"),
        ];
        let flute = vector(&[("residual.0", &[1.0, 0.0]), ("residual.1", &[1.0, 0.0])], &learnt);
        let sum = made(combine(&[(flute.clone(), 1.0), (drums(&[0.0, 1.0]), 0.5)], None));
        let keys: Vec<&str> = sum.metadata().keys().map(String::as_str).collect();
        assert_eq!(keys, ["concept", "format", "layers", "made_of", "method", "sites"]);
        let made_of: Value = serde_json::from_str(&sum.metadata()["made_of"]).unwrap();
        assert_eq!(made_of[0], json!({ "concept": "flute", "sha256": flute.hash(), "weight": 1.0 }));
        assert_eq!(made_of[1]["weight"], 0.5);
        let both = made(combine(&[(flute.clone(), 1.0), (flute.clone(), 0.5)], None));
        assert_eq!(both.model(), Some("6a7c"));
    }

    #[test]
    fn the_heaviest_recommends_what_all_have() {
        let both: [(&str, &[f32]); 3] =
            [("attention.0", &[1.0, 0.0]), ("attention.1", &[1.0, 0.0]), ("residual.1", &[1.0, 0.0])];
        let a = vector(&both, &[("concept", "a"), ("sites", r#"["attention"]"#), ("layers", "[0,1]")]);
        let b = vector(&both[1..], &[("concept", "b")]);
        let sum = made(combine(&[(b.clone(), 1.0), (a.clone(), -2.0)], None));
        assert_eq!((sum.sites(), sum.recommended_layers()), (&[Site::Attention][..], [1].into()));
        assert!(sum.direction(Site::Attention, 0).is_none());
        let sum = made(combine(&[(b, 1.0), (a, 1.0)], None));
        assert_eq!(sum.sites(), [Site::Residual], "the first of equals");
    }

    #[test]
    fn what_is_taken_out_is_gone_and_nothing_else() {
        let rest = made(project(&flute(&[1.0, 1.0, 0.0]), &drums(&[0.0, 5.0, 0.0]), None));
        assert!(near(at(&rest), &[1.0, 0.0, 0.0]));
        assert_eq!(rest.concept(), "flute without drums");
    }

    #[test]
    fn cosines_are_taken_where_either_recommends_and_both_have_a_direction() {
        let tensors: [(&str, &[f32]); 3] =
            [("residual.0", &[1.0, 0.0]), ("residual.1", &[1.0, 1.0]), ("attention.1", &[1.0, 0.0])];
        let a = vector(&tensors, &[("concept", "a"), ("layers", "[0]")]);
        let b = drums(&[1.0, 0.0]);
        let alike = similarity(&a, &b, None).unwrap();
        assert_eq!(alike.keys().copied().collect::<Vec<_>>(), [(Site::Residual, 1)]);
        assert!((alike[&(Site::Residual, 1)] - 0.5_f64.sqrt()).abs() < 1e-7);
        let apart = vector(&[("attention.1", &[1.0, 0.0])], &[("concept", "c")]);
        assert!(similarity(&b, &apart, None).unwrap().is_empty());
        assert_eq!(similarity(&a, &apart, Some((Site::Attention, 1))).unwrap()[&(Site::Attention, 1)], 1.0);
        let lacking = similarity(&a, &b, Some((Site::Residual, 0))).unwrap_err().to_string();
        assert!(lacking.contains("drums") && lacking.contains("residual 0"), "{lacking}");
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let a = flute(&[1.0, 0.0]);
        let sum =
            |b: Vector, weight| combine(&[(a.clone(), 1.0), (b, weight)], None).unwrap_err().to_string();
        assert!(sum(drums(&[1.0, 0.0, 0.0]), 1.0).contains("drums is 3"));
        assert!(sum(vector(&[("residual.2", &[1.0, 0.0])], &[("concept", "b")]), 1.0).contains("in common"));
        assert!(sum(drums(&[7.0, 1e-5]), -1.0).contains("cancel"));
        for weight in [0.0, f64::NAN, f64::INFINITY, 1e-9] {
            assert!(sum(drums(&[0.0, 1.0]), weight).contains("weight of drums"), "{weight}");
        }
        assert!(combine(&[], None).is_err());
        assert!(combine(&[(a.clone(), 1.0)], Some(" ")).unwrap_err().to_string().contains("concept"));
        let of = |model| vector(&[("residual.1", &[0.0, 1.0])], &[("concept", "b"), ("model", model)]);
        let pair = [(of("x"), 1.0), (of("y"), 1.0)];
        assert!(combine(&pair, None).unwrap_err().to_string().contains("different models"));
        assert!(similarity(&pair[0].0, &pair[1].0, None).is_err());
        assert!(project(&pair[0].0, &pair[1].0, None).is_err());
        let parallel = project(&a, &drums(&[-3.0, 0.0]), None).unwrap_err().to_string();
        assert!(parallel.contains("parallel"), "{parallel}");
    }

    fn direction() -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(-1.0_f32..1.0, 8)
            .prop_filter("zero", |values| values.iter().any(|value| value.abs() > 0.1))
    }

    proptest! {
        #[test]
        fn sums_and_projections_obey_the_algebra(a in direction(), b in direction(), weight in 0.01_f64..2.0) {
            let (a, b) = (flute(&a), drums(&b));
            let cosine = similarity(&a, &b, None).unwrap()[&(Site::Residual, 1)];
            prop_assume!(cosine.abs() < 0.99);
            prop_assert_eq!(&similarity(&b, &a, None).unwrap()[&(Site::Residual, 1)], &cosine);

            let one_way = made(combine(&[(a.clone(), 1.0), (b.clone(), weight)], None));
            let other_way = made(combine(&[(b.clone(), weight), (a.clone(), 1.0)], None));
            prop_assert!(near(at(&one_way), at(&other_way)));
            let scaled = made(combine(&[(a.clone(), 0.5), (b.clone(), 0.5 * weight)], None));
            prop_assert!(near(at(&one_way), at(&scaled)));

            let rest = made(project(&a, &b, None));
            prop_assert!(similarity(&rest, &b, None).unwrap()[&(Site::Residual, 1)].abs() < 1e-5);
            prop_assert!(near(at(&made(project(&rest, &b, None))), at(&rest)));
            if cosine.abs() > 1e-3 {
                let sum = made(combine(&[(a, 1.0), (b, -cosine)], None));
                prop_assert!(near(at(&sum), at(&rest)));
            }
        }
    }
}
