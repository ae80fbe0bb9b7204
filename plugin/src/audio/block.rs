//! What one call of `process()` is about, free of the framework's types.

use crate::params::SLOTS;
use crate::timeline::Landing;

/// One block as the host asks for it.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    /// Position of the first sample in the song; `None` from hosts without a transport.
    pub position: Option<i64>,
    /// Tempo, bars and whether the song plays.
    pub host: Landing,
    /// Whether the host renders offline: due audio is waited for.
    pub offline: bool,
    /// The slots' strengths.
    pub strengths: [f32; SLOTS],
}

impl Block {
    /// Position of the first sample in the song, if that plays.
    #[must_use]
    pub fn rolling(&self) -> Option<i64> {
        self.position.filter(|_| self.host.playing)
    }

    /// Whether the host has no transport at all: then takes are started by Generate and by notes alone.
    #[must_use]
    pub fn without_transport(&self) -> bool {
        self.position.is_none() && self.host.tempo.is_none() && !self.host.playing
    }
}

/// A note's start or end within a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Note {
    /// A key goes down.
    On {
        /// Sample in the block.
        at: usize,
        /// Key and channel, to find the end that belongs to it.
        id: u16,
        /// 0 to 1.
        velocity: f32,
    },
    /// A key comes up.
    Off {
        /// Sample in the block.
        at: usize,
        /// Key and channel.
        id: u16,
    },
}

impl Note {
    /// Sample in the block.
    #[must_use]
    pub fn at(&self) -> usize {
        match *self {
            Self::On { at, .. } | Self::Off { at, .. } => at,
        }
    }
}
