//! What processes have used, as Linux tells.

use std::fs;

/// Returns the CPU seconds of this process, all threads.
pub(crate) fn cpu_seconds() -> f64 {
    // utime and stime.
    stat_seconds("self", [11, 12])
}

/// Returns the CPU seconds of the processes that this one has started and waited for.
pub(crate) fn children_cpu_seconds() -> f64 {
    // cutime and cstime.
    stat_seconds("self", [13, 14])
}

/// Returns the CPU seconds of another process, all threads.
pub(crate) fn cpu_seconds_of(pid: u32) -> f64 {
    stat_seconds(&pid.to_string(), [11, 12])
}

/// Returns the resident memory of another process, in MiB.
pub(crate) fn resident_mib_of(pid: u32) -> f64 {
    memory_mib(&pid.to_string(), "VmRSS:")
}

/// Returns the name of a process; empty if there is none.
pub(crate) fn name_of(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

/// Adds fields of `/proc/PID/stat`, counted from behind the name: hundredths of a second on every Linux that we know.
fn stat_seconds(pid: &str, fields: [usize; 2]) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let field = |place: usize| after_name.split_whitespace().nth(place).and_then(|text| text.parse::<f64>().ok());
    fields.map(|place| field(place).unwrap_or_default()).iter().sum::<f64>() / 100.0
}

/// Returns the largest resident memory of this process so far, in MiB.
pub(crate) fn peak_mib() -> f64 {
    memory_mib("self", "VmHWM:")
}

fn memory_mib(pid: &str, key: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// Returns the CPU seconds of this thread, to the nanosecond.
pub(crate) fn thread_cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or_default() / 1e9
}
