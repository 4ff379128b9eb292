//! Promise: policy is enforced live, and what was in force stays in force whatever happens to control.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::time::Duration;

use gatehold_e2e::*;
use gatehold_harness::{Harness, Reply, message, wait::until};
use serde_json::json;

/// From the change of a file to its enforcement by every worker.
const PROMISED: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);

fn ran(reply: &Reply) -> bool {
    reply.status == 200
        && reply.json()["result"]["isError"] != json!(true)
        && reply.json().get("error").is_none()
}

fn refused(reply: &Reply) -> bool {
    reply.status == 200 && reply.json()["result"]["isError"] == json!(true)
}

fn wider() -> String {
    POLICY.replace("args.amount <= 100.0", "args.amount <= 1000.0")
}

#[tokio::test]
async fn a_change_is_enforced_by_all_workers_within_a_second() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    let refund = call("refund", &large_refund()).bearer(&token);
    harness
        .on_all_workers(&refund, PATIENCE, refused)
        .await
        .unwrap();
    assert!(harness.recorder.take().is_empty());
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        harness.documents.write("policy.yaml", &wider()).unwrap();
        let opened = harness
            .on_all_workers(&refund, PATIENCE, ran)
            .await
            .unwrap();
        harness.documents.write("policy.yaml", POLICY).unwrap();
        let closed = harness
            .on_all_workers(&refund, PATIENCE, refused)
            .await
            .unwrap();
        slowest = slowest.max(opened).max(closed);
    }
    figure(&format!(
        "a changed document was enforced by all workers after {slowest:?} at most, of 10 changes"
    ));
    assert!(slowest < PROMISED, "a change took {slowest:?}");
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_bad_document_changes_nothing_and_says_why() {
    let harness = started(governed()).await;
    let token = alice(&harness);
    let large = call("refund", &large_refund()).bearer(&token);
    let small = call("refund", &small_refund()).bearer(&token);
    let bad = [
        ("args.amount <= 100.0", "args.amount <=", "policy.yaml:"),
        ("tools: [refund]", "toolz: [refund]", "toolz"),
        ("kind: Policy", "kind: Polizy", "Polizy"),
        ("server: crm", "server: crn", "crn"),
    ];
    for (good, wrong, said) in bad {
        // What would be allowed if the rest of the file counted.
        let text = wider()
            .replace("<= 1000.0", "<= 100.0")
            .replacen(good, wrong, 1);
        let text = text.replace("[\"get_*\", echo]", "[\"get_*\", echo, absent]");
        let before = harness.control.log().len();
        harness.documents.write("policy.yaml", &text).unwrap();
        until("control says why", PATIENCE, async || {
            let log = harness.control.log();
            let new = log.get(before..).unwrap_or_default();
            if new.contains(said) && new.contains("policy.yaml") {
                Ok(())
            } else {
                Err(new.to_owned())
            }
        })
        .await
        .unwrap();
        harness
            .on_all_workers(&large, PATIENCE, refused)
            .await
            .unwrap();
        harness.on_all_workers(&small, PATIENCE, ran).await.unwrap();
        let absent = harness
            .send(&call("absent", &json!({})).bearer(&token))
            .await
            .unwrap();
        assert_eq!(absent.json()["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn without_control_the_last_good_policy_stays_in_force() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    let large = call("refund", &large_refund()).bearer(&token);
    let small = call("refund", &small_refund()).bearer(&token);
    harness.control.kill().await.unwrap();
    harness
        .on_all_workers(&large, PATIENCE, refused)
        .await
        .unwrap();
    harness.on_all_workers(&small, PATIENCE, ran).await.unwrap();
    // The change waits for control to come back.
    harness.documents.write("policy.yaml", &wider()).unwrap();
    harness
        .on_all_workers(&large, PATIENCE, refused)
        .await
        .unwrap();
    harness.control.restart().await.unwrap();
    harness.on_all_workers(&large, PATIENCE, ran).await.unwrap();
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn before_the_first_snapshot_everything_is_refused() {
    let harness = Harness::builder()
        .document("broken.yaml", "kind: Nonsense\n")
        .without_waiting()
        .start()
        .await
        .unwrap();
    let token = harness.token("alice", &["support"], CRM).unwrap();
    for call in [
        call("echo", &json!({})),
        message::legacy(CRM, "tools/list", &json!({})),
    ] {
        let reply = harness.send(&call.bearer(&token)).await.unwrap();
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert_eq!(reply.json()["error"]["code"], -31503);
        assert!(
            reply.text().contains("no policy has arrived yet"),
            "{}",
            reply.text()
        );
    }
    assert!(harness.recorder.received().is_empty());
    // And as soon as there is one, it is in force.
    harness.documents.remove("broken.yaml").unwrap();
    harness.documents.write("server.yaml", SERVER).unwrap();
    harness.documents.write("policy.yaml", POLICY).unwrap();
    let allowed = call("refund", &small_refund()).bearer(&token);
    harness
        .on_all_workers(&allowed, PATIENCE, ran)
        .await
        .unwrap();
}
