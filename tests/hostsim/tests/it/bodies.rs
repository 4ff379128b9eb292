//! Calls that are denied and calls that are allowed, however their bodies arrive.

use gatehold_hostsim::{Outcome, Sim, fixture};
use proptest::prelude::*;
use serde_json::{Value, json};

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Piece,
    Empty,
    Trailers,
}

const ENDS: [End; 3] = [End::Piece, End::Empty, End::Trailers];

fn send(sim: &Sim, authorization: &str, pieces: &[&[u8]], end: End) -> Outcome {
    let mut exchange = sim.exchange();
    exchange.headers(&fixture::headers(authorization), false);
    for (number, piece) in pieces.iter().enumerate() {
        exchange.body(piece, end == End::Piece && number + 1 == pieces.len());
    }
    match end {
        End::Piece => {}
        End::Empty => {
            exchange.body(b"", true);
        }
        End::Trailers => {
            exchange.trailers(&[("x-checksum", "1")]);
        }
    }
    exchange.response(fixture::JSON, &fixture::result(json!({ "content": [] })));
    exchange.finish()
}

fn cuts(body: &[u8]) -> Vec<Vec<&[u8]>> {
    let (left, right) = body.split_at(body.len() / 2);
    vec![
        vec![body],
        vec![left, right],
        body.chunks(1).collect(),
        vec![b"", body],
    ]
}

#[track_caller]
fn check_denied(sim: &Sim, body: &[u8], status: u16, expected: &Value) {
    let token = fixture::token(&["support"]);
    for pieces in cuts(body) {
        for end in ENDS {
            let outcome = send(sim, &token, &pieces, end);
            let how = format!("{} pieces, {end:?}", pieces.len());
            assert_eq!(outcome.upstream, None, "{how}");
            assert_eq!(outcome.status(), Some(status), "{how}");
            assert!(outcome.answer().ended && !outcome.reset, "{how}");
            let answer = outcome.answer().json();
            for (path, value) in expected.as_object().unwrap() {
                assert_eq!(answer.pointer(path), Some(value), "{how}: {answer}");
            }
        }
    }
}

#[test]
fn denied_calls_go_nowhere() {
    let sim = Sim::ready();
    for (body, status, expected) in [
        (
            fixture::call("drop_all", json!({})),
            200,
            json!({ "/error/code": -32602 }),
        ),
        (
            fixture::call("nothing", json!({})),
            200,
            json!({ "/error/code": -32602 }),
        ),
        (
            fixture::call("refund", json!({ "amount": 500 })),
            200,
            json!({ "/id": 7, "/result/isError": true }),
        ),
        (
            fixture::rpc("tasks/get", json!({})),
            400,
            json!({ "/error/code": -32602 }),
        ),
        (
            fixture::rpc("tasks/get", json!({ "taskId": "somebody's" })),
            200,
            json!({ "/error/message": "Task not found" }),
        ),
        (
            fixture::rpc("tasks/begin", json!({})),
            200,
            json!({ "/error/code": -32601 }),
        ),
        (b"{".to_vec(), 400, json!({ "/error/code": -32700 })),
        (b"[]".to_vec(), 400, json!({ "/error/code": -32600 })),
    ] {
        check_denied(&sim, &body, status, &expected);
    }
}

#[test]
fn denials_are_published_and_counted() {
    let sim = Sim::ready();
    let token = fixture::token(&["support"]);
    let body = fixture::call("refund", json!({ "amount": 500 }));
    let outcome = send(&sim, &token, &[&body], End::Piece);
    assert_eq!(outcome.filter_state["gatehold.effect"], "deny");
    assert_eq!(outcome.filter_state["gatehold.user"], "ann");
    assert_eq!(outcome.filter_state["gatehold.tool"], "refund");
    assert_eq!(sim.metric("gatehold_decisions.effect=deny"), 1);
    assert_eq!(sim.metric("gatehold_refusals.reason=policy"), 1);
}

#[test]
fn without_a_token_the_body_is_not_awaited() {
    let sim = Sim::ready();
    let mut exchange = sim.exchange();
    exchange.headers(&fixture::headers(""), false);
    let outcome = exchange.so_far();
    assert_eq!(outcome.status(), Some(401));
    assert!(outcome.answer().header("www-authenticate").is_some());
    exchange.body(b"{}", true);
    assert_eq!(exchange.finish(), outcome);
}

#[test]
fn headers_that_are_no_text_are_no_crash() {
    let sim = Sim::ready();
    let token = fixture::token(&["support"]);
    let body = fixture::call("get_user", json!({}));
    for (name, reaches) in [("x-bad", true), (":path", false), (":authority", false)] {
        let mut headers: Vec<(&[u8], &[u8])> = fixture::headers(&token)
            .into_iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        headers.retain(|(own, _)| *own != name.as_bytes());
        headers.push((name.as_bytes(), b"\xff\xfe"));
        let mut exchange = sim.exchange();
        exchange.raw_headers(&headers, false).body(&body, true);
        exchange.response(fixture::JSON, &fixture::result(json!({})));
        assert_eq!(exchange.finish().upstream.is_some(), reaches, "{name}");
    }
}

