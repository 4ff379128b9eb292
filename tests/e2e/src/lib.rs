//! What the end-to-end tests have in common: documents, and harnesses that are made of them.
#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

use std::io::Write as _;

use gatehold_harness::{Approver, Call, Harness, bootstrap, harness::Builder, message};
use serde_json::{Value, json};

/// Path of the server that most tests speak to.
pub const CRM: &str = "/crm/mcp";

/// The issuer of the test tokens, and the server `crm`.
pub const SERVER: &str = r#"
apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: test }
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
  issuers: [test]
  scopes: [mcp]
  risk: { destructive: ["delete_*"] }
"#;

/// Support may read, and refund up to 100; nobody deletes.
pub const POLICY: &str = r#"
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: support }
spec:
  subjects: { roles: [support] }
  rules:
    - name: read
      allow: { server: crm, tools: ["get_*", echo], resources: ["crm://public/*"], prompts: [reply] }
    - name: small-refund
      allow: { server: crm, tools: [refund], when: "args.amount <= 100.0" }
---
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: guardrails }
spec:
  rules:
    - name: nothing-is-deleted
      deny: { server: "*", risk: destructive }
"#;

/// Where people sign in, by test tokens.
pub const CONSOLE: &str = r#"
apiVersion: gatehold.io/v1
kind: Console
metadata: { name: console }
spec:
  url: http://127.0.0.1:18002
  signIn: { issuer: test, clientId: console }
  api: { audiences: [gatehold-api] }
"#;

/// As [`POLICY`], but a large refund may be approved by finance.
pub const HOLDING: &str = r#"
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: support }
spec:
  subjects: { roles: [support] }
  rules:
    - name: read
      allow: { server: "*", tools: ["get_*", echo] }
    - name: small-refund
      allow: { server: "*", tools: [refund], when: "args.amount <= 100.0" }
    - name: large-refund
      approve: { server: "*", tools: [refund], when: "args.amount > 100.0", by: { roles: [finance] }, within: 15m }
"#;

/// A harness over [`SERVER`], [`CONSOLE`] and [`HOLDING`] with the recorder as upstream.
pub fn holding() -> Builder {
    Harness::builder()
        .document("server.yaml", SERVER)
        .document("console.yaml", CONSOLE)
        .document("policy.yaml", HOLDING)
}

/// The filter's configuration with requests that wait this many seconds before their client has to come back.
pub fn legs_of(seconds: u32) -> String {
    json!({
        "control_cluster": "gatehold_control", "audit": "on", "audit_overflow": "drop", "unmatched": "deny",
        "hold_headers": true, "hold_seconds": seconds,
    })
    .to_string()
}

/// Carol of finance, who may approve what the rules of [`HOLDING`] hold.
pub fn carol(harness: &Harness) -> Approver {
    harness
        .approver("carol", &["finance"])
        .expect("the token can be signed")
}

/// A harness over [`SERVER`] and [`POLICY`] with the recorder as upstream.
pub fn governed() -> Builder {
    Harness::builder()
        .document("server.yaml", SERVER)
        .document("policy.yaml", POLICY)
}

/// Starts it, or fails the test.
pub async fn started(builder: Builder) -> Harness {
    builder.start().await.expect("the harness starts")
}

/// A token of alice, who works in support.
pub fn alice(harness: &Harness) -> String {
    harness
        .token("alice", &["support"], CRM)
        .expect("the token can be signed")
}

/// `tools/call` in the modern era.
pub fn call(tool: &str, arguments: &Value) -> Call {
    message::modern(CRM, "tools/call", &message::tool(tool, arguments))
}

/// `tools/call` in the legacy era.
pub fn legacy_call(tool: &str, arguments: &Value) -> Call {
    message::legacy(CRM, "tools/call", &message::tool(tool, arguments))
}

/// A refund that policy refuses.
pub fn large_refund() -> Value {
    json!({ "order": "o-1", "amount": 500 })
}

/// A refund that policy allows.
pub fn small_refund() -> Value {
    json!({ "order": "o-1", "amount": 50 })
}

/// Prints a figure where a reader of the run sees it: the test runner would keep what a passing test prints.
pub fn figure(text: &str) {
    let _ = writeln!(std::io::stderr(), "\nfigure: {text}");
}

/// Holds that no request was sent to the upstream; where headers go ahead, that nothing of it but those was.
pub async fn nothing_was_sent(harness: &Harness) {
    let received = harness.recorder.received();
    assert!(received.is_empty(), "{received:?}");
    if !bootstrap::headers_go_ahead() {
        let sent = harness.envoy.sent_upstream("crm").await;
        assert_eq!(sent.expect("the statistics can be read"), 0);
    }
}

/// Holds that no worker VM failed or was replaced, which is how a crash would show.
pub async fn nothing_crashed(harness: &mut Harness) {
    let failures = harness
        .envoy
        .filter_failures()
        .await
        .expect("the statistics can be read");
    assert_eq!(failures, 0, "a worker VM failed:\n{}", harness.logs());
    harness.envoy.running().await.expect("Envoy runs");
}
