//! Holds each step against what it should show.

use serde_json::Value;

use crate::show;

/// Counts what did not hold.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    differing: usize,
}

impl Checks {
    /// Prints the claim and whether it holds.
    pub(crate) fn that(&mut self, claim: &str, holds: bool) {
        show::verdict(holds, claim);
        if !holds {
            self.differing = self.differing.saturating_add(1);
        }
    }

    /// How many claims did not hold.
    pub(crate) fn differing(&self) -> usize {
        self.differing
    }
}

/// The text of a tool's answer, or of the error, as a person would read it.
pub(crate) fn words(answer: &Value) -> String {
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str);
    match (text("/result/content/0/text"), text("/error/message")) {
        (Some(text), _) => text.to_owned(),
        (None, Some(message)) => format!("error: {message}"),
        (None, None) => answer.to_string(),
    }
}

/// Whether a tool ran and did not fail.
pub(crate) fn succeeded(answer: &Value) -> bool {
    answer.get("ok") == Some(&Value::Bool(true))
        && answer
            .pointer("/result/isError")
            .is_none_or(|failed| failed == &Value::Bool(false))
}

/// Whether a tool's answer says that it was not run.
pub(crate) fn refused(answer: &Value) -> bool {
    answer.pointer("/result/isError") == Some(&Value::Bool(true))
        && words(answer).contains("he tool did not run")
}

/// Whether the answer is the one for a tool that does not exist.
pub(crate) fn unknown(answer: &Value, tool: &str) -> bool {
    answer.get("ok") == Some(&Value::Bool(false))
        && words(answer).contains(&format!("Unknown tool: {tool}"))
}