#[test]
fn allowed_calls_pass_byte_for_byte() {
    let sim = Sim::ready();
    let token = fixture::token(&["support"]);
    let body =
        b" {\"jsonrpc\":\"2.0\",\t\"id\": 7, \"method\":\"tools/call\",\"params\":{\"name\":\
                 \"get_user\",\"arguments\":{\"n\": 1.0e2, \"t\":\"\\u00e9\xc3\xa9\"}}}\r\n";
    for pieces in cuts(body) {
        for end in ENDS {
            let outcome = send(&sim, &token, &pieces, end);
            let upstream = outcome.upstream.as_ref().unwrap();
            assert_eq!(upstream.body, body, "{} pieces, {end:?}", pieces.len());
            assert!(upstream.ended);
            assert_eq!(upstream.header("authorization"), None);
            assert_eq!(upstream.header(":path"), Some("/crm/mcp"));
            assert_eq!(upstream.trailers.len(), usize::from(end == End::Trailers));
            assert_eq!(outcome.status(), Some(200));
            assert_eq!(
                outcome.answer().body,
                fixture::result(json!({ "content": [] }))
            );
        }
    }
}

#[test]
fn headers_wait_for_the_verdict() {
    let sim = Sim::ready();
    let token = fixture::token(&["support"]);
    let body = fixture::call("get_user", json!({}));
    let mut exchange = sim.exchange();
    exchange.headers(&fixture::headers(&token), false);
    exchange.body(&body, false);
    assert_eq!(exchange.so_far().upstream, None);
    exchange.body(b"", true);
    assert_eq!(exchange.so_far().upstream_body(), body);
}

#[test]
fn a_listener_that_does_not_hold_headers_lets_nothing_pass() {
    let token = fixture::token(&["support"]);
    let body = fixture::call("get_user", json!({}));
    let sim = Sim::builder(fixture::CONFIG)
        .without_holding()
        .start()
        .unwrap();
    sim.tick();
    sim.push(&fixture::resources());
    let outcome = send(&sim, &token, &[&body], End::Piece);
    assert_eq!((outcome.upstream, outcome.client), (None, None), "it hangs");

    let config = r#"{"control_cluster": "gatehold_control", "hold_headers": false}"#;
    let sim = Sim::builder(config).without_holding().start().unwrap();
    sim.tick();
    sim.push(&fixture::resources());
    let outcome = send(&sim, &token, &[&body], End::Trailers);
    assert_eq!(outcome.upstream_body(), body);
    for end in ENDS {
        let body = fixture::call("drop_all", json!({}));
        let outcome = send(&sim, &token, &[&body], end);
        let upstream = outcome.upstream.unwrap();
        assert!(upstream.body.is_empty() && !upstream.ended);
        assert_eq!(outcome.client.unwrap().json()["error"]["code"], -32602);
    }
}

#[test]
fn bodies_over_the_limit_are_refused_at_once() {
    let sim = Sim::ready();
    let token = fixture::token(&["support"]);
    let piece = vec![b' '; fixture::REQUEST_BYTES];
    let mut exchange = sim.exchange();
    exchange.headers(&fixture::headers(&token), false);
    exchange.body(&piece, false);
    assert_eq!(exchange.so_far().client, None);
    exchange.body(b" ", false);
    let outcome = exchange.finish();
    assert_eq!(outcome.status(), Some(413));
    assert_eq!(outcome.answer().json()["error"]["code"], -31413);
    assert_eq!(outcome.upstream, None);
}

#[test]
fn what_is_no_servers_passes_only_when_told() {
    let config = r#"{"control_cluster": "gatehold_control", "unmatched": "pass"}"#;
    let sim = Sim::ready_with(config);
    for (path, passes) in [
        ("/other", true),
        ("/crm/mcp/", false),
        ("/crm/%6dcp", false),
    ] {
        let mut headers = fixture::headers("");
        headers.retain(|(name, _)| *name != ":path");
        headers.push((":path", path));
        let mut exchange = sim.exchange();
        exchange
            .headers(&headers, false)
            .body(b"any", false)
            .body(b"thing", true);
        exchange.response(&[(":status", "204")], b"");
        let outcome = exchange.finish();
        let body: &[u8] = if passes { b"anything" } else { b"" };
        assert_eq!(outcome.upstream_body(), body, "{path}");
        assert_eq!(
            outcome.status(),
            Some(if passes { 204 } else { 404 }),
            "{path}"
        );
    }
}

#[test]
fn the_metadata_document_needs_no_token() {
    let sim = Sim::ready();
    let mut exchange = sim.exchange();
    let path = "/.well-known/oauth-protected-resource/crm/mcp";
    exchange.headers(
        &[
            (":method", "GET"),
            (":path", path),
            (":authority", "gw.example.com"),
        ],
        true,
    );
    let outcome = exchange.finish();
    assert_eq!(outcome.upstream, None);
    let document = outcome.answer().json();
    assert_eq!(document["resource"], "http://gw.example.com/crm/mcp");
    assert_eq!(
        document["authorization_servers"],
        json!(["https://idp.example.com"])
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the body is and however it is cut, the upstream gets it whole or not at all.
    #[test]
    fn all_or_nothing(
        amount in 0u32..300,
        cuts in proptest::collection::vec(0usize..140, 0..8),
        end in 0usize..3,
    ) {
        let sim = Sim::ready();
        let body = fixture::call("refund", json!({ "amount": amount }));
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &body[cut[0]..cut[1]]).collect();
        let outcome = send(&sim, &fixture::token(&["support"]), &pieces, ENDS[end]);
        let expected: &[u8] = if amount <= 100 { &body } else { b"" };
        prop_assert_eq!(outcome.upstream_body(), expected);
        prop_assert_eq!(outcome.upstream.is_some(), amount <= 100);
        prop_assert_eq!(outcome.status(), Some(200));
    }
}
