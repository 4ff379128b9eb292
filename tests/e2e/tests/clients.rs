//! Promise: stock clients work through the filter unchanged, and allowed tools behave exactly as without it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use gatehold_e2e::*;
use gatehold_harness::client::{CLIENTS, Client, Era, Sdk};
use gatehold_harness::{Harness, Upstream};
use serde_json::{Value, json};

/// Everything is allowed, so that whatever differs is the filter's doing.
const OPEN: &str = r#"
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: everything }
spec:
  path: /everything/mcp
  resource: http://127.0.0.1:10000/everything/mcp
  issuers: [test]
---
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: open }
spec:
  rules:
    - allow: { server: "*", tools: ["*"], resources: ["*"], prompts: ["*"] }
"#;

fn crm_steps() -> Vec<Value> {
    vec![
        json!({ "op": "listTools" }),
        json!({ "op": "callTool", "name": "echo", "arguments": { "text": "grüße 🙂 \u{2028}" } }),
        json!({ "op": "callTool", "name": "add", "arguments": { "a": 1.5, "b": 40 } }),
        json!({ "op": "callTool", "name": "get_customer", "arguments": { "id": "c1" } }),
        json!({ "op": "callTool", "name": "get_customer", "arguments": { "id": "nobody" } }),
        json!({ "op": "callTool", "name": "slow", "arguments": { "steps": 3, "delayMs": 20 }, "progress": true }),
        json!({ "op": "callTool", "name": "no_such_tool", "arguments": {} }),
        json!({ "op": "listResources" }),
        json!({ "op": "readResource", "uri": "crm://handbook/tone" }),
        json!({ "op": "readResource", "uri": "crm://handbook/absent" }),
        json!({ "op": "listPrompts" }),
    ]
}

fn everything_steps() -> Vec<Value> {
    vec![
        json!({ "op": "listTools" }),
        json!({ "op": "callTool", "name": "echo", "arguments": { "message": "hello" } }),
        json!({ "op": "callTool", "name": "get-sum", "arguments": { "a": 19, "b": 23 } }),
        json!({ "op": "callTool", "name": "get-tiny-image", "arguments": {} }),
        json!({ "op": "callTool", "name": "get-structured-content", "arguments": { "location": "New York" } }),
        json!({ "op": "callTool", "name": "get-annotated-message", "arguments": { "messageType": "error", "includeImage": true } }),
        json!({ "op": "listResources" }),
        json!({ "op": "listResourceTemplates" }),
        json!({ "op": "listPrompts" }),
        json!({ "op": "getPrompt", "name": "simple-prompt" }),
        json!({ "op": "ping" }),
    ]
}

async fn play(mut client: Client, steps: &[Value]) -> Vec<Value> {
    let mut answers = Vec::new();
    for step in steps {
        answers.push(
            client
                .step(step)
                .await
                .unwrap_or_else(|error| panic!("{step}: {error}")),
        );
    }
    client.close().await.unwrap();
    answers
}

/// What the filter is meant to change: a list for one principal must not be cached for others.
fn comparable(mut answer: Value) -> Value {
    if let Some(result) = answer.get_mut("result").and_then(Value::as_object_mut) {
        result.remove("cacheScope");
    }
    answer
}

async fn same_through_the_filter(
    harness: &Harness,
    path: &str,
    direct: &str,
    steps: &[Value],
    clients: &[(Sdk, Era)],
) {
    let token = harness.token("bob", &["anything"], path).unwrap();
    for (sdk, era) in clients {
        let plain = Client::connect(&harness.tools, *sdk, *era, direct, None)
            .await
            .unwrap();
        let governed = harness.client(*sdk, *era, path, &token).await.unwrap();
        let expected = play(plain, steps).await;
        let answers = play(governed, steps).await;
        for ((step, answer), expected) in steps.iter().zip(answers).zip(expected) {
            assert_eq!(
                comparable(answer),
                comparable(expected),
                "{sdk:?} {era:?}: {step}"
            );
        }
        figure(&format!(
            "{sdk:?} {era:?} on {path}: {} steps, the same directly and through the filter",
            steps.len()
        ));
    }
}

#[tokio::test]
async fn every_stock_client_sees_the_same_on_a_server_of_both_eras() {
    let mut harness = started(
        Harness::builder()
            .upstream(Upstream::Crm)
            .document("server.yaml", SERVER)
            .document("policy.yaml", OPEN),
    )
    .await;
    let direct = format!(
        "http://127.0.0.1:{}/mcp",
        harness.crm.as_ref().unwrap().port()
    );
    same_through_the_filter(&harness, CRM, &direct, &crm_steps(), &CLIENTS).await;
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn every_stock_client_sees_the_same_on_the_stock_legacy_server() {
    let mut harness = started(
        Harness::builder()
            .everything()
            .document("server.yaml", SERVER)
            .document("policy.yaml", OPEN),
    )
    .await;
    let direct = format!(
        "http://127.0.0.1:{}/mcp",
        harness.everything.as_ref().unwrap().port()
    );
    let legacy: Vec<_> = CLIENTS
        .into_iter()
        .filter(|(_, era)| *era == Era::Legacy)
        .collect();
    same_through_the_filter(
        &harness,
        "/everything/mcp",
        &direct,
        &everything_steps(),
        &legacy,
    )
    .await;
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn every_stock_client_survives_a_refusal() {
    let mut harness = started(
        Harness::builder()
            .upstream(Upstream::Crm)
            .document("server.yaml", SERVER)
            .document("policy.yaml", POLICY),
    )
    .await;
    let token = alice(&harness);
    for (sdk, era) in CLIENTS {
        let mut client = harness.client(sdk, era, CRM, &token).await.unwrap();
        assert_eq!(
            client.tools().await.unwrap(),
            ["echo", "get_customer", "refund"],
            "{sdk:?} {era:?}"
        );
        let refused = client.call("refund", &large_refund()).await.unwrap();
        assert_eq!(
            refused["result"]["isError"], true,
            "{sdk:?} {era:?}: {refused}"
        );
        let hidden = client
            .call("delete_customer", &json!({ "id": "c1" }))
            .await
            .unwrap();
        assert_eq!(hidden["error"]["code"], -32602, "{sdk:?} {era:?}: {hidden}");
        let after = client.call("refund", &small_refund()).await.unwrap();
        assert_eq!(after["ok"], true, "{sdk:?} {era:?}: {after}");
        assert_ne!(after["result"]["isError"], true, "{sdk:?} {era:?}: {after}");
        client.close().await.unwrap();
    }
    let crm = harness.crm.as_ref().unwrap();
    assert_eq!(crm.calls_of("delete_customer").await.unwrap(), 0);
    assert_eq!(
        crm.calls_of("refund").await.unwrap(),
        CLIENTS.len(),
        "only the small ones"
    );
    nothing_crashed(&mut harness).await;
}
