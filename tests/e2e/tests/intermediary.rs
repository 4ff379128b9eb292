//! Promise: the filter keeps the rules for intermediaries of 2026-07-28. What is allowed passes as it is in both
//! directions; mirrored headers are decoded and compared with the body, and where they disagree nobody is served.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use gatehold_e2e::*;
use gatehold_harness::{Answer, Call, Harness, Received, Reply, Step, Version, message};
use serde_json::{Value, json};

const OPEN: &str = r#"
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: open }
spec:
  rules:
    - allow: { server: "*", tools: ["*"], resources: ["*"], prompts: ["*"], methods: ["*"] }
"#;

const HEADER_MISMATCH: i64 = -32020;
const UNSUPPORTED_VERSION: i64 = -32022;

/// What Envoy adds to a request by itself, and what frames a message.
const ENVOYS: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "te",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-request-id",
    "x-envoy-external-address",
    "x-envoy-original-path",
];

/// What every request carries beside the headers that mirror its body; the first three are sent with any call.
const FURTHER: [(&str, &[&[u8]]); 11] = [
    ("content-type", &[b"application/json"]),
    ("accept", &[b"application/json, text/event-stream"]),
    ("mcp-protocol-version", &[b"2026-07-28"]),
    ("user-agent", &[b"agent/1 (test)"]),
    ("x-two", &[b"first, one", b"second"]),
    ("x-bytes", &[b"caf\xc3\xa9 \"q\"\tt"]),
    ("cookie", &[b"a=1; b=2"]),
    (
        "traceparent",
        &[b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
    ),
    ("tracestate", &[b"a=1,b=2"]),
    ("baggage", &[b"k=v"]),
    ("accept-language", &[b"pt, en;q=0.5"]),
];

async fn open() -> Harness {
    let documents = Harness::builder()
        .document("server.yaml", SERVER)
        .document("policy.yaml", OPEN);
    started(documents).await
}

/// A request of 2026-07-28 with these exact bytes as its body, and the headers that mirror them.
fn exactly(body: &str) -> Call {
    let message: Value = serde_json::from_str(body).unwrap();
    let call = Call::post(CRM, body.to_owned())
        .header("mcp-protocol-version", message::MODERN)
        .header("mcp-method", message["method"].as_str().unwrap());
    match message["params"]
        .get("name")
        .or(message["params"].get("uri"))
    {
        Some(Value::String(name)) => call.header("mcp-name", name),
        _ => call,
    }
}

/// The values of a header, in order.
fn values(received: &Received, name: &str) -> Vec<Vec<u8>> {
    let named = received.headers.iter().filter(|(key, _)| key == name);
    named.map(|(_, value)| value.clone()).collect()
}

/// Sends it, and holds that it reached the upstream once.
async fn forwarded(harness: &Harness, what: &str, call: &Call) -> Received {
    let reply = harness.send(call).await.unwrap();
    assert_eq!(reply.status, 200, "{what}: {}", reply.text());
    let mut received = harness.recorder.take();
    assert_eq!(received.len(), 1, "{what}");
    received.remove(0)
}

/// Sends it, and holds that it was refused with 400 and this code, and that nothing reached the upstream.
async fn refused(harness: &Harness, what: &str, call: &Call, code: i64) -> Value {
    let reply = harness.send(call).await.unwrap();
    assert_eq!(reply.status, 400, "{what}: {}", reply.text());
    let answer = reply.json();
    assert_eq!(answer["jsonrpc"], "2.0", "{what}: {answer}");
    assert_eq!(answer["error"]["code"], code, "{what}: {answer}");
    assert!(
        harness.recorder.take().is_empty(),
        "{what}: it reached the upstream"
    );
    answer
}

#[tokio::test]
async fn an_allowed_request_arrives_as_it_was_sent() {
    let mut harness = open().await;
    let token = alice(&harness);
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28", "io.modelcontextprotocol/clientCapabilities":{"extensions":{"com.example/x":{}}},"com.example/own":[1.0,null]}"#;
    let bodies = [
        (
            "blanks and order",
            format!(
                "\r\n{{ \"params\" : {{{meta} , \"arguments\":{{}},\"name\":\"echo\"}},\t\"method\":\"tools/call\",\"id\":\"\\u0061\" ,\"jsonrpc\":\"2.0\"}}\n"
            ),
        ),
        (
            "numbers as they were spelled",
            format!(
                r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"echo","arguments":{{"a":1.50,"b":1E2,"c":-0,"d":9007199254740993}},{meta}}}}}"#
            ),
        ),
        (
            "escapes",
            format!(
                r#"{{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{{"name":"ec\u0068o","arguments":{{"\u00e4":"\ud83d\ude00\/"}},{meta}}}}}"#
            ),
        ),
        (
            "answers to a server's questions",
            format!(
                r#"{{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{{"name":"echo","inputResponses":{{"q":{{"action":"accept","content":{{"x":1.0}}}}}},"arguments":{{}},{meta}}}}}"#
            ),
        ),
        (
            "a resource",
            format!(
                r#"{{"jsonrpc":"2.0","id":10,"method":"resources/read","params":{{"uri":"crm://public/a%20b",{meta}}}}}"#
            ),
        ),
        (
            "an unknown method",
            format!(
                r#"{{"jsonrpc":"2.0","id":11,"method":"example/own","params":{{"deep":[[{{}}]],{meta}}}}}"#
            ),
        ),
    ];
    for (what, body) in &bodies {
        let message: Value = serde_json::from_str(body).unwrap();
        let params = &message["params"];
        let mut sent = FURTHER.to_vec();
        let method = [message["method"].as_str().unwrap().as_bytes()];
        sent.push(("mcp-method", &method));
        let name = params.get("name").or(params.get("uri"));
        let name = [name.and_then(Value::as_str).unwrap_or_default().as_bytes()];
        if name != [b""] {
            sent.push(("mcp-name", &name));
        }
        let call = exactly(body);
        let call = FURTHER[3..].iter().fold(call, |call, (name, values)| {
            values
                .iter()
                .fold(call, |call, value| call.header(name, value))
        });
        for version in [Version::Http1, Version::Http2] {
            let call = call
                .clone()
                .over(version)
                .header("accept-encoding", "gzip, br")
                .bearer(&token);
            let what = format!("{what}, {version:?}");
            let received = forwarded(&harness, &what, &call).await;
            assert_eq!(String::from_utf8_lossy(&received.body), *body, "{what}");
            for (name, expected) in &sent {
                assert_eq!(values(&received, name), *expected, "{what}: {name}");
            }
            for (name, _) in &received.headers {
                let known =
                    sent.iter().any(|(sent, _)| sent == name) || ENVOYS.contains(&name.as_str());
                assert!(known, "{what}: `{name}` was added");
            }
        }
    }
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn headers_that_mirror_unknown_arguments_pass_untouched() {
    let harness = open().await;
    let token = alice(&harness);
    let call = |version| call("echo", &json!({ "region": "us" })).over(version);
    for value in [
        "us-west1",
        "42",
        "a  b",
        "=?base64?SGVsbG8=?=",
        "=?base64?w6Q=?=",
        "=?base64?",
        "SGVsbG8=",
        "=?BASE64?SGVsbG8=?=",
    ] {
        for version in [Version::Http1, Version::Http2] {
            let call = call(version)
                .header("Mcp-Param-Region", value)
                .header("mcp-param-of.nobody", value)
                .bearer(&token);
            let received = forwarded(&harness, value, &call).await;
            for name in ["mcp-param-region", "mcp-param-of.nobody"] {
                assert_eq!(values(&received, name), [value.as_bytes()], "{version:?}");
            }
        }
    }
    // Also where no argument can be mirrored.
    let list = message::modern(CRM, "tools/list", &json!({}))
        .header("mcp-param-region", "us")
        .bearer(&token);
    let received = forwarded(&harness, "a list", &list).await;
    assert_eq!(values(&received, "mcp-param-region"), [b"us"]);
}

