//! The state machine against the in-memory host.

mod batches;
mod detection;
mod requests;
mod responses;
mod sessions;
mod shadow;
mod standing;
mod switched;
mod tasks;

use std::rc::Rc;
use std::sync::LazyLock;

use gatehold_wire::audit::{AppendResponse, Event};
use prost::Message as _;
use serde_json::{Value, json};

use super::*;
use crate::host::Direction;
use crate::testing::{self, Driver, End, FakeHost};

const HOLD: &str = r#"{"control_cluster": "c"}"#;
const GO_AHEAD: &str = r#"{"control_cluster": "c", "hold_headers": false}"#;

const JSON: &[(&str, &str)] = &[(":status", "200"), ("content-type", "application/json")];
const SSE: &[(&str, &str)] = &[(":status", "200"), ("content-type", "text/event-stream")];

fn headers<'a>(authorization: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut headers = vec![
        (":method", "POST"),
        (":path", "/crm/mcp"),
        (":authority", "gw.example.com"),
        ("content-type", "application/json"),
        ("authorization", authorization),
        ("accept-encoding", "gzip"),
    ];
    for (name, value) in more {
        headers.retain(|(own, _)| own != name);
        headers.push((name, value));
    }
    headers
}

fn bearer(roles: &[&str]) -> String {
    static SUPPORT: LazyLock<String> = LazyLock::new(|| testing::token(&["support"]));
    match roles {
        ["support"] => format!("Bearer {}", *SUPPORT),
        roles => format!("Bearer {}", testing::token(roles)),
    }
}

fn rpc(method: &str, params: Value) -> Vec<u8> {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })
        .to_string()
        .into_bytes()
}

fn call(tool: &str, arguments: Value) -> Vec<u8> {
    rpc(
        "tools/call",
        json!({ "name": tool, "arguments": arguments }),
    )
}

/// What a request came to.
struct Came {
    status: Option<u32>,
    body: Value,
    upstream: Vec<u8>,
    events: Vec<Event>,
}

fn run(config: &str, headers: &[(&str, &str)], pieces: &[&[u8]], end: End) -> Came {
    let host = FakeHost::new();
    let worker = testing::worker(&host, config);
    run_on(&host, &worker, headers, pieces, end)
}

fn run_on(
    host: &FakeHost,
    worker: &Rc<Worker>,
    headers: &[(&str, &str)],
    pieces: &[&[u8]],
    end: End,
) -> Came {
    let mut driver = Driver::new(host, worker);
    driver.request(headers, pieces, end);
    driver.exchange.done(host);
    let (status, body) = host.with(|inner| {
        assert!(inner.replies.len() < 2, "answered twice");
        let reply = inner.replies.first().cloned();
        let status = reply.as_ref().map(|reply| reply.status);
        (
            status,
            reply.map_or(Value::Null, |it| {
                serde_json::from_slice(&it.body).unwrap_or(Value::Null)
            }),
        )
    });
    Came {
        status,
        body,
        upstream: driver.upstream,
        events: testing::events(worker),
    }
}

fn answered<'a>(host: &'a FakeHost, worker: &Rc<Worker>, body: &[u8]) -> Driver<'a> {
    let mut driver = Driver::new(host, worker);
    driver.request(&headers(&bearer(&["support"]), &[]), &[body], End::Piece);
    assert_eq!(driver.upstream, body);
    driver
}

fn list_answer(id: i64) -> Vec<u8> {
    json!({ "jsonrpc": "2.0", "id": id, "result": { "tools": [
        { "name": "get_a", "inputSchema": {} }, { "name": "drop_all", "inputSchema": {} },
        { "name": "refund", "inputSchema": {} }, { "name": "secret", "inputSchema": {} },
    ] } })
    .to_string()
    .into_bytes()
}

fn names(body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap();
    let tools = body["result"]["tools"].as_array().unwrap().iter();
    tools
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect()
}
