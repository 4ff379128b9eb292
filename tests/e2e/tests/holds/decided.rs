//! Approved, denied, expired; by whom; and what nobody may do.

use gatehold_e2e::*;
use gatehold_harness::{Call, Version, message};
use serde_json::json;

use crate::{PATIENCE, answer, calls, refund, refused, sent, text};

#[tokio::test]
async fn an_approved_call_reaches_the_upstream_once_and_not_before() {
    let mut harness = started(holding()).await;
    let (token, carol) = (alice(&harness), carol(&harness));
    let ways = [
        call("refund", &refund("a")),
        legacy_call("refund", &refund("b")),
        call("refund", &refund("c"))
            .over(Version::Http2)
            .in_pieces_of(9),
        legacy_call("refund", &refund("d"))
            .in_pieces_of(9)
            .trailer("x-end", "1"),
    ];
    for (number, way) in ways.iter().enumerate() {
        let waiting = sent(&harness, &way.clone().bearer(&token));
        let id = carol.wait_for_pending(1).await.unwrap().remove(0);
        let shown = carol.show(&id).await.unwrap();
        assert_eq!(shown["requester"]["user"], "alice");
        assert_eq!(
            (&shown["server"], &shown["target"]),
            (&json!("crm"), &json!("refund"))
        );
        assert_eq!(shown["arguments"]["amount"], 500, "{shown}");
        assert_eq!(
            calls(&harness).len(),
            number,
            "it went on before it was approved"
        );
        assert!(!waiting.is_finished());
        let reply = carol.approve(&id, "fine").await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(text(&answer(waiting).await), "ran refund");
        assert_eq!(calls(&harness).len(), number + 1);
        assert_eq!(
            calls(&harness)[number]["params"]["arguments"],
            shown["arguments"]
        );
        carol.wait_for_state(&id, "used", PATIENCE).await.unwrap();
        // What was used is used up: the same call waits anew.
        let again = sent(&harness, &way.clone().bearer(&token));
        let other = carol.wait_for_pending(1).await.unwrap().remove(0);
        assert_ne!(other, id);
        let reply = carol.deny(&other, "once is enough").await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        refused(&answer(again).await, "once is enough");
        assert_eq!(calls(&harness).len(), number + 1);
    }
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_denied_call_never_reaches_the_upstream_and_its_reason_reaches_the_model() {
    let mut harness = started(holding()).await;
    let (token, carol) = (alice(&harness), carol(&harness));
    for way in [
        call("refund", &refund("a")),
        legacy_call("refund", &refund("a")),
    ] {
        let waiting = sent(&harness, &way.bearer(&token));
        let id = carol.wait_for_pending(1).await.unwrap().remove(0);
        assert_eq!(
            carol.deny(&id, "no\nticket\u{202e}").await.unwrap().status,
            200
        );
        let answer = answer(waiting).await;
        refused(&answer, "no ticket");
        assert!(!text(&answer).contains('\u{202e}'));
        // A decision is one.
        let late = carol.approve(&id, "").await.unwrap();
        assert_eq!(late.status, 409, "{}", late.text());
        assert!(late.text().contains("denied"), "{}", late.text());
        assert_eq!(carol.state(&id).await.unwrap(), "denied");
    }
    nothing_was_sent(&harness).await;
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn nobody_in_time_is_a_no() {
    let policy = HOLDING.replace("within: 15m", "within: 2s");
    let mut harness = started(holding().document("policy.yaml", &policy)).await;
    let (token, carol) = (alice(&harness), carol(&harness));
    for way in [
        call("refund", &refund("a")),
        legacy_call("refund", &refund("a")),
    ] {
        let waiting = sent(&harness, &way.bearer(&token));
        let id = carol.wait_for_pending(1).await.unwrap().remove(0);
        refused(&answer(waiting).await, "in time");
        assert_eq!(carol.state(&id).await.unwrap(), "expired");
        let late = carol.approve(&id, "").await.unwrap();
        assert_eq!(late.status, 409, "{}", late.text());
        assert!(late.text().contains("expired"), "{}", late.text());
    }
    assert!(calls(&harness).is_empty());
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn who_asks_does_not_approve_and_neither_does_who_may_not() {
    let mut harness = started(holding()).await;
    let carol = carol(&harness);
    // Alice is of finance too, and asks.
    let token = harness
        .token("alice", &["support", "finance"], CRM)
        .unwrap();
    let waiting = sent(&harness, &call("refund", &refund("a")).bearer(&token));
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    let herself = harness.approver("alice", &["support", "finance"]).unwrap();
    let mallory = harness.approver("mallory", &["support"]).unwrap();
    for verdict in ["approve", "deny"] {
        let reply = match verdict {
            "approve" => herself.approve(&id, "").await,
            _ => herself.deny(&id, "").await,
        };
        let reply = reply.unwrap();
        assert_eq!(reply.status, 403, "{verdict}: {}", reply.text());
        let reply = match verdict {
            "approve" => mallory.approve(&id, "").await,
            _ => mallory.deny(&id, "").await,
        };
        // Who has nothing to do with it is not told that there is such a call.
        let reply = reply.unwrap();
        assert!(
            [403, 404].contains(&reply.status.as_u16()),
            "{verdict}: {}",
            reply.text()
        );
    }
    assert_eq!(carol.state(&id).await.unwrap(), "pending");
    assert!(calls(&harness).is_empty());
    assert_eq!(carol.approve(&id, "").await.unwrap().status, 200);
    assert_eq!(text(&answer(waiting).await), "ran refund");
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn two_of_three_and_a_reason_where_policy_wants_them() {
    let by = "by: { roles: [finance], quorum: 2 }, reason: required";
    let policy = HOLDING.replace("by: { roles: [finance] }", by);
    let harness = started(holding().document("policy.yaml", &policy)).await;
    let (token, carol) = (alice(&harness), carol(&harness));
    let waiting = sent(&harness, &call("refund", &refund("a")).bearer(&token));
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    let reply = carol.approve(&id, "").await.unwrap();
    assert_eq!(reply.status, 422, "{}", reply.text());
    assert_eq!(carol.approve(&id, "seen it").await.unwrap().status, 200);
    let again = carol.approve(&id, "seen it twice").await.unwrap();
    assert!(again.status.is_client_error(), "{}", again.text());
    assert_eq!(carol.state(&id).await.unwrap(), "pending");
    assert!(calls(&harness).is_empty());
    let dave = harness.approver("dave", &["finance"]).unwrap();
    assert_eq!(dave.approve(&id, "so have I").await.unwrap().status, 200);
    assert_eq!(text(&answer(waiting).await), "ran refund");
    assert_eq!(calls(&harness).len(), 1);
}

#[tokio::test]
async fn a_decision_of_before_a_crash_of_control_and_one_of_after_it_are_honoured() {
    let mut harness = started(holding()).await;
    let token = alice(&harness);
    let first = sent(&harness, &call("refund", &refund("a")).bearer(&token));
    let second = sent(
        &harness,
        &legacy_call("refund", &refund("b")).bearer(&token),
    );
    let mut ids = carol(&harness).wait_for_pending(2).await.unwrap();
    harness.control.kill().await.unwrap();
    assert!(calls(&harness).is_empty());
    harness.control.restart().await.unwrap();
    harness.wait_until_in_force().await.unwrap();
    let carol = carol(&harness);
    let mut after = carol.wait_for_pending(2).await.unwrap();
    ids.sort();
    after.sort();
    assert_eq!(ids, after);
    for id in &ids {
        assert_eq!(carol.approve(id, "").await.unwrap().status, 200);
    }
    assert_eq!(text(&answer(first).await), "ran refund");
    assert_eq!(text(&answer(second).await), "ran refund");
    assert_eq!(calls(&harness).len(), 2);
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_batch_with_a_call_that_would_wait_is_refused() {
    let mut harness = started(holding()).await;
    let (token, carol) = (alice(&harness), carol(&harness));
    let tool = |id, name: &str, arguments| {
        message::request(id, "tools/call", &message::tool(name, arguments))
    };
    let body = json!([
        tool(1, "get_customer", &json!({ "id": "c1" })),
        tool(2, "refund", &refund("a"))
    ]);
    let batch = Call::post(CRM, body.to_string()).header("mcp-protocol-version", "2025-03-26");
    let reply = harness.send(&batch.bearer(&token)).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answers = reply.json();
    assert_eq!(answers.as_array().map(Vec::len), Some(2), "{answers}");
    assert!(carol.pending().await.unwrap().is_empty());
    assert!(harness.recorder.received().is_empty());
    nothing_crashed(&mut harness).await;
}