#[tokio::test]
async fn an_answer_arrives_as_the_upstream_sent_it() {
    let mut harness = open().await;
    let token = alice(&harness);
    let call = call("echo", &json!({})).bearer(&token);
    let json_bodies = [
        (
            200,
            " {\r\n\"result\" : {\"content\":[{\"type\":\"text\",\"text\":\"\\u0041\\/\"}],\"resultType\":\"complete\",\"own\":1.50},\"id\":1,\"jsonrpc\":\"2.0\"}\n",
        ),
        (
            200,
            r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"q":{"method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{}}}}}}}"#,
        ),
        (
            200,
            r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"com.example/later","x":[1e2]}}"#,
        ),
        (
            200,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-31000,"message":"no","data":{"a":[]}}}"#,
        ),
        (
            400,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32021,"message":"no","data":{"requiredCapabilities":{"sampling":{}}}}}"#,
        ),
        (
            404,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}"#,
        ),
    ];
    for (status, body) in json_bodies {
        for piece in [usize::MAX, 3] {
            harness
                .recorder
                .answer(move |_| answer(status, "application/json; charset=utf-8", body, piece));
            for version in [Version::Http1, Version::Http2] {
                let reply = harness.send(&call.clone().over(version)).await.unwrap();
                assert_eq!(reply.status, status, "{body}");
                assert_eq!(reply.text(), body, "in pieces of {piece}");
                same_headers(&reply, "application/json; charset=utf-8");
            }
        }
    }
    let result = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"resultType":"complete"}}"#;
    let progress = r#"{"jsonrpc": "2.0", "method":"notifications/progress","params":{"progressToken":"t","progress":0.50}}"#;
    let streams = [
        format!("event: message\ndata: {progress}\n\nevent: message\ndata: {result}\n\n"),
        format!(
            ": here\n\n:\n\nid: 1\ndata:\n\nretry: 500\nid: 2\nevent: message\ndata:{progress}\n\n: still here\n\ndata: {result}\n\n"
        ),
        format!("data: {progress}\r\n\r\n: x\r\n\r\nid: a b\r\ndata: {result}\r\n\r\n"),
        "unknown: field\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"id\":1,\"result\":{\"content\":[],\"resultType\":\"complete\"}}\n\n".to_owned(),
    ];
    for body in streams {
        for piece in [usize::MAX, 5] {
            let sent = body.clone();
            harness
                .recorder
                .answer(move |_| answer(200, "text/event-stream", &sent, piece));
            for version in [Version::Http1, Version::Http2] {
                let reply = harness.send(&call.clone().over(version)).await.unwrap();
                assert_eq!(reply.text(), body, "{version:?}, in pieces of {piece}");
                same_headers(&reply, "text/event-stream");
            }
        }
    }
    nothing_crashed(&mut harness).await;
}

