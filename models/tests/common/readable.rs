//! Vectors that say how their concept is read.

use serde_json::{Value, json};
use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::Checkpoint::Small;
use super::planted::normal;

/// The file of a vector with a direction for both sites of each layer of the small checkpoint, which acts on the residual
/// stream of layer 2 and is read by `gauge` at one place.
pub fn file(site: &str, layer: usize, gauge: &Value) -> Vec<u8> {
    let architecture = Small.bundle().architecture();
    let tensors: Vec<(String, Vec<u8>)> = ["residual", "attention"]
        .iter()
        .flat_map(|site| (0..architecture.layers).map(move |layer| format!("{site}.{layer}")))
        .map(|name| {
            let mut normal = normal(&format!("readable {name}"));
            let values = (0..architecture.width).flat_map(|_| (normal() as f32).to_le_bytes()).collect();
            (name, values)
        })
        .collect();
    let views = tensors.iter().map(|(name, values)| {
        (name.as_str(), TensorView::new(Dtype::F32, vec![architecture.width], values).unwrap())
    });
    let gauges: Vec<Value> =
        (0..=layer).map(|at| if at == layer { gauge.clone() } else { Value::Null }).collect();
    let metadata = HashMap::from([
        ("format", "tiller-vector/1".to_owned()),
        ("concept", "warmth".to_owned()),
        ("sites", r#"["residual"]"#.to_owned()),
        ("layers", "[2]".to_owned()),
        ("model", Small.bundle().manifest().source.sha256.clone()),
        ("monitor", json!({ site: gauges }).to_string()),
    ]);
    let metadata = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    safetensors::serialize(views, Some(metadata)).unwrap()
}

/// A gauge by which a projection of `low` is at the mean of the far side and one of `high` at that of the near one.
pub fn gauge(low: f64, high: f64) -> Value {
    let (half, middle) = ((high - low) / 2.0, (high + low) / 2.0);
    json!({
        "scale": 1.0 / half, "offset": -middle / half, "accuracy": 0.9,
        "plus": { "mean": 1.0, "deviation": 1.0 }, "minus": { "mean": -1.0, "deviation": 1.0 },
    })
}
