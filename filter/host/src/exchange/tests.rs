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
            reply.map_or(Value::Null, |it| serde_json::from_slice(&it.body).unwrap()),
        )
    });
    Came {
        status,
        body,
        upstream: driver.upstream,
        events: testing::events(worker),
    }
}

#[track_caller]
fn check_call(body: &[u8], status: Option<u32>, contains: &str, effect: &str) {
    let bearer = bearer(&["support"]);
    let (left, right) = body.split_at(body.len() / 2);
    for config in [HOLD, GO_AHEAD] {
        let host = FakeHost::new();
        let worker = testing::worker(&host, config);
        for (pieces, end) in [
            (&[body][..], End::Piece),
            (&[body], End::Empty),
            (&[body], End::Trailers),
            (&[left, right], End::Piece),
            (&[left, right], End::Trailers),
        ] {
            let came = run_on(&host, &worker, &headers(&bearer, &[]), pieces, end);
            assert_eq!(came.status, status, "{}", came.body);
            assert!(came.body.to_string().contains(contains), "{}", came.body);
            let expected = if status.is_none() { body } else { b"" };
            assert_eq!(came.upstream, expected, "{end:?}");
            assert_eq!(came.events.len(), 1);
            assert_eq!(came.events[0].effect, effect);
            assert_eq!(came.events[0].user, "ann");
        }
    }
}

#[test]
fn calls() {
    check_call(&call("get_order", json!({})), None, "", "allow");
    check_call(&call("refund", json!({"amount": 5.0})), None, "", "allow");
    check_call(
        &call("refund", json!({"amount": 500.0})),
        Some(200),
        "Denied by policy: ",
        "deny",
    );
    check_call(
        &call("refund", json!({"amount": 5000.0})),
        Some(200),
        "Needs approval (p/large)",
        "hold",
    );
    check_call(
        &call("drop_table", json!({})),
        Some(200),
        "Unknown tool: drop_table",
        "deny",
    );
    check_call(
        &call("nonexistent", json!({})),
        Some(200),
        "Unknown tool: nonexistent",
        "deny",
    );
    check_call(
        &rpc("resources/read", json!({"uri": "docs://a"})),
        None,
        "",
        "allow",
    );
    check_call(
        &rpc("resources/read", json!({"uri": "hr://a"})),
        Some(200),
        "-32002",
        "deny",
    );
    check_call(
        &rpc("prompts/get", json!({"name": "greet"})),
        None,
        "",
        "allow",
    );
    check_call(
        &rpc("prompts/get", json!({"name": "x"})),
        Some(200),
        "Unknown prompt: x",
        "deny",
    );
    check_call(
        &rpc("tasks/get", json!({"taskId": "1"})),
        Some(200),
        "Method not found: tasks/get",
        "deny",
    );
    check_call(
        &rpc(
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "greet"}}),
        ),
        None,
        "",
        "allow",
    );
    check_call(&rpc("tools/list", json!({})), None, "", "allow");
    check_call(&rpc("initialize", json!({})), None, "", "allow");
    check_call(
        br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        None,
        "",
        "allow",
    );
    check_call(b"[]", Some(400), "-32600", "deny");
    check_call(b"{", Some(400), "-32700", "deny");
    check_call(
        br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"get_a","name":"refund"}}"#,
        Some(400),
        "appears twice",
        "deny",
    );
    check_call(
        &call("get_order", json!({"x": "y".repeat(5000)})),
        Some(413),
        "requestBytes",
        "deny",
    );
}

