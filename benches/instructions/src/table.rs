//! The table of counts: written so that a change is a diff, read back to compare.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};

/// What is counted, in the order of the columns.
pub const COLUMNS: [&str; 5] = [
    "instructions",
    "host calls",
    "bytes copied",
    "allocations",
    "bytes allocated",
];

/// What stands above the table.
pub const PREAMBLE: &str = "\
# Counts of the filter, native, per case: written by `make counts`, read in benches/README.md.
# Instructions and allocations are the filter's own, without those of the host that calls it.
";

/// Counts of one case, in the order of [`COLUMNS`].
pub type Counts = [u64; 5];

/// Counts by the name of the case, which has no blanks in it.
pub type Table = BTreeMap<String, Counts>;

/// How a case changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    New,
    /// It is not there any more.
    Gone,
    /// Column and both values; those that are equal are left out.
    Counts(Vec<(&'static str, u64, u64)>),
}

/// The table as text, aligned, one line per case.
#[must_use]
pub fn write(table: &Table) -> String {
    let widest = table.keys().map(String::len).max().unwrap_or_default();
    let mut text = format!("{:widest$}", "# case");
    for column in COLUMNS {
        let _ = write!(text, " {column:>15}");
    }
    text.push('\n');
    for (name, counts) in table {
        let _ = write!(text, "{name:widest$}");
        for count in counts {
            let _ = write!(text, " {count:>15}");
        }
        text.push('\n');
    }
    text
}

/// Reads what [`write`] wrote; lines that begin with `#` are left out.
///
/// # Errors
/// Says which line is no name and numbers.
pub fn read(text: &str) -> Result<Table> {
    let mut table = Table::new();
    let lines = text.lines().enumerate();
    for (number, line) in lines.filter(|(_, line)| !line.starts_with('#') && !line.is_empty()) {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let counts: Vec<u64> = words
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("line {}: `{line}` holds no numbers", number + 1))?;
        let Ok(counts) = Counts::try_from(counts) else {
            bail!(
                "line {}: `{line}` does not have {} numbers",
                number + 1,
                COLUMNS.len()
            );
        };
        table.insert(name.to_owned(), counts);
    }
    Ok(table)
}

/// What changed, by name.
#[must_use]
pub fn changes(before: &Table, after: &Table) -> BTreeMap<String, Change> {
    let mut changes = BTreeMap::new();
    for (name, old) in before {
        let Some(new) = after.get(name) else {
            changes.insert(name.clone(), Change::Gone);
            continue;
        };
        let columns = COLUMNS.into_iter().zip(old.iter().zip(new));
        let differ: Vec<_> = columns
            .filter(|(_, (old, new))| old != new)
            .map(|(column, (old, new))| (column, *old, *new))
            .collect();
        if !differ.is_empty() {
            changes.insert(name.clone(), Change::Counts(differ));
        }
    }
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        changes.insert(name.clone(), Change::New);
    }
    changes
}

/// Changes as lines for people.
#[must_use]
pub fn describe(changes: &BTreeMap<String, Change>) -> String {
    let mut text = String::new();
    for (name, change) in changes {
        match change {
            Change::New => {
                let _ = writeln!(text, "{name}: new");
            }
            Change::Gone => {
                let _ = writeln!(text, "{name}: gone");
            }
            Change::Counts(differ) => {
                let parts: Vec<String> = differ
                    .iter()
                    .map(|(column, old, new)| {
                        format!("{column} {old} -> {new} ({:+.1} %)", percent(*old, *new))
                    })
                    .collect();
                let _ = writeln!(text, "{name}: {}", parts.join(", "));
            }
        }
    }
    text
}

/// The cases of which a count has grown by more than so many percent.
#[must_use]
pub fn grown(changes: &BTreeMap<String, Change>, percent_allowed: f64) -> Vec<&str> {
    let has_grown = |change: &Change| match change {
        Change::Counts(differ) => differ
            .iter()
            .any(|(_, old, new)| new > old && percent(*old, *new) > percent_allowed),
        Change::New | Change::Gone => false,
    };
    let found = changes.iter().filter(|(_, change)| has_grown(change));
    found.map(|(name, _)| name.as_str()).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a percentage with one digit behind the point"
)]
fn percent(old: u64, new: u64) -> f64 {
    (new as f64 / (old.max(1)) as f64 - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, Counts)]) -> Table {
        let rows = rows
            .iter()
            .map(|(name, counts)| ((*name).to_owned(), *counts));
        rows.collect()
    }

    #[test]
    fn reads_what_it_writes() {
        let table = table(&[
            ("b", [1, 2, 3, 4, 5]),
            ("a-longer-name", [6, 7, 8, 9, 999_999_999_999_999]),
        ]);
        let text = write(&table);
        assert_eq!(read(&text).unwrap(), table);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("a-longer-name") && lines[2].starts_with("b "));
        assert!(lines[1..].iter().all(|line| line.len() == lines[0].len()));
    }

    #[test]
    fn says_which_line_cannot_be_read() {
        for (text, problem) in [
            ("# x\na 1 2 3 4\n", "line 2: `a 1 2 3 4` does not have 5"),
            ("a 1 2 3 4 five\n", "line 1: `a 1 2 3 4 five` holds no"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn tells_what_changed() {
        let before = table(&[
            ("gone", [1; 5]),
            ("less", [100, 1, 1, 1, 1]),
            ("more", [100, 1, 1, 1, 1]),
            ("same", [1; 5]),
        ]);
        let after = table(&[
            ("less", [90, 1, 1, 1, 1]),
            ("more", [103, 1, 1, 1, 2]),
            ("new", [1; 5]),
            ("same", [1; 5]),
        ]);
        let changes = changes(&before, &after);
        assert_eq!(
            describe(&changes),
            "gone: gone\n\
             less: instructions 100 -> 90 (-10.0 %)\n\
             more: instructions 100 -> 103 (+3.0 %), bytes allocated 1 -> 2 (+100.0 %)\n\
             new: new\n"
        );
        assert_eq!(grown(&changes, 3.0), ["more"]);
        assert!(grown(&changes, 200.0).is_empty());
    }
}
