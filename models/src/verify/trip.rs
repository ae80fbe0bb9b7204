//! The codec, there and back: what its decoder makes of codes, and its encoder of that.

use std::sync::Arc;

use serde::Serialize;

use crate::codes::Codes;
use crate::encodec;
use crate::musicgen::{Engine, GenerateError};

/// Codes to audio, to codes, to audio.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Trip {
    /// Share of the codes of the first codebook that come back.
    pub first_codebook: f64,
    /// Share of all codes that come back.
    pub codes: f64,
    /// How far the audio of the codes that came back is below the difference from that of the codes given, decibels; `None`
    /// if there is none.
    pub signal_to_noise: Option<f64>,
}

/// Sends `codes` there and back.
///
/// # Errors
/// Whatever the codec fails with.
pub fn there_and_back(engine: &Arc<Engine>, codes: &Codes) -> Result<Trip, GenerateError> {
    let audio = encodec::decode(engine, codes)?;
    let back = encodec::encode(engine, &audio)?;
    let again = encodec::decode(engine, &back)?;
    let same = |(row, other): (&Vec<u16>, &Vec<u16>)| {
        let same = row.iter().zip(other).filter(|(a, b)| a == b).count();
        same as f64 / row.len().max(1) as f64
    };
    let shares: Vec<f64> = codes.rows().iter().zip(back.rows()).map(same).collect();
    let energy = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let signal = energy(&mut audio.iter().map(|&sample| f64::from(sample)));
    let noise = energy(&mut audio.iter().zip(&again).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    Ok(Trip {
        first_codebook: shares.first().copied().unwrap_or(0.0),
        codes: shares.iter().sum::<f64>() / shares.len().max(1) as f64,
        signal_to_noise: (noise > 0.0 && signal > 0.0).then(|| 10.0 * (signal / noise).log10()),
    })
}