#[test]
fn a_denied_call_says_why_to_the_model() {
    let bearer = bearer(&["support"]);
    let body = call("refund", json!({"amount": 500.0}));
    let came = run(HOLD, &headers(&bearer, &[]), &[&body], End::Piece);
    let result = &came.body["result"];
    assert_eq!(result["isError"], true);
    assert!(result.get("resultType").is_none());
    let meta = &result["_meta"]["gatehold.io/decision"];
    assert_eq!(meta["effect"], "deny");
    assert_eq!(meta["id"], came.events[0].id);
    let event = &came.events[0];
    assert_eq!(
        (event.method.as_str(), event.target.as_str()),
        ("tools/call", "refund")
    );
    assert_eq!(
        event.arguments,
        r#"{"amount":500.0}"#.replace("500.0", "500")
    );
    assert_eq!((event.outcome.as_str(), event.status), ("denied", 200));
    assert_eq!(event.policy_version, "v1");
}

#[test]
fn roles_decide() {
    let body = call("get_order", json!({}));
    let came = run(
        HOLD,
        &headers(&bearer(&["sales"]), &[]),
        &[&body],
        End::Piece,
    );
    assert!(came.body.to_string().contains("Unknown tool: get_order"));
    assert_eq!(came.upstream, b"");
}

#[track_caller]
fn check_headers(more: &[(&str, &str)], status: u32, contains: &str) {
    for config in [HOLD, GO_AHEAD] {
        let body = call("get_order", json!({}));
        let bearer = bearer(&["support"]);
        let came = run(config, &headers(&bearer, more), &[&body], End::Piece);
        assert_eq!(came.status, Some(status), "{more:?} {}", came.body);
        assert!(
            came.body.to_string().contains(contains),
            "{more:?} {}",
            came.body
        );
        assert_eq!(came.upstream, b"", "{more:?}");
    }
}

#[test]
fn headers_that_are_refused() {
    check_headers(&[(":path", "/other")], 404, "no server");
    check_headers(&[(":path", "/crm/mcp/")], 404, "no server");
    check_headers(&[(":path", "/crm/%6dcp")], 404, "no server");
    check_headers(&[(":method", "PUT")], 405, "not allowed");
    check_headers(&[(":method", "OPTIONS")], 405, "not allowed");
    check_headers(&[(":method", "GET")], 400, "no body");
    check_headers(&[("origin", "https://evil.example")], 403, "origin");
    check_headers(
        &[("authorization", "Basic x")],
        401,
        "bearer token is required",
    );
    check_headers(&[("authorization", "Bearer x")], 401, "invalid_token");
    check_headers(&[("content-type", "text/plain")], 415, "application/json");
    check_headers(&[("content-encoding", "gzip")], 415, "encoded");
    check_headers(&[("mcp-protocol-version", "2020-01-01")], 400, "-32022");
    check_headers(&[("mcp-method", "tools/list")], 400, "-32020");
}

#[test]
fn queries_and_origins_that_are_allowed() {
    let body = call("get_order", json!({}));
    let bearer = bearer(&["support"]);
    for more in [
        (":path", "/crm/mcp?session=1"),
        ("origin", "https://app.example.com"),
        ("origin", "http://gw.example.com:8080"),
    ] {
        let came = run(HOLD, &headers(&bearer, &[more]), &[&body], End::Piece);
        assert_eq!(
            (came.status, came.upstream),
            (None, body.clone()),
            "{more:?}"
        );
    }
}

#[test]
fn the_challenge_names_the_metadata() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = Driver::new(&host, &worker);
    driver.request(
        &[
            (":method", "POST"),
            (":path", "/crm/mcp"),
            (":authority", "h"),
        ],
        &[],
        End::Piece,
    );
    let reply = host.with(|inner| inner.replies[0].clone());
    let challenge = reply
        .headers
        .iter()
        .find(|(name, _)| *name == "www-authenticate")
        .unwrap();
    assert_eq!(
        challenge.1,
        "Bearer resource_metadata=\"http://gw.example.com/.well-known/oauth-protected-resource/crm/mcp\", \
         scope=\"mcp:tools\""
    );
    assert_eq!(host.metric("gatehold_refusals.reason=token"), 1);
}

