//! Promise: no input crashes a worker VM, and what cannot be read in one way only goes no further.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::fs;
use std::time::Duration;

use gatehold_e2e::*;
use gatehold_harness::{Answer, Call, Harness, Step, http, message};
use serde_json::json;

/// A policy that allows everything, so that only reading stands between the corpus and the upstream.
const OPEN: &str = r#"
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: open }
spec:
  rules:
    - allow: { server: "*", tools: ["*"], resources: ["*"], prompts: ["*"], methods: ["*"] }
"#;

async fn open() -> Harness {
    started(
        Harness::builder()
            .document("server.yaml", SERVER)
            .document("policy.yaml", OPEN),
    )
    .await
}

/// Files of a folder of `tests/corpus`, as (name, bytes).
fn corpus(harness: &Harness, folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = harness.tools.root.join("tests/corpus").join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect();
    files.sort();
    assert!(
        files.len() > 5,
        "the corpus is missing: {}",
        folder.display()
    );
    files
}

#[tokio::test]
async fn hostile_requests_crash_nothing_and_only_readable_ones_pass() {
    let mut harness = open().await;
    let token = alice(&harness);
    let bodies: Vec<_> = corpus(&harness, "requests")
        .into_iter()
        .filter(|(name, _)| name.ends_with(".body"))
        .collect();
    for (name, body) in &bodies {
        let verdict = name.replace(".body", ".verdict");
        let verdict = fs::read_to_string(
            harness
                .tools
                .root
                .join("tests/corpus/requests")
                .join(verdict),
        )
        .unwrap();
        let refused = verdict.starts_with("refuse") || verdict.starts_with("invalid");
        for call in [
            Call::post(CRM, body.clone()),
            Call::post(CRM, body.clone()).in_pieces_of(3),
            Call::post(CRM, body.clone())
                .http2()
                .in_pieces_of(11)
                .trailer("x-end", "1"),
        ] {
            // A version that has no mirrored headers, so that the body alone is judged, and batches if it is one.
            let is_batch = body.trim_ascii_start().starts_with(b"[");
            let version = if is_batch {
                "2025-03-26"
            } else {
                message::LEGACY
            };
            let call = call.header("mcp-protocol-version", version).bearer(&token);
            let reply = harness.send(&call).await.unwrap();
            let received = harness.recorder.take();
            if refused {
                assert!(received.is_empty(), "{name} reached the upstream");
                // Whether a task is the caller's is no question of reading it.
                let unknown = reply.status == 200 && reply.text().contains("Task not found");
                let status = reply.status.is_client_error() || unknown;
                assert!(status, "{name}: {} {}", reply.status, reply.text());
                assert!(
                    reply.json()["error"]["code"].is_i64(),
                    "{name}: {}",
                    reply.text()
                );
            } else if let [one] = &received[..] {
                assert_eq!(&one.body[..], &body[..], "{name} was changed");
            }
        }
    }
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn hostile_answers_crash_nothing() {
    let mut harness = open().await;
    let token = alice(&harness);
    let mut answers = Vec::new();
    for (name, body) in corpus(&harness, "responses") {
        answers.push((name, "application/json", body));
    }
    for (name, body) in corpus(&harness, "sse") {
        answers.push((name, "text/event-stream", body));
    }
    for (name, media, body) in answers {
        for size in [usize::MAX, 5] {
            let body = body.clone();
            harness.recorder.answer(move |_| {
                let answer = Answer::status(200).header("content-type", media);
                body.chunks(size.min(body.len().max(1)))
                    .fold(answer, |answer, piece| {
                        answer.step(Step::Send(piece.to_vec().into()))
                    })
            });
            for call in [
                message::legacy(CRM, "tools/list", &json!({})),
                message::modern(CRM, "tools/call", &message::tool("echo", &json!({}))),
                Call::get(CRM).header("accept", "text/event-stream"),
            ] {
                // A stream may be broken off on purpose; what counts is that the worker lives.
                let _ = harness.send(&call.bearer(&token)).await;
            }
        }
        harness
            .envoy
            .running()
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn hostile_headers_crash_nothing_and_reach_nobody() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "refund", "arguments": { "amount": 500 } } })
    .to_string();
    let headers: &[&[u8]] = &[
        b"x-bad: \xff\xfe",
        b"mcp-method: \xff",
        b"mcp-method: tools/list",
        b"mcp-protocol-version: 9999-99-99",
        b"mcp-protocol-version: 2025-11-25\r\nmcp-protocol-version: 2025-06-18",
        b"mcp-name: =?base64?!!!?=",
        b"mcp-name: echo",
        b"authorization: Bearer x",
        b"content-encoding: gzip",
        b"content-type: text/plain",
        b"traceparent: 00-zzzz",
        b"origin: null",
        b"mcp-session-id: \x80",
    ];
    for header in headers {
        let mut request = format!(
            "POST {CRM} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(header);
        request.extend_from_slice(b"\r\n\r\n");
        request.extend_from_slice(body.as_bytes());
        let answer = http::raw(harness.port(), &request, Duration::from_secs(10))
            .await
            .unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with("HTTP/1.1 "),
            "{:?}: {answer}",
            String::from_utf8_lossy(header)
        );
        assert!(
            !answer.starts_with("HTTP/1.1 503"),
            "{:?}: {answer}",
            String::from_utf8_lossy(header)
        );
    }
    assert!(
        harness.recorder.received().is_empty(),
        "{:?}",
        harness.recorder.received()
    );
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn headers_that_disagree_with_the_body_are_refused() {
    let harness = started(governed()).await;
    let token = alice(&harness);
    let allowed = call("refund", &small_refund()).bearer(&token);
    let cases = [
        (
            "another method",
            allowed
                .clone()
                .without("mcp-method")
                .header("mcp-method", "tools/list"),
            -32020,
        ),
        ("no method", allowed.clone().without("mcp-method"), -32020),
        (
            "another name",
            allowed
                .clone()
                .without("mcp-name")
                .header("mcp-name", "echo"),
            -32020,
        ),
        ("no name", allowed.clone().without("mcp-name"), -32020),
        (
            "another version",
            allowed
                .clone()
                .without("mcp-protocol-version")
                .header("mcp-protocol-version", "2025-11-25"),
            -32020,
        ),
        (
            "an unknown version",
            allowed
                .clone()
                .without("mcp-protocol-version")
                .header("mcp-protocol-version", "2031-01-01"),
            -32020,
        ),
    ];
    for (what, call, code) in cases {
        let reply = harness.send(&call).await.unwrap();
        assert_eq!(reply.status, 400, "{what}: {}", reply.text());
        assert_eq!(
            reply.json()["error"]["code"],
            code,
            "{what}: {}",
            reply.text()
        );
    }
    assert!(harness.recorder.received().is_empty());
    let encoded = allowed
        .without("mcp-name")
        .header("mcp-name", "=?base64?cmVmdW5k?=");
    assert_eq!(harness.send(&encoded).await.unwrap().status, 200);
    assert_eq!(harness.recorder.take().len(), 1);
}

#[tokio::test]
async fn what_comes_behind_the_body_decides_nothing() {
    let mut harness = open().await;
    let token = alice(&harness);
    for name in [
        "authorization",
        "x-gatehold-user",
        "mcp-session-id",
        "mcp-name",
        "content-encoding",
        "x-http-method-override",
    ] {
        for call in [
            call("echo", &json!({})).http2(),
            call("echo", &json!({})).in_pieces_of(9),
        ] {
            let reply = harness
                .send(&call.trailer(name, "x").bearer(&token))
                .await
                .unwrap();
            let received = harness.recorder.take();
            // Over HTTP/1.1 Envoy takes trailers away before the filter sees any.
            match received.as_slice() {
                [] => assert_eq!(reply.status, 400, "{name}: {}", reply.text()),
                [one] => assert!(one.trailers.is_empty(), "{name}: {:?}", one.trailers),
                more => panic!("{name}: {more:?}"),
            }
        }
    }
    nothing_crashed(&mut harness).await;
}
