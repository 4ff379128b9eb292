//! One decision, as far as shadow mode's readers care.

use serde::Deserialize;

/// Who sends the events that are not a filter's.
const CONTROL: &str = "control";

/// One audit event about a request.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Observation {
    /// When the request arrived, RFC 3339 in UTC with nanoseconds: texts sort as times do.
    pub time: String,
    /// The server's name.
    pub server: String,
    /// `legacy` or `modern`; empty when it was refused before that was known.
    pub era: String,
    /// JSON-RPC method; empty when it was refused before it was known.
    pub method: String,
    /// Tool, prompt or resource; empty when the method has none.
    pub target: String,
    /// The user; empty when nobody knows who it was.
    pub user: String,
    /// The agent; empty when the token names none.
    pub agent: String,
    /// The user's roles.
    pub roles: Vec<String>,
    /// `allow`, `deny` or `hold`.
    pub effect: String,
    /// Ids of the rules that decided.
    pub rules: Vec<String>,
    /// Why.
    pub reason: String,
    /// Why it was refused, coarsely; empty when it was not.
    pub refusal: String,
    /// What became of it.
    pub outcome: String,
    /// Names that were hidden from a list, or would have been.
    pub hidden: u32,
    /// What was done about what detection saw, or would have been.
    pub detection: String,
    /// Whether what was decided was done.
    #[serde(default = "enforced")]
    pub enforced: bool,
    kind: String,
    sender: String,
}

/// A line that is no event.
#[derive(Debug)]
pub struct BadLine(serde_json::Error);

impl Observation {
    /// Reads an exported event (`gatehold audit export`). Nothing when it is about no request: where events were lost,
    /// and what people did about approvals.
    ///
    /// # Errors
    /// When the line is no event.
    pub fn parse(line: &str) -> Result<Option<Self>, BadLine> {
        let observation: Self = serde_json::from_str(line).map_err(BadLine)?;
        let is_request = observation.kind == "decision" && observation.sender != CONTROL;
        Ok(is_request.then_some(observation))
    }
}

impl std::fmt::Display for BadLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "this line is no audit event: {}", self.0)
    }
}

impl std::error::Error for BadLine {}

fn enforced() -> bool {
    true
}
