//! What the tests of the store share.
#![allow(dead_code, reason = "not every test uses all of it")]

use futures_util::TryStreamExt as _;
use gatehold_approvals::Finding;
use gatehold_store::{AuditBatch, AuditEvent, Reader, Store};
use serde_json::Value;
use std::path::PathBuf;
use tempfile::TempDir;

/// A directory that goes with the test, and a store's path in it.
pub(crate) fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    (directory, path)
}

pub(crate) async fn open() -> (TempDir, Store) {
    let (directory, path) = place();
    (directory, Store::open(path).await.unwrap())
}

pub(crate) fn event(id: &str) -> AuditEvent {
    AuditEvent {
        id: id.to_owned(),
        time_unix_nanos: 1_700_000_000_123_456_789,
        server: "crm".to_owned(),
        era: "modern".to_owned(),
        method: "tools/call".to_owned(),
        target: "refund".to_owned(),
        user: "ana".to_owned(),
        agent: "desk".to_owned(),
        roles: vec!["support".to_owned(), "eu".to_owned()],
        issuer: "https://idp.example.com".to_owned(),
        arguments_digest: "ab".repeat(32),
        arguments: r#"{"amount":1.50,"note":"naïve \"x\"\n"}"#.to_owned(),
        arguments_cut: false,
        effect: "deny".to_owned(),
        rules: vec!["support/2".to_owned()],
        reason: "no rule allows it".to_owned(),
        errors: vec!["`args.limit` is missing".to_owned()],
        outcome: "denied".to_owned(),
        error_code: -31403,
        duration_micros: 250,
        trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
        request_id: "7".to_owned(),
        policy_version: "v1".to_owned(),
        hidden: 1,
        shown: 2,
        status: 200,
        approval: String::new(),
        findings: Vec::new(),
        findings_omitted: 0,
        detection: String::new(),
        refusal: String::new(),
        shadow: false,
    }
}

pub(crate) fn finding(subject: &str) -> Finding {
    Finding {
        kind: "result".to_owned(),
        subject: subject.to_owned(),
        score: 987,
        flagged: true,
        features: vec!["override.instructions".to_owned(), "secret:card".to_owned()],
        start: 12,
        end: 345,
        excerpt: "forget what \"they\" said".to_owned(),
        shadow: false,
    }
}

/// A batch of `events` events, whose ids are `<sender>-<batch>-<position>`.
pub(crate) fn batch(sender: &str, batch: u64, events: usize) -> AuditBatch {
    let id = |position| format!("{sender}-{batch}-{position}");
    AuditBatch {
        sender: sender.to_owned(),
        node: "envoy-1".to_owned(),
        batch,
        dropped: 0,
        events: (0..events).map(|position| event(&id(position))).collect(),
    }
}

pub(crate) async fn lines(reader: &Reader, from: u64) -> Vec<String> {
    reader.export(from).try_collect().await.unwrap()
}

pub(crate) async fn values(reader: &Reader, from: u64) -> Vec<Value> {
    let lines = lines(reader, from).await;
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// One field of each exported event, as text.
pub(crate) async fn fields(reader: &Reader, name: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    values(reader, 1)
        .await
        .iter()
        .map(|value| text(&value[name]))
        .collect()
}
