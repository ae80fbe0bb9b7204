//! Mel spectrograms as PNG.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::lab::LabError;
use crate::lab::clips::Sound;
use crate::lab::judge::Spectrograph;

/// Bels of the darkest colour; 0 is the brightest.
const FLOOR: f32 = -8.0;
/// Colours from nothing to full scale, evenly spaced.
const COLOURS: [[f32; 3]; 5] = [
    [13.0, 8.0, 35.0],
    [85.0, 20.0, 110.0],
    [190.0, 55.0, 85.0],
    [245.0, 140.0, 50.0],
    [252.0, 250.0, 190.0],
];

/// A `data:` address of the picture of a clip: time to the right, frequency upwards.
///
/// # Errors
/// [`LabError::Request`] for a clip that is too long to draw.
pub(super) fn address(sound: &Sound) -> Result<String, LabError> {
    let (values, bands) = Spectrograph::decibels(sound.sample_rate).picture(&sound.mono);
    let frames = values.len() / bands;
    let mut pixels = Vec::with_capacity(values.len() * 3);
    for band in (0..bands).rev() {
        for frame in 0..frames {
            pixels.extend(colour(1.0 - values[frame * bands + band] / FLOOR));
        }
    }
    let mut bytes = Vec::new();
    let [width, height] = [frames, bands].map(|length| u32::try_from(length).unwrap_or(u32::MAX));
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
    written.map_err(|error| LabError::request(format!("a spectrogram cannot be drawn: {error}")))?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(bytes)))
}

/// The colour of a level, 0 to 1.
fn colour(level: f32) -> [u8; 3] {
    let place = level.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f32;
    let below = (place as usize).min(COLOURS.len() - 2);
    let share = place - below as f32;
    std::array::from_fn(|part| {
        (COLOURS[below][part] * (1.0 - share) + COLOURS[below + 1][part] * share).round() as u8
    })
}

/// A `data:` address of a clip as WAV, 16 bits, its channels mixed.
///
/// # Errors
/// [`LabError::Request`] for a clip that is too long.
pub(super) fn audio(sound: &Sound) -> Result<String, LabError> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: sound.sample_rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut write = || -> Result<(), hound::Error> {
        let mut writer = hound::WavWriter::new(&mut bytes, spec)?;
        for sample in &sound.mono {
            writer.write_sample((sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16)?;
        }
        writer.finalize()
    };
    write().map_err(|error| LabError::request(format!("a clip cannot be put into the page: {error}")))?;
    Ok(format!("data:audio/wav;base64,{}", STANDARD.encode(bytes.into_inner())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_go_from_dark_to_bright() {
        assert_eq!(colour(-1.0), [13, 8, 35]);
        assert_eq!(colour(0.5), [190, 55, 85]);
        assert_eq!(colour(2.0), [252, 250, 190]);
    }

    #[test]
    fn a_tone_is_a_bright_row_of_the_picture_and_sounds_as_it_is() {
        let mono: Vec<f32> = (0..8_000).map(|time| (time as f32 * 0.3).sin() * 0.5).collect();
        let sound = Sound { audio: mono.clone(), mono: mono.clone(), sample_rate: 8_000 };
        let bytes = STANDARD.decode(address(&sound).unwrap().rsplit(',').next().unwrap()).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let row =
            |row: usize| pixels[row * info.line_size..][..info.line_size].iter().map(|&p| u64::from(p)).sum();
        let light: Vec<u64> = (0..info.height as usize).map(row).collect();
        let brightest = (0..light.len()).max_by_key(|&row| light[row]).unwrap();
        // 382 of 4,000 Hz, from the top.
        assert!((22..32).contains(&brightest), "{light:?}");
        let wav = STANDARD.decode(audio(&sound).unwrap().rsplit(',').next().unwrap()).unwrap();
        let heard = crate::wav::samples(hound::WavReader::new(std::io::Cursor::new(wav)).unwrap()).unwrap();
        assert!(heard.iter().zip(&mono).all(|(a, b)| (a - b).abs() < 1e-3) && heard.len() == mono.len());
    }
}
