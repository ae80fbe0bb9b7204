//! One entry's file: a header of 92 bytes, then the samples.
//!
//! ```text
//!  0  "TILLERAU"
//!  8  version, u32
//! 12  samples a second, u32
//! 16  channels, u32
//! 20  samples of a channel, u64
//! 28  key, 32 bytes
//! 60  SHA-256 of everything else, 32 bytes
//! 92  samples, f32, channel after channel
//! ```
//!
//! Numbers are little-endian. Samples are kept as they were decoded, to the bit.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Key;
use crate::renderer::studio::Audio;

const MAGIC: &[u8; 8] = b"TILLERAU";
/// Of this layout. Entries of another version are damaged ones.
const VERSION: u32 = 1;
/// Where the checksum is in the header.
const CHECKSUM: usize = 60;
/// Length of the header.
const HEADER: usize = CHECKSUM + 32;

/// Why an entry gives no audio.
#[derive(Debug)]
pub enum Unread {
    /// It is not there.
    Missing,
    /// It is not what was written.
    Damaged,
    /// The system does not let it be read.
    Failed(io::Error),
}

/// An entry's file, whole.
pub fn bytes(key: &Key, audio: &Audio) -> Vec<u8> {
    let samples = audio.channels.first().map_or(0, Vec::len);
    let mut bytes = Vec::with_capacity(HEADER + 4 * samples * audio.channels.len());
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(audio.sample_rate.to_le_bytes());
    bytes.extend((audio.channels.len() as u32).to_le_bytes());
    bytes.extend((samples as u64).to_le_bytes());
    bytes.extend(key.bytes());
    bytes.extend([0; 32]);
    bytes.extend(audio.channels.iter().flatten().flat_map(|sample| sample.to_le_bytes()));
    let checksum = checksum(&bytes[..HEADER], &bytes[HEADER..]);
    bytes[CHECKSUM..HEADER].copy_from_slice(&checksum);
    bytes
}

/// Reads the entry of `key` at `path`.
pub fn read(path: &Path, key: &Key) -> Result<Audio, Unread> {
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Unread::Missing,
        _ => Unread::Failed(error),
    })?;
    let length = file.metadata().map_err(Unread::Failed)?.len();
    let mut header = [0; HEADER];
    file.read_exact(&mut header).map_err(cut_short)?;
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (rate, channels) = (number(12), u64::from(number(16)));
    let samples = u64::from(number(20)) | u64::from(number(24)) << 32;
    // The size is checked before it is allocated.
    let size = samples.checked_mul(channels).and_then(|count| count.checked_mul(4));
    let expected = size.and_then(|size| size.checked_add(HEADER as u64));
    let sound = header.starts_with(MAGIC)
        && number(8) == VERSION
        && header[28..CHECKSUM] == *key.bytes()
        && expected == Some(length)
        && samples > 0
        && channels > 0
        && rate > 0;
    if !sound {
        return Err(Unread::Damaged);
    }
    let mut bytes = vec![0; length as usize - HEADER];
    file.read_exact(&mut bytes).map_err(cut_short)?;
    if header[CHECKSUM..] != checksum(&header, &bytes) {
        return Err(Unread::Damaged);
    }
    let sample = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let planar = bytes.chunks_exact(4 * samples as usize);
    let channels = planar.map(|channel| channel.chunks_exact(4).map(sample).collect()).collect();
    Ok(Audio { sample_rate: rate, channels })
}

fn cut_short(error: io::Error) -> Unread {
    if error.kind() == io::ErrorKind::UnexpectedEof { Unread::Damaged } else { Unread::Failed(error) }
}

/// Of all but the checksum itself.
fn checksum(header: &[u8], samples: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(&header[..CHECKSUM]);
    hash.update(samples);
    hash.finalize().into()
}
