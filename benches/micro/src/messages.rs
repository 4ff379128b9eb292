//! Messages as clients and servers send them, of any size, the same on every machine.

use serde_json::{Map, Value, json};

/// The tool that all calls are of.
pub const TOOL: &str = "get_customer_orders";

/// The revision of the legacy calls.
pub const LEGACY: &str = "2025-11-25";

/// The revision of the modern calls.
pub const MODERN: &str = "2026-07-28";

/// Headers of a POST to `/crm/mcp` as Envoy hands them on: of a call of the modern era, or of a legacy one,
/// which may have a session.
#[must_use]
pub fn headers<'a>(
    authorization: &'a str,
    length: &'a str,
    modern: bool,
    session: Option<&'a str>,
) -> Vec<(&'static str, &'a str)> {
    let mut headers = vec![
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/crm/mcp"),
        (":authority", "gw.example.com"),
        ("user-agent", "bench/1.0"),
        ("accept", "application/json, text/event-stream"),
        ("accept-encoding", "gzip, br"),
        ("content-type", "application/json"),
        ("content-length", length),
        ("authorization", authorization),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "7f1f6b9e-0d5c-4f7b-9a55-6c7a2f3b1c4d"),
    ];
    if modern {
        headers.push(("mcp-protocol-version", MODERN));
        headers.push(("mcp-method", "tools/call"));
        headers.push(("mcp-name", TOOL));
    } else {
        headers.push(("mcp-protocol-version", LEGACY));
    }
    headers.extend(session.map(|session| ("mcp-session-id", session)));
    headers
}

/// A `tools/call` of the legacy era with about `size` bytes, with the id 7.
#[must_use]
pub fn call(size: usize) -> Vec<u8> {
    fill(size, |rows| {
        request("tools/call", call_params(rows, json!({"progressToken": 7})))
    })
}

/// The same of the modern era, which says version and client in each request.
#[must_use]
pub fn modern_call(size: usize) -> Vec<u8> {
    let meta = json!({
        "progressToken": 7,
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1.0.0"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
    });
    fill(size, |rows| {
        request("tools/call", call_params(rows, meta.clone()))
    })
}

/// A request for the list of tools.
#[must_use]
pub fn list() -> Vec<u8> {
    request("tools/list", json!({})).into_bytes()
}

/// The answer to a call with about `size` bytes: one half of it as text, one as structure.
#[must_use]
pub fn result(size: usize) -> Vec<u8> {
    fill(size, |rows| {
        let (written, structured) = rows.split_at(rows.len() / 2);
        let text = Value::from(written).to_string();
        answer(json!({
            "content": [{"type": "text", "text": text}],
            "structuredContent": {"orders": structured},
            "isError": false,
        }))
    })
}

/// A list of so many tools. Every second one is called `admin_…`, the others `get_…`.
#[must_use]
pub fn tools(count: usize) -> Vec<u8> {
    let tools: Vec<Value> = (0..count).map(tool).collect();
    answer(json!({"tools": tools})).into_bytes()
}

/// A stream of so many events, one per piece: progress, and the answer at last.
#[must_use]
pub fn events(count: usize) -> Vec<Vec<u8>> {
    let progress = (1..count).map(|step| {
        let params = json!({
            "progressToken": 7, "progress": step, "total": count,
            "message": format!("order {step} of {count} read"),
        });
        json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}).to_string()
    });
    let last = String::from_utf8_lossy(&result(500)).into_owned();
    let messages = progress.chain([last]).enumerate();
    let event = |(id, data): (usize, String)| format!("event: message\nid: {id}\ndata: {data}\n\n");
    messages
        .map(|message| event(message).into_bytes())
        .collect()
}

/// The arguments of [`call`], read.
#[must_use]
pub fn arguments(size: usize) -> Map<String, Value> {
    let call: Value = serde_json::from_slice(&call(size)).unwrap_or_default();
    match call.pointer("/params/arguments") {
        Some(Value::Object(arguments)) => arguments.clone(),
        _ => Map::new(),
    }
}

fn request(method: &str, params: Value) -> String {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string()
}

fn answer(result: Value) -> String {
    json!({"jsonrpc": "2.0", "id": 7, "result": result}).to_string()
}

fn call_params(rows: &[Value], meta: Value) -> Value {
    json!({
        "name": TOOL,
        "arguments": {
            "customer": "C-1042", "amount": 42.5, "currency": "EUR",
            "filter": {"open": true, "since": "2026-01-01", "regions": ["emea", "apac"]},
            "orders": rows,
        },
        "_meta": meta,
    })
}

/// As many rows as it takes to come close to the size, no more.
fn fill(size: usize, write: impl Fn(&[Value]) -> String) -> Vec<u8> {
    let rows: Vec<Value> = (0..=size / 64).map(row).collect();
    let mut text = write(&[]);
    let mut step = rows.len().next_power_of_two();
    let mut count = 0;
    while step > 0 {
        if let Some(more) = rows.get(..count + step) {
            let longer = write(more);
            if longer.len() <= size {
                count += step;
                text = longer;
            }
        }
        step /= 2;
    }
    text.into_bytes()
}

fn row(number: usize) -> Value {
    json!({
        "id": format!("O-{:05}", number * 7919 % 100_000),
        "total": (number * 37 % 10_000) as f64 / 100.0,
        "items": number % 9,
        "note": "left at the door; called twice, \"no answer\"",
    })
}

fn tool(number: usize) -> Value {
    let area = if number.is_multiple_of(2) {
        "get"
    } else {
        "admin"
    };
    json!({
        "name": format!("{area}_record_{number}"),
        "description": format!("Reads or changes record {number} of the customer's account, with its history."),
        "inputSchema": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "description": "Identifier of the record"},
                "limit": {"type": "integer", "minimum": 1, "maximum": 100},
            },
            "required": ["id"],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_their_size() {
        for size in [1_000, 2_048, 10_240, 102_400] {
            for message in [call(size), modern_call(size), result(size)] {
                let length = message.len();
                assert!(length <= size && length + 300 > size, "{length} of {size}");
            }
        }
        assert_eq!(tools(10), tools(10));
        assert_eq!(events(100).len(), 100);
        assert_eq!(arguments(2_048).len(), 5);
    }
}
