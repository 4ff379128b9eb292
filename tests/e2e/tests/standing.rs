//! Promise: a stream that stays open is judged by the policy and the token of now, not of when it began.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::sync::Arc;
use std::time::Duration;

use gatehold_e2e::*;
use gatehold_harness::tokens::{Algorithm, Claims, now};
use gatehold_harness::{Answer, Call, Harness, Step, message, wait::until};
use serde_json::{Value, json};
use tokio::sync::Notify;

const PATIENCE: Duration = Duration::from_secs(30);

fn updated(uri: &str) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": { "uri": uri } })
}

/// The upstream tells of a resource at once, and again each time it is told to.
fn script(harness: &Harness, uri: &'static str) -> Arc<Notify> {
    let again = Arc::new(Notify::new());
    let signal = Arc::clone(&again);
    harness.recorder.answer(move |request| {
        if request.method() == "resources/read" {
            return Answer::json(&json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
        }
        let mut answer = Answer::events().event(&updated(uri));
        for _ in 0..3 {
            answer = answer
                .step(Step::Wait(Arc::clone(&signal)))
                .event(&updated(uri));
        }
        answer
    });
    again
}

fn listen(uri: &str, token: &str) -> Call {
    let wanted = json!({ "notifications": { "resourceSubscriptions": [uri] } });
    message::modern(CRM, "subscriptions/listen", &wanted).bearer(token)
}

fn get(token: &str) -> Call {
    Call::get(CRM)
        .header("accept", "text/event-stream")
        .header("mcp-protocol-version", message::LEGACY)
        .bearer(token)
}

/// Takes a resource away from everybody, and waits until every worker knows.
async fn close(harness: &Harness, token: &str) {
    let closed = POLICY.replace("crm://public/*", "crm://else/*");
    harness.documents.write("policy.yaml", &closed).unwrap();
    let read = message::modern(CRM, "resources/read", &json!({ "uri": "crm://public/1" }));
    harness
        .on_all_workers(&read.bearer(token), PATIENCE, |reply| {
            reply.json()["error"]["code"].is_i64()
        })
        .await
        .unwrap();
}

/// A token that is accepted for a few seconds more: the clock skew of a minute is over but for them.
fn short(harness: &Harness, seconds: u64) -> (String, u64) {
    let expires = now() + seconds - 60;
    let claims = Claims::new("alice", &["support"], &harness.url(CRM)).with("exp", expires);
    let token = harness.keys.sign(Algorithm::Es256, &claims.json()).unwrap();
    (token, expires + 60)
}

#[tokio::test]
async fn news_stop_when_policy_takes_the_resource_away() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    let again = script(&harness, "crm://public/1");
    let mut listening = listen("crm://public/1", &token)
        .open(harness.port())
        .await
        .unwrap();
    let mut stream = get(&token).open(harness.port()).await.unwrap();
    for open in [&mut listening, &mut stream] {
        let event = open.event().await.unwrap().unwrap();
        assert!(event.contains("crm://public/1"), "{event}");
    }
    close(&harness, &token).await;
    again.notify_waiters();
    let last = listening.event().await.unwrap().unwrap();
    assert!(
        last.contains("-31401") && last.contains("\"id\":1"),
        "{last}"
    );
    assert!(!last.contains("resources/updated"), "{last}");
    again.notify_waiters();
    // Nothing more comes of either: the one is reset, the other has nothing that may be seen.
    while let Ok(Some(event)) = listening.event().await {
        assert!(!event.contains("crm://"), "{event}");
    }
    again.notify_waiters();
    while let Ok(Some(event)) = stream.event().await {
        assert!(!event.contains("crm://"), "{event}");
    }
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let mut harness = started(governed()).await;
    let again = script(&harness, "crm://public/1");
    let (token, end) = short(&harness, 6);
    let mut listening = listen("crm://public/1", &token)
        .open(harness.port())
        .await
        .unwrap();
    let mut stream = get(&token).open(harness.port()).await.unwrap();
    for open in [&mut listening, &mut stream] {
        assert!(open.event().await.unwrap().unwrap().contains("crm://"));
    }
    until("the token has expired", PATIENCE, async || {
        if now() >= end {
            Ok(())
        } else {
            Err("not yet".to_owned())
        }
    })
    .await
    .unwrap();
    again.notify_waiters();
    let last = listening.event().await.unwrap().unwrap();
    assert!(
        last.contains("-31401") && last.contains("expired"),
        "{last}"
    );
    if let Ok(Some(event)) = stream.event().await {
        panic!("{event}");
    }
    let audit = until("the ends are audited", PATIENCE, async || {
        let events = harness
            .control
            .audit()
            .await
            .map_err(|error| error.to_string())?;
        let ends = events
            .iter()
            .filter(|event| event["errorCode"] == -31401 || event["error_code"] == -31401);
        let methods: Vec<_> = ends.map(|event| event["method"].clone()).collect();
        if methods.len() == 2 {
            Ok(methods)
        } else {
            Err(format!("{methods:?}"))
        }
    });
    audit.await.unwrap();
    nothing_crashed(&mut harness).await;
}
