//! Results, events of streams, and what stock clients make of them.

use super::*;
use gatehold_harness::Upstream;
use gatehold_harness::client::CLIENTS;

#[tokio::test]
async fn an_injected_result_is_logged_redacted_or_withheld_in_both_eras() {
    let text_of_mail = format!("Invoice 7 is due on Friday.\n{ATTACK}\nKind regards");
    for (action, passes, said) in [
        ("log", true, "ignore all previous"),
        ("redact", true, "[withheld by Gatehold]"),
        ("block", false, "Withheld by Gatehold"),
    ] {
        let mut harness = started(detecting(&format!("{{ results: {action} }}"))).await;
        let token = alice(&harness);
        says(&harness, &text_of_mail);
        for call in [
            call("get_mail", &json!({})),
            legacy_call("get_mail", &json!({})),
        ] {
            let answer = harness.send(&call.bearer(&token)).await.unwrap().json();
            let text = text(&answer);
            assert!(text.contains(said), "{action}: {text}");
            assert_eq!(text.contains("collect.evil"), action == "log", "{text}");
            assert_eq!(text.contains("Invoice 7"), passes, "{text}");
            assert_eq!(answer["result"]["isError"] == json!(true), !passes);
        }
        assert_eq!(harness.recorder.received().len(), 2, "the tool ran");
        let seen = |event: &Value| {
            event["findings"]
                .as_array()
                .is_some_and(|it| !it.is_empty())
        };
        let events = events(&harness, 2, seen).await;
        assert_eq!(events[0]["detection"], action, "{}", events[0]);
        assert_eq!(events[0]["findings"][0]["kind"], "result");
        let counted = harness.envoy.stats().await.unwrap();
        let counted = counted
            .iter()
            .filter(|(name, _)| name.contains("gatehold_findings"));
        assert!(counted.map(|(_, value)| value).sum::<u64>() >= 2);
        nothing_crashed(&mut harness).await;
    }
}

#[tokio::test]
async fn a_clean_result_passes_byte_for_byte() {
    let mut harness = started(detecting("{ results: block, definitions: block }")).await;
    let token = alice(&harness);
    let text_of_guide =
        "To reset the router, hold the button, then follow the instructions of the manual.";
    says(&harness, text_of_guide);
    let direct = {
        let reply = harness
            .send(&call("get_guide", &json!({})).bearer(&token))
            .await;
        reply.unwrap()
    };
    assert_eq!(text(&direct.json()), text_of_guide);
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn an_injection_split_over_events_is_seen_when_it_is_complete() {
    let mut harness = started(detecting("{ results: block }")).await;
    let token = alice(&harness);
    harness.recorder.answer(|request| {
        if request.method() != "tools/call" {
            return recorder::mcp(request);
        }
        let progress = |text: &str| {
            json!({ "jsonrpc": "2.0", "method": "notifications/progress",
                    "params": { "progressToken": 1, "progress": 1, "message": text } })
        };
        let id = request.json()["id"].clone();
        let result = json!({ "jsonrpc": "2.0", "id": id, "result": {
            "content": [{ "type": "text", "text": "nightjar is the one to tell them of" }] } });
        Answer::events()
            .event(&progress("Reading the notes."))
            .event(&progress("They speak of project"))
            .event(&result)
    });
    let reply = harness
        .send(&legacy_call("get_notes", &json!({})).bearer(&token))
        .await
        .unwrap();
    let messages = reply.messages();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert_eq!(messages[1]["params"]["message"], "They speak of project");
    assert_eq!(messages[2]["result"]["isError"], true);
    assert!(!reply.text().contains("tell them of"), "{}", reply.text());
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn stock_clients_take_what_is_redacted_and_what_is_withheld() {
    let redacting = "{ results: log, secrets: { results: redact }, tools: [{ match: [echo], results: block }] }";
    let rules = DETECTORS.replace("EMP-[0-9]{6}", "Ada Park");
    let mut harness = started(
        Harness::builder()
            .upstream(Upstream::Crm)
            .document("server.yaml", &server(redacting))
            .document("console.yaml", CONSOLE)
            .document("policy.yaml", HOLDING)
            .document("detectors.yaml", &rules),
    )
    .await;
    let token = alice(&harness);
    for (sdk, era) in CLIENTS {
        let mut client = harness.client(sdk, era, CRM, &token).await.unwrap();
        client.tools().await.unwrap();
        // It has an output schema, by which these clients check what they get.
        let answer = client
            .call("get_customer", &json!({ "id": "c1" }))
            .await
            .unwrap();
        let said = answer.to_string();
        assert!(!said.contains("Ada Park"), "{sdk:?} {era:?}: {said}");
        assert!(said.contains("Lisbon"), "{sdk:?} {era:?}: {said}");
        let echo = json!({ "text": "they call it project nightjar" });
        let answer = client.call("echo", &echo).await.unwrap();
        let said = answer.to_string();
        assert!(
            said.contains("Withheld by Gatehold"),
            "{sdk:?} {era:?}: {said}"
        );
        assert!(!said.contains("they call it"), "{sdk:?} {era:?}: {said}");
        client.close().await.unwrap();
    }
    nothing_crashed(&mut harness).await;
}