#[test]
fn the_metadata_needs_no_token() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = Driver::new(&host, &worker);
    let path = "/.well-known/oauth-protected-resource/crm/mcp";
    driver.request(
        &[(":method", "GET"), (":path", path), (":authority", "h")],
        &[],
        End::Piece,
    );
    let reply = host.with(|inner| inner.replies[0].clone());
    assert_eq!(reply.status, 200);
    let document: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(document["resource"], "http://gw.example.com/crm/mcp");
    assert_eq!(
        document["authorization_servers"],
        json!(["https://idp.example.com"])
    );
}

#[test]
fn nothing_passes_before_the_first_push() {
    let host = FakeHost::new();
    for config in [HOLD, r#"{"control_cluster": "c", "unmatched": "pass"}"#] {
        let worker = testing::worker(&host, config);
        *worker.snapshot.borrow_mut() = None;
        host.with(|inner| inner.replies.clear());
        let mut driver = Driver::new(&host, &worker);
        driver.request(
            &[(":method", "GET"), (":path", "/"), (":authority", "h")],
            &[],
            End::Piece,
        );
        let reply = host.with(|inner| inner.replies[0].clone());
        assert_eq!(reply.status, 503);
        assert!(String::from_utf8(reply.body).unwrap().contains("-31503"));
    }
}

#[test]
fn foreign_paths_pass_when_they_may() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, r#"{"control_cluster": "c", "unmatched": "pass"}"#);
    let mut driver = Driver::new(&host, &worker);
    let flow = driver.request(
        &[
            (":method", "POST"),
            (":path", "/health"),
            (":authority", "h"),
        ],
        &[b"x"],
        End::Piece,
    );
    assert_eq!(
        (flow, driver.upstream.as_slice()),
        (Flow::Continue, b"x".as_slice())
    );
    let mut driver = Driver::new(&host, &worker);
    driver.request(
        &[
            (":method", "POST"),
            (":path", "/crm//mcp"),
            (":authority", "h"),
        ],
        &[],
        End::Piece,
    );
    assert_eq!(host.with(|inner| inner.replies[0].status), 404);
}

#[test]
fn the_upstream_never_gets_the_token() {
    let host = FakeHost::new();
    for config in [HOLD, GO_AHEAD] {
        let worker = testing::worker(&host, config);
        let mut driver = Driver::new(&host, &worker);
        let bearer = bearer(&["support"]);
        let own = headers(
            &bearer,
            &[("x-gatehold-user", "root"), ("x-envoy-max-retries", "9")],
        );
        let flow = driver.request(&own, &[], End::Open);
        assert_eq!(
            flow,
            if config == HOLD {
                Flow::Pause
            } else {
                Flow::Continue
            }
        );
        let left = host.with(|inner| inner.headers[0].clone());
        for gone in [
            "authorization",
            "accept-encoding",
            "x-gatehold-user",
            "x-envoy-max-retries",
        ] {
            assert_eq!(left.single(gone), None, "{gone}");
        }
        assert!(left.single("content-type").is_some());
    }
}

#[test]
fn tokens_are_verified_once() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let bearer = bearer(&["support"]);
    for _ in 0..3 {
        let mut driver = Driver::new(&host, &worker);
        driver.request(
            &headers(&bearer, &[]),
            &[&call("get_a", json!({}))],
            End::Piece,
        );
    }
    assert_eq!(host.metric("gatehold_tokens.source=verified"), 1);
    assert_eq!(host.metric("gatehold_tokens.source=remembered"), 2);
    assert_eq!(host.metric("gatehold_decisions.effect=allow"), 3);
}

