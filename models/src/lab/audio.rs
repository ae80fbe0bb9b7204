//! Audio files as the model reads them: of any common format, at any sample rate.
//!
//! WAV, AIFF, FLAC, MP3, Ogg Vorbis, and AAC or ALAC in MP4, by Symphonia. Channels are mixed down or repeated to as many
//! as the model has, and converted to its sample rate while they are decoded, so that a long file takes no more memory
//! than what it becomes. Judges hear one channel at the file's own rate.

use std::io::Cursor;
use std::path::Path;

use sha2::{Digest, Sha256};
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use super::LabError;
use crate::bundle::{Bundle, Codec};
use crate::musicgen::{ChromaExtractor, Melody};
use crate::resample::Resampler;

/// How the names of the files end that are taken for audio.
pub const EXTENSIONS: [&str; 11] =
    ["aac", "aif", "aifc", "aiff", "flac", "m4a", "mp3", "mp4", "oga", "ogg", "wav"];

/// One packet in so many may be damaged; decoders stumble over the first one of an MP3 that was cut out of another.
const DAMAGED: usize = 10;

/// What is in a file.
pub struct Sound {
    /// 63 bits of the file's SHA-256.
    pub hash: i64,
    /// Samples at the model's rate, channels interleaved, full scale 1.
    pub samples: Vec<f32>,
}

/// Whether a file's name ends like that of audio.
pub fn is_audio(path: &Path) -> bool {
    let end = path.extension().and_then(|end| end.to_str());
    end.is_some_and(|end| EXTENSIONS.iter().any(|known| end.eq_ignore_ascii_case(known)))
}

/// 63 bits of a hash: a number for a track that is the same in every run and file.
pub fn number(bytes: impl AsRef<[u8]>) -> i64 {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    i64::from_le_bytes(std::array::from_fn(|index| hash[index])) & i64::MAX
}

/// Reads a file for a codec, or says why it is of no use.
pub fn read(path: &Path, codec: &Codec) -> Result<Sound, String> {
    of_bytes(std::fs::read(path).map_err(|error| error.to_string())?, path, codec)
}

/// Takes the bytes of a file for a codec; the name is a hint at the format. Or says why they are of no use.
pub fn of_bytes(bytes: Vec<u8>, path: &Path, codec: &Codec) -> Result<Sound, String> {
    let hash = number(&bytes);
    let (samples, _) = decode(bytes, path, Some(codec.sample_rate), codec.channels)?;
    Ok(Sound { hash, samples })
}

/// A file of any common format as a bundle's codec takes it: at its sample rate, its channels interleaved, full scale 1.
///
/// # Errors
/// [`LabError::File`] for what cannot be read, is no audio, or holds samples that are no numbers.
pub fn sound_of(path: &Path, bundle: &Bundle) -> Result<Vec<f32>, LabError> {
    let sound = read(path, &bundle.architecture().codec);
    let refused = |reason| LabError::File { file: path.display().to_string(), reason };
    sound.map(|sound| sound.samples).map_err(refused)
}

/// The melody of a file of any common format, as the bundle's model hears it.
///
/// # Errors
/// [`LabError::File`] for what cannot be read, is no audio or too long, and if the model hears no melodies.
pub fn melody_of(path: &Path, bundle: &Bundle) -> Result<Melody, LabError> {
    let hear = || {
        let chroma = bundle.architecture().hearing().map_err(|error| error.to_string())?;
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        let (samples, _) = decode(bytes, path, Some(chroma.sample_rate), 1)?;
        ChromaExtractor::new(chroma).melody(&samples).map_err(|error| error.to_string())
    };
    hear().map_err(|reason| LabError::File { file: path.display().to_string(), reason })
}

/// A file of any common format as one channel, and its own sample rate in Hz.
///
/// # Errors
/// [`LabError::Read`], and [`LabError::File`] for what is no audio.
pub fn listen(path: &Path) -> Result<(Vec<f32>, u32), LabError> {
    let bytes = std::fs::read(path).map_err(|source| LabError::Read { path: path.to_owned(), source })?;
    decode(bytes, path, None, 1).map_err(|reason| LabError::File { file: path.display().to_string(), reason })
}

