//! What comes into a block.

use super::Player;
use crate::audio::Block;
use crate::listening::Sidechain;

impl Player {
    /// Takes in what came into the sidechain during a block of `length` samples, left and right, where the instance listens,
    /// and calls `wake` when there is a recording for the renderer. Nothing that sounds depends on it. Wait-free.
    pub fn hear(&mut self, block: &Block, channels: [&[f32]; 2], length: usize, wake: impl Fn()) {
        let rolls = block.host.playing || block.without_transport();
        let sidechain = Sidechain { channels, length, sample_rate: self.sample_rate, rolls };
        if self.ear.hear(&self.instance.listening, sidechain) {
            wake();
        }
    }
}
