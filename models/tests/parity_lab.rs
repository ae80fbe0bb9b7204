//! What the lab learns against what scikit-learn learns from the same activations.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tiller_models::lab::{Activations, Contrast, Method, Place, Settings, Study, learn};
use tiller_models::steering::Site;

use common::planted::cosine;

#[derive(Deserialize)]
struct Expected {
    directions: Vec<Recorded>,
}

/// What `record_lab.py` records of a direction.
#[derive(Deserialize, Debug)]
struct Recorded {
    place: String,
    plus: String,
    minus: Option<String>,
    method: Method,
    standardise: bool,
    ridge: Option<f64>,
    c: Option<f64>,
    direction: Vec<f64>,
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/lab").join(name)
}

fn expected() -> Expected {
    serde_json::from_slice(&std::fs::read(data("expected.json")).unwrap()).unwrap()
}

#[test]
fn directions_are_those_of_scikit_learn() {
    let activations = Activations::open(&[data("activations.safetensors")]).unwrap();
    let recorded = expected().directions;
    assert_eq!(recorded.len(), 60);
    for recorded in recorded {
        let (site, layer) = recorded.place.split_once('.').unwrap();
        let site = Site::ALL.into_iter().find(|known| known.name() == site).unwrap();
        let place = Place::new(site, layer.parse().unwrap());
        let minus = recorded.minus.as_deref();
        let contrasts = Contrast::named(activations.samples(), Some(&recorded.plus), minus).unwrap();
        let settings = Settings {
            method: recorded.method,
            standardise: recorded.standardise,
            ridge: recorded.ridge,
            c: recorded.c.unwrap_or(1.0),
            ..Settings::default()
        };
        let study = Study::new(&activations, &contrasts[0], &settings).unwrap();
        let found = learn(&study, place).unwrap().unwrap();
        let angle = cosine(&found.direction, &recorded.direction);
        assert!(angle > 1.0 - 1e-8, "{recorded:?}: cosine {angle}");
        if recorded.method != Method::Pca {
            let worst = recorded.direction.iter().zip(&found.direction);
            let worst = worst.map(|(a, &b)| (a - f64::from(b)).abs()).fold(0.0, f64::max);
            let size = recorded.direction.iter().fold(0.0, |size: f64, value| size.max(value.abs()));
            assert!(worst < 1e-4 * size, "{recorded:?}: differs by {worst}");
        }
    }
}
