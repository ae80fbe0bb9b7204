//! Threads that give way to a host's audio.
//!
//! On Linux they get a niceness of 9, under which the usual scheduler gives a normal thread seven times as much of a
//! contended core; on Windows the priority below normal; on macOS 25 of 15 to 47, where 31 is normal. Threads that a
//! host runs in real time come before all of these in any case.

use std::thread::{self, JoinHandle};

use ort::environment::ThreadManager;
use thread_priority::{ThreadPriority, ThreadPriorityValue};

/// Below normal, of 0 to 99 with normal about 50.
const LOW: u8 = 25;

/// Lowers the priority of the calling thread, for good: raising it again takes privileges on some systems. Where the
/// system does not allow it, it stays as it is.
pub fn give_way() {
    if let Err(error) = lower() {
        tracing::debug!(error, "a thread's priority could not be lowered");
    }
}

fn lower() -> Result<(), String> {
    let priority = ThreadPriority::Crossplatform(ThreadPriorityValue::try_from(LOW)?);
    #[cfg(unix)]
    {
        use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};
        use thread_priority::{set_thread_priority_and_policy, thread_native_id};
        // The policy as well: a thread inherits it, and whoever started this one may have been real-time.
        let normal = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
        set_thread_priority_and_policy(thread_native_id(), priority, normal)
            .map_err(|error| format!("{error:?}"))
    }
    #[cfg(not(unix))]
    thread_priority::set_current_thread_priority(priority).map_err(|error| format!("{error:?}"))
}

/// Makes ONNX Runtime's threads give way.
pub(super) struct Background;

impl ThreadManager for Background {
    type Thread = JoinHandle<()>;

    fn create(&self, work: impl FnOnce() + Send + 'static) -> ort::Result<JoinHandle<()>> {
        let thread = thread::Builder::new().name("tiller-onnx".to_owned()).spawn(move || {
            give_way();
            work();
        });
        thread.map_err(|error| ort::Error::new(error.to_string()))
    }

    fn join(thread: JoinHandle<()>) -> ort::Result<()> {
        thread.join().map_err(|_| ort::Error::new("a thread of ONNX Runtime panicked"))
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_gives_way_is_nicer_than_its_process_and_others_are_not() {
        // Field 19 of /proc/thread-self/stat; the second, a name in parentheses, may hold spaces.
        let niceness = || -> i32 {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let after = stat.rsplit_once(')').unwrap().1;
            after.split_whitespace().nth(16).unwrap().parse().unwrap()
        };
        let before = niceness();
        let inside = thread::spawn(move || {
            give_way();
            niceness()
        });
        // Tests may run nicer than that already, and then nothing can be asked of the system.
        assert!(inside.join().unwrap() >= 9);
        assert_eq!(niceness(), before);
    }
}
