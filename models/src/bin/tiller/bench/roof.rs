//! How fast memory can be read: the roof over a decoder step, which reads every weight once.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Instant;

use super::Fallible;

/// Passes, of which the fastest counts: a roof is what is reached undisturbed.
const PASSES: usize = 4;

/// Bytes a second that `threads` threads read together when they pass over `bytes`: those of memory if that is several times
/// what the caches hold.
///
/// # Errors
/// A system that starts no thread.
pub(super) fn read_bandwidth(bytes: usize, threads: NonZeroUsize) -> Fallible<f64> {
    // Two buffers that are found to be equal: the C library compares them with the widest loads there are, whatever this
    // program was built with. Ones, because the system would lend one page for all zeros.
    let one = vec![1_u8; bytes / 2];
    let other = one.clone();
    let part = one.len().div_ceil(threads.get());
    let mut fastest = f64::INFINITY;
    for _ in 0..PASSES {
        let started = Instant::now();
        let equal = thread::scope(|scope| {
            let parts = one.chunks(part).zip(other.chunks(part));
            let running: Vec<_> =
                parts.map(|(one, other)| scope.spawn(move || std::hint::black_box(one) == other)).collect();
            running.into_iter().all(|thread| thread.join().unwrap_or(false))
        });
        if !equal {
            return Err("memory could not be read: a thread did not finish".into());
        }
        fastest = fastest.min(started.elapsed().as_secs_f64());
    }
    Ok((one.len() + other.len()) as f64 / fastest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_takes_a_plausible_time() {
        let bandwidth = read_bandwidth(8 << 20, NonZeroUsize::MIN).unwrap();
        assert!((1e7..1e13).contains(&bandwidth), "{bandwidth}");
    }
}
