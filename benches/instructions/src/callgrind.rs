//! Callgrind: how it is told what to count, and what it has counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};

/// Where the work of a case that is no exchange begins and ends.
const WORK: &str = "*count_case::measured*";

/// Where the filter begins: callbacks, and the memory that it gives to the host.
const FILTER: [&str; 2] = ["*abi::enter_filter*", "*abi::enter_allocator*"];

/// Where the host begins, called by the filter.
const HOST: [&str; 13] = [
    "proxy_log",
    "proxy_done",
    "proxy_get_*",
    "proxy_set_*",
    "proxy_add_*",
    "proxy_remove_*",
    "proxy_replace_*",
    "proxy_define_*",
    "proxy_record_*",
    "proxy_increment_*",
    "proxy_send_*",
    "proxy_close_stream",
    "proxy_grpc_*",
];

/// What counts allocations, inside of the filter.
const LEDGER: &str = "*heap::note*";

/// Where counting begins.
const BEGIN: &str = "*count_case::begin*";

/// Arguments for valgrind: each of these functions turns counting on or off as it is entered and back as it is
/// left, so that the filter counts, the host that it calls does not, and the memory that it gives to the host
/// then counts again.
#[must_use]
pub fn arguments(out: &str) -> Vec<String> {
    let mut arguments = vec![
        "--tool=callgrind".to_owned(),
        "--quiet".to_owned(),
        format!("--callgrind-out-file={out}"),
        format!("--zero-before={BEGIN}"),
    ];
    let toggles = FILTER.iter().chain(&HOST).chain([&WORK, &LEDGER]);
    arguments.extend(toggles.map(|name| format!("--toggle-collect={name}")));
    arguments
}

/// Has the C library choose its simplest vector code on any processor that has more.
pub const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM";

/// A file of callgrind without the calls that had begun before counting did: they have no count, and the
/// tools that read such files take their cost for that of the caller.
#[must_use]
pub fn without_outer_frames(file: &str) -> String {
    let mut text = String::with_capacity(file.len());
    let mut lines = file.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("calls=0 ") {
            lines.next();
            continue;
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Where instructions go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// By function: its own, and those of all that it calls too.
    functions: BTreeMap<String, [u64; 2]>,
    total: u64,
}

/// Reads the functions of a file of callgrind, whose names may be compressed. Costs of inlined functions are
/// those of the function that they are in.
///
/// # Errors
/// When a line of costs cannot be read.
pub fn profile(file: &str) -> Result<Profile> {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    let mut profile = Profile {
        total: instructions(file)?,
        ..Profile::default()
    };
    let mut current = "";
    let mut is_call = false;
    for line in file.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            current = resolve(name, &mut names);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            resolve(name, &mut names);
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if line.starts_with(['+', '-', '*'])
            || line.starts_with(|c: char| c.is_ascii_digit())
        {
            let cost = line.split_whitespace().nth(1).unwrap_or("0");
            let cost: u64 = cost
                .parse()
                .with_context(|| format!("`{line}` is no line of costs"))?;
            let entry = profile.functions.entry(current.to_owned()).or_default();
            let [own, all] = entry;
            *all += cost;
            if !is_call {
                *own += cost;
            }
            is_call = false;
        }
    }
    Ok(profile)
}

/// `(12) name` defines a name, `(12)` uses it.
fn resolve<'a>(name: &'a str, names: &mut BTreeMap<&'a str, &'a str>) -> &'a str {
    match name.split_once(' ') {
        Some((number, name)) => {
            names.insert(number, name);
            name
        }
        None => names.get(name).copied().unwrap_or(name),
    }
}

impl Profile {
    /// The most expensive functions, by their own cost and by that with all they call. Recursion counts
    /// a function's cost with all it calls more than once.
    #[must_use]
    pub fn describe(&self, most: usize) -> String {
        let mut text = format!("{} instructions\n", self.total);
        for (title, column) in [("own", 0), ("with all that is called", 1)] {
            let by_cost: BTreeSet<(u64, &str)> = self
                .functions
                .iter()
                .filter_map(|(name, costs)| Some((*costs.get(column)?, name.as_str())))
                .collect();
            let _ = writeln!(text, "\n{title}:");
            for (cost, name) in by_cost.into_iter().rev().take(most) {
                let tenths = cost.saturating_mul(1000) / self.total.max(1);
                let _ = writeln!(
                    text,
                    "{cost:>12} {:>3}.{} %  {name}",
                    tenths / 10,
                    tenths % 10
                );
            }
        }
        text
    }
}

/// Instructions in a file of callgrind.
///
/// # Errors
/// When it has no line with totals, or more than one kind of event.
pub fn instructions(file: &str) -> Result<u64> {
    let value = |key: &str| {
        let line = file.lines().find_map(|line| line.strip_prefix(key));
        line.map(str::trim)
            .with_context(|| format!("the output of callgrind has no line `{key}`"))
    };
    let events = value("events:")?;
    if events != "Ir" {
        bail!("callgrind counted `{events}`, not only `Ir`; run it without further options");
    }
    let totals = value("totals:")?;
    totals
        .parse()
        .with_context(|| format!("`{totals}` is no number of instructions"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "events: Ir\nfn=(0) outside\ncfn=(1) main\ncalls=0 0 \n0 12\n\nfl=(2) a.rs\n\
        fn=(1)\n1 2\nfi=(3) inlined.rs\n+4 3\ncfn=(4) leaf\ncalls=2 7\n* 7\n\nfn=(4)\n7 7\ntotals: 12\n";

    #[test]
    fn reads_functions() {
        let profile = profile(&without_outer_frames(FILE)).unwrap();
        let functions = [("leaf", [7, 7]), ("main", [5, 12])];
        let functions = functions.map(|(name, costs)| (name.to_owned(), costs));
        assert_eq!(profile.functions, BTreeMap::from(functions));
        assert_eq!(
            profile.describe(1),
            "12 instructions\n\nown:\n           7  58.3 %  leaf\n\
             \nwith all that is called:\n          12 100.0 %  main\n"
        );
    }

    #[test]
    fn reads_totals() {
        let file = "version: 1\nevents: Ir\nsummary: 12\n\nfn=(1) a\n1 12\n\ntotals: 12\n";
        assert_eq!(instructions(file).unwrap(), 12);
        for (file, problem) in [
            ("events: Ir\n", "no line `totals:`"),
            ("totals: 1\n", "no line `events:`"),
            ("events: Ir Dr\ntotals: 1 2\n", "`Ir Dr`"),
            ("events: Ir\ntotals: many\n", "`many`"),
        ] {
            let error = instructions(file).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
