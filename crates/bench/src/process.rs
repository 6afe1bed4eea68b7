//! What this process has used, as Linux tells.

use std::fs;

/// Returns the CPU seconds of this process, all threads.
pub(crate) fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let field = |place: usize| after_name.split_whitespace().nth(place).and_then(|text| text.parse::<f64>().ok());
    // utime and stime, in hundredths of a second on every Linux that we know.
    (field(11).unwrap_or_default() + field(12).unwrap_or_default()) / 100.0
}

/// Returns the largest resident memory of this process so far, in MiB.
pub(crate) fn peak_mib() -> f64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}