fn answer(status: u16, media: &str, body: &str, piece: usize) -> Answer {
    let answer = Answer::status(status)
        .header("content-type", media)
        .header("cache-control", "no-store, no-transform")
        .header("x-accel-buffering", "no")
        .header("set-cookie", "a=1; Path=/")
        .header("set-cookie", "b=2")
        .header("x-own", "caf\u{e9}");
    let pieces = body.as_bytes().chunks(piece.min(body.len()));
    pieces.fold(answer, |answer, piece| {
        answer.step(Step::Send(piece.to_vec().into()))
    })
}

fn same_headers(reply: &Reply, media: &str) {
    let all = |name: &str| -> Vec<Vec<u8>> {
        let values = reply.headers.get_all(name).iter();
        values.map(|value| value.as_bytes().to_vec()).collect()
    };
    assert_eq!(all("content-type"), [media.as_bytes()]);
    assert_eq!(all("cache-control"), [b"no-store, no-transform"]);
    assert_eq!(all("x-accel-buffering"), [b"no"]);
    assert_eq!(all("set-cookie"), [&b"a=1; Path=/"[..], b"b=2"]);
    assert_eq!(all("x-own"), ["caf\u{e9}".as_bytes()]);
}

#[tokio::test]
async fn mirrored_headers_are_decoded_before_they_are_compared() {
    let harness = open().await;
    let token = alice(&harness);
    let named = |tool: &str, header: &str| {
        call(tool, &json!({}))
            .without("mcp-name")
            .header("mcp-name", header)
            .bearer(&token)
    };
    for (what, tool, header) in [
        ("plain", "get_customer", "get_customer"),
        (
            "encoded though it need not be",
            "get_customer",
            "=?base64?Z2V0X2N1c3RvbWVy?=",
        ),
        ("not ASCII", "größe", "=?base64?Z3LDtsOfZQ==?="),
        ("blanks inside", "a b", "a b"),
        ("blanks around, encoded", " a", "=?base64?IGE=?="),
        (
            "looks encoded, encoded once more",
            "=?base64?YQ==?=",
            "=?base64?PT9iYXNlNjQ/WVE9PT89?=",
        ),
        (
            "the mark in other letters is no mark",
            "=?BASE64?YQ==?=",
            "=?BASE64?YQ==?=",
        ),
        ("a mark that never closes", "=?base64?YQ==", "=?base64?YQ=="),
        ("blanks around the value", "echo", " \t echo \t "),
    ] {
        let received = forwarded(&harness, what, &named(tool, header)).await;
        assert_eq!(received.json()["params"]["name"], tool, "{what}");
        let arrived = received.header("mcp-name");
        assert_eq!(arrived.trim(), header.trim(), "{what}");
    }
    let spaced = call("echo", &json!({}))
        .without("mcp-method")
        .without("mcp-protocol-version")
        .header("MCP-METHOD", "  tools/call\t")
        .header("Mcp-Protocol-Version", "\t2026-07-28 ")
        .bearer(&token);
    forwarded(&harness, "blanks around all of them", &spaced).await;
    // A resource is mirrored by its URI, also over HTTP/2.
    let uri = "crm://public/ä";
    let read = message::modern(CRM, "resources/read", &json!({ "uri": uri }));
    let received = forwarded(&harness, uri, &read.http2().bearer(&token)).await;
    assert_eq!(
        received.header("mcp-name"),
        "=?base64?Y3JtOi8vcHVibGljL8Ok?="
    );
}

