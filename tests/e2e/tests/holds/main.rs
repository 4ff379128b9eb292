//! Promise: a call that policy holds does nothing before a person has approved exactly that call, and then runs once.
//! Asserted at the upstream.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod changed;
mod decided;
mod gone;
mod rounds;
mod tasks;
mod told;

use std::time::Duration;

use gatehold_e2e::*;
use gatehold_harness::{Call, Harness, HarnessError, Reply};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a call that waits, and goes on.
fn sent(harness: &Harness, call: &Call) -> JoinHandle<Result<Reply, HarnessError>> {
    let (call, port) = (call.clone(), harness.port());
    tokio::spawn(async move { call.send(port).await })
}

/// A refund that finance has to approve.
fn refund(order: &str) -> Value {
    json!({ "order": order, "amount": 500 })
}

/// The answer of a call that was sent.
async fn answer(sent: JoinHandle<Result<Reply, HarnessError>>) -> Value {
    let reply = tokio::time::timeout(PATIENCE, sent)
        .await
        .expect("an answer in time");
    let reply = reply.unwrap().unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// What the tool said.
fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("no text: {answer}"))
}

/// Holds that the call was refused, and that the model was told why and that nothing happened.
#[track_caller]
fn refused(answer: &Value, says: &str) {
    assert_eq!(answer["result"]["isError"], json!(true), "{answer}");
    let text = text(answer);
    assert!(text.contains(says), "no `{says}` in: {text}");
    assert!(text.contains("did not run"), "{text}");
}

/// The calls of tools that arrived at the upstream.
fn calls(harness: &Harness) -> Vec<Value> {
    let received = harness.recorder.received();
    let bodies = received.iter().map(|request| request.json());
    bodies
        .filter(|body| body["method"] == "tools/call")
        .collect()
}

/// A harness whose requests wait only a second before their client has to come back.
async fn with_short_legs() -> Harness {
    started(holding().filter_config(&legs_of(1))).await
}
