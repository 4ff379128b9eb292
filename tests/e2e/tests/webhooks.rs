//! Promise: webhooks learn what becomes of calls that wait, signed as the standard says, again until they have it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::time::Duration;

use gatehold_e2e::*;
use gatehold_harness::peers::WebhookReceiver;
use gatehold_harness::wait::until;
use gatehold_harness::{Tools, message};
use serde_json::{Value, json};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PATIENCE: Duration = Duration::from_secs(60);

async fn came(receiver: &WebhookReceiver, event: &str) -> Vec<Value> {
    let taken = |message: &Value| message["answered"] == 204;
    let of = |message: &Value| {
        message["id"]
            .as_str()
            .unwrap()
            .ends_with(&format!(".{event}"))
    };
    let what = format!("{event} is told");
    let some = until(&what, PATIENCE, async || {
        let messages = receiver.messages();
        let of: Vec<Value> = messages
            .iter()
            .filter(|message| of(message))
            .cloned()
            .collect();
        match of.iter().any(taken) {
            true => Ok(of),
            false => Err(format!("{messages:?}")),
        }
    });
    some.await.unwrap().0
}

#[tokio::test]
async fn a_webhook_is_told_after_errors_and_after_a_crash_of_control() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let tools = Tools::find().unwrap();
    // It is out of order for a while.
    let receiver = WebhookReceiver::start(&tools, folder.path(), SECRET, &[500, 503, 500])
        .await
        .unwrap();
    let webhook = format!(
        "apiVersion: gatehold.io/v1\nkind: Webhook\nmetadata: {{ name: pager }}\nspec: {{ url: \"{}\", secretFile: {}, events: [pending, approved, used] }}\n",
        receiver.url(),
        secret.display()
    );
    let mut harness = started(holding().document("webhook.yaml", &webhook)).await;
    let token = alice(&harness);
    let arguments = json!({ "order": "o-1", "amount": 500 });
    let call =
        message::legacy(CRM, "tools/call", &message::tool("refund", &arguments)).bearer(&token);
    let port = harness.port();
    let waiting = tokio::spawn(async move { call.send(port).await });
    let id = carol(&harness).wait_for_pending(1).await.unwrap().remove(0);
    until("it was tried", PATIENCE, async || {
        match receiver.messages().len() {
            0 => Err(String::new()),
            _ => Ok(()),
        }
    })
    .await
    .unwrap();
    harness.control.kill().await.unwrap();
    harness.control.restart().await.unwrap();
    harness.wait_until_in_force().await.unwrap();

    let pending = came(&receiver, "pending").await;
    assert!(pending.len() > 1, "it was not tried again: {pending:?}");
    let body = &pending[0]["body"];
    assert_eq!(body["type"], "approval.pending");
    assert_eq!(body["data"]["id"], json!(id));
    assert_eq!(body["data"]["requester"]["user"], "alice");
    assert_eq!(body["data"]["arguments"], arguments);
    let page = format!(
        "http://127.0.0.1:{}/approvals/{id}",
        harness.control.console_port()
    );
    assert_eq!(body["data"]["url"], json!(page));
    assert_eq!(carol(&harness).approve(&id, "").await.unwrap().status, 200);
    assert!(
        waiting
            .await
            .unwrap()
            .unwrap()
            .text()
            .contains("ran refund")
    );
    came(&receiver, "approved").await;
    came(&receiver, "used").await;
    for message in receiver.messages() {
        assert_eq!(message["verified"], true, "{message}");
        assert!(
            message["id"].as_str().unwrap().starts_with(&id),
            "{message}"
        );
    }
    let delivered = harness
        .control
        .metric("gatehold_webhook_messages_total", "result=\"delivered\"")
        .await
        .unwrap();
    assert!(delivered >= 2.0, "{delivered}");
    nothing_crashed(&mut harness).await;
}
