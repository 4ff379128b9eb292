//! The comparison for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::compare::{Counts, Row};
use crate::results::Scenario;

/// All checks of all scenarios: directly, through the filter.
#[must_use]
pub fn totals(rows: &[Row]) -> (Counts, Counts) {
    let sum = |of: fn(&Row) -> Counts| {
        rows.iter()
            .map(of)
            .fold(Counts::default(), |sum, counts| Counts {
                passed: sum.passed + counts.passed,
                failed: sum.failed + counts.failed,
                other: sum.other + counts.other,
            })
    };
    (sum(|row| row.direct), sum(|row| row.through))
}

/// A table in plain text, with every difference under its scenario.
#[must_use]
pub fn table(title: &str, rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.scenario.len()).max().unwrap_or(0);
    let mut text = format!(
        "{title}\n{:width$}  directly  through   (passed/failed/other)\n",
        ""
    );
    for row in rows {
        let _ = writeln!(
            text,
            "{:width$}  {:8}  {:8}  {}",
            row.scenario,
            cell(row.direct),
            cell(row.through),
            verdict(row)
        );
        for difference in &row.differences {
            let _ = writeln!(text, "    {difference}");
        }
    }
    let (direct, through) = totals(rows);
    let _ = writeln!(
        text,
        "{:width$}  {:8}  {:8}",
        "total",
        cell(direct),
        cell(through)
    );
    text
}

/// The same in Markdown.
#[must_use]
pub fn markdown(title: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "# {title}\n\nPassed/failed/other checks.\n\n| scenario | directly | through the filter | |\n|---|---|---|---|\n"
    );
    for row in rows {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            row.scenario,
            cell(row.direct),
            cell(row.through),
            verdict(row)
        );
    }
    let (direct, through) = totals(rows);
    let _ = writeln!(
        text,
        "| **all {}** | {} | {} | |",
        rows.len(),
        cell(direct),
        cell(through)
    );
    for row in rows {
        for difference in &row.differences {
            let _ = writeln!(text, "\n- {}: {difference}", row.scenario);
        }
    }
    text
}

/// Every check of both runs.
#[must_use]
pub fn json(title: &str, rows: &[Row], direct: &[Scenario], through: &[Scenario]) -> Value {
    let checks = |run: &[Scenario], name: &str| -> Value {
        let scenario = run.iter().find(|scenario| scenario.name == name);
        let checks = scenario
            .map(|scenario| scenario.checks.as_slice())
            .unwrap_or_default();
        let check = |check: &crate::Check| json!({ "id": check.id, "status": check.status.word(), "message": check.message });
        checks.iter().map(check).collect()
    };
    let row = |row: &Row| {
        json!({
            "scenario": row.scenario,
            "equal": row.differences.is_empty(),
            "differences": row.differences,
            "reruns": row.reruns,
            "direct": checks(direct, &row.scenario),
            "through": checks(through, &row.scenario),
        })
    };
    json!({ "title": title, "scenarios": rows.iter().map(row).collect::<Vec<_>>() })
}

fn cell(counts: Counts) -> String {
    format!("{}/{}/{}", counts.passed, counts.failed, counts.other)
}

fn verdict(row: &Row) -> String {
    match (row.differences.is_empty(), row.reruns) {
        (true, 0) => "equal".to_owned(),
        (true, reruns) => format!("equal when run again ({reruns})"),
        (false, reruns) => format!("DIFFERENT, also when run again ({reruns})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_in_every_form() {
        let row = Row {
            scenario: "ping".to_owned(),
            direct: Counts {
                passed: 2,
                ..Counts::default()
            },
            through: Counts {
                passed: 1,
                failed: 1,
                other: 0,
            },
            differences: vec!["`ping-response` fails".to_owned()],
            reruns: 2,
        };
        let rows = [row];
        for text in [table("t", &rows), markdown("t", &rows)] {
            for part in [
                "ping",
                "2/0/0",
                "1/1/0",
                "DIFFERENT",
                "`ping-response` fails",
            ] {
                assert!(text.contains(part), "{part} not in:\n{text}");
            }
        }
        assert_eq!(json("t", &rows, &[], &[])["scenarios"][0]["equal"], false);
    }
}
