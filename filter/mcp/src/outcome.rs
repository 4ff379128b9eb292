//! How a call ended, read from the server's message without building it.

use crate::message::Id;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

/// How one response ends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A complete result.
    Ok,
    /// A complete result that says that the tool failed.
    ToolError,
    /// A JSON-RPC error with its code.
    Error(i64),
    /// The server asks back (2026-07-28).
    InputRequired,
    /// A task was started.
    Task,
    /// Not a response, or one that cannot be told.
    Unknown,
}

/// The outcome that one JSON-RPC message of a server tells, and the id it answers. Requests and
/// notifications of the server give no id.
#[must_use]
pub fn outcome(message: &[u8]) -> (Option<Id>, Outcome) {
    let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(message) else {
        return (None, Outcome::Unknown);
    };
    if envelope.method.is_some() {
        return (None, Outcome::Unknown);
    }
    let outcome = match (envelope.result, envelope.error) {
        (Some(result), None) => result_outcome(result.get()),
        (None, Some(error)) => serde_json::from_str::<ErrorMembers>(error.get())
            .map_or(Outcome::Unknown, |error| Outcome::Error(error.code)),
        _ => Outcome::Unknown,
    };
    (envelope.id.and_then(Id::from_value), outcome)
}

fn result_outcome(result: &str) -> Outcome {
    let Ok(members) = serde_json::from_str::<ResultMembers>(result) else {
        return Outcome::Unknown;
    };
    let kind = match &members.result_type {
        None => "complete",
        Some(Value::String(kind)) => kind,
        Some(_) => return Outcome::Unknown,
    };
    match (kind, members.is_error) {
        ("input_required", _) => Outcome::InputRequired,
        ("task", _) => Outcome::Task,
        ("complete", Some(Value::Bool(true))) => Outcome::ToolError,
        // 2025-11-25 nests the task where a result would have its content.
        ("complete", None) if members.task.is_some() && members.content.is_none() => Outcome::Task,
        ("complete", None | Some(Value::Bool(false))) => Outcome::Ok,
        _ => Outcome::Unknown,
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    id: Option<Value>,
    method: Option<IgnoredAny>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResultMembers {
    result_type: Option<Value>,
    is_error: Option<Value>,
    task: Option<IgnoredAny>,
    content: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct ErrorMembers {
    code: i64,
}
