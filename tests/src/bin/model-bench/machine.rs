//! On what was measured, and whether something else was running there.

use serde_json::{Value, json};
use std::fs::read_to_string;

/// The processor, its cores, how its clock is governed, and memory; a field is null where the system does not say.
pub fn describe() -> Value {
    let processor = read_to_string("/proc/cpuinfo").ok().and_then(|text| field(&text, "model name", ':'));
    let memory = read_to_string("/proc/meminfo").ok().and_then(|text| field(&text, "MemTotal", ':'));
    let governor = read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").ok();
    json!({
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "processor": processor,
        "cores": cores(),
        "governor": governor.map(|text| text.trim().to_owned()),
        "memory": memory,
    })
}

/// Programs that ran or waited to run, on average over the last minute.
pub fn load() -> Option<f64> {
    read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// A sentence if a tenth of the machine or more is busy already.
pub fn warning(load: Option<f64>) -> Option<String> {
    let (load, cores) = (load?, cores()?);
    (load > 0.1 * cores as f64).then(|| {
        format!(
            "the machine is busy (load {load:.1} on {cores} cores): ratios hold, for all are disturbed alike, but \
             times are too long. Stop what runs and measure again for times to publish"
        )
    })
}

fn cores() -> Option<usize> {
    std::thread::available_parallelism().ok().map(usize::from)
}

fn field(text: &str, name: &str, separator: char) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_once(separator)?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_warned_of_and_an_idle_one_is_not() {
        let cores = cores().unwrap() as f64;
        assert!(warning(Some(cores)).unwrap().contains("busy"));
        assert_eq!(warning(Some(0.0)), None);
        assert_eq!(warning(None), None);
    }

    #[test]
    fn a_field_is_what_stands_behind_its_separator() {
        assert_eq!(field("a : 1\nmodel name\t: EPYC\n", "model name", ':').as_deref(), Some("EPYC"));
        assert_eq!(field("a : 1\n", "model name", ':'), None);
    }
}
