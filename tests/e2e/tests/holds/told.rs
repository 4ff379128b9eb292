//! Legacy clients do not wait forever: they are told that the call is pending and where, and ask again.

use gatehold_e2e::*;
use serde_json::json;

use crate::{answer, calls, refund, refused, sent, text, with_short_legs};

#[tokio::test]
async fn the_same_call_made_again_goes_through_once_it_is_approved() {
    let mut harness = with_short_legs().await;
    let (token, carol) = (alice(&harness), carol(&harness));
    let way = legacy_call("refund", &refund("a")).bearer(&token);
    let told = answer(sent(&harness, &way)).await;
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    refused(&told, &id);
    let page = format!(
        "http://127.0.0.1:{}/approvals/{id}",
        harness.control.console_port()
    );
    assert!(text(&told).contains(&page), "{}", text(&told));
    // Asked too early, it waits for the same approval.
    refused(&answer(sent(&harness, &way)).await, &id);
    assert_eq!(
        carol.wait_for_pending(1).await.unwrap(),
        std::slice::from_ref(&id)
    );
    assert_eq!(carol.approve(&id, "").await.unwrap().status, 200);
    // Other arguments, another caller and another tool are other calls.
    let other = json!({ "order": "a", "amount": 501 });
    let mallory = harness.token("mallory", &["support"], CRM).unwrap();
    for (what, call) in [
        (
            "other arguments",
            legacy_call("refund", &other).bearer(&token),
        ),
        (
            "another caller",
            legacy_call("refund", &refund("a")).bearer(&mallory),
        ),
    ] {
        let answer = answer(sent(&harness, &call)).await;
        assert_eq!(answer["result"]["isError"], json!(true), "{what}: {answer}");
        assert!(!text(&answer).contains(&id), "{what}: {answer}");
        assert!(
            calls(&harness).is_empty(),
            "{what}: it reached the upstream"
        );
    }
    assert_eq!(text(&answer(sent(&harness, &way)).await), "ran refund");
    assert_eq!(calls(&harness).len(), 1);
    // Once.
    let again = answer(sent(&harness, &way)).await;
    assert_eq!(again["result"]["isError"], json!(true), "{again}");
    assert!(!text(&again).contains(&id), "{again}");
    assert_eq!(calls(&harness).len(), 1);
    nothing_crashed(&mut harness).await;
}
