//! Promise: every decision is in the audit log, and what control acknowledged survives it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::time::Duration;

use gatehold_e2e::*;
use gatehold_harness::wait::until;
use gatehold_harness::{Harness, message};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `count` events about tool calls.
async fn calls(harness: &Harness, count: usize) -> Vec<Value> {
    let (events, _) = until("the events", PATIENCE, async || {
        let events = harness
            .control
            .audit()
            .await
            .map_err(|error| error.to_string())?;
        let calls: Vec<_> = events
            .into_iter()
            .filter(|event| event["method"] == "tools/call")
            .collect();
        if calls.len() >= count {
            Ok(calls)
        } else {
            Err(format!("{} of {count}", calls.len()))
        }
    })
    .await
    .unwrap();
    assert_eq!(events.len(), count);
    events
}

#[tokio::test]
async fn an_event_says_who_did_what_and_why() {
    let harness = started(governed()).await;
    let token = alice(&harness);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traced = format!("00-{trace}-00f067aa0ba902b7-01");
    let allowed = call("refund", &small_refund())
        .bearer(&token)
        .header("traceparent", traced);
    harness.send(&allowed).await.unwrap();
    harness
        .send(&call("refund", &large_refund()).bearer(&token))
        .await
        .unwrap();
    harness
        .send(&legacy_call("delete_customer", &json!({})).bearer(&token))
        .await
        .unwrap();
    let events = calls(&harness, 3).await;
    let by = |effect: &str, target: &str| {
        events
            .iter()
            .find(|event| event["effect"] == effect && event["target"] == target)
            .unwrap()
            .clone()
    };
    let allowed = by("allow", "refund");
    assert_eq!(allowed["user"], "alice");
    assert_eq!(allowed["server"], "crm");
    assert_eq!(allowed["era"], "modern");
    assert_eq!(allowed["rules"], json!(["support/small-refund"]));
    assert_eq!(allowed["outcome"], "ok");
    assert_eq!(allowed["trace_id"], trace);
    assert_eq!(allowed["arguments"], small_refund());
    assert_eq!(allowed["arguments_digest"].as_str().unwrap().len(), 64);
    let denied = by("deny", "refund");
    assert_eq!(denied["outcome"], "denied");
    assert!(
        denied["reason"].as_str().unwrap().contains("refund"),
        "{denied}"
    );
    let hidden = by("deny", "delete_customer");
    assert_eq!(hidden["era"], "legacy");
    assert_eq!(hidden["rules"], json!(["guardrails/nothing-is-deleted"]));
    let log = events.iter().map(Value::to_string).collect::<String>();
    assert!(!log.contains(&token), "the token is in the audit log");
    assert!(!harness.envoy.log().contains(&token) && !harness.control.log().contains(&token));
}

#[tokio::test]
async fn events_wait_for_control_and_arrive_once() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    let send = async |harness: &Harness, count: usize| {
        for _ in 0..count {
            harness
                .send(&call("refund", &small_refund()).bearer(&token))
                .await
                .unwrap();
        }
    };
    send(&harness, 20).await;
    calls(&harness, 20).await;
    harness.control.kill().await.unwrap();
    send(&harness, 20).await;
    harness.control.restart().await.unwrap();
    send(&harness, 20).await;
    let events = calls(&harness, 60).await;
    let mut ids: Vec<_> = events.iter().map(|event| event["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 60, "an event came twice");
}

#[tokio::test]
async fn lists_and_bad_tokens_are_recorded_too() {
    let harness = started(governed()).await;
    let token = alice(&harness);
    harness
        .send(&message::modern(CRM, "tools/list", &json!({})).bearer(&token))
        .await
        .unwrap();
    let (event, _) = until("the list's event", PATIENCE, async || {
        let events = harness
            .control
            .audit()
            .await
            .map_err(|error| error.to_string())?;
        events
            .into_iter()
            .find(|event| event["method"] == "tools/list")
            .ok_or_else(|| "none".to_owned())
    })
    .await
    .unwrap();
    assert_eq!(
        (event["shown"].clone(), event["hidden"].clone()),
        (json!(3), json!(1))
    );
}
