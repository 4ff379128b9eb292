//! What goes through in shadow mode, held against what was sent.

use gatehold_e2e::*;
use gatehold_harness::{Answer, Call, Harness, Version, message};
use serde_json::{Value, json};

use super::{SOON, events};

const AHEAD: &str = r#"{"control_cluster": "gatehold_control", "audit": "on", "audit_overflow": "drop",
    "unmatched": "deny", "hold_headers": false}"#;
/// A session as the server gives it out, which a filter that enforces would seal.
const SESSION: &str = "up-4f1c9";

/// Two servers with one policy, of which the first is switched to shadow mode once everything is up.
async fn in_shadow(config: Option<&str>) -> Harness {
    let other = SERVER
        .split_once("---")
        .map(|(_, server)| {
            server
                .replace("name: crm", "name: everything")
                .replace("/crm/mcp", "/everything/mcp")
        })
        .unwrap();
    let builder = governed().document("other.yaml", &other);
    let builder = match config {
        Some(config) => builder.filter_config(config),
        None => builder,
    };
    let harness = started(builder).await;
    let shadow = SERVER.replace("spec:\n  path", "spec:\n  enforce: false\n  path");
    assert_ne!(shadow, SERVER);
    harness.documents.write("server.yaml", &shadow).unwrap();
    let anybody = legacy_call("echo", &json!({}));
    harness
        .on_all_workers(&anybody, SOON, |reply| reply.status == 200)
        .await
        .unwrap();
    drop(harness.recorder.take());
    harness.recorder.answer(|_| {
        Answer::json(&json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [] } }))
            .header("mcp-session-id", SESSION)
            .header("www-authenticate", "Bearer realm=\"own\"")
    });
    harness
}

/// Requests that are refused where policy is enforced, and what events say of it.
fn refused(token: &str) -> Vec<(&'static str, Call, &'static str)> {
    let known = |call: Call| call.bearer(token);
    let mirrored = json!({ "name": "echo", "arguments": {} });
    vec![
        (
            "hidden",
            known(call("delete_customer", &json!({ "id": "c1" }))),
            "hidden",
        ),
        (
            "policy",
            known(legacy_call("refund", &large_refund())),
            "policy",
        ),
        ("no token", call("echo", &json!({})), "token"),
        (
            "bad token",
            call("echo", &json!({})).bearer("of.nothing.here"),
            "token",
        ),
        (
            "no JSON",
            known(Call::post(CRM, "{\"jsonrpc\": \"2.0\", oops")),
            "malformed",
        ),
        (
            "header and body differ",
            known(message::modern(CRM, "tools/call", &mirrored))
                .without("mcp-name")
                .header("mcp-name", "other"),
            "malformed",
        ),
        (
            "too large",
            known(Call::post(CRM, "x".repeat(3 << 20))),
            "too_large",
        ),
        (
            "origin",
            known(call("echo", &json!({}))).header("origin", "https://evil.example.com"),
            "origin",
        ),
    ]
}

fn shapes(call: &Call) -> Vec<Call> {
    let mut shapes = Vec::new();
    for version in [Version::Http1, Version::Http2] {
        let call = call.clone().over(version);
        shapes.push(call.clone());
        shapes.push(call.clone().trailer("x-end", "1"));
    }
    shapes
}

