//! EnCodec: tokens to audio, while they come, and audio to tokens.
//!
//! [`StreamDecoder`] decodes frames as they are finished; [`decode`] a whole take through the same steps, so that the
//! two give the same bits.

mod encode;
mod stream;

pub use encode::encode;
pub use stream::{CHUNK_FRAMES, REVISION, StreamDecoder, decode, decode_unless};
