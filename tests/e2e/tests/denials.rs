//! Promise: a call that policy does not allow never reaches the upstream, however it is sent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use gatehold_e2e::*;
use gatehold_harness::{Call, Version, message};
use serde_json::json;

/// How a request can be sent: what the body's end looks like to the filter differs in each.
fn ways(call: &Call) -> Vec<(String, Call)> {
    let mut ways = Vec::new();
    for version in [Version::Http1, Version::Http2] {
        let call = call.clone().over(version);
        ways.push((format!("{version:?}, one piece"), call.clone()));
        ways.push((
            format!("{version:?}, many pieces"),
            call.clone().in_pieces_of(7),
        ));
        ways.push((
            format!("{version:?}, trailers"),
            call.clone().trailer("x-end", "1"),
        ));
        ways.push((
            format!("{version:?}, many pieces and trailers"),
            call.in_pieces_of(7).trailer("x-end", "1"),
        ));
    }
    ways
}

#[tokio::test]
async fn a_denied_call_never_reaches_the_upstream() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    let denied = [
        ("modern", call("refund", &large_refund())),
        ("legacy", legacy_call("refund", &large_refund())),
        (
            "hidden, modern",
            call("delete_customer", &json!({ "id": "c1" })),
        ),
        (
            "hidden, legacy",
            legacy_call("delete_customer", &json!({ "id": "c1" })),
        ),
        ("no such tool", call("no_such_tool", &json!({}))),
        (
            "resource",
            message::modern(CRM, "resources/read", &json!({ "uri": "crm://internal/b" })),
        ),
        (
            "prompt",
            message::modern(CRM, "prompts/get", &json!({ "name": "internal" })),
        ),
    ];
    for (what, call) in denied {
        for (way, call) in ways(&call.bearer(&token)) {
            let reply = harness.send(&call).await.unwrap();
            assert_eq!(reply.status, 200, "{what}, {way}: {}", reply.text());
            let answer = reply.json();
            let refused = answer.pointer("/result/isError") == Some(&json!(true))
                || answer.pointer("/error/code").is_some();
            assert!(refused, "{what}, {way}: {answer}");
            assert_eq!(answer.get("id"), Some(&json!(1)), "{what}, {way}");
            assert!(
                harness.recorder.take().is_empty(),
                "{what}, {way}: it reached the upstream"
            );
        }
    }
    nothing_was_sent(&harness).await;
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn an_allowed_call_reaches_the_upstream_byte_for_byte() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    for (era, call) in [
        ("modern", call("refund", &small_refund())),
        ("legacy", legacy_call("refund", &small_refund())),
    ] {
        // Odd but legal: blanks, an escape, an unusual order and number.
        let body = br#" {"params" : {"arguments":{"amount":50.0,"order":"o-\u0031"}, "name":"refund","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}},
            "method":"tools/call","id":"a","jsonrpc":"2.0"}"#;
        let legacy =
            br#" {"params" : {"arguments":{"amount":50.0,"order":"o-\u0031"}, "name":"refund"},
            "method":"tools/call","id":"a","jsonrpc":"2.0"}"#;
        let body: &[u8] = if era == "modern" { body } else { legacy };
        for (way, call) in ways(&call.body(body.to_vec()).bearer(&token)) {
            let reply = harness.send(&call).await.unwrap();
            assert_eq!(reply.status, 200, "{era}, {way}: {}", reply.text());
            let received = harness.recorder.take();
            assert_eq!(received.len(), 1, "{era}, {way}");
            let received = &received[0];
            assert_eq!(&received.body[..], body, "{era}, {way}");
            assert!(received.complete, "{era}, {way}");
            assert_eq!(
                received.header("authorization"),
                "",
                "{era}, {way}: the token went upstream"
            );
            assert_eq!(reply.json()["id"], json!("a"), "{era}, {way}");
        }
    }
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn the_texts_of_refusals_tell_the_model_and_keep_secrets() {
    let harness = started(governed()).await;
    let token = alice(&harness);
    let refused = harness
        .send(&call("refund", &large_refund()).bearer(&token))
        .await
        .unwrap()
        .json();
    let text = refused["result"]["content"][0]["text"].as_str().unwrap();
    assert!(
        text.starts_with("Denied by policy: ") && text.ends_with("; the tool did not run."),
        "{text}"
    );
    assert_eq!(refused["result"]["resultType"], "complete");
    assert_eq!(
        refused["result"]["_meta"]["gatehold.io/decision"]["effect"],
        "deny"
    );

    let legacy = harness
        .send(&legacy_call("refund", &large_refund()).bearer(&token))
        .await
        .unwrap()
        .json();
    assert!(legacy["result"].get("resultType").is_none(), "{legacy}");

    // A hidden tool and one that does not exist differ in nothing but the name that was asked for.
    let hidden = harness
        .send(&call("delete_me", &json!({})).bearer(&token))
        .await
        .unwrap();
    let absent = harness
        .send(&call("absent_me", &json!({})).bearer(&token))
        .await
        .unwrap();
    assert_eq!(
        hidden.text().replace("delete_me", "X"),
        absent.text().replace("absent_me", "X")
    );
    assert_eq!(hidden.json()["error"]["code"], -32602);
    assert_eq!(hidden.json()["error"]["message"], "Unknown tool: delete_me");
    assert!(harness.recorder.received().is_empty());
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_by_name() {
    let server = SERVER.replace(
        "scopes: [mcp]",
        "scopes: [mcp]\n  limits: { requestBytes: 2000 }",
    );
    let mut harness = started(
        gatehold_harness::Harness::builder()
            .document("server.yaml", &server)
            .document("policy.yaml", POLICY),
    )
    .await;
    let token = alice(&harness);
    let large = call("echo", &json!({ "text": "x".repeat(3000) })).bearer(&token);
    for (way, call) in ways(&large) {
        let reply = harness.send(&call).await.unwrap();
        assert_eq!(reply.status, 413, "{way}: {}", reply.text());
        assert_eq!(reply.json()["error"]["code"], -31413, "{way}");
        assert!(
            reply.text().contains("requestBytes"),
            "{way}: {}",
            reply.text()
        );
    }
    assert!(harness.recorder.received().is_empty());
    nothing_crashed(&mut harness).await;
}