/// Every host call of the way to a decision fails once, at each of its occurrences: nothing may go on.
#[test]
fn a_failing_host_never_lets_a_request_through() {
    let bearer = bearer(&["support"]);
    let body = call("get_order", json!({}));
    for config in [HOLD, GO_AHEAD] {
        for failing in ["headers", "now", "remove_header", "body", "reply"] {
            for after in 0..3 {
                let host = FakeHost::new();
                let worker = testing::worker(&host, config);
                let mut driver = Driver::new(&host, &worker);
                host.with(|inner| inner.fail = Some((failing, after)));
                driver.request(&headers(&bearer, &[]), &[&body], End::Piece);
                let failed = host.with(|inner| inner.fail == Some((failing, 0)));
                let stopped = host.with(|inner| inner.replies.len() + inner.resets);
                if stopped > 0 {
                    assert_eq!(driver.upstream, b"", "{failing} after {after}");
                    assert_eq!(host.metric("gatehold_refusals.reason=internal"), 1);
                } else {
                    // The call came less often than it was allowed to.
                    assert!(
                        !failed || after > 0 || failing == "reply",
                        "{failing} after {after}"
                    );
                }
            }
        }
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

#[test]
fn lists_are_filtered_in_json() {
    for config in [HOLD, GO_AHEAD] {
        for end in [End::Piece, End::Empty, End::Trailers] {
            let host = FakeHost::new();
            let worker = testing::worker(&host, config);
            let mut driver = answered(&host, &worker, &rpc("tools/list", json!({})));
            let answer = list_answer(7);
            let (left, right) = answer.split_at(40);
            driver.response(
                &[
                    (":status", "200"),
                    ("content-type", "application/json; charset=utf-8"),
                    ("content-length", "9"),
                ],
                &[left, right],
                end,
            );
            assert_eq!(names(&driver.client), ["get_a", "refund"]);
            let length = host.with(|inner| {
                inner.headers[1]
                    .single("content-length")
                    .map(<[u8]>::to_vec)
            });
            let expected = (config == HOLD).then(|| driver.client.len().to_string().into_bytes());
            assert_eq!(length, expected);
            driver.exchange.done(&host);
            let events = testing::events(&worker);
            assert_eq!(events.len(), 1);
            assert_eq!((events[0].shown, events[0].hidden), (2, 2));
            assert_eq!(events[0].outcome, "ok");
        }
    }
}

#[test]
fn lists_are_filtered_in_events_and_the_rest_is_byte_identical() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = answered(&host, &worker, &rpc("tools/list", json!({})));
    let before = b": hi\n\nid: 1\r\ndata:\r\n\r\n".as_slice();
    let note =
        b"data: {\"jsonrpc\":\"2.0\",\ndata: \"method\":\"notifications/message\"}\n\n".as_slice();
    let list = [
        b"event: message\ndata: ".as_slice(),
        &list_answer(7),
        b"\n\n",
    ]
    .concat();
    let flow = driver.response(SSE, &[before, note, &list[..30]], End::Open);
    assert_eq!(flow, Flow::Continue);
    assert_eq!(driver.client, [before, note].concat());
    driver.body(Direction::Response, &[&list[30..]], End::Empty);
    let rest = driver.client[before.len() + note.len()..].to_vec();
    let data = rest.strip_prefix(b"event: message\ndata: ").unwrap();
    assert_eq!(
        names(data.strip_suffix(b"\n\n").unwrap()),
        ["get_a", "refund"]
    );
    driver.exchange.done(&host);
    assert_eq!(testing::events(&worker).len(), 1);
}

#[test]
fn replayed_lists_are_filtered_on_get_streams() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = Driver::new(&host, &worker);
    let bearer = bearer(&["support"]);
    let get = headers(&bearer, &[(":method", "GET"), ("last-event-id", "4")]);
    assert_eq!(driver.request(&get, &[], End::Piece), Flow::Continue);
    let list = [b"data: ".as_slice(), &list_answer(3), b"\n\n"].concat();
    driver.response(SSE, &[&list], End::Open);
    assert!(!driver.client.is_empty());
    assert!(
        !String::from_utf8(driver.client.clone())
            .unwrap()
            .contains("drop_all")
    );
    let events = testing::events(&worker);
    assert_eq!((events.len(), events[0].method.as_str()), (1, "GET"));
    driver.exchange.done(&host);
    assert_eq!(testing::events(&worker).len(), 0);
}