/// The samples at `rate`, by default the file's own, which is told; `channels` interleaved. The name is a hint at the
/// format.
fn decode(
    bytes: Vec<u8>,
    path: &Path,
    rate: Option<u32>,
    channels: usize,
) -> Result<(Vec<f32>, u32), String> {
    let unreadable = |error: Error| format!("it cannot be read as audio: {error}");
    let mut hint = Hint::new();
    if let Some(end) = path.extension().and_then(|end| end.to_str()) {
        hint.with_extension(end);
    }
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), MediaSourceStreamOptions::default());
    let mut format = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(unreadable)?;
    let track = format.default_track(TrackType::Audio).ok_or("it has no audio")?;
    let id = track.id;
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters.ok_or("it has no audio")?, &AudioDecoderOptions::default())
        .map_err(unreadable)?;

    let mut samples = Vec::new();
    let mut interleaved: Vec<f32> = Vec::new();
    let mut resampler: Option<(u32, Resampler)> = None;
    let mut frames = 0_u64;
    let (mut packets, mut damaged) = (0_usize, 0_usize);
    while let Some(packet) = format.next_packet().map_err(unreadable)? {
        if packet.track_id != id {
            continue;
        }
        packets += 1;
        let buffer = match decoder.decode(&packet) {
            Ok(buffer) => buffer,
            Err(Error::DecodeError(_)) => {
                damaged += 1;
                continue;
            }
            Err(error) => return Err(unreadable(error)),
        };
        let (from, found) = (buffer.spec().rate(), buffer.spec().channels().count());
        buffer.copy_to_vec_interleaved(&mut interleaved);
        let (known, resampler) = match &mut resampler {
            Some(resampler) => resampler,
            none => none.insert((from, Resampler::new(from, rate.unwrap_or(from), channels)?)),
        };
        if *known != from {
            return Err("its sample rate changes on the way".to_owned());
        }
        frames += buffer.frames() as u64;
        interleave(&resampler.push(mixed(&interleaved, found, channels))?, &mut samples);
    }
    if damaged * DAMAGED > packets {
        return Err(format!("{damaged} of its {packets} packets are damaged"));
    }
    let (from, resampler) = resampler.ok_or("it has no audio")?;
    let rate = rate.unwrap_or(from);
    interleave(&resampler.finish()?, &mut samples);
    // Without the filter's tail.
    let whole = (frames * u64::from(rate)).div_ceil(u64::from(from));
    samples.truncate(usize::try_from(whole).unwrap_or(usize::MAX).saturating_mul(channels));
    if samples.iter().any(|sample| !sample.is_finite()) {
        return Err("it has samples that are no finite numbers".to_owned());
    }
    Ok((samples, rate))
}

/// The samples of each of `wanted` channels: as they are, or the mean of all in each.
fn mixed(interleaved: &[f32], found: usize, wanted: usize) -> Vec<Vec<f32>> {
    let frames = || interleaved.chunks_exact(found.max(1));
    if found == wanted {
        return (0..wanted).map(|channel| frames().map(|frame| frame[channel]).collect()).collect();
    }
    vec![frames().map(|frame| frame.iter().sum::<f32>() / found as f32).collect(); wanted]
}

fn interleave(channels: &[Vec<f32>], out: &mut Vec<f32>) {
    let frames = channels.first().map_or(0, Vec::len);
    out.extend((0..frames).flat_map(|frame| channels.iter().map(move |channel| channel[frame])));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> (std::path::PathBuf, Vec<u8>) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/audio").join(name);
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    }

    #[test]
    fn a_tone_is_the_same_in_every_format_and_at_every_rate() {
        for name in ["tone.aiff", "tone.flac", "tone.mp3", "tone.ogg"] {
            for rate in [16_000_u32, 22_050, 32_000] {
                let (path, bytes) = file(name);
                assert!(is_audio(&path));
                let (samples, _) = decode(bytes, &path, Some(rate), 1).unwrap();
                let seconds = samples.len() as f64 / f64::from(rate);
                assert!((0.49..0.6).contains(&seconds), "{name}: {seconds} s");
                let middle = &samples[rate as usize / 10..rate as usize * 4 / 10];
                let power = middle.iter().map(|sample| sample * sample).sum::<f32>() / middle.len() as f32;
                assert!((power - 0.125).abs() < 0.01, "{name} at {rate}: {power}");
                let upward = middle.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
                assert!((131..=133).contains(&upward), "{name} at {rate}: {upward} periods in 0.3 s");
            }
        }
    }

    #[test]
    fn what_is_listened_to_keeps_its_own_rate() {
        let (samples, rate) = listen(&file("tone.flac").0).unwrap();
        let seconds = samples.len() as f64 / f64::from(rate);
        assert!(rate >= 22_050 && (0.49..0.51).contains(&seconds), "{seconds} s at {rate} Hz");
        assert!(
            listen(Path::new("nowhere.wav")).unwrap_err().to_string().contains("cannot read nowhere.wav")
        );
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(listen(&manifest).unwrap_err().to_string().contains("Cargo.toml cannot be used: it cannot"));
    }

    #[test]
    fn what_is_no_audio_is_refused_in_a_sentence() {
        let refused = |bytes: &[u8]| decode(bytes.to_vec(), Path::new("a.mp3"), None, 1).unwrap_err();
        assert!(refused(b"").contains("cannot be read"));
        assert!(refused(b"no audio at all, but words; more and more words").contains("cannot be read"));
    }

    #[test]
    fn channels_are_mixed_down_or_repeated() {
        assert_eq!(mixed(&[1.0, 0.0, 0.5, 0.5], 2, 1), [[0.5, 0.5]]);
        assert_eq!(mixed(&[1.0, -1.0], 1, 2), [[1.0, -1.0], [1.0, -1.0]]);
        assert_eq!(mixed(&[1.0, 2.0], 2, 2), [[1.0], [2.0]]);
        let mut out = Vec::new();
        interleave(&[vec![1.0, 2.0], vec![3.0, 4.0]], &mut out);
        assert_eq!(out, [1.0, 3.0, 2.0, 4.0]);
    }
}
