//! Clients that declare the Tasks extension get a task at once, and the call runs when they look after it was approved.

use gatehold_e2e::*;
use gatehold_harness::{Call, Harness, message};
use serde_json::{Value, json};

use crate::{PATIENCE, answer, calls, refund, sent};

const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// A request of a client that declares the extension.
fn declaring(method: &str, mut params: Value) -> Call {
    let capabilities = json!({ "extensions": { EXTENSION: {} } });
    params["_meta"] = json!({ "io.modelcontextprotocol/clientCapabilities": capabilities });
    let call = message::modern(CRM, method, &params);
    match params["taskId"].as_str() {
        Some(task) => call.header("mcp-name", task),
        None => call,
    }
}

async fn task(harness: &Harness, token: &str, order: &str) -> String {
    let call = declaring("tools/call", message::tool("refund", &refund(order)));
    let created = answer(sent(harness, &call.bearer(token))).await;
    assert_eq!(created["result"]["resultType"], "task", "{created}");
    assert_eq!(created["result"]["status"], "working", "{created}");
    created["result"]["taskId"].as_str().unwrap().to_owned()
}

async fn get(harness: &Harness, token: &str, task: &str) -> Value {
    let call = declaring("tasks/get", json!({ "taskId": task }));
    harness.send(&call.bearer(token)).await.unwrap().json()
}

/// Looks at the task until it is in this state.
async fn until(harness: &Harness, token: &str, task: &str, status: &str) -> Value {
    let reached = async || {
        let state = get(harness, token, task).await;
        match state["result"]["status"] == status {
            true => Ok(state["result"].clone()),
            false => Err(state.to_string()),
        }
    };
    let what = format!("the task is {status}");
    gatehold_harness::wait::until(&what, PATIENCE, reached)
        .await
        .unwrap()
        .0
}

#[tokio::test]
async fn a_task_is_worked_on_once_it_is_approved() {
    let mut harness = started(holding()).await;
    let (token, carol) = (alice(&harness), carol(&harness));
    let mallory = harness.token("mallory", &["support"], CRM).unwrap();
    let task = task(&harness, &token, "a").await;
    let id = carol.wait_for_pending(1).await.unwrap().remove(0);
    assert_eq!(carol.show(&id).await.unwrap()["mechanism"], "task");
    let state = until(&harness, &token, &task, "working").await;
    assert_eq!(state["resultType"], "complete", "{state}");
    assert_eq!(state["taskId"], json!(task));
    // It is nobody else's.
    assert_eq!(
        get(&harness, &mallory, &task).await["error"]["code"],
        -32602
    );
    assert!(calls(&harness).is_empty());
    assert_eq!(carol.approve(&id, "").await.unwrap().status, 200);
    let state = until(&harness, &token, &task, "completed").await;
    assert_eq!(
        state["result"]["content"][0]["text"], "ran refund",
        "{state}"
    );
    assert_eq!(calls(&harness).len(), 1);
    assert_eq!(calls(&harness)[0]["params"]["arguments"], refund("a"));
    // Looked at again, it says the same and does nothing.
    let again = until(&harness, &token, &task, "completed").await;
    assert_eq!(again["result"], state["result"]);
    assert_eq!(calls(&harness).len(), 1);
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_task_outlives_control_and_one_that_is_cancelled_or_denied_never_runs() {
    let mut harness = started(holding()).await;
    let token = alice(&harness);
    let kept = task(&harness, &token, "kept").await;
    let denied = task(&harness, &token, "denied").await;
    let cancelled = task(&harness, &token, "cancelled").await;
    harness.control.kill().await.unwrap();
    harness.control.restart().await.unwrap();
    harness.wait_until_in_force().await.unwrap();
    let carol = carol(&harness);
    let cancel = declaring("tasks/cancel", json!({ "taskId": cancelled })).bearer(&token);
    let acknowledged = answer(sent(&harness, &cancel)).await;
    assert!(acknowledged.get("error").is_none(), "{acknowledged}");
    until(&harness, &token, &cancelled, "cancelled").await;
    for approval in carol.pending().await.unwrap() {
        let id = approval["id"].as_str().unwrap();
        let reply = match approval["arguments"]["order"].as_str() {
            Some("kept") => carol.approve(id, "").await,
            _ => carol.deny(id, "no").await,
        };
        assert_eq!(reply.unwrap().status, 200);
    }
    let state = until(&harness, &token, &kept, "completed").await;
    assert_eq!(
        state["result"]["content"][0]["text"], "ran refund",
        "{state}"
    );
    let state = until(&harness, &token, &denied, "failed").await;
    assert_eq!(state["error"]["code"], -31403, "{state}");
    assert_eq!(state["error"]["message"], "no", "{state}");
    assert_eq!(calls(&harness).len(), 1);
    nothing_crashed(&mut harness).await;
}
