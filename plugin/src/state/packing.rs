//! Numbers as text: base64 over a zlib stream, of all their low bytes and then all their high bytes, which is what the
//! stream makes smallest.
//!
//! 30 s of four codebooks at 50 Hz are 11 kB, as near to the 11 bits of a token as it gets, and Python reads them with
//! its own library.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};
use serde::{Deserialize, Serialize};
use tiller_models::codes::Codes;

/// Bytes that nothing unpacks to more than: an hour of sixteen codebooks at 75 Hz and more. A few bytes of damage can
/// ask for any amount.
const MOST_BYTES: usize = 16 << 20;

/// Numbers as text.
pub(super) fn pack(numbers: &[u16]) -> String {
    let low = numbers.iter().map(|number| number.to_le_bytes()[0]);
    let high = numbers.iter().map(|number| number.to_le_bytes()[1]);
    let bytes: Vec<u8> = low.chain(high).collect();
    let mut stream = ZlibEncoder::new(Vec::new(), Compression::default());
    match stream.write_all(&bytes).and_then(|()| stream.finish()) {
        Ok(packed) => STANDARD.encode(packed),
        Err(error) => unreachable!("writing to memory failed: {error}"),
    }
}

/// The numbers of a text.
///
/// # Errors
/// What is wrong with it.
pub(super) fn unpack(text: &str) -> Result<Vec<u16>, String> {
    let packed = STANDARD.decode(text).map_err(|error| format!("it is not base64: {error}"))?;
    let bytes = inflate(&packed)?;
    if !bytes.len().is_multiple_of(2) {
        return Err("it ends in half a number".into());
    }
    let (low, high) = bytes.split_at(bytes.len() / 2);
    Ok(low.iter().zip(high).map(|(&low, &high)| u16::from_le_bytes([low, high])).collect())
}

/// The bytes of a whole zlib stream, checked by its own checksum.
fn inflate(packed: &[u8]) -> Result<Vec<u8>, String> {
    let mut stream = Decompress::new(true);
    let mut bytes = Vec::with_capacity(packed.len().saturating_mul(4).clamp(64, MOST_BYTES));
    loop {
        let (read, had) = (stream.total_in() as usize, bytes.len());
        let status = stream
            .decompress_vec(&packed[read..], &mut bytes, FlushDecompress::None)
            .map_err(|error| format!("it is not a zlib stream: {error}"))?;
        if status == Status::StreamEnd {
            return Ok(bytes);
        }
        if bytes.len() < bytes.capacity() && (stream.total_in() as usize, bytes.len()) == (read, had) {
            return Err("it is a zlib stream cut short".into());
        }
        if bytes.len() >= MOST_BYTES {
            return Err(format!("it holds more than {MOST_BYTES} bytes, which no take needs"));
        }
        bytes.reserve(bytes.len());
    }
}

/// [`Codes`] that serialise as `{"codebooks": K, "frames": N, "packed": text}`, codebook after codebook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct PackedCodes(Codes);

#[derive(Clone, Serialize, Deserialize)]
struct Written {
    codebooks: usize,
    frames: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packed: Option<String>,
    /// What schema 1 wrote: base64 over little-endian 16-bit numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

impl PackedCodes {
    /// The codes.
    #[must_use]
    pub fn codes(&self) -> &Codes {
        &self.0
    }
}

impl From<Codes> for PackedCodes {
    fn from(codes: Codes) -> Self {
        Self(codes)
    }
}

impl From<PackedCodes> for Written {
    fn from(PackedCodes(codes): PackedCodes) -> Self {
        let numbers: Vec<u16> = codes.rows().iter().flatten().copied().collect();
        Self {
            codebooks: codes.codebooks(),
            frames: codes.frames(),
            packed: Some(pack(&numbers)),
            data: None,
        }
    }
}

impl TryFrom<Written> for PackedCodes {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { codebooks, frames, packed, data } = written;
        let numbers = match (packed, data) {
            (Some(text), _) => {
                unpack(&text).map_err(|error| format!("the tokens cannot be read: {error}"))?
            }
            (None, Some(data)) => plain(&data)?,
            (None, None) => return Err("the tokens have no `packed`".into()),
        };
        if codebooks.checked_mul(frames) != Some(numbers.len()) || numbers.is_empty() {
            return Err(format!(
                "there are {} tokens where {codebooks} codebooks have {frames} frames",
                numbers.len()
            ));
        }
        let rows: Vec<_> = numbers.chunks_exact(frames).map(<[u16]>::to_vec).collect();
        Codes::try_from(rows).map(Self).map_err(|error| error.to_string())
    }
}

