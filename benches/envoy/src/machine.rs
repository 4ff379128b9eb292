//! The machine: which CPU is Envoy's, what it is, what a process has used.

use std::fs;

use anyhow::{Context as _, bail};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::{Value, json};

/// Who runs where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The CPU of every process that is measured, and of nothing else of ours.
    pub measured: usize,
    /// The CPUs of load generator, upstream and control.
    pub others: Vec<usize>,
}

impl Plan {
    /// Divides the CPUs that this process may use.
    ///
    /// # Errors
    /// When there is only one, or the system does not say.
    pub fn of_this_machine() -> anyhow::Result<Self> {
        let set = sched_getaffinity(None).context("could not ask for the CPUs of this process")?;
        let usable: Vec<usize> = (0..CpuSet::MAX_CPU)
            .filter(|cpu| set.is_set(*cpu))
            .collect();
        Self::of(&usable)
    }

    fn of(usable: &[usize]) -> anyhow::Result<Self> {
        match usable.split_last() {
            Some((measured, others)) if !others.is_empty() => Ok(Self {
                measured: *measured,
                others: others.to_vec(),
            }),
            _ => bail!(
                "this process may use {} CPU, but Envoy needs one for itself beside the load; run it where it has two",
                usable.len()
            ),
        }
    }

    /// Moves the calling thread, and what it starts from now on, to the CPUs of the load.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn join_others(&self) -> anyhow::Result<()> {
        pin(&self.others)
    }

    /// Runs `start` such that a process which it starts stays on the measured CPU.
    ///
    /// # Errors
    /// When the system refuses, or `start` fails.
    pub fn on_measured<T, E>(&self, start: impl FnOnce() -> Result<T, E>) -> anyhow::Result<T>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        pin(&[self.measured])?;
        let started = start();
        self.join_others()?;
        Ok(started?)
    }
}

fn pin(cpus: &[usize]) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu);
    }
    sched_setaffinity(None, &set).context("could not choose a CPU")
}

/// Gives way to everything else that wants the CPU: for control, whose work is measured elsewhere.
///
/// # Errors
/// When the system refuses.
pub fn step_back(process: u32) -> anyhow::Result<()> {
    for thread in threads(process)? {
        let id = i32::try_from(thread).ok().and_then(Pid::from_raw);
        rustix::process::setpriority_process(id, 19).context("could not lower a priority")?;
    }
    Ok(())
}

/// CPU time of a process so far, all threads together, in nanoseconds, by the scheduler's own account. It is exact
/// while the process is idle, and some milliseconds behind while it runs.
///
/// # Errors
/// When the process is gone.
pub fn cpu_ns(process: u32) -> anyhow::Result<u64> {
    let mut sum = 0_u64;
    for thread in threads(process)? {
        // A thread may end between the two questions.
        let text = fs::read_to_string(format!("/proc/{process}/task/{thread}/schedstat"));
        sum = sum.saturating_add(text.ok().and_then(|text| run_time(&text)).unwrap_or(0));
    }
    if sum == 0 {
        bail!("process {process} has no CPU time in /proc; the kernel needs CONFIG_SCHED_INFO");
    }
    Ok(sum)
}

fn threads(process: u32) -> anyhow::Result<Vec<u32>> {
    let entries = fs::read_dir(format!("/proc/{process}/task"))
        .with_context(|| format!("process {process} is gone"))?;
    let id = |entry: std::io::Result<fs::DirEntry>| {
        entry
            .ok()
            .and_then(|entry| entry.file_name().to_str()?.parse().ok())
    };
    Ok(entries.filter_map(id).collect())
}

/// The first field of `schedstat`: nanoseconds on a CPU.
fn run_time(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

/// Memory of a process, in MB (2^20 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    /// Resident.
    pub rss: f64,
    /// Resident, with shared pages divided among those who share them.
    pub pss: f64,
}

/// What a process has in memory.
///
/// # Errors
/// When the process is gone.
pub fn memory(process: u32) -> anyhow::Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))
        .with_context(|| format!("process {process} is gone"))?;
    let of = |name| megabytes(&text, name).with_context(|| format!("no `{name}` in smaps_rollup"));
    Ok(Memory {
        rss: of("Rss:")?,
        pss: of("Pss:")?,
    })
}

fn megabytes(rollup: &str, name: &str) -> Option<f64> {
    let line = rollup.lines().find(|line| line.starts_with(name))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

/// What the figures were taken on.
#[must_use]
pub fn describe(plan: &Plan) -> Value {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let model = read("/proc/cpuinfo").lines().find_map(|line| {
        line.strip_prefix("model name")?
            .split_once(": ")
            .map(|(_, name)| name.to_owned())
    });
    json!({
        "cpu": model.unwrap_or_else(|| "unknown".to_owned()),
        "cpus": plan.others.len().saturating_add(1),
        "measured_on_cpu": plan.measured,
        "virtual": read("/proc/cpuinfo").contains("hypervisor"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cpu_is_measured_and_one_is_not_enough() {
        let plan = Plan::of(&[0, 2, 3]).unwrap();
        assert_eq!((plan.measured, plan.others), (3, vec![0, 2]));
        assert!(Plan::of(&[4]).is_err() && Plan::of(&[]).is_err());
    }

    #[test]
    fn what_the_kernel_says_is_read() {
        assert_eq!(run_time("123456 789 10\n"), Some(123_456));
        assert_eq!(run_time(""), None);
        let rollup = "55d0-7ffd ---p 00000000 00:00 0 [rollup]\nRss:    2048 kB\nPss:    1024 kB\nPss_Dirty: 1 kB\n";
        assert_eq!(megabytes(rollup, "Rss:"), Some(2.0));
        assert_eq!(megabytes(rollup, "Pss:"), Some(1.0));
        let own = std::process::id();
        assert!(cpu_ns(own).unwrap() > 0 && memory(own).unwrap().rss > 1.0);
    }
}
