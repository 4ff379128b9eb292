//! Envoy, control and an upstream that writes down when calls arrive.

use std::sync::PoisonError;
use std::time::Instant;

use gatehold_harness::{Harness, recorder};

use crate::Arrivals;

const DOCUMENTS: &str = r#"
apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: test }
spec: { issuer: "https://issuer.test", jwks: { keys: ${JWKS} } }
---
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: crm }
spec: { path: /crm/mcp, resource: "http://127.0.0.1:10000/crm/mcp", issuers: [test] }
---
apiVersion: gatehold.io/v1
kind: Console
metadata: { name: console }
spec: { url: "http://127.0.0.1:18002", signIn: { issuer: test, clientId: console }, api: { audiences: [gatehold-api] } }
---
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: support }
spec:
  rules:
    - approve: { server: crm, tools: [refund], by: { roles: [finance] }, within: 1h }
"#;

/// Requests wait as long as they may, so that all of them wait at once. Events are not what is measured.
const FILTER: &str = r#"{"control_cluster": "gatehold_control", "audit": "on", "audit_overflow": "drop", "unmatched": "deny", "hold_headers": true, "hold_seconds": 55}"#;

/// Starts everything; each call that arrives at the upstream is written down by its order.
pub(crate) async fn start(workers: u32, arrivals: Arrivals) -> anyhow::Result<Harness> {
    let builder = Harness::builder().document("all.yaml", DOCUMENTS);
    let harness = builder
        .workers(workers)
        .filter_config(FILTER)
        .start()
        .await?;
    harness.recorder.answer(move |request| {
        let now = Instant::now();
        let body = request.json();
        if let Some(order) = body
            .pointer("/params/arguments/order")
            .and_then(|order| order.as_str())
        {
            let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            arrivals.insert(order.to_owned(), now);
        }
        recorder::mcp(request)
    });
    Ok(harness)
}
