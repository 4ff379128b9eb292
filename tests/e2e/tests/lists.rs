//! Promise: a list shows a principal exactly what it could use, in JSON and in event streams.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use gatehold_e2e::*;
use gatehold_harness::{Answer, Harness, bootstrap, message};
use serde_json::{Value, json};

fn names(list: &Value, key: &str, name: &str) -> Vec<String> {
    let entries = list["result"][key]
        .as_array()
        .unwrap_or_else(|| panic!("no `{key}` in {list}"));
    entries
        .iter()
        .map(|entry| entry[name].as_str().unwrap().to_owned())
        .collect()
}

async fn listed(harness: &Harness, token: &str, method: &str) -> (Value, Value) {
    let modern = message::modern(CRM, method, &json!({})).bearer(token);
    let legacy = message::legacy(CRM, method, &json!({})).bearer(token);
    (
        harness.send(&modern).await.unwrap().json(),
        harness.send(&legacy).await.unwrap().json(),
    )
}

#[tokio::test]
async fn a_list_holds_what_some_call_could_use() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    let cases = [
        (
            "tools/list",
            "tools",
            "name",
            vec!["echo", "get_customer", "refund"],
        ),
        ("resources/list", "resources", "uri", vec!["crm://public/a"]),
        ("prompts/list", "prompts", "name", vec!["reply"]),
    ];
    for (method, key, name, expected) in cases {
        let (modern, legacy) = listed(&harness, &token, method).await;
        assert_eq!(names(&modern, key, name), expected, "{method}, modern");
        assert_eq!(names(&legacy, key, name), expected, "{method}, legacy");
        assert_eq!(modern["result"]["cacheScope"], "private", "{method}");
        assert!(legacy["result"].get("cacheScope").is_none(), "{method}");
    }
    // Somebody without a role sees nothing at all.
    let stranger = harness.token("mallory", &[], CRM).unwrap();
    let (modern, legacy) = listed(&harness, &stranger, "tools/list").await;
    assert!(
        names(&modern, "tools", "name").is_empty() && names(&legacy, "tools", "name").is_empty()
    );
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_list_in_an_event_stream_is_filtered_too() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    harness.recorder.answer(|request| {
        let id = request.json()["id"].clone();
        let progress = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": "délice" } });
        let list = json!({ "jsonrpc": "2.0", "id": id, "result": {
            "tools": [{ "name": "echo", "inputSchema": {} }, { "name": "delete_all", "inputSchema": {} }],
            "nextCursor": "page-2",
        } });
        Answer::events().event(&progress).event(&list)
    });
    let reply = harness
        .send(&message::legacy(CRM, "tools/list", &json!({})).bearer(&token))
        .await
        .unwrap();
    let messages = reply.messages();
    assert_eq!(messages.len(), 2, "{}", reply.text());
    assert_eq!(messages[0]["params"]["data"], "délice");
    assert_eq!(names(&messages[1], "tools", "name"), ["echo"]);
    assert_eq!(messages[1]["result"]["nextCursor"], "page-2");
    assert!(!reply.text().contains("delete_all"), "{}", reply.text());
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_list_replayed_on_a_get_stream_is_filtered_too() {
    let harness = started(governed()).await;
    let token = alice(&harness);
    harness.recorder.answer(|_| {
        Answer::events().event(&json!({ "jsonrpc": "2.0", "id": 7, "result": {
            "tools": [{ "name": "delete_all", "inputSchema": {} }, { "name": "get_x", "inputSchema": {} }],
        } }))
    });
    let stream = gatehold_harness::Call::get(CRM)
        .header("accept", "text/event-stream")
        .header("mcp-protocol-version", message::LEGACY)
        .bearer(&token);
    let reply = harness.send(&stream).await.unwrap();
    assert_eq!(
        names(&reply.json(), "tools", "name"),
        ["get_x"],
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn what_is_shown_stays_as_the_server_wrote_it() {
    let harness = started(governed()).await;
    let token = alice(&harness);
    let kept = r#"{ "name" : "echo", "inputSchema":{"type":"object","properties":{"t":{"const":1.50,"description":"caf\u00e9"}}}, "_meta":{"z":1,"a":2} }"#;
    let list = format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{{"name":"delete_x","inputSchema":{{}}}},{kept}]}}}}"#
    );
    harness
        .recorder
        .answer(move |_| Answer::bytes("application/json", list.clone()));
    let reply = harness
        .send(&message::legacy(CRM, "tools/list", &json!({})).bearer(&token))
        .await
        .unwrap();
    assert!(reply.text().contains(kept), "{}", reply.text());
    assert!(!reply.text().contains("delete_x"));
    // Headers that went ahead cannot say how long a list is that is yet to be read.
    let length = match bootstrap::headers_go_ahead() {
        true => String::new(),
        false => reply.body.len().to_string(),
    };
    assert_eq!(reply.header("content-length"), length);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_not_passed_on() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    let unreadable: [(&str, &str, &[u8]); 4] = [
        (
            "application/json",
            "",
            br#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"delete_x""#,
        ),
        ("application/json", "gzip", b"\x1f\x8b\x08\x00delete_x"),
        (
            "text/plain",
            "",
            br#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"delete_x"}]}}"#,
        ),
        (
            "application/json",
            "",
            br#"{"jsonrpc":"2.0","id":1,"result":{"tools":[],"tools":[{"name":"delete_x"}]}}"#,
        ),
    ];
    for (media, encoding, body) in unreadable {
        harness.recorder.answer(move |_| {
            let answer = Answer::bytes(media, body);
            if encoding.is_empty() {
                answer
            } else {
                answer.header("content-encoding", encoding)
            }
        });
        let call = message::legacy(CRM, "tools/list", &json!({})).bearer(&token);
        let reply = harness.send(&call).await.unwrap();
        assert!(
            !reply.text().contains("delete_x"),
            "{media} {encoding}: {}",
            reply.text()
        );
        assert!(
            reply.json()["error"]["code"].is_i64(),
            "{media} {encoding}: {}",
            reply.text()
        );
    }
    nothing_crashed(&mut harness).await;
}
