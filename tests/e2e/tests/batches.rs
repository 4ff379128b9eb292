//! Promise: every message of a batch is decided, and if one is refused none reaches the upstream.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use gatehold_e2e::*;
use gatehold_harness::{Answer, Call, Harness, Received, message};
use serde_json::{Value, json};

const OLD: &str = "2025-03-26";

fn tool(id: u64, name: &str, arguments: &Value) -> Value {
    message::request(id, "tools/call", &message::tool(name, arguments))
}

fn list(id: u64) -> Value {
    message::request(id, "tools/list", &json!({}))
}

/// Answers each request of a batch, lists with tools that nobody may see.
fn answer(request: &Received) -> Answer {
    let messages = request.json();
    let requests = messages.as_array().into_iter().flatten();
    let answers = requests.filter(|it| it.get("id").is_some()).map(|it| {
        let result = match it["method"].as_str() {
            Some("tools/list") => json!({ "tools": [
                { "name": "get_order", "inputSchema": {} },
                { "name": "delete_customer", "inputSchema": {} },
            ] }),
            _ => json!({ "content": [{ "type": "text", "text": "ran" }] }),
        };
        json!({ "jsonrpc": "2.0", "id": it["id"], "result": result })
    });
    Answer::json(&answers.collect())
}

async fn ready() -> (Harness, String) {
    let harness = started(governed()).await;
    harness.recorder.answer(answer);
    let token = alice(&harness);
    (harness, token)
}

fn sent(body: &Value, token: &str) -> [Call; 3] {
    let call = Call::post(CRM, body.to_string())
        .header("mcp-protocol-version", OLD)
        .bearer(token);
    [
        call.clone(),
        call.clone().in_pieces_of(9),
        call.http2().in_pieces_of(30).trailer("x-end", "1"),
    ]
}

#[tokio::test]
async fn an_allowed_batch_passes_unchanged_and_its_answers_are_judged() {
    let (mut harness, token) = ready().await;
    let body = json!([
        tool(1, "get_order", &json!({ "id": "o-1" })),
        { "jsonrpc": "2.0", "method": "notifications/progress", "params": {} },
        list(2),
    ]);
    for call in sent(&body, &token) {
        let reply = harness.send(&call).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()[0]["result"]["content"][0]["text"], "ran");
        assert_eq!(
            reply.json()[1]["result"]["tools"].as_array().unwrap().len(),
            1
        );
        assert!(!reply.text().contains("delete_customer"));
        let received = harness.recorder.take();
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].body, body.to_string());
    }
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn one_denied_call_stops_its_whole_batch() {
    let (mut harness, token) = ready().await;
    let denied = [
        tool(9, "delete_customer", &json!({ "id": "c-1" })),
        tool(9, "refund", &large_refund()),
        message::request(9, "resources/read", &json!({ "uri": "crm://secret/1" })),
        message::request(9, "admin/reset", &json!({})),
    ];
    for denied in denied {
        for at in 0..3 {
            let mut messages = vec![tool(1, "get_order", &json!({ "id": "o-1" })), list(2)];
            messages.insert(at, denied.clone());
            for call in sent(&Value::from(messages.clone()), &token) {
                let reply = harness.send(&call).await.unwrap();
                assert_eq!(reply.status, 200);
                let answers = reply.json();
                assert_eq!(answers.as_array().unwrap().len(), 3, "{answers}");
                for (answer, asked) in answers.as_array().unwrap().iter().zip(&messages) {
                    assert_eq!(answer["id"], asked["id"]);
                    let refused =
                        answer["error"].is_object() || answer["result"]["isError"] == true;
                    assert!(refused, "{answer}");
                }
            }
        }
    }
    assert!(
        harness.recorder.take().is_empty(),
        "a part of a refused batch ran"
    );
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn batches_exist_in_one_version_only_and_in_one_reading() {
    let (mut harness, token) = ready().await;
    let body = json!([list(1)]);
    for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        for call in sent(&body, &token) {
            let call = call.without("mcp-protocol-version");
            let call = call.header("mcp-protocol-version", version);
            let reply = harness.send(&call).await.unwrap();
            assert_eq!(reply.status, 400, "{version}: {}", reply.text());
            assert!(reply.json()["error"]["code"].is_i64());
        }
    }
    let twice = json!([list(1), tool(1, "get_order", &json!({}))]);
    let initialize = message::request(1, "initialize", &json!({}));
    let response = json!({ "jsonrpc": "2.0", "id": 4, "result": {} });
    let many: Vec<_> = (0..101).map(list).collect();
    for body in [
        json!([]),
        json!([[list(1)]]),
        json!([1]),
        twice,
        json!([initialize]),
        json!([list(1), response]),
        Value::from(many),
    ] {
        for call in sent(&body, &token) {
            let reply = harness.send(&call).await.unwrap();
            assert!(reply.status.is_client_error(), "{}", reply.text());
        }
    }
    assert!(harness.recorder.take().is_empty());
    nothing_crashed(&mut harness).await;
}