#[tokio::test]
async fn headers_that_are_absent_or_disagree_are_refused() {
    let mut harness = open().await;
    let token = alice(&harness);
    let base = call("echo", &json!({})).bearer(&token);
    let with = |name: &str, value: &[u8]| base.clone().without(name).header(name, value);
    let cases: Vec<(&str, Call)> = vec![
        ("no method", base.clone().without("mcp-method")),
        ("no name", base.clone().without("mcp-name")),
        ("no version", base.clone().without("mcp-protocol-version")),
        ("another method", with("mcp-method", b"tools/list")),
        (
            "the method in other letters",
            with("mcp-method", b"Tools/Call"),
        ),
        ("an empty method", with("mcp-method", b"")),
        (
            "an encoded method",
            with("mcp-method", b"=?base64?dG9vbHMvY2FsbA==?="),
        ),
        ("another name", with("mcp-name", b"refund")),
        ("the name in other letters", with("mcp-name", b"Echo")),
        ("an empty name", with("mcp-name", b"")),
        (
            "another name, encoded",
            with("mcp-name", b"=?base64?cmVmdW5k?="),
        ),
        (
            "base64 without its padding",
            with("mcp-name", b"=?base64?ZWNobw?="),
        ),
        (
            "base64 with other characters",
            with("mcp-name", b"=?base64?ZWN_bw==?="),
        ),
        (
            "base64 with blanks",
            with("mcp-name", b"=?base64?ZWNo bw==?="),
        ),
        (
            "base64 with loose bits",
            with("mcp-name", b"=?base64?ZWNobx==?="),
        ),
        ("base64 of no UTF-8", with("mcp-name", b"=?base64?/w==?=")),
        (
            "encoded twice",
            with("mcp-name", b"=?base64?PT9iYXNlNjQ/WldOb2J3PT0/PQ==?="),
        ),
        (
            "the mark in other letters",
            with("mcp-name", b"=?BASE64?ZWNobw==?="),
        ),
        ("raw UTF-8", with("mcp-name", "ech\u{f6}".as_bytes())),
        (
            "an older version",
            with("mcp-protocol-version", b"2025-11-25"),
        ),
        (
            "the oldest version",
            with("mcp-protocol-version", b"2025-03-26"),
        ),
        (
            "a version nobody knows",
            with("mcp-protocol-version", b"2099-01-01"),
        ),
        (
            "a version in other words",
            with("mcp-protocol-version", b"v2026-07-28"),
        ),
        (
            "the method twice",
            base.clone().header("mcp-method", "tools/call"),
        ),
        (
            "two methods",
            base.clone().header("mcp-method", "tools/list"),
        ),
        ("the name twice", base.clone().header("mcp-name", "echo")),
        ("two names", base.clone().header("mcp-name", "refund")),
        (
            "the version twice",
            base.clone().header("mcp-protocol-version", "2026-07-28"),
        ),
        (
            "two versions",
            base.clone().header("mcp-protocol-version", "2025-11-25"),
        ),
        (
            "two methods in one line",
            with("mcp-method", b"tools/call, tools/call"),
        ),
    ];
    for (what, call) in &cases {
        for version in [Version::Http1, Version::Http2] {
            let what = format!("{what}, {version:?}");
            let call = call.clone().over(version);
            refused(&harness, &what, &call, HEADER_MISMATCH).await;
        }
    }
    for method in ["prompts/get", "resources/read"] {
        let params = json!({ "name": "reply", "uri": "crm://public/a" });
        let call = message::modern(CRM, method, &params).bearer(&token);
        let other = call.without("mcp-name").header("mcp-name", "other");
        refused(&harness, method, &other, HEADER_MISMATCH).await;
    }
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_refusal_of_headers_carries_the_id_of_the_request() {
    let harness = open().await;
    let token = alice(&harness);
    for id in [json!("a"), json!(0), json!(-3)] {
        let mut body: Value = message::request(1, "tools/call", &message::tool("echo", &json!({})));
        body["id"] = id.clone();
        body["params"]["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": message::MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let call = exactly(&body.to_string())
            .without("mcp-method")
            .bearer(&token);
        let answer = refused(&harness, "no method", &call, HEADER_MISMATCH).await;
        assert_eq!(answer["id"], id);
    }
}

#[tokio::test]
async fn a_version_that_nobody_knows_is_answered_with_those_that_are() {
    let harness = open().await;
    let token = alice(&harness);
    for version in ["2099-01-01", "2024-11-05", "v1", "2026-07-28 "] {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let body = message::request(1, "tools/list", &json!({ "_meta": meta }));
        let call = Call::post(CRM, body.to_string())
            .header("mcp-method", "tools/list")
            .header("mcp-protocol-version", version)
            .bearer(&token);
        // A header loses the blank around it, so the last one disagrees with its body instead.
        let code = if version.ends_with(' ') {
            HEADER_MISMATCH
        } else {
            UNSUPPORTED_VERSION
        };
        let answer = refused(&harness, version, &call, code).await;
        if code == UNSUPPORTED_VERSION {
            let data = &answer["error"]["data"];
            assert_eq!(data["requested"], version);
            let supported = data["supported"].as_array().unwrap();
            assert!(supported.contains(&json!(message::MODERN)), "{answer}");
        }
    }
    // Without its metadata a request of this version cannot be served.
    let bare = message::request(1, "tools/list", &json!({}));
    let call = Call::post(CRM, bare.to_string())
        .header("mcp-method", "tools/list")
        .header("mcp-protocol-version", message::MODERN)
        .bearer(&token);
    refused(&harness, "no metadata", &call, -32602).await;
}

#[tokio::test]
async fn a_policy_is_not_passed_by_with_headers_of_another_call() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    // What policy allows in the headers, what it denies in the body, with every version that could matter.
    for version in ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"] {
        for name in ["get_customer", "=?base64?Z2V0X2N1c3RvbWVy?="] {
            let call = call("delete_customer", &json!({ "id": "c1" }))
                .without("mcp-name")
                .without("mcp-protocol-version")
                .header("mcp-name", name)
                .header("mcp-protocol-version", version)
                .bearer(&token);
            refused(&harness, version, &call, HEADER_MISMATCH).await;
        }
    }
    nothing_was_sent(&harness).await;
    nothing_crashed(&mut harness).await;
}
