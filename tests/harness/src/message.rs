//! MCP requests by hand, in both eras.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::http::Call;

/// The protocol version of the modern era.
pub const MODERN: &str = "2026-07-28";
/// The latest protocol version of the legacy era.
pub const LEGACY: &str = "2025-11-25";

/// A JSON-RPC request.
#[must_use]
pub fn request(id: u64, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// A call of `method` as a client of 2025-11-25 makes it after `initialize`.
#[must_use]
pub fn legacy(path: &str, method: &str, params: &Value) -> Call {
    Call::post(path, request(1, method, params).to_string()).header("mcp-protocol-version", LEGACY)
}

/// A call of `method` as a client of 2026-07-28 makes it: `_meta` in the body, and the headers that mirror it.
#[must_use]
pub fn modern(path: &str, method: &str, params: &Value) -> Call {
    let mut params = params.clone();
    if let Some(params) = params.as_object_mut() {
        let meta = params.entry("_meta").or_insert_with(|| json!({}));
        if let Some(meta) = meta.as_object_mut() {
            meta.entry("io.modelcontextprotocol/protocolVersion")
                .or_insert_with(|| json!(MODERN));
            meta.entry("io.modelcontextprotocol/clientCapabilities")
                .or_insert_with(|| json!({}));
        }
    }
    let call = Call::post(path, request(1, method, &params).to_string());
    let call = call
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", method);
    let named = match method {
        "tools/call" | "prompts/get" => params.get("name"),
        "resources/read" => params.get("uri"),
        _ => None,
    };
    match named.and_then(Value::as_str) {
        Some(name) => call.header("mcp-name", header_value(name)),
        None => call,
    }
}

/// Parameters of `tools/call`.
#[must_use]
pub fn tool(name: &str, arguments: &Value) -> Value {
    json!({ "name": name, "arguments": arguments })
}

/// A value as a mirrored header carries it: as it is when it is plain ASCII, else in base64 between markers.
fn header_value(value: &str) -> String {
    let plain = value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && value.trim() == value;
    if plain && !value.starts_with("=?base64?") {
        value.to_owned()
    } else {
        format!("=?base64?{}?=", STANDARD.encode(value))
    }
}

#[cfg(test)]
mod tests {
    use super::header_value;

    #[test]
    fn names_are_encoded_only_where_they_must_be() {
        for (name, expected) in [
            ("get_customer", "get_customer"),
            ("crm://a b", "crm://a b"),
            ("größe", "=?base64?Z3LDtsOfZQ==?="),
            (" x", "=?base64?IHg=?="),
            ("=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
        ] {
            assert_eq!(header_value(name), expected, "{name}");
        }
    }
}
