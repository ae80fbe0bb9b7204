//! How the renderer gives way to the host's audio.
//!
//! Its thread and those of ONNX Runtime have a low priority ([`tiller_models::runtime::give_way`]) and leave a core free
//! ([`crate::preferences::Preferences::threads`]). Where that does not suffice, because the host's audio is not real-time
//! or the machine too busy, blocks come late; then the renderer rests between its steps until they have been in time for
//! a while. While anyone renders offline there is no audio to be in time for, and it does not.

use std::time::{Duration, Instant};

use crate::instance::Instance;

/// How long late blocks are minded.
pub(super) const MINDED: Duration = Duration::from_secs(2);
/// Rests are this many times as long as the step before.
const REST: u32 = 3;
/// Longest rest, so that presses and cancels are answered.
const LONGEST: Duration = Duration::from_millis(250);

/// How one host's audio is.
#[derive(Debug, Clone, Copy)]
pub(super) struct HostAudio {
    /// It renders offline.
    pub offline: bool,
    /// Blocks came late a short while ago.
    pub strained: bool,
}

impl HostAudio {
    /// That of an instance's host.
    pub fn of(instance: &Instance) -> Self {
        let strained = instance.strained_for(Instant::now()).is_some_and(|since| since < MINDED);
        Self { offline: instance.clock().offline, strained }
    }
}

/// How long to rest after a step that took `took`.
pub(super) fn pause(took: Duration, hosts: impl Iterator<Item = HostAudio>) -> Option<Duration> {
    let mut strained = false;
    for host in hosts {
        if host.offline {
            return None;
        }
        strained |= host.strained;
    }
    strained.then(|| (took * REST).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(10);

    fn after(hosts: &[(bool, bool)]) -> Option<Duration> {
        pause(STEP, hosts.iter().map(|&(offline, strained)| HostAudio { offline, strained }))
    }

    #[test]
    fn one_strained_host_is_enough_for_a_rest() {
        assert_eq!(after(&[(false, false), (false, true)]), Some(3 * STEP));
        assert_eq!(after(&[(false, false)]), None);
        assert_eq!(after(&[]), None);
    }

    #[test]
    fn nobody_rests_while_a_bounce_waits() {
        assert_eq!(after(&[(false, true), (true, false)]), None);
    }

    #[test]
    fn a_long_step_is_not_followed_by_an_endless_rest() {
        let host = HostAudio { offline: false, strained: true };
        assert_eq!(pause(Duration::from_secs(9), [host].into_iter()), Some(LONGEST));
    }
}
