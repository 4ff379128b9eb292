//! What a process has in memory.

use anyhow::Context as _;

/// Resident bytes of a process.
pub(crate) fn of(process: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let line = line.with_context(|| format!("`{path}` has no VmRSS"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib.saturating_mul(1024))
}
