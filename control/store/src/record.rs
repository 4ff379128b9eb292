//! One row of the chain: its values, its exported line, its hash.
//!
//! The line is also the canonical encoding that is hashed, so that anybody can check an exported file with
//! nothing but SHA-256: `hash` is that of the line without its last field, `,"hash":"…"`. Every stored
//! value is in the line, in a fixed order, under a fixed key, and no two sets of values give the same line.
//! Changing the line's shape breaks the chains that exist: new shapes need a column that tells them apart.

use crate::{AuditBatch, AuditEvent, finding};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::fmt::{self, Display, Write as _};
use std::time::{Duration, UNIX_EPOCH};

/// A SHA-256 digest. Displayed in lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

/// The text of no findings.
const NO_FINDINGS: &str = "[]";

/// A row, with the values as they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) sequence: u64,
    pub(crate) kind: String,
    pub(crate) received_unix_nanos: u64,
    pub(crate) sender: String,
    pub(crate) node: String,
    pub(crate) batch: u64,
    pub(crate) position: u64,
    pub(crate) dropped: u64,
    /// With `arguments` as JSON text.
    pub(crate) event: AuditEvent,
    /// JSON text of `event.roles`, `event.rules` and `event.errors`, which are empty here.
    pub(crate) roles: String,
    pub(crate) rules: String,
    pub(crate) errors: String,
    /// JSON text of `event.findings`, which are empty here.
    pub(crate) findings: String,
    pub(crate) previous_hash: Hash,
}

/// The rows of a batch: what was dropped before its events, then the events. `sequence` and `previous_hash`
/// are given when the rows are appended.
pub(crate) fn records(batch: AuditBatch, received_unix_nanos: u64) -> Vec<Record> {
    let AuditBatch {
        sender,
        node,
        batch,
        dropped,
        events,
    } = batch;
    let gap = (dropped > 0).then(|| {
        let time_unix_nanos = received_unix_nanos;
        (
            "gap",
            dropped,
            AuditEvent {
                time_unix_nanos,
                ..AuditEvent::default()
            },
        )
    });
    let decisions = events.into_iter().map(|event| ("decision", 0, event));
    gap.into_iter()
        .chain(decisions)
        .zip(0..)
        .map(|((kind, dropped, mut event), position)| Record {
            sequence: 0,
            kind: kind.to_owned(),
            received_unix_nanos,
            sender: sender.clone(),
            node: node.clone(),
            batch,
            position,
            dropped,
            roles: list_text(&std::mem::take(&mut event.roles)),
            rules: list_text(&std::mem::take(&mut event.rules)),
            errors: list_text(&std::mem::take(&mut event.errors)),
            findings: finding::text(&std::mem::take(&mut event.findings)),
            event: AuditEvent {
                arguments: arguments_text(event.arguments),
                ..event
            },
            previous_hash: Hash::ZERO,
        })
        .collect()
}

impl Record {
    /// The hash that belongs to these values.
    pub(crate) fn hash(&self) -> Hash {
        let mut line = self.open_line();
        line.push('}');
        Hash(Sha256::digest(line).into())
    }

    /// The exported line, without line end.
    pub(crate) fn line(&self, hash: &Hash) -> String {
        let mut line = self.open_line();
        add(&mut line, "hash", format_args!("\"{hash}\""));
        line.push('}');
        line
    }

    fn open_line(&self) -> String {
        let event = &self.event;
        let mut line = String::with_capacity(1024 + event.arguments.len());
        line.push('{');
        add(&mut line, "sequence", self.sequence);
        text(&mut line, "kind", &self.kind);
        text(&mut line, "time", &rfc3339(event.time_unix_nanos));
        text(&mut line, "received", &rfc3339(self.received_unix_nanos));
        text(&mut line, "sender", &self.sender);
        text(&mut line, "node", &self.node);
        add(&mut line, "batch", self.batch);
        add(&mut line, "position", self.position);
        add(&mut line, "dropped", self.dropped);
        text(&mut line, "id", &event.id);
        text(&mut line, "server", &event.server);
        text(&mut line, "era", &event.era);
        text(&mut line, "method", &event.method);
        text(&mut line, "target", &event.target);
        text(&mut line, "user", &event.user);
        text(&mut line, "agent", &event.agent);
        add(&mut line, "roles", &self.roles);
        text(&mut line, "issuer", &event.issuer);
        text(&mut line, "arguments_digest", &event.arguments_digest);
        add(&mut line, "arguments", &event.arguments);
        add(&mut line, "arguments_cut", event.arguments_cut);
        text(&mut line, "effect", &event.effect);
        add(&mut line, "rules", &self.rules);
        text(&mut line, "reason", &event.reason);
        add(&mut line, "errors", &self.errors);
        text(&mut line, "outcome", &event.outcome);
        add(&mut line, "error_code", event.error_code);
        add(&mut line, "duration_micros", event.duration_micros);
        text(&mut line, "trace_id", &event.trace_id);
        text(&mut line, "request_id", &event.request_id);
        text(&mut line, "policy_version", &event.policy_version);
        add(&mut line, "hidden", event.hidden);
        add(&mut line, "shown", event.shown);
        add(&mut line, "status", event.status);
        // Later than chains that exist: without a value it is as if there were no such field.
        if !event.approval.is_empty() {
            text(&mut line, "approval", &event.approval);
        }
        if self.findings != NO_FINDINGS {
            add(&mut line, "findings", &self.findings);
        }
        if event.findings_omitted > 0 {
            add(&mut line, "findings_omitted", event.findings_omitted);
        }
        if !event.detection.is_empty() {
            text(&mut line, "detection", &event.detection);
        }
        if !event.refusal.is_empty() {
            text(&mut line, "refusal", &event.refusal);
        }
        if event.shadow {
            add(&mut line, "enforced", false);
        }
        text(&mut line, "previous_hash", &self.previous_hash.to_string());
        line
    }
}

/// JSON text for the `arguments` of an event: null when there are none, the object itself when it is one,
/// else a string of whatever it is (it was cut, as a rule).
///
/// The choice is stored, never made again: it depends on a JSON parser, and the hash must not.
fn arguments_text(arguments: String) -> String {
    if arguments.is_empty() {
        return "null".to_owned();
    }
    // An object is embedded as it was written, so that its numbers stay exact; so it must be one line.
    let one_line = !arguments.contains(['\n', '\r']);
    if one_line && serde_json::from_str::<Map<String, Value>>(&arguments).is_ok() {
        return arguments;
    }
    Value::String(arguments).to_string()
}

fn list_text(items: &[String]) -> String {
    Value::from(items).to_string()
}

fn add(line: &mut String, key: &str, value: impl Display) {
    let comma = if line.len() > 1 { "," } else { "" };
    // Writing to a string can't fail.
    let _ = write!(line, "{comma}\"{key}\":{value}");
}

fn text(line: &mut String, key: &str, value: &str) {
    add(line, key, Value::from(value));
}

fn rfc3339(unix_nanos: u64) -> String {
    humantime::format_rfc3339_nanos(UNIX_EPOCH + Duration::from_nanos(unix_nanos)).to_string()
}

impl Hash {
    /// What stands before the first event.
    pub const ZERO: Self = Self([0; 32]);
}

impl Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hash({self})")
    }
}