fn plain(data: &str) -> Result<Vec<u16>, String> {
    let bytes = STANDARD.decode(data).map_err(|error| format!("the tokens are not base64: {error}"))?;
    let (numbers, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err("the tokens end in half a number".into());
    }
    Ok(numbers.iter().map(|&number| u16::from_le_bytes(number)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_written_as_documented() {
        let codes = Codes::try_from(vec![vec![1, 256], vec![2, 3]]).unwrap();
        let text = serde_json::to_string(&PackedCodes::from(codes)).unwrap();
        let written: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&written["codebooks"], &written["frames"]), (&2.into(), &2.into()));
        let stream = STANDARD.decode(written["packed"].as_str().unwrap()).unwrap();
        assert_eq!(inflate(&stream).unwrap(), [1, 0, 2, 3, 0, 1, 0, 0]);
    }

    #[test]
    fn tokens_of_schema_1_and_of_scripts_are_read() {
        let read: PackedCodes =
            serde_json::from_str(r#"{"codebooks":2,"frames":2,"data":"AQAAAQIAAwA="}"#).unwrap();
        assert_eq!(read.codes().rows(), [[1, 256], [2, 3]]);
        let again = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<PackedCodes>(&again).unwrap(), read);
    }

    #[test]
    fn thirty_seconds_stay_small_whatever_the_tokens_are() {
        let token = |i: usize| (i.wrapping_mul(2_654_435_761) >> 16) as u16 % 2_048;
        let rows = (0..4).map(|k| (0..1_500).map(|frame| token(4 * frame + k)).collect());
        let codes = Codes::try_from(rows.collect::<Vec<_>>()).unwrap();
        let length = serde_json::to_string(&PackedCodes::from(codes)).unwrap().len();
        assert!(length < 11_500, "{length}");
    }

    #[test]
    fn wrong_sizes_and_damage_are_refused() {
        for (codebooks, frames) in [(2, 3), (0, 0), (usize::MAX, 2)] {
            let text = format!(r#"{{"codebooks":{codebooks},"frames":{frames},"data":"AQAAAQIAAwA="}}"#);
            let error = serde_json::from_str::<PackedCodes>(&text).unwrap_err().to_string();
            assert!(error.contains("there are 4 tokens"), "{error}");
        }
        for odd in [r#""packed":"AAAA""#, r#""packed":"!""#, r#""data":"AQAA""#, r#""other":1"#] {
            let text = format!(r#"{{"codebooks":1,"frames":1,{odd}}}"#);
            assert!(serde_json::from_str::<PackedCodes>(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_stream_cut_short_is_refused_wherever_it_is_cut() {
        let numbers: Vec<u16> = (0..500).map(|number| number * 131).collect();
        let whole = STANDARD.decode(pack(&numbers)).unwrap();
        for end in 0..whole.len() {
            assert!(inflate(&whole[..end]).is_err(), "{end}");
        }
        assert_eq!(unpack(&STANDARD.encode(whole)).unwrap(), numbers);
    }

    #[test]
    fn a_stream_that_unpacks_without_end_is_given_up() {
        let mut stream = ZlibEncoder::new(Vec::new(), Compression::best());
        let zeros = vec![0; 1 << 20];
        for _ in 0..20 {
            stream.write_all(&zeros).unwrap();
        }
        let error = unpack(&STANDARD.encode(stream.finish().unwrap())).unwrap_err();
        assert!(error.contains("which no take"), "{error}");
    }
}
