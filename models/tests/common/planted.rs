//! Activation files whose directions are known, because they were planted.

use std::collections::HashMap;
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Classes around known centres, cut from tracks that each have their own offset.
pub struct Planted {
    /// Names of the classes, evenly spread along each place's direction from -1 to 1.
    pub classes: &'static [&'static str],
    pub tracks_per_class: usize,
    pub rows_per_track: usize,
    pub width: usize,
    /// Name of each tensor, and the distance of the first and last classes in deviations of the noise.
    pub places: Vec<(String, f64)>,
    /// Deviation of the tracks' offsets.
    pub track_spread: f64,
}

impl Planted {
    /// 500 clips a class of 100 tracks, five layers of both sites, clearest in the residual stream of layer 3.
    pub fn two_classes(width: usize) -> Self {
        let strengths = [0.5, 1.0, 2.5, 4.0, 3.0];
        let residual = (0..).zip(strengths).map(|(layer, strength)| (format!("residual.{layer}"), strength));
        let attention =
            (0..).zip(strengths).map(|(layer, strength)| (format!("attention.{layer}"), strength / 2.0));
        Self {
            classes: &["plain", "bright"],
            tracks_per_class: 100,
            rows_per_track: 5,
            width,
            places: residual.chain(attention).collect(),
            track_spread: 0.3,
        }
    }

    pub fn rows(&self) -> usize {
        self.classes.len() * self.tracks_per_class * self.rows_per_track
    }

    /// The unit direction planted at a place.
    pub fn direction(&self, place: &str) -> Vec<f64> {
        let mut normal = normal(&format!("direction {place}"));
        let values: Vec<f64> = (0..self.width).map(|_| normal()).collect();
        let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        values.iter().map(|value| value / norm).collect()
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) {
        self.write_with(path, &[]);
    }

    /// Writes the file with more metadata.
    pub fn write_with(&self, path: &Path, more: &[(&str, &str)]) {
        let per_class = self.tracks_per_class * self.rows_per_track;
        let class = |row: usize| row / per_class;
        let track = |row: usize| row / self.rows_per_track;
        let whole = |of: &dyn Fn(usize) -> usize| -> Vec<u8> {
            (0..self.rows()).flat_map(|row| i64::try_from(of(row)).unwrap().to_le_bytes()).collect()
        };
        let mut tensors = vec![
            ("label".to_owned(), Dtype::I64, vec![self.rows()], whole(&class)),
            ("track".to_owned(), Dtype::I64, vec![self.rows()], whole(&track)),
        ];
        for (place, strength) in &self.places {
            let direction = self.direction(place);
            let mut normal = normal(place);
            let offsets: Vec<Vec<f64>> = (0..self.rows() / self.rows_per_track)
                .map(|_| (0..self.width).map(|_| self.track_spread * normal()).collect())
                .collect();
            let mut data = Vec::with_capacity(self.rows() * self.width * 4);
            for row in 0..self.rows() {
                let along = 2.0 * class(row) as f64 / (self.classes.len() - 1) as f64 - 1.0;
                for (component, offset) in direction.iter().zip(&offsets[track(row)]) {
                    let value = normal() + offset + along * strength / 2.0 * component;
                    data.extend_from_slice(&(value as f32).to_le_bytes());
                }
            }
            tensors.push((place.clone(), Dtype::F32, vec![self.rows(), self.width], data));
        }
        let classes = serde_json::to_string(self.classes).unwrap();
        let mut metadata = HashMap::from([("classes".to_owned(), classes)]);
        metadata.extend(more.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())));
        write_tensors(path, &tensors, metadata);
    }
}

/// Writes a safetensors file: name, type, shape and bytes of each tensor.
pub fn write_tensors(
    path: &Path,
    tensors: &[(String, Dtype, Vec<usize>, Vec<u8>)],
    metadata: HashMap<String, String>,
) {
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    safetensors::serialize_to_file(views, Some(metadata), path).unwrap();
}

/// Normally distributed numbers, the same ones for the same name.
pub fn normal(name: &str) -> impl FnMut() -> f64 + use<> {
    let mut key = [0; 32];
    for (byte, letter) in key.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    let mut generator = ChaCha8Rng::from_seed(key);
    let mut uniform = move || ((generator.next_u64() >> 11) as f64 + 0.5) * (-53_f64).exp2();
    move || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()
}

/// Cosine of the angle between two vectors.
pub fn cosine(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let product: f64 = found.iter().zip(expected).map(|(&a, b)| f64::from(a) * b).sum();
    let norm = |squares: f64| squares.sqrt();
    product
        / norm(found.iter().map(|&a| f64::from(a).powi(2)).sum())
        / norm(expected.iter().map(|b| b * b).sum())
}
