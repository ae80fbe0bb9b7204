//! The label beside the audio: everything needed to make the take again, and its codes, in the form that the `tiller`
//! command reads.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tiller_models::musicgen;
use tiller_tests::packing::{self, codes};

/// The label of a take of the plugin's project.
pub fn of(take: &Value) -> Result<musicgen::Take> {
    let (recipe, made, codes) = (&take["recipe"], &take["made"], codes(take)?);
    let slots: Vec<Value> = recipe["steering"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|part| {
            let curve = packing::curve(&part["curve"])?;
            Ok(json!({ "vector": part["sha256"], "name": part["name"], "curve": curve }))
        })
        .collect::<Result<_>>()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let label = json!({
        "schema": musicgen::SCHEMA,
        "id": "",
        "recipe": {
            "bundle": recipe["model_sha256"],
            "bundle_name": recipe["model"],
            "precision": recipe["precision"],
            "prompt": recipe["prompt"],
            "negative": text(&recipe["negative"]),
            "seed": recipe["seed"],
            "sampling": { "temperature": recipe["temperature"], "top_k": recipe["top_k"], "top_p": 0.0 },
            "guidance": recipe["guidance"],
            "frames": codes.first().map_or(0, Vec::len),
            "steering": {
                "scale": recipe["scale"],
                "rows": recipe["rows"],
                "layers": recipe["layers"],
                "period": 1,
                "slots": slots,
            },
        },
        "frame_rate": made["frame_rate"],
        "sample_rate": made["sample_rate"],
        "provider": made["provider"],
        "runtime": made["runtime"],
        "codes": codes,
    });
    let mut label: musicgen::Take = serde_json::from_value(label)
        .context("the plugin's project describes its take in a way this demo does not know")?;
    label.id = label.recipe.id();
    Ok(label)
}

/// The first frame at which any codebook differs.
pub fn first_difference(one: &[Vec<u16>], other: &[Vec<u16>]) -> Option<usize> {
    let pairs = one.iter().zip(other);
    pairs.filter_map(|(one, other)| one.iter().zip(other).position(|(a, b)| a != b)).min()
}
