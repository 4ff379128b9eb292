//! Two runs of the suite side by side.

use std::collections::{BTreeMap, BTreeSet};

use crate::results::{Scenario, Status};

/// How many checks of a scenario ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that succeeded.
    pub passed: usize,
    /// Those that failed.
    pub failed: usize,
    /// Warnings, skipped checks and notes.
    pub other: usize,
}

impl Counts {
    fn of(scenario: &Scenario) -> Self {
        let mut counts = Self::default();
        for check in &scenario.checks {
            match check.status {
                Status::Success => counts.passed += 1,
                Status::Failure => counts.failed += 1,
                Status::Warning | Status::Skipped | Status::Info => counts.other += 1,
            }
        }
        counts
    }
}

/// One scenario in both runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The scenario.
    pub scenario: String,
    /// Its checks directly.
    pub direct: Counts,
    /// Its checks through the filter.
    pub through: Counts,
    /// One line for each check that ended otherwise; empty when the filter was invisible.
    pub differences: Vec<String>,
    /// How often it was run again because of a difference.
    pub reruns: usize,
}

/// Compares by scenario and check. A scenario that ran in one of the runs only is a difference too.
#[must_use]
pub fn compare(direct: &[Scenario], through: &[Scenario]) -> Vec<Row> {
    let mut pairs: BTreeMap<&str, [Option<&Scenario>; 2]> = BTreeMap::new();
    for scenario in direct {
        pairs.entry(&scenario.name).or_default()[0] = Some(scenario);
    }
    for scenario in through {
        pairs.entry(&scenario.name).or_default()[1] = Some(scenario);
    }
    let none = |name: &str| Scenario {
        name: name.to_owned(),
        checks: Vec::new(),
    };
    let row = |(name, [direct, through]): (&str, [Option<&Scenario>; 2])| {
        let mut differences = Vec::new();
        if direct.is_none() || through.is_none() {
            differences.push("it ran only once".to_owned());
        }
        let direct = direct.cloned().unwrap_or_else(|| none(name));
        let through = through.cloned().unwrap_or_else(|| none(name));
        differences.extend(differing(&direct, &through));
        Row {
            scenario: name.to_owned(),
            direct: Counts::of(&direct),
            through: Counts::of(&through),
            differences,
            reruns: 0,
        }
    };
    pairs.into_iter().map(row).collect()
}

/// A line for each check that did not end as often in the same ways.
fn differing(direct: &Scenario, through: &Scenario) -> Vec<String> {
    let ids = [direct, through].map(|run| run.checks.iter().map(|check| check.id.as_str()));
    let ids: BTreeSet<&str> = ids.into_iter().flatten().collect();
    let line = |id: &str| {
        let (one, other) = (endings(direct, id), endings(through, id));
        if one.keys().eq(other.keys())
            && one.values().map(Vec::len).eq(other.values().map(Vec::len))
        {
            return None;
        }
        Some(format!(
            "`{id}`: directly {}; through the filter {}",
            told(&one),
            told(&other)
        ))
    };
    ids.into_iter().filter_map(line).collect()
}

/// How a check ended, with the messages.
fn endings<'a>(run: &'a Scenario, id: &str) -> BTreeMap<Status, Vec<&'a str>> {
    let mut endings: BTreeMap<Status, Vec<&str>> = BTreeMap::new();
    for check in run.checks.iter().filter(|check| check.id == id) {
        endings
            .entry(check.status)
            .or_default()
            .push(&check.message);
    }
    endings
}

fn told(endings: &BTreeMap<Status, Vec<&str>>) -> String {
    let one = |(status, messages): (&Status, &Vec<&str>)| {
        let times = match messages.len() {
            1 => String::new(),
            times => format!(" {times} times"),
        };
        let message = messages.iter().find(|message| !message.is_empty());
        let message = message.map(|text| format!(" ({text})")).unwrap_or_default();
        format!("{}{times}{message}", status.word())
    };
    match endings.is_empty() {
        true => "absent".to_owned(),
        false => endings.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Check;

    fn scenario(name: &str, checks: &[(&str, Status)]) -> Scenario {
        let check = |(id, status): &(&str, Status)| Check {
            id: (*id).to_owned(),
            status: *status,
            message: String::new(),
        };
        Scenario {
            name: name.to_owned(),
            checks: checks.iter().map(check).collect(),
        }
    }

    #[test]
    fn equal_runs_have_no_differences_whatever_the_order() {
        use Status::{Failure, Info, Success};
        let one = [scenario(
            "s",
            &[("a", Success), ("b", Failure), ("b", Info)],
        )];
        let other = [scenario(
            "s",
            &[("b", Info), ("b", Failure), ("a", Success)],
        )];
        let rows = compare(&one, &other);
        assert_eq!(rows.len(), 1);
        assert!(rows[0].differences.is_empty(), "{rows:?}");
        let counts = Counts {
            passed: 1,
            failed: 1,
            other: 1,
        };
        assert_eq!((rows[0].direct, rows[0].through), (counts, counts));
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        use Status::{Failure, Success, Warning};
        let direct = [scenario(
            "s",
            &[("a", Success), ("a", Success), ("b", Success)],
        )];
        for (what, through) in [
            (
                "worse",
                scenario("s", &[("a", Success), ("a", Success), ("b", Failure)]),
            ),
            (
                "better is different too",
                scenario("s", &[("a", Success), ("a", Success), ("b", Warning)]),
            ),
            ("fewer", scenario("s", &[("a", Success), ("b", Success)])),
            ("another scenario", scenario("t", &[])),
        ] {
            let rows = compare(&direct, &[through]);
            assert!(rows.iter().any(|row| !row.differences.is_empty()), "{what}");
        }
        assert_eq!(compare(&direct, &[])[0].differences[0], "it ran only once");
    }
}
