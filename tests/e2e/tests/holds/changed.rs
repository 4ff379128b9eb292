//! What was approved is what runs: under another policy, or as another tool, it does not.

use gatehold_e2e::*;
use gatehold_harness::{Answer, Call, Received, message, recorder};
use serde_json::json;

use crate::{PATIENCE, answer, calls, refund, refused, sent, with_short_legs};

#[tokio::test]
async fn a_change_of_policy_refuses_what_waits_and_what_was_approved() {
    let mut harness = started(holding()).await;
    let (token, carol) = (alice(&harness), carol(&harness));
    let waiting = sent(&harness, &call("refund", &refund("a")).bearer(&token));
    let pending = carol.wait_for_pending(1).await.unwrap().remove(0);
    // Approved, and its client away: a legacy one may come back for it.
    let gone = legacy_call("refund", &refund("b")).bearer(&token);
    let left = sent(&harness, &gone);
    let both = carol.wait_for_pending(2).await.unwrap();
    let approved = both.iter().find(|id| **id != pending).unwrap();
    left.abort();
    let alone = async || {
        let shown = carol
            .show(approved)
            .await
            .map_err(|error| error.to_string())?;
        if shown["waiting"] == 0 {
            Ok(())
        } else {
            Err(shown.to_string())
        }
    };
    gatehold_harness::wait::until("it waits no longer", PATIENCE, alone)
        .await
        .unwrap();
    assert_eq!(carol.approve(approved, "").await.unwrap().status, 200);

    let policy = HOLDING.replace("amount > 100.0", "amount > 99.0");
    harness.documents.write("policy.yaml", &policy).unwrap();
    refused(&answer(waiting).await, "changed");
    for id in [&pending, approved] {
        carol
            .wait_for_state(id, "superseded", PATIENCE)
            .await
            .unwrap();
        let late = carol.approve(id, "").await.unwrap();
        assert_eq!(late.status, 409, "{}", late.text());
    }
    // Asked again, it is judged by the policy of now, and waits anew.
    let again = sent(&harness, &gone);
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    assert!(![&pending, approved].contains(&&id));
    assert!(calls(&harness).is_empty());
    assert_eq!(carol.deny(&id, "").await.unwrap().status, 200);
    refused(&answer(again).await, "");
    assert!(calls(&harness).is_empty());
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn what_policy_has_come_to_deny_is_denied_although_it_was_approved() {
    let mut harness = with_short_legs().await;
    let (token, carol) = (alice(&harness), carol(&harness));
    let way = legacy_call("refund", &refund("a")).bearer(&token);
    refused(&answer(sent(&harness, &way)).await, "");
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    assert_eq!(carol.approve(&id, "").await.unwrap().status, 200);
    let policy = HOLDING.replace("roles: [support]", "roles: [nobody]");
    harness.documents.write("policy.yaml", &policy).unwrap();
    // A worker of before would still rightly run what was approved, so they are asked for something else first.
    let list = message::modern(CRM, "tools/list", &json!({})).bearer(&token);
    let unlisted =
        |reply: &gatehold_harness::Reply| reply.status == 200 && !reply.text().contains("refund");
    harness
        .on_all_workers(&list, PATIENCE, unlisted)
        .await
        .unwrap();
    let hidden = |reply: &gatehold_harness::Reply| reply.text().contains("Unknown tool");
    harness
        .on_all_workers(&way, PATIENCE, hidden)
        .await
        .unwrap();
    assert!(calls(&harness).is_empty());
    nothing_crashed(&mut harness).await;
}

/// The standing script with a tool that is described like this.
fn describing(text: &'static str) -> impl Fn(&Received) -> Answer + Send + Sync + 'static {
    move |request| match request.method().as_str() {
        "tools/list" => {
            let message = request.json();
            let tools = json!([{ "name": "refund", "description": text, "inputSchema": { "type": "object" } }]);
            let result = json!({
                "tools": tools, "resultType": "complete", "ttlMs": 0, "cacheScope": "private",
            });
            Answer::json(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }))
        }
        _ => recorder::mcp(request),
    }
}

#[tokio::test]
async fn a_change_of_the_tool_refuses_what_waits_and_what_was_approved() {
    let mut harness = started(holding()).await;
    let (token, carol) = (alice(&harness), carol(&harness));
    let list: Call = message::modern(CRM, "tools/list", &json!({})).bearer(&token);
    harness.recorder.answer(describing("Pays an order back"));
    let shows =
        |text: &'static str| move |reply: &gatehold_harness::Reply| reply.text().contains(text);
    harness
        .on_all_workers(&list, PATIENCE, shows("Pays an order"))
        .await
        .unwrap();

    let waiting = sent(&harness, &call("refund", &refund("a")).bearer(&token));
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    assert!(carol.show(&id).await.unwrap()["definitionDigest"].is_string());
    // The server now says that the tool does something else, and some client sees it.
    harness
        .recorder
        .answer(describing("Pays an order back, and a fee to somebody"));
    harness
        .on_all_workers(&list, PATIENCE, shows("a fee"))
        .await
        .unwrap();
    refused(&answer(waiting).await, "changed");
    carol
        .wait_for_state(&id, "superseded", PATIENCE)
        .await
        .unwrap();
    let late = carol.approve(&id, "").await.unwrap();
    assert_eq!(late.status, 409, "{}", late.text());
    assert!(calls(&harness).is_empty());

    // The same list again changes nothing.
    let waiting = sent(&harness, &call("refund", &refund("a")).bearer(&token));
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    harness
        .on_all_workers(&list, PATIENCE, shows("a fee"))
        .await
        .unwrap();
    assert_eq!(carol.approve(&id, "").await.unwrap().status, 200);
    assert_eq!(
        answer(waiting).await["result"]["content"][0]["text"],
        "ran refund"
    );
    assert_eq!(calls(&harness).len(), 1);
    nothing_crashed(&mut harness).await;
}
