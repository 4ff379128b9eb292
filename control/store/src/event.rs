//! What is appended.

use gatehold_approvals::Finding;

/// One batch of a sender, as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditBatch {
    /// Random per worker VM.
    pub sender: String,
    /// Envoy's node id.
    pub node: String,
    /// Number of the batch, counted by the sender.
    pub batch: u64,
    /// Events that the sender lost since its last batch.
    pub dropped: u64,
    /// In the order in which they were decided.
    pub events: Vec<AuditEvent>,
}

/// One decision and what came of it. The fields are those of `gatehold.audit.v1.Event`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditEvent {
    /// Random, 16 bytes in hex.
    pub id: String,
    /// When the request arrived, nanoseconds since the Unix epoch.
    pub time_unix_nanos: u64,
    /// The server's name.
    pub server: String,
    /// `legacy` or `modern`.
    pub era: String,
    /// JSON-RPC method; empty when the request was refused before it was known.
    pub method: String,
    /// Tool, prompt or resource; empty when the method has none.
    pub target: String,
    /// The user; empty when the request had no identity.
    pub user: String,
    /// The agent.
    pub agent: String,
    /// The user's roles.
    pub roles: Vec<String>,
    /// The token's issuer.
    pub issuer: String,
    /// SHA-256 of the canonical arguments in hex; empty when there are none.
    pub arguments_digest: String,
    /// Canonical JSON of the arguments; empty when they are not recorded.
    pub arguments: String,
    /// Whether `arguments` was cut at a bound, and so is no JSON any more.
    pub arguments_cut: bool,
    /// `allow`, `deny` or `hold`.
    pub effect: String,
    /// Ids of the rules that decided.
    pub rules: Vec<String>,
    /// Why.
    pub reason: String,
    /// What failed while deciding.
    pub errors: Vec<String>,
    /// `ok`, `tool_error`, `error`, `input_required`, `task`, `denied`, `aborted` or `unknown`.
    pub outcome: String,
    /// Code of the JSON-RPC error, 0 when there is none.
    pub error_code: i64,
    /// From the request's arrival to its end, in microseconds.
    pub duration_micros: u64,
    /// Trace id of `traceparent`, 32 hex digits.
    pub trace_id: String,
    /// JSON-RPC id as it was written.
    pub request_id: String,
    /// Version of the server's snapshot that decided.
    pub policy_version: String,
    /// Names that were hidden from a list.
    pub hidden: u32,
    /// Names that a list showed.
    pub shown: u32,
    /// HTTP status that the filter itself answered with, 0 when the upstream answered.
    pub status: u32,
    /// The approval that it is about, or that the call was held for; empty when there is none.
    pub approval: String,
    /// What detection saw in the arguments, the answer, or the definitions of a list.
    pub findings: Vec<Finding>,
    /// Findings that were left out.
    pub findings_omitted: u32,
    /// What was done about them in the end: empty, `log`, `redact`, `approve` or `block`.
    pub detection: String,
    /// Why it was refused, coarsely, such as `policy` or `token`; empty when it was not.
    pub refusal: String,
    /// Whether the server was in shadow mode: nothing of what was decided was done.
    pub shadow: bool,
}
