//! Clients that go away are never executed for.

use gatehold_e2e::*;
use gatehold_harness::{Answer, Received, message, recorder};
use serde_json::json;

use crate::{PATIENCE, answer, calls, refund, refused, sent, text};

#[tokio::test]
async fn a_modern_client_that_goes_away_withdraws_its_call() {
    let mut harness = started(holding()).await;
    let (token, carol) = (alice(&harness), carol(&harness));
    for way in [
        call("refund", &refund("a")),
        call("refund", &refund("a")).http2(),
    ] {
        let waiting = sent(&harness, &way.bearer(&token));
        let id = carol.wait_for_pending(1).await.unwrap().remove(0);
        waiting.abort();
        carol
            .wait_for_state(&id, "withdrawn", PATIENCE)
            .await
            .unwrap();
        let late = carol.approve(&id, "").await.unwrap();
        assert_eq!(late.status, 409, "{}", late.text());
        assert!(late.text().contains("withdrawn"), "{}", late.text());
    }
    nothing_was_sent(&harness).await;
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_legacy_client_that_goes_away_may_ask_again_and_nothing_runs_without_it() {
    let mut harness = started(holding()).await;
    let (token, carol) = (alice(&harness), carol(&harness));
    let way = legacy_call("refund", &refund("a")).bearer(&token);
    let waiting = sent(&harness, &way);
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    waiting.abort();
    let left = async || {
        let shown = carol.show(&id).await.map_err(|error| error.to_string())?;
        if shown["waiting"] == 0 {
            Ok(())
        } else {
            Err(shown.to_string())
        }
    };
    gatehold_harness::wait::until("it waits no longer", PATIENCE, left)
        .await
        .unwrap();
    assert_eq!(carol.approve(&id, "").await.unwrap().status, 200);
    assert_eq!(carol.state(&id).await.unwrap(), "approved");
    assert!(calls(&harness).is_empty(), "it ran for nobody");
    // Asked again, it goes through at once, and once.
    assert_eq!(text(&answer(sent(&harness, &way)).await), "ran refund");
    assert_eq!(calls(&harness).len(), 1);
    assert_eq!(carol.state(&id).await.unwrap(), "used");
    nothing_crashed(&mut harness).await;
}

/// The standing script with sessions.
fn with_session(request: &Received) -> Answer {
    let answer = recorder::mcp(request);
    match request.method().as_str() {
        "initialize" => answer.header("mcp-session-id", "s-1"),
        _ => answer,
    }
}

#[tokio::test]
async fn a_legacy_client_that_cancels_withdraws_its_call() {
    let mut harness = started(holding()).await;
    harness.recorder.answer(with_session);
    let (token, carol) = (alice(&harness), carol(&harness));
    let params = json!({
        "protocolVersion": message::LEGACY, "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
    });
    let initialize = message::legacy(CRM, "initialize", &params).bearer(&token);
    let reply = harness.send(&initialize).await.unwrap();
    let session = reply.header("mcp-session-id").to_owned();
    assert!(!session.is_empty(), "{}", reply.text());
    let way = legacy_call("refund", &refund("a"))
        .bearer(&token)
        .header("mcp-session-id", &session);
    let waiting = sent(&harness, &way);
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    let cancel =
        message::legacy(CRM, "notifications/cancelled", &json!({})).body(cancelled.to_string());
    let cancel = cancel.bearer(&token).header("mcp-session-id", &session);
    let reply = harness.send(&cancel).await.unwrap();
    assert_eq!(reply.status, 202, "{}", reply.text());
    carol
        .wait_for_state(&id, "withdrawn", PATIENCE)
        .await
        .unwrap();
    refused(&answer(waiting).await, "");
    assert_eq!(carol.approve(&id, "").await.unwrap().status, 409);
    assert!(calls(&harness).is_empty());
    nothing_crashed(&mut harness).await;
}
