//! What the suite writes: one folder per scenario, with its checks in `checks.json`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::ConformanceError;

/// How a check ended, in the suite's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// `SUCCESS`.
    Success,
    /// `FAILURE`.
    Failure,
    /// `WARNING`: a SHOULD that is not met.
    Warning,
    /// `SKIPPED`: the server has nothing that could be checked.
    Skipped,
    /// `INFO`: something that happened.
    Info,
}

impl Status {
    /// The suite's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Warning => "WARNING",
            Self::Skipped => "SKIPPED",
            Self::Info => "INFO",
        }
    }

    fn of(word: &str) -> Option<Self> {
        let all = [
            Self::Success,
            Self::Failure,
            Self::Warning,
            Self::Skipped,
            Self::Info,
        ];
        all.into_iter().find(|status| status.word() == word)
    }
}

/// One check of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The suite's name for it. A scenario may report one name several times.
    pub id: String,
    /// How it ended.
    pub status: Status,
    /// Why it did not succeed; empty if it did.
    pub message: String,
}

/// One scenario with its checks, in the order in which they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The suite's name for it.
    pub name: String,
    /// Its checks.
    pub checks: Vec<Check>,
}

/// Reads every scenario that a run of the suite has left in `folder`, by name.
///
/// # Errors
/// When a file is missing or has another form than that of the suite's release that set-up installs.
pub fn read_results(folder: &Path) -> Result<Vec<Scenario>, ConformanceError> {
    let doing = || format!("read the results in {}", folder.display());
    let mut scenarios = Vec::new();
    for entry in fs::read_dir(folder).map_err(ConformanceError::io(doing()))? {
        let path = entry.map_err(ConformanceError::io(doing()))?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(scenario_of);
        let Some(name) = name else {
            let problem = format!("{} is not named like a result", path.display());
            return Err(ConformanceError::Unexpected(problem));
        };
        let text = fs::read(path.join("checks.json")).map_err(ConformanceError::io(doing()))?;
        let checks = checks(&text).ok_or_else(|| {
            let problem = format!("{}/checks.json has another form", path.display());
            ConformanceError::Unexpected(problem)
        })?;
        scenarios.push(Scenario {
            name: name.to_owned(),
            checks,
        });
    }
    scenarios.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(scenarios)
}

/// `server-<scenario>-<time>`, the time in 24 characters such as `2026-11-22T17-23-57-791Z`.
fn scenario_of(folder: &str) -> Option<&str> {
    let named = folder.strip_prefix("server-")?;
    let (name, time) = named.split_at_checked(named.len().checked_sub(25)?)?;
    (time.starts_with('-') && time.ends_with('Z') && !name.is_empty()).then_some(name)
}

fn checks(text: &[u8]) -> Option<Vec<Check>> {
    let Ok(Value::Array(checks)) = serde_json::from_slice(text) else {
        return None;
    };
    let field =
        |check: &Value, name: &str| check.get(name).and_then(Value::as_str).map(str::to_owned);
    let check = |check: &Value| {
        Some(Check {
            id: field(check, "id")?,
            status: Status::of(&field(check, "status")?)?,
            message: field(check, "errorMessage").unwrap_or_default(),
        })
    };
    checks.iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_after_their_scenario() {
        for (folder, expected) in [
            ("server-ping-2026-11-22T17-23-57-791Z", Some("ping")),
            (
                "server-server-stateless-2026-11-22T17-23-57-791Z",
                Some("server-stateless"),
            ),
            (
                "server-json-schema-2020-12-2026-11-22T17-23-57-791Z",
                Some("json-schema-2020-12"),
            ),
            ("server-2026-11-22T17-23-57-791Z", None),
            ("client-ping-2026-11-22T17-23-57-791Z", None),
            ("server-ping", None),
        ] {
            assert_eq!(scenario_of(folder), expected, "{folder}");
        }
    }

    #[test]
    fn checks_are_read_whole_or_not_at_all() {
        let read = checks(br#"[{"id":"a","status":"SUCCESS","details":{}},{"id":"b","status":"FAILURE","errorMessage":"no"}]"#);
        let read = read.unwrap();
        assert_eq!(read[0].status, Status::Success);
        assert_eq!(read[1].message, "no");
        assert!(checks(br#"[{"id":"a","status":"PASSED"}]"#).is_none());
        assert!(checks(br#"{"checks":[]}"#).is_none());
    }
}
