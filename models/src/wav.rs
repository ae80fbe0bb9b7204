//! Samples of WAV files as numbers.

use std::io::Read;

use hound::{SampleFormat, WavReader};

/// All samples of a file, channels interleaved, full scale 1.
///
/// # Errors
/// What `hound` says of a damaged file.
pub fn samples<R: Read>(reader: WavReader<R>) -> Result<Vec<f32>, hound::Error> {
    let spec = reader.spec();
    match spec.sample_format {
        SampleFormat::Float => reader.into_samples::<f32>().collect(),
        SampleFormat::Int => {
            let full_scale = 2.0_f32.powi(i32::from(spec.bits_per_sample) - 1);
            reader.into_samples::<i32>().map(|sample| Ok(sample? as f32 / full_scale)).collect()
        }
    }
}
