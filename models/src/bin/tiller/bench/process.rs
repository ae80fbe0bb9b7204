//! What the system says about this process; `None` where it does not say.

/// Memory in use, megabytes.
pub(super) fn resident_megabytes() -> Option<f64> {
    status("VmRSS:")
}

/// The most memory that was ever in use, megabytes.
pub(super) fn peak_megabytes() -> Option<f64> {
    status("VmHWM:")
}

fn status(field: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes / 1e3)
}

/// Processor time that the threads now alive have used, seconds.
pub(super) fn processor_seconds() -> Option<f64> {
    let mut nanoseconds = 0.0;
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        // Its first number. A thread that has ended meanwhile is left out.
        if let Ok(text) = std::fs::read_to_string(task.ok()?.path().join("schedstat")) {
            nanoseconds += text.split_whitespace().next()?.parse::<f64>().ok()?;
        }
    }
    Some(nanoseconds / 1e9)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_how_much_memory_and_time_was_used() {
        let filled = vec![1_u8; 8 << 20];
        // First what is held: other tests may fill more before the peak is read.
        let resident = resident_megabytes().unwrap();
        assert!(resident >= 8.0);
        assert!(peak_megabytes().unwrap() >= resident);
        let before = processor_seconds().unwrap();
        while processor_seconds().unwrap() - before < 0.01 {
            std::hint::black_box(filled.iter().map(|&byte| u64::from(byte)).sum::<u64>());
        }
    }
}
