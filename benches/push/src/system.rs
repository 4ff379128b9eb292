//! What the system knows of a process.

use std::fs;

/// Ticks of the CPU clock per second, as Linux reports them to programs.
const TICKS: f64 = 100.0;

/// Memory in MB (2^20 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) resident: f64,
    /// The most that was resident.
    pub(crate) peak: f64,
}

/// Memory of a process; zero if there is none.
pub(crate) fn memory(process: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    Memory {
        resident: megabytes(&status, "VmRSS:"),
        peak: megabytes(&status, "VmHWM:"),
    }
}

/// CPU seconds that a process has used in user and kernel mode; zero if there is none.
pub(crate) fn cpu_seconds(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    ticks(&stat) / TICKS
}

/// CPUs that this process may use.
pub(crate) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn megabytes(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1024.0
}

/// The name of the program may hold anything, so fields are counted from behind it.
fn ticks(stat: &str) -> f64 {
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let times = rest.split_whitespace().skip(11).take(2);
    times.filter_map(|ticks| ticks.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_understood() {
        let status = "Name:\tx\nVmHWM:\t    4096 kB\nVmRSS:\t  2048 kB\n";
        assert_eq!(megabytes(status, "VmRSS:"), 2.0);
        assert_eq!(megabytes(status, "VmHWM:"), 4.0);
        let stat = "1 (a) b) S 2 3 4 5 6 7 8 9 10 11 150 50 0 0 20";
        assert_eq!(ticks(stat), 200.0);
        assert!(memory(std::process::id()).resident > 0.0);
    }
}