async fn nobody_notices(config: Option<&str>) {
    let mut harness = in_shadow(config).await;
    let token = alice(&harness);
    let mut sent = 0;
    for (what, call, refusal) in refused(&token) {
        for call in shapes(&call.header("accept-encoding", "gzip")) {
            let reply = harness.send(&call).await.unwrap();
            assert_eq!(reply.status, 200, "{what}: {}", reply.text());
            // Answers are the server's own, with all that is in them.
            assert_eq!(reply.header("mcp-session-id"), SESSION, "{what}");
            assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"own\"");
            let received = harness.recorder.take();
            let [received] = received.as_slice() else {
                panic!("{what}: {received:?}");
            };
            assert!(received.complete, "{what}");
            assert_eq!(received.header("accept-encoding"), "gzip", "{what}");
            let authorized = refusal != "token" || what == "bad token";
            assert_eq!(
                !received.header("authorization").is_empty(),
                authorized,
                "{what}"
            );
            sent += 1;

            // The same where it is enforced, which is a server beside it.
            let beside = harness.send(&call.at("/everything/mcp")).await.unwrap();
            // The token is for another audience there.
            let status = if refusal == "origin" { 403 } else { 401 };
            assert_eq!(beside.status, status, "{what}: {}", beside.text());
            assert!(harness.recorder.take().is_empty(), "{what} passed beside");
        }
    }
    // Those who wait for shadow mode have no token, and are recorded too.
    let of_each = |events: &[Value]| {
        let count = |refusal| {
            let of = events.iter().filter(|event| event["refusal"] == refusal);
            of.count()
        };
        let mut refusals = refused(&token).into_iter();
        refusals.all(|(_, _, refusal)| count(refusal) >= shapes(&Call::get(CRM)).len())
    };
    let events = events(&harness, of_each).await;
    assert!(events.len() >= sent);
    let is_denied = |event: &Value| event["effect"] == "deny";
    assert!(
        events
            .iter()
            .filter(|event| event["refusal"] != Value::Null)
            .all(is_denied)
    );
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn nobody_notices_a_server_in_shadow_mode() {
    nobody_notices(None).await;
}

#[tokio::test]
async fn nor_where_headers_go_ahead() {
    nobody_notices(Some(AHEAD)).await;
}

#[tokio::test]
async fn bytes_pass_as_they_are_in_both_directions() {
    let mut harness = in_shadow(None).await;
    let token = alice(&harness);
    let body = " {\t\"id\":1,\"id\":2, \"method\":\"tools/call\",\"params\":{\"name\":\"delete_customer\"}}\n";
    for answer in [
        " {\"result\":{\"tools\":[{\"name\":\"delete_customer\"}]},\r\n\"id\":1}",
        "<html>not MCP</html>",
        "{\"result\":1,\"result\":2}",
    ] {
        harness.recorder.answer(move |_| {
            Answer::bytes("application/json", answer).header("content-encoding", "x-own")
        });
        let call = Call::post(CRM, body).bearer(&token).in_pieces_of(5);
        let reply = harness.send(&call).await.unwrap();
        assert_eq!(
            (reply.status.as_u16(), reply.text().as_str()),
            (200, answer)
        );
        assert_eq!(reply.header("content-encoding"), "x-own");
        assert_eq!(harness.recorder.take()[0].body, body);
    }
    // An event goes on as soon as it is there, whatever is in it.
    harness.recorder.answer(|_| {
        Answer::events()
            .event(&json!({ "jsonrpc": "2.0", "id": 1, "result": { "tools": [{ "name": "delete_customer" }] } }))
    });
    let list = message::legacy(CRM, "tools/list", &json!({})).bearer(&token);
    let reply = harness.send(&list).await.unwrap();
    assert!(reply.text().contains("delete_customer"), "{}", reply.text());
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn enforcement_comes_back_without_a_restart() {
    let mut harness = in_shadow(None).await;
    let token = alice(&harness);
    let denied = call("refund", &large_refund()).bearer(&token);
    assert_eq!(harness.send(&denied).await.unwrap().status, 200);
    assert_eq!(harness.recorder.take().len(), 1);
    harness.documents.write("server.yaml", SERVER).unwrap();
    let anybody = legacy_call("echo", &json!({}));
    harness
        .on_all_workers(&anybody, SOON, |reply| reply.status == 401)
        .await
        .unwrap();
    drop(harness.recorder.take());
    let reply = harness.send(&denied).await.unwrap();
    assert_eq!(reply.json()["result"]["isError"], true, "{}", reply.text());
    assert!(harness.recorder.take().is_empty());
    // A session of shadow mode is none: the client begins a new one.
    let old = message::legacy(CRM, "tools/list", &json!({})).header("mcp-session-id", SESSION);
    assert_eq!(harness.send(&old.bearer(&token)).await.unwrap().status, 404);
    nothing_crashed(&mut harness).await;
}
