//! Promise: where headers go ahead of the verdict (`hold_headers: false`, for listeners that cannot hold them), no
//! byte of a denied body reaches the upstream, and nothing that nobody judged the client.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use gatehold_e2e::*;
use gatehold_harness::{Answer, Call, Harness, Received, Upstream, Version, message};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const AHEAD: &str = r#"{"control_cluster": "gatehold_control", "audit": "on", "audit_overflow": "drop",
    "unmatched": "deny", "hold_headers": false}"#;

async fn ahead() -> (Harness, String) {
    let harness = started(governed().filter_config(AHEAD)).await;
    let token = alice(&harness);
    (harness, token)
}

/// The call in every shape in which its end comes differently.
fn shapes(call: &Call) -> [Call; 4] {
    [
        call.clone(),
        call.clone().in_pieces_of(9),
        call.clone().over(Version::Http2).in_pieces_of(20),
        call.clone().over(Version::Http2).trailer("x-end", "1"),
    ]
}

#[tokio::test]
async fn what_is_denied_stays_here_but_for_its_headers() {
    let (mut harness, token) = ahead().await;
    let denied = [
        call("delete_customer", &json!({ "id": "c-1" })),
        call("refund", &large_refund()),
        message::modern(CRM, "admin/reset", &json!({})),
        message::legacy(CRM, "tools/call", &json!({ "name": "refund" })),
        Call::post(CRM, "{").header("mcp-protocol-version", message::LEGACY),
    ];
    for call in denied {
        for call in shapes(&call.bearer(&token)) {
            let reply = harness.send(&call).await.unwrap();
            assert!(reply.json().is_object(), "{}", reply.text());
            for request in harness.recorder.take_all() {
                assert!(request.body.is_empty() && !request.complete, "{request:?}");
                assert_eq!(request.header("authorization"), "");
            }
        }
    }
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn what_is_allowed_arrives_and_its_answer_is_judged() {
    let (mut harness, token) = ahead().await;
    let refund = call("refund", &small_refund()).bearer(&token);
    for call in shapes(&refund) {
        let reply = harness.send(&call).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let received = harness.recorder.take_all();
        assert_eq!(received.len(), 1);
        assert!(received[0].complete);
        assert_eq!(received[0].json()["params"]["arguments"], small_refund());
    }
    harness.recorder.answer(|request| {
        let tools = json!([{ "name": "get_x", "inputSchema": {} }, { "name": "delete_x", "inputSchema": {} }]);
        let id = request.json()["id"].clone();
        Answer::json(&json!({ "jsonrpc": "2.0", "id": id, "result": { "tools": tools } }))
    });
    let list = message::legacy(CRM, "tools/list", &json!({})).bearer(&token);
    for call in shapes(&list) {
        let reply = harness.send(&call).await.unwrap();
        assert!(reply.text().contains("get_x") && !reply.text().contains("delete_x"));
    }
    nothing_crashed(&mut harness).await;
}

/// A task's id is written anew in a body whose length had gone ahead, if it had.
#[tokio::test]
async fn a_body_may_change_its_length() {
    let (mut harness, token) = ahead().await;
    harness.recorder.answer(|request: &Received| {
        let result = json!({ "resultType": "task", "taskId": "t-1", "status": "working" });
        Answer::json(&json!({ "jsonrpc": "2.0", "id": request.json()["id"], "result": result }))
    });
    let started = call("get_customer", &json!({})).bearer(&token);
    let reply = harness.send(&started).await.unwrap();
    let task = reply.json()["result"]["taskId"]
        .as_str()
        .unwrap()
        .to_owned();
    let _ = harness.recorder.take_all();
    let meta = json!({ "io.modelcontextprotocol/clientCapabilities": {
        "extensions": { "io.modelcontextprotocol/tasks": {} },
    } });
    let get = message::modern(CRM, "tasks/get", &json!({ "taskId": task, "_meta": meta }))
        .header("mcp-name", &task)
        .bearer(&token);
    for call in shapes(&get) {
        let reply = harness.send(&call).await.unwrap();
        assert_eq!(reply.json()["result"]["taskId"], task, "{}", reply.text());
        let received = harness.recorder.take_all();
        assert_eq!(received[0].json()["params"]["taskId"], "t-1");
        assert_eq!(received[0].header("mcp-name"), "t-1");
        assert!(received[0].complete);
    }
    nothing_crashed(&mut harness).await;
}

/// An upstream that answers as soon as it has the headers of a request.
async fn hasty(answer: String) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
                    if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let _ = stream.write_all(answer.as_bytes()).await;
                while stream.read_buf(&mut seen).await.unwrap_or(0) > 0 {}
            });
        }
    });
    port
}

#[tokio::test]
async fn an_early_error_brings_its_status_and_nothing_else() {
    for (status, media) in [
        ("401 Unauthorized", "application/json"),
        ("500 Internal Server Error", "text/event-stream"),
        ("404 Not Found", "text/html"),
    ] {
        let body = r#"data: {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"delete_x"}]}}"#;
        let port = hasty(format!(
            "HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\
             www-authenticate: Bearer resource_metadata=\"https://else.test\"\r\n\
             mcp-session-id: s-1\r\n\r\n{body}",
            body.len()
        ))
        .await;
        let builder = governed().filter_config(AHEAD).upstream(Upstream::At(port));
        let mut harness = started(builder.without_waiting()).await;
        harness.wait_until_in_force().await.unwrap();
        let token = alice(&harness);
        for version in [Version::Http1, Version::Http2] {
            // The rest of the body never comes, so that there is no verdict.
            let call = call("refund", &small_refund()).bearer(&token).over(version);
            let call = call.in_pieces_of(20).unfinished();
            let reply = harness.send(&call).await.unwrap();
            assert!(
                status.starts_with(reply.status.as_str()),
                "{}",
                reply.status
            );
            assert_eq!(reply.text(), "", "{media}");
            for name in ["www-authenticate", "mcp-session-id"] {
                assert_eq!(reply.header(name), "", "{media}");
            }
        }
        nothing_crashed(&mut harness).await;
    }
}

/// Envoy's own buffer may be smaller than the limit of the server: then Envoy answers, and nothing passes.
#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let (mut harness, token) = ahead().await;
    let text = "x".repeat(20 << 20);
    let call = call("echo", &json!({ "text": text })).bearer(&token);
    for version in [Version::Http1, Version::Http2] {
        if let Ok(reply) = harness.send(&call.clone().over(version)).await {
            assert_eq!(reply.status, 413, "{}", reply.text());
        }
        for request in harness.recorder.take_all() {
            assert!(request.body.is_empty() && !request.complete);
        }
    }
    nothing_crashed(&mut harness).await;
}
