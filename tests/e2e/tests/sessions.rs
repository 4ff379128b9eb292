//! Promise: a session or a task belongs to the caller it was given to, on every worker, and to nobody else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::time::Duration;

use gatehold_e2e::*;
use gatehold_harness::{Answer, Call, Harness, Received, Reply, message};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(20);

/// Path of the stock server.
const EVERYTHING: &str = "/everything/mcp";

const STOCK: &str = r#"
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: everything }
spec:
  path: /everything/mcp
  resource: http://127.0.0.1:10000/everything/mcp
  issuers: [test]
---
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: stock }
spec:
  rules:
    - allow: { server: everything, tools: ["*"], resources: ["*"], prompts: ["*"] }
"#;

fn initialize(path: &str, token: &str) -> Call {
    let params = json!({
        "protocolVersion": message::LEGACY, "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    });
    message::legacy(path, "initialize", &params)
        .header("accept", "application/json, text/event-stream")
        .bearer(token)
}

fn within(call: Call, session: &str, token: &str) -> Call {
    call.header("accept", "application/json, text/event-stream")
        .header("mcp-session-id", session)
        .bearer(token)
}

/// The recorder as a server with the session `s-1`.
fn with_session(request: &Received) -> Answer {
    let result = json!({ "jsonrpc": "2.0", "id": request.json()["id"], "result": {} });
    Answer::json(&result).header("mcp-session-id", "s-1")
}

fn tokens(harness: &Harness, path: &str) -> [String; 2] {
    ["alice", "mallory"].map(|user| harness.token(user, &["support"], path).unwrap())
}

#[tokio::test]
async fn a_session_of_a_stock_server_is_found_by_every_worker_and_by_its_caller_only() {
    let builder = governed()
        .everything()
        .document("stock.yaml", STOCK)
        .workers(4);
    let mut harness = started(builder).await;
    let [alice, mallory] = tokens(&harness, EVERYTHING);
    let reply = harness.send(&initialize(EVERYTHING, &alice)).await.unwrap();
    let session = reply.header("mcp-session-id").to_owned();
    assert!(
        session.len() > 22,
        "no session: {} {}",
        reply.status,
        reply.text()
    );
    let ping = message::legacy(EVERYTHING, "ping", &json!({}));
    let pong = |reply: &Reply| reply.status == 200 && reply.text().contains("\"result\":{}");
    harness
        .on_all_workers(&within(ping.clone(), &session, &alice), PATIENCE, pong)
        .await
        .unwrap();

    let before = harness.envoy.sent_upstream("everything").await.unwrap();
    let foreign = |reply: &Reply| reply.status == 404 && reply.json()["error"]["code"] == -31404;
    for call in [
        ping.clone(),
        Call::get(EVERYTHING).header("last-event-id", "1"),
        Call::delete(EVERYTHING),
    ] {
        let call = within(call, &session, &mallory);
        harness
            .on_all_workers(&call, PATIENCE, foreign)
            .await
            .unwrap();
    }
    // The server's own id is nobody's, not even to who was given it.
    let (_, own) = session.split_once('.').unwrap();
    let call = within(ping.clone(), own, &alice);
    harness
        .on_all_workers(&call, PATIENCE, foreign)
        .await
        .unwrap();
    let after = harness.envoy.sent_upstream("everything").await.unwrap();
    assert_eq!(after, before, "a foreign session reached the server");

    let ended = harness
        .send(&within(Call::delete(EVERYTHING), &session, &alice))
        .await
        .unwrap();
    assert_eq!(ended.status, 200, "{}", ended.text());
    let gone = harness.send(&within(ping, &session, &alice)).await.unwrap();
    assert!(
        gone.status.is_client_error(),
        "{} {}",
        gone.status,
        gone.text()
    );
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_session_outlives_control_and_its_restart() {
    let mut harness = started(governed()).await;
    harness.recorder.answer(with_session);
    let [alice, _] = tokens(&harness, CRM);
    let reply = harness.send(&initialize(CRM, &alice)).await.unwrap();
    let session = reply.header("mcp-session-id").to_owned();
    let tools = within(
        message::legacy(CRM, "tools/list", &json!({})),
        &session,
        &alice,
    );
    harness.control.kill().await.unwrap();
    assert_eq!(harness.send(&tools).await.unwrap().status, 200);
    harness.control.restart().await.unwrap();
    harness.wait_until_in_force().await.unwrap();
    let served = |reply: &Reply| reply.status == 200;
    harness
        .on_all_workers(&tools, PATIENCE, served)
        .await
        .unwrap();
    for request in harness.recorder.take() {
        if request.method() == "tools/list" {
            assert_eq!(request.header("mcp-session-id"), "s-1");
        }
    }
    nothing_crashed(&mut harness).await;
}

/// The ids of a server's requests are easily guessed, so whoever could send a response could answer for
/// somebody else.
#[tokio::test]
async fn a_response_without_a_session_goes_nowhere() {
    let mut harness = started(governed()).await;
    harness.recorder.answer(with_session);
    let [alice, mallory] = tokens(&harness, CRM);
    let reply = harness.send(&initialize(CRM, &alice)).await.unwrap();
    let session = reply.header("mcp-session-id").to_owned();
    let _ = harness.recorder.take();
    let response = json!({ "jsonrpc": "2.0", "id": 0, "result": { "action": "accept" } });
    let response =
        Call::post(CRM, response.to_string()).header("mcp-protocol-version", message::LEGACY);
    let reply = harness
        .send(&response.clone().bearer(&mallory))
        .await
        .unwrap();
    assert_eq!((reply.status.as_u16(), reply.text().as_str()), (202, ""));
    let reply = harness
        .send(&within(response.clone(), &session, &mallory))
        .await
        .unwrap();
    assert_eq!(reply.status, 404);
    assert!(harness.recorder.take().is_empty());
    harness
        .send(&within(response, &session, &alice))
        .await
        .unwrap();
    assert_eq!(harness.recorder.take().len(), 1);
    nothing_crashed(&mut harness).await;
}

/// A server whose every call starts the task `t-1`.
fn with_tasks(request: &Received) -> Answer {
    let id = request.json()["id"].clone();
    let task = json!({ "resultType": "task", "taskId": "t-1", "status": "working" });
    let state = json!({ "resultType": "complete", "taskId": "t-1", "status": "completed" });
    let result = match request.method().as_str() {
        "tools/call" => task,
        _ => state,
    };
    Answer::json(&json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

fn about(method: &str, task: &str, token: &str) -> Call {
    let meta = json!({ "io.modelcontextprotocol/clientCapabilities": {
        "extensions": { "io.modelcontextprotocol/tasks": {} },
    } });
    message::modern(CRM, method, &json!({ "taskId": task, "_meta": meta }))
        .header("mcp-name", task)
        .bearer(token)
}

#[tokio::test]
async fn a_task_is_found_by_every_worker_and_by_its_caller_only() {
    let mut harness = started(governed().workers(4)).await;
    harness.recorder.answer(with_tasks);
    let [alice, mallory] = tokens(&harness, CRM);
    let asked = call("get_customer", &json!({ "id": "c-1" })).bearer(&alice);
    let reply = harness.send(&asked).await.unwrap();
    let task = reply.json()["result"]["taskId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(task.ends_with(".t-1"), "{task}");
    let _ = harness.recorder.take();

    let state = |reply: &Reply| reply.json()["result"]["taskId"] == task.as_str();
    let calls = [
        about("tasks/get", &task, &alice),
        about("tasks/get", &task, &alice).in_pieces_of(7),
        about("tasks/cancel", &task, &alice)
            .http2()
            .trailer("x-end", "1"),
    ];
    for call in calls {
        harness
            .on_all_workers(&call, PATIENCE, state)
            .await
            .unwrap();
        for request in harness.recorder.take() {
            assert_eq!(request.json()["params"]["taskId"], "t-1");
            assert_eq!(request.header("mcp-name"), "t-1");
            assert!(request.complete);
        }
    }
    let unknown = |reply: &Reply| reply.json()["error"]["message"] == "Task not found";
    let own = ["tasks/get", "tasks/update", "tasks/cancel"];
    for call in own.map(|method| about(method, &task, &mallory)) {
        harness
            .on_all_workers(&call, PATIENCE, unknown)
            .await
            .unwrap();
    }
    let raw = about("tasks/get", "t-1", &alice);
    harness
        .on_all_workers(&raw, PATIENCE, unknown)
        .await
        .unwrap();
    let listening = json!({ "notifications": { "taskIds": [task] } });
    let listening = message::modern(CRM, "subscriptions/listen", &listening).bearer(&mallory);
    harness
        .on_all_workers(&listening, PATIENCE, unknown)
        .await
        .unwrap();
    assert!(harness.recorder.take().is_empty());
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn what_a_server_gives_a_client_to_send_back_is_for_that_client_and_call_only() {
    let mut harness = started(governed()).await;
    let [alice, mallory] = tokens(&harness, CRM);
    harness.recorder.answer(|request| {
        let result = json!({
            "resultType": "input_required", "requestState": "v1.A=\u{e9}\"",
            "inputRequests": { "q": { "method": "roots/list" } },
        });
        Answer::json(&json!({ "jsonrpc": "2.0", "id": request.json()["id"], "result": result }))
    });
    let call = |tool: &str, state: Option<&str>, token: &str| {
        let mut params = json!({ "name": tool, "arguments": {} });
        if let Some(state) = state {
            params["inputResponses"] = json!({ "q": { "roots": [] } });
            params["requestState"] = json!(state);
        }
        message::modern(CRM, "tools/call", &params).bearer(token)
    };
    let reply = harness.send(&call("echo", None, &alice)).await.unwrap();
    let answer = reply.json();
    let state = answer["result"]["requestState"].as_str().unwrap();
    assert!(!state.contains("v1.A"), "{state}");
    assert_eq!(
        answer["result"]["inputRequests"]["q"]["method"],
        "roots/list"
    );
    assert_eq!(harness.recorder.take().len(), 1);

    harness
        .send(&call("echo", Some(state), &alice))
        .await
        .unwrap();
    let received = harness.recorder.take();
    let params = &received[0].json()["params"];
    assert_eq!(params["requestState"], "v1.A=\u{e9}\"");
    assert_eq!(params["inputResponses"]["q"]["roots"], json!([]));

    for (tool, state, token) in [
        ("echo", state, &mallory),
        ("get_order", state, &alice),
        ("echo", "v1.A=\u{e9}\"", &alice),
    ] {
        let reply = harness.send(&call(tool, Some(state), token)).await.unwrap();
        assert_eq!(reply.json()["error"]["code"], -32602, "{}", reply.text());
        assert!(harness.recorder.take().is_empty(), "{tool}");
    }
    nothing_crashed(&mut harness).await;
}