#[track_caller]
fn check_answer(headers: &[(&str, &str)], body: &[u8], status: Option<u32>, outcome: &str) {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = answered(&host, &worker, &call("get_a", json!({})));
    let pieces: &[&[u8]] = if body.is_empty() { &[] } else { &[body] };
    driver.response(headers, pieces, End::Piece);
    driver.exchange.done(&host);
    driver.exchange.done(&host);
    assert_eq!(
        host.with(|inner| inner.replies.first().map(|reply| reply.status)),
        status
    );
    if status.is_none() {
        assert_eq!(driver.client, body);
    }
    assert_eq!(
        host.with(|inner| inner.headers[1]
            .single("www-authenticate")
            .map(<[u8]>::to_vec)),
        None
    );
    let events = testing::events(&worker);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].outcome, outcome);
}

#[test]
fn answers() {
    check_answer(
        JSON,
        br#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#,
        None,
        "ok",
    );
    check_answer(
        JSON,
        br#"{"jsonrpc":"2.0","id":7,"result":{"content":[],"isError":true}}"#,
        None,
        "tool_error",
    );
    check_answer(
        JSON,
        br#"{"jsonrpc":"2.0","id":7,"error":{"code":-5,"message":"x"}}"#,
        None,
        "error",
    );
    check_answer(
        SSE,
        b"data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n\n",
        None,
        "ok",
    );
    check_answer(&[(":status", "202")], b"", None, "unknown");
    check_answer(
        &[(":status", "500"), ("content-type", "text/plain")],
        b"oops",
        None,
        "unknown",
    );
    check_answer(
        &[
            (":status", "401"),
            ("content-type", "application/json"),
            ("www-authenticate", "Bearer"),
        ],
        br#"{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}"#,
        None,
        "error",
    );
    let gzip = [
        (":status", "200"),
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ];
    check_answer(&gzip, b"x", Some(502), "denied");
    check_answer(
        &[(":status", "200"), ("content-type", "text/html")],
        b"x",
        Some(502),
        "denied",
    );
    check_answer(&[(":status", "200")], b"x", Some(502), "denied");
    check_answer(JSON, &b"x".repeat(5000), Some(502), "denied");
}

#[test]
fn a_list_that_cannot_be_read_is_refused() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = answered(&host, &worker, &rpc("tools/list", json!({})));
    driver.response(
        JSON,
        &[br#"{"jsonrpc":"2.0","id":7,"result":{"tools":[],"tools":[]}}"#],
        End::Piece,
    );
    assert_eq!(host.with(|inner| inner.replies[0].status), 502);
    let mut driver = {
        host.with(|inner| inner.replies.clear());
        answered(&host, &worker, &rpc("tools/list", json!({})))
    };
    driver.response(
        SSE,
        &[b"data: {\"id\":7,\"result\":{\"tools\":[],\"tools\":[]}}\n\n"],
        End::Open,
    );
    let client = String::from_utf8(driver.client.clone()).unwrap();
    assert!(
        client.starts_with("data: {") && client.contains("-31502"),
        "{client}"
    );
}

#[test]
fn an_answer_that_is_refused_behind_its_headers_is_replaced() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, GO_AHEAD);
    let mut driver = answered(&host, &worker, &call("get_a", json!({})));
    driver.response(
        JSON,
        &[&b"x".repeat(3000), &b"x".repeat(3000), b"more"],
        End::Piece,
    );
    let client: Value = serde_json::from_slice(&driver.client).unwrap();
    assert_eq!(client["error"]["code"], -31502);
    assert_eq!(client["id"], 7);
}

