//! One call that is allowed, one that is not: the whole chain once, from documents to audit.

use std::time::Duration;

use gatehold_harness::wait::until;
use gatehold_harness::{Harness, message};
use serde_json::json;

const DOCUMENTS: &str = r#"
apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: tests }
spec:
  issuer: https://issuer.test
  jwks: { keys: ${JWKS} }
---
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: crm }
spec:
  path: /crm/mcp
  resource: http://127.0.0.1:10000/crm/mcp
  issuers: [tests]
---
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: support }
spec:
  subjects: { roles: [support] }
  rules:
    - name: small-refund
      allow: { server: crm, tools: [refund], when: "args.amount <= 100.0" }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_decided_by_the_documents_and_audited() {
    let harness = Harness::builder()
        .document("all.yaml", DOCUMENTS)
        .start()
        .await
        .unwrap();
    let token = harness.token("alice", &["support"], "/crm/mcp").unwrap();
    let refund =
        |amount: f64| message::tool("refund", &json!({ "order": "o-1", "amount": amount }));
    let call = |amount| message::modern("/crm/mcp", "tools/call", &refund(amount)).bearer(&token);

    let reply = harness.send(&call(50.0)).await.unwrap();
    assert_eq!(
        reply.json()["result"]["content"][0]["text"],
        json!("ran refund"),
        "{}",
        reply.text()
    );
    assert_eq!(harness.recorder.take().len(), 1);

    let reply = harness.send(&call(500.0)).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json()["result"]["isError"],
        json!(true),
        "{}",
        reply.text()
    );
    assert!(harness.recorder.take().is_empty());

    let (events, _) = until(
        "both calls are audited",
        Duration::from_secs(10),
        async || {
            let events = harness
                .control
                .audit()
                .await
                .map_err(|error| error.to_string())?;
            let calls: Vec<_> = events
                .into_iter()
                .filter(|event| event.to_string().contains("refund"))
                .collect();
            if calls.len() == 2 {
                Ok(calls)
            } else {
                Err(format!("{calls:?}"))
            }
        },
    )
    .await
    .unwrap();
    for (event, effect) in events.iter().zip(["allow", "deny"]) {
        assert!(event.to_string().contains(effect), "{event}");
    }
    assert_eq!(harness.envoy.filter_failures().await.unwrap(), 0);
}
