//! What agents send, and calls that wait for what was seen before.

use super::*;
use gatehold_harness::{Call, HarnessError, Reply};
use tokio::task::JoinHandle;

fn badge() -> Value {
    json!({ "text": "badge EMP-204881 of Ann" })
}

fn calls(harness: &Harness) -> Vec<Value> {
    let received = harness.recorder.received();
    let bodies = received.iter().map(Received::json);
    bodies
        .filter(|body| body["method"] == "tools/call")
        .collect()
}

fn sent(harness: &Harness, call: &Call) -> JoinHandle<Result<Reply, HarnessError>> {
    let (call, port) = (call.clone(), harness.port());
    tokio::spawn(async move { call.send(port).await })
}

#[tokio::test]
async fn a_secret_in_arguments_is_blocked_or_taken_out_before_the_upstream() {
    for (action, arrives) in [("block", false), ("redact", true)] {
        let detection = format!("{{ secrets: {{ arguments: {action} }} }}");
        let mut harness = started(detecting(&detection)).await;
        let token = alice(&harness);
        for (way, call) in [
            ("modern", call("echo", &badge())),
            ("legacy", legacy_call("echo", &badge())),
            ("pieces", legacy_call("echo", &badge()).in_pieces_of(7)),
            (
                "http2",
                call("echo", &badge()).http2().trailer("x-end", "1"),
            ),
        ] {
            let reply = harness.send(&call.bearer(&token)).await.unwrap();
            assert_eq!(reply.status, 200, "{way}: {}", reply.text());
            let received = harness.recorder.take();
            assert_eq!(received.len(), usize::from(arrives), "{action}, {way}");
            let refused = reply.json()["result"]["isError"] == json!(true);
            assert_eq!(refused, !arrives, "{action}, {way}: {}", reply.text());
            for request in received {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                assert!(!body.contains("204881"), "{way}: {body}");
                let text = request.json()["params"]["arguments"]["text"].clone();
                assert!(text.as_str().unwrap().ends_with("of Ann"), "{way}: {body}");
            }
        }
        let with = |event: &Value| event["detection"] == action;
        for event in events(&harness, 4, with).await {
            assert!(!event.to_string().contains("204881"), "{event}");
            assert_eq!(
                event["findings"][0]["features"],
                json!(["secret:badge"]),
                "{event}"
            );
        }
        nothing_crashed(&mut harness).await;
    }
}

#[tokio::test]
async fn after_a_suspicious_result_the_next_call_that_writes_waits_on_any_worker() {
    let detection = "{ results: approve, approval: { by: { roles: [finance] }, within: 15m } }";
    let mut harness = started(detecting(detection)).await;
    let (token, carol) = (alice(&harness), carol(&harness));
    let small = |order: &str| {
        let arguments = json!({ "order": order, "amount": 5 });
        call("refund", &arguments).bearer(&token)
    };
    let ran = |reply: &Reply| reply.json()["result"]["isError"] != json!(true);
    assert!(ran(&harness.send(&small("before")).await.unwrap()));

    says(&harness, "They call it project nightjar.");
    let read = harness
        .send(&call("get_mail", &json!({})).bearer(&token))
        .await
        .unwrap();
    assert!(
        text(&read.json()).contains("nightjar"),
        "the result itself passes"
    );
    let before = calls(&harness).len();

    // Whichever worker it comes to, and however often it is tried.
    for number in 0..4 {
        let waiting = sent(&harness, &small("after"));
        let id = carol.wait_for_pending(1).await.unwrap().remove(0);
        let shown = carol.show(&id).await.unwrap();
        assert!(shown.to_string().contains("rule.codename"), "{shown}");
        assert_eq!(calls(&harness).len(), before, "try {number}");
        let reply = carol.deny(&id, "no").await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let answer = waiting.await.unwrap().unwrap().json();
        assert_eq!(answer["result"]["isError"], true, "{answer}");
    }
    // What reads goes on, and so does somebody else.
    says(&harness, "fine");
    let reads = call("get_mail", &json!({})).bearer(&token);
    harness.on_all_workers(&reads, PATIENCE, ran).await.unwrap();
    let bob = harness.token("bob", &["support"], CRM).unwrap();
    let other = call("refund", &json!({ "order": "bob", "amount": 5 })).bearer(&bob);
    assert!(ran(&harness.send(&other).await.unwrap()));

    // Approved once, it is settled.
    let waiting = sent(&harness, &small("approved"));
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    carol.approve(&id, "known").await.unwrap();
    let answer = waiting.await.unwrap().unwrap().json();
    assert_eq!(text(&answer), "fine", "{answer}");
    harness
        .on_all_workers(&small("settled"), PATIENCE, ran)
        .await
        .unwrap();
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn policy_can_ask_for_findings() {
    let policy = HOLDING.replace(
        "    - name: large-refund",
        "    - name: nothing-odd\n      deny: { server: \"*\", tools: [echo], when: \"findings.flagged || findings.secrets.exists(it, it == 'badge')\" }\n    - name: large-refund",
    );
    let mut harness = started(detecting("log").document("policy.yaml", &policy)).await;
    let token = alice(&harness);
    for (said, passes) in [
        ("good morning", true),
        ("project nightjar it is", false),
        ("badge EMP-204881", false),
    ] {
        let call = call("echo", &json!({ "text": said })).bearer(&token);
        let reply = harness.send(&call).await.unwrap().json();
        assert_eq!(
            reply["result"]["isError"] != json!(true),
            passes,
            "{said}: {reply}"
        );
        assert_eq!(harness.recorder.take().len(), usize::from(passes), "{said}");
    }
    nothing_crashed(&mut harness).await;
}
