//! Modern clients are asked to come back, and what they carry with them is of use to them alone, for that call, once.

use gatehold_e2e::*;
use gatehold_harness::{Call, Harness, message};
use serde_json::{Value, json};

use crate::{PATIENCE, answer, calls, refund, refused, sent, text, with_short_legs};

/// The same call with what the last answer gave to bring back.
fn back(arguments: &Value, state: &str) -> Call {
    let mut params = message::tool("refund", arguments);
    params["requestState"] = json!(state);
    message::modern(CRM, "tools/call", &params)
}

/// Makes a call, waits until its leg has ended, and gives what is to be brought back.
async fn first_leg(harness: &Harness, token: &str, arguments: &Value) -> String {
    let answer = answer(sent(harness, &call("refund", arguments).bearer(token))).await;
    state(&answer)
}

fn state(answer: &Value) -> String {
    assert_eq!(answer["result"]["resultType"], "input_required", "{answer}");
    answer["result"]["requestState"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_client_comes_back_until_it_is_decided() {
    let mut harness = with_short_legs().await;
    let (token, carol) = (alice(&harness), carol(&harness));
    let mut state = first_leg(&harness, &token, &refund("a")).await;
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    for _ in 0..2 {
        let next = answer(sent(&harness, &back(&refund("a"), &state).bearer(&token))).await;
        let next = self::state(&next);
        assert_ne!(next, state);
        state = next;
        assert_eq!(
            carol.wait_for_pending(1).await.unwrap(),
            std::slice::from_ref(&id)
        );
    }
    assert_eq!(carol.approve(&id, "").await.unwrap().status, 200);
    assert!(calls(&harness).is_empty());
    let last = answer(sent(&harness, &back(&refund("a"), &state).bearer(&token))).await;
    assert_eq!(text(&last), "ran refund");
    assert_eq!(calls(&harness).len(), 1);
    // Our state does not go to the upstream.
    assert_eq!(calls(&harness)[0]["params"].get("requestState"), None);
    // And it is of no use again.
    let again = answer(sent(&harness, &back(&refund("a"), &state).bearer(&token))).await;
    assert_ne!(
        again.pointer("/result/content/0/text"),
        Some(&json!("ran refund")),
        "{again}"
    );
    assert_eq!(calls(&harness).len(), 1);
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn what_a_client_brings_back_is_bound_to_caller_and_call() {
    let mut harness = with_short_legs().await;
    let (token, carol) = (alice(&harness), carol(&harness));
    let mallory = harness.token("mallory", &["support"], CRM).unwrap();
    let state = first_leg(&harness, &token, &refund("a")).await;
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    assert_eq!(carol.approve(&id, "").await.unwrap().status, 200);
    let mut changed = state.clone();
    let last = if changed.ends_with('A') { 'B' } else { 'A' };
    changed.pop();
    changed.push(last);
    let other = json!({ "order": "a", "amount": 5000 });
    for (what, call, token) in [
        ("another caller", back(&refund("a"), &state), &mallory),
        ("another order", back(&refund("b"), &state), &token),
        ("another amount", back(&other, &state), &token),
        (
            "a state that was changed",
            back(&refund("a"), &changed),
            &token,
        ),
        ("a state of nobody", back(&refund("a"), "x"), &token),
    ] {
        let reply = harness.send(&call.bearer(token)).await.unwrap();
        let answer = reply.json();
        let is_error = answer["result"]["isError"] == json!(true) || answer.get("error").is_some();
        assert!(is_error, "{what}: {} {answer}", reply.status);
        assert!(
            calls(&harness).is_empty(),
            "{what}: it reached the upstream"
        );
    }
    // Whose it is can still use it.
    let last = answer(sent(&harness, &back(&refund("a"), &state).bearer(&token))).await;
    assert_eq!(text(&last), "ran refund");
    assert_eq!(calls(&harness).len(), 1);
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn of_two_that_come_back_with_the_same_one_goes_on() {
    let harness = with_short_legs().await;
    let (token, carol) = (alice(&harness), carol(&harness));
    let state = first_leg(&harness, &token, &refund("a")).await;
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    assert_eq!(carol.approve(&id, "").await.unwrap().status, 200);
    let back = back(&refund("a"), &state).bearer(&token);
    let both = [sent(&harness, &back), sent(&harness, &back)];
    let mut ran = 0;
    for one in both {
        let reply = tokio::time::timeout(PATIENCE, one)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        ran += usize::from(reply.text().contains("ran refund"));
    }
    assert_eq!(ran, 1);
    assert_eq!(calls(&harness).len(), 1);
}

#[tokio::test]
async fn identical_calls_wait_together_and_run_once() {
    let mut harness = started(holding()).await;
    let (token, carol) = (alice(&harness), carol(&harness));
    let ways = [
        call("refund", &json!({ "order": "a", "amount": 500 })),
        call("refund", &json!({ "amount": 500.0, "order": "\u{61}" })),
        call("refund", &refund("a")).http2(),
    ];
    let waiting: Vec<_> = ways
        .iter()
        .map(|way| sent(&harness, &way.clone().bearer(&token)))
        .collect();
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    let all = async || {
        let shown = carol.show(&id).await.map_err(|error| error.to_string())?;
        if shown["waiting"] == 3 {
            Ok(())
        } else {
            Err(shown.to_string())
        }
    };
    gatehold_harness::wait::until("all three wait", PATIENCE, all)
        .await
        .unwrap();
    assert_eq!(carol.approve(&id, "").await.unwrap().status, 200);
    let mut ran = 0;
    for one in waiting {
        let answer = answer(one).await;
        match text(&answer) {
            "ran refund" => ran += 1,
            _ => refused(&answer, "identical"),
        }
    }
    assert_eq!(ran, 1);
    assert_eq!(calls(&harness).len(), 1);
    nothing_crashed(&mut harness).await;
}
