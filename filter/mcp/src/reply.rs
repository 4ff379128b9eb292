//! Messages that the gateway says by itself.

use crate::batch;
use crate::message::Id;
use crate::rejection::Rejection;
use crate::version::Era;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// JSON-RPC error codes.
pub mod code {
    /// Not JSON.
    pub const PARSE_ERROR: i64 = -32700;
    /// Not a JSON-RPC message that may be sent here.
    pub const INVALID_REQUEST: i64 = -32600;
    /// Unknown method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// Wrong parameters; also an unknown tool, prompt or (modern) resource.
    pub const INVALID_PARAMS: i64 = -32602;
    /// The gateway failed.
    pub const INTERNAL_ERROR: i64 = -32603;
    /// Unknown resource, legacy only.
    pub const RESOURCE_NOT_FOUND_LEGACY: i64 = -32002;
    /// Header and body disagree (2026-07-28).
    pub const HEADER_MISMATCH: i64 = -32020;
    /// The client has not declared what the request needs (2026-07-28).
    pub const MISSING_CAPABILITY: i64 = -32021;
    /// Unsupported version (2026-07-28).
    pub const UNSUPPORTED_PROTOCOL_VERSION: i64 = -32022;
    /// Ours, outside the reserved range: denied by policy.
    pub const DENIED: i64 = -31403;
    /// Ours: a limit was exceeded.
    pub const TOO_LARGE: i64 = -31413;
    /// Ours: not ready.
    pub const NOT_READY: i64 = -31503;
}

/// A JSON-RPC error. Without an id, the member is left out.
#[must_use]
pub fn error_body(id: Option<&Id>, code: i64, message: &str, data: Option<Value>) -> Vec<u8> {
    to_bytes(&Envelope {
        jsonrpc: "2.0",
        id,
        error: Some(ErrorObject {
            code,
            message,
            data,
        }),
        result: None,
    })
}

/// The error that a refusal of this crate asks for; `id` counts where the refusal knows none itself.
#[must_use]
pub fn rejection_body(rejection: &dyn Rejection, id: Option<&Id>) -> Vec<u8> {
    error_body(
        rejection.id().or(id),
        rejection.code(),
        &rejection.to_string(),
        rejection.data(),
    )
}

/// A `tools/call` result that the model reads as a failure of the tool: `isError`, and on the modern era
/// `resultType`. `meta` becomes `_meta` unless it is empty.
#[must_use]
pub fn tool_error_body(id: &Id, era: Era, text: &str, meta: Map<String, Value>) -> Vec<u8> {
    let result = ToolResult {
        result_type: (era == Era::Modern).then_some("complete"),
        content: [TextContent { kind: "text", text }],
        is_error: true,
        meta,
    };
    to_bytes(&Envelope {
        jsonrpc: "2.0",
        id: Some(id),
        error: None,
        result: Some(result),
    })
}

/// A response with any result. The era's own members, such as `resultType`, are the caller's to set.
#[must_use]
pub fn result_body(id: &Id, result: &Value) -> Vec<u8> {
    let message = serde_json::json!({ "jsonrpc": "2.0", "id": id, "result": result });
    message.to_string().into_bytes()
}

/// Messages that are serialized already, as one batch (2025-03-26).
#[must_use]
pub fn batch_body(bodies: &[Vec<u8>]) -> Vec<u8> {
    let elements: Vec<_> = bodies
        .iter()
        .map(|body| Cow::Borrowed(body.as_slice()))
        .collect();
    batch::join(&elements)
}

/// The code for a resource that is not there.
#[must_use]
pub fn resource_not_found(era: Era) -> i64 {
    match era {
        Era::Legacy => code::RESOURCE_NOT_FOUND_LEGACY,
        Era::Modern => code::INVALID_PARAMS,
    }
}

/// A body as one server-sent event. Bodies of this module have no line breaks, which it relies on.
#[must_use]
pub fn event(body: &[u8]) -> Vec<u8> {
    [b"event: message\ndata: ", body, b"\n\n"].concat()
}

#[derive(Serialize)]
struct Envelope<'a> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ToolResult<'a>>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    code: i64,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolResult<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<&'static str>,
    content: [TextContent<'a>; 1],
    is_error: bool,
    #[serde(rename = "_meta", skip_serializing_if = "Map::is_empty")]
    meta: Map<String, Value>,
}

#[derive(Serialize)]
struct TextContent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

fn to_bytes(envelope: &Envelope<'_>) -> Vec<u8> {
    // Nothing here can fail to serialize: no maps with other keys than strings, no writer that fails.
    serde_json::to_vec(envelope).unwrap_or_else(|_| {
        br#"{"jsonrpc":"2.0","error":{"code":-32603,"message":"internal error"}}"#.to_vec()
    })
}