#[test]
fn an_event_that_is_too_large_ends_the_stream() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = answered(&host, &worker, &call("get_a", json!({})));
    driver.response(SSE, &[b": first\n\n", &b"x".repeat(2000)], End::Open);
    let client = String::from_utf8(driver.client.clone()).unwrap();
    assert!(
        client.starts_with(": first\n\nevent: message\ndata: {"),
        "{client}"
    );
    assert!(client.contains("-31413"), "{client}");
    driver.body(Direction::Response, &[b"more"], End::Open);
    assert_eq!(driver.client.len(), client.len());
    assert_eq!(host.with(|inner| inner.resets), 1);
}

#[test]
fn a_client_that_goes_away_is_recorded_once() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = answered(&host, &worker, &call("get_a", json!({})));
    driver.exchange.done(&host);
    driver.exchange.done(&host);
    let events = testing::events(&worker);
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].effect.as_str(), events[0].outcome.as_str()),
        ("allow", "aborted")
    );
}

#[test]
fn our_own_reply_passes_through_the_response_events() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = Driver::new(&host, &worker);
    driver.request(
        &headers(&bearer(&[]), &[]),
        &[&call("drop_x", json!({}))],
        End::Piece,
    );
    assert_eq!(
        driver.exchange.response_headers(&host, false),
        Flow::Continue
    );
    assert_eq!(
        driver.exchange.response_body(&host, 10, true),
        Flow::Continue
    );
    driver.exchange.done(&host);
    assert_eq!(host.with(|inner| inner.replies.len()), 1);
    assert_eq!(testing::events(&worker).len(), 1);
}

#[test]
fn errors_of_the_proxy_pass_while_a_request_is_held() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    for (status, flow) in [("413", Flow::Continue), ("200", Flow::Pause)] {
        let mut driver = Driver::new(&host, &worker);
        driver.request(&headers(&bearer(&[]), &[]), &[b"{"], End::Open);
        assert_eq!(
            driver.response(&[(":status", status)], &[], End::Open),
            flow
        );
        assert_eq!(driver.upstream, b"");
    }
    assert_eq!(host.with(|inner| inner.resets), 1);
}

#[test]
fn a_full_audit_queue_refuses_when_it_shall() {
    let host = FakeHost::new();
    let worker = testing::worker(
        &host,
        r#"{"control_cluster": "c", "audit_overflow": "refuse"}"#,
    );
    let bearer = bearer(&["support"]);
    let open: Vec<_> = (0..crate::audit::Bounds::default().events)
        .map(|_| worker.reserve().unwrap())
        .collect();
    let mut driver = Driver::new(&host, &worker);
    driver.request(
        &headers(&bearer, &[]),
        &[&call("get_a", json!({}))],
        End::Piece,
    );
    assert_eq!(host.with(|inner| inner.replies[0].status), 503);
    assert_eq!(driver.upstream, b"");
    host.with(|inner| inner.replies.clear());
    worker.release(&open[0]);
    answered(&host, &worker, &call("get_a", json!({})))
        .exchange
        .done(&host);
    assert!(worker.reserve().is_none(), "its event waits for control");
    assert_eq!(testing::events(&worker).len(), 1);
    let acknowledgement = AppendResponse { batch: 1 }.encode_to_vec();
    worker
        .audit
        .borrow_mut()
        .acknowledge(&acknowledgement)
        .unwrap();
    assert!(worker.reserve().is_some(), "the room is given back");
}

#[test]
fn the_verdict_is_published() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    answered(&host, &worker, &call("get_a", json!({})));
    let published = host.with(|inner| inner.published.clone());
    for (key, value) in [
        ("gatehold.effect", "allow"),
        ("gatehold.rule", "p/get"),
        ("gatehold.user", "ann"),
        ("gatehold.tool", "get_a"),
    ] {
        assert_eq!(published.get(key).map(String::as_str), Some(value), "{key}");
    }
}
