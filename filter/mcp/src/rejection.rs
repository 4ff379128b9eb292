//! What all refusals of this crate have in common.

use crate::message::Id;
use serde_json::Value;

/// A refusal that can be answered: HTTP status, JSON-RPC error code, and `Display` as its message.
pub trait Rejection: std::error::Error {
    /// HTTP status of the answer.
    fn status(&self) -> u16;
    /// `error.code` of the answer; see [`crate::reply::code`].
    fn code(&self) -> i64;
    /// `error.data` of the answer, where the specification wants one.
    fn data(&self) -> Option<Value> {
        None
    }
    /// The id of the refused request, when this refusal is what found it.
    fn id(&self) -> Option<&Id> {
        None
    }
}
