//! What happens inside `process()`: finished audio is mixed where the song is. This is the bounce contract.
//!
//! Rules, each held by a test:
//! 1. **Real time.** Nothing here allocates, locks or frees. Timelines arrive through a triple buffer whose old values the
//!    writing side drops; audio grows in place ([`Rendition`]).
//! 2. **Live, nothing waits.** Audio that is due and not there yet is silence, and a miss.
//! 3. **Offline, due audio is waited for** ([`patience`]), and so is the renderer's answer to a project that was just
//!    restored or a Generate that was just pressed. Offline is what the host flags: CLAP's render extension at activation;
//!    VST3's process mode at `setupProcessing()` and with every block. A host that flags nothing is known by its lead over
//!    real time ([`lead`]), and then waited with for less than that lead: a live host, which has that much in store, could
//!    not be late even if it were mistaken for a bounce. What such a bounce fetches before it is known is missed if it is
//!    not ready. The setting [`Wait`](crate::state::Wait) overrules: always, or never.
//! 4. **Waiting ends** when the audio is there, when its take is cancelled, removed or fails, when the host stops or drops
//!    the instance, and when nothing has moved for the project's `patience_seconds`; once that has happened, nothing is
//!    waited for until something moves again. While it lasts no lock is held, so state can be saved and restored from any
//!    thread. (What a framework's wrapper holds around `process()` is its own: see `vst3`.)
//! 5. **A miss is never silent.** It is counted and located ([`Misses`]), shown in the window and logged, also where the
//!    take was not yet known to the audio thread when it was due ([`unanswered`]).
//! 6. **The same project bounces to the same bytes**, again, in other blocks, in another process: what sounds is a function
//!    of the song's position ([`timeline`](crate::timeline)), and nothing is mixed that depends on what was heard before.
//! 7. **With a look-ahead** ([`ahead`]), all of this holds for what is heard: what the song played a latency ago. The
//!    strengths of a block act on the audio of its own place, which is due only a latency later.
//! 8. **Blocks that come late** while the host plays live are noticed ([`strain`]), and the renderer rests.

mod ahead;
mod block;
mod lead;
mod misses;
mod patience;
mod player;
mod rendition;
mod strain;
mod unanswered;
mod voices;
mod watch;

pub use block::{Block, Note};
pub use misses::{Misses, located};
pub use player::Player;
pub use rendition::{Rendition, RenditionWriter, Stand};
pub use watch::Watch;
