//! Shadow mode through the real adapter: whatever is sent, and whatever host call fails, all of it goes on as it
//! came, piece by piece.

use gatehold_hostsim::{Fault, Sim, fixture};
use gatehold_wire::push;
use serde_json::json;

use crate::chaos::{GO_AHEAD, statuses};

/// Calls that look, which a host may fail. Without the headers nobody knows which server is meant.
const LOOKS: [&str; 4] = [
    "get_buffer_bytes",
    "get_current_time",
    "set_property",
    "increment_metric",
];
/// Calls that touch; none is made.
const TOUCHES: [&str; 6] = [
    "set_buffer_bytes",
    "remove_header_map_value",
    "replace_header_map_value",
    "send_local_response",
    "close_stream",
    "continue_stream",
];

/// Requests of all kinds, with an answer that would be changed.
fn exchanges() -> Vec<(Vec<u8>, &'static str, Vec<u8>)> {
    let list = fixture::tools(&["get_user", "drop_all", "refund"]);
    let token = fixture::token(&["support"]).leak();
    vec![
        (
            fixture::call("get_user", json!({})),
            token,
            fixture::result(json!({})),
        ),
        (
            fixture::call("refund", json!({ "amount": 500 })),
            token,
            b"<html>".to_vec(),
        ),
        (
            fixture::call("refund", json!({ "amount": 5000 })),
            token,
            list.clone(),
        ),
        (fixture::rpc("tools/list", json!({})), token, list),
        (
            fixture::call("get_user", json!({})),
            "Bearer of.nothing",
            b"{\"a\":1,\"a\":2}".to_vec(),
        ),
        (b"{\"jsonrpc\": oops".to_vec(), token, vec![b'x'; 100 << 10]),
        (
            vec![b'['; fixture::REQUEST_BYTES * 2],
            token,
            b"{}".to_vec(),
        ),
    ]
}

fn play(sim: &Sim, how: &str) {
    for (body, authorization, answer) in exchanges() {
        let answers = [
            (fixture::JSON, answer.clone()),
            (fixture::EVENTS, fixture::event(&answer)),
        ];
        for (headers, answer) in answers {
            let mut request = fixture::headers(authorization);
            request.extend([("accept-encoding", "gzip"), ("x-envoy-max-retries", "3")]);
            let mut exchange = sim.exchange();
            exchange.headers(&request, false);
            for piece in body.chunks(5_000) {
                exchange.body(piece, false);
            }
            exchange.trailers(&[("x-sum", "1")]);
            let own = [
                headers,
                &[("mcp-session-id", "own"), ("www-authenticate", "Bearer")],
            ]
            .concat();
            exchange.response_headers(&own, false);
            for piece in answer.chunks(9_000) {
                exchange.response_body(piece, false);
            }
            exchange.response_body(b"", true);
            let outcome = exchange.finish();
            assert!(!outcome.replied && !outcome.reset, "{how}");
            let upstream = outcome.upstream.as_ref().unwrap();
            assert_eq!(upstream.body, body, "{how}");
            assert!(upstream.ended, "{how}");
            for (name, value) in &request {
                assert_eq!(upstream.header(name), Some(*value), "{how}");
            }
            let client = outcome.answer();
            assert_eq!(client.body, answer, "{how}");
            for (name, value) in &own {
                assert_eq!(client.header(name), Some(*value), "{how}");
            }
        }
    }
    sim.check();
}

#[test]
fn all_passes_whatever_fails() {
    for config in [fixture::CONFIG, GO_AHEAD] {
        let builder = Sim::builder(config);
        let builder = match config == GO_AHEAD {
            true => builder.without_holding(),
            false => builder,
        };
        let sim = builder.start().unwrap();
        sim.tick();
        let shadow = push::Server {
            shadow: true,
            ..fixture::server("crm", "/crm/mcp")
        };
        sim.push(&fixture::resources().server("2", &shadow));
        play(&sim, "nothing fails");
        for call in TOUCHES.into_iter().chain(LOOKS) {
            for &status in statuses(call) {
                let fault = Fault {
                    call,
                    occurrence: 0,
                    lasting: true,
                    status,
                };
                sim.set_faults(&[fault]);
                play(&sim, call);
                assert_eq!(sim.struck(), LOOKS.contains(&call), "{call}");
                sim.set_faults(&[]);
            }
        }
        sim.tick();
        let events = sim.batches().into_iter().flat_map(|batch| batch.events);
        let events: Vec<_> = events.collect();
        assert!(events.len() > 100 && events.iter().all(|event| event.shadow));
    }
}

fn in_shadow(version: &str) -> gatehold_hostsim::Push {
    let shadow = push::Server {
        shadow: true,
        ..fixture::server("crm", "/crm/mcp")
    };
    fixture::resources().server(version, &shadow)
}

/// Whoever opens a stream while the server is in shadow mode, and however it is asked for: it does not outlast that.
#[test]
fn streams_end_when_the_server_is_enforced() {
    let note = fixture::event(br#"{"jsonrpc":"2.0","method":"notifications/message"}"#);
    let token = fixture::token(&["support"]);
    let gzip = [fixture::EVENTS, &[("content-encoding", "gzip")]].concat();
    for config in [fixture::CONFIG, GO_AHEAD] {
        for (authorization, version, answer) in [
            (token.as_str(), "2025-06-18", fixture::EVENTS),
            (&token, "2025-06-18", &gzip),
            ("", "2025-06-18", fixture::EVENTS),
            ("", "1999-01-01", fixture::EVENTS),
            ("", "1999-01-01", &gzip),
        ] {
            let builder = Sim::builder(config);
            let builder = match config == GO_AHEAD {
                true => builder.without_holding(),
                false => builder,
            };
            let sim = builder.start().unwrap();
            sim.tick();
            sim.push(&in_shadow("2"));
            let mut request = fixture::headers(authorization);
            request.retain(|(name, _)| ![":method", "mcp-protocol-version"].contains(name));
            request.extend([(":method", "GET"), ("mcp-protocol-version", version)]);
            let mut exchange = sim.exchange();
            exchange.headers(&request, true);
            exchange.response_headers(answer, false);
            for number in 1..4 {
                exchange.response_body(&note, false);
                // Whatever else is pushed ends nothing.
                sim.push(&in_shadow(&format!("3.{number}")));
                let so_far = exchange.so_far();
                assert_eq!(so_far.answer().body, note.repeat(number));
                assert!(!so_far.reset);
            }
            let enforced = fixture::server("crm", "/crm/mcp");
            sim.push(&fixture::resources().server("4", &enforced));
            exchange.response_body(&note, false);
            let outcome = exchange.finish();
            assert!(outcome.reset, "{authorization} {version}");
            assert_eq!(outcome.answer().body, note.repeat(3));
            sim.check();
        }
    }
}

#[test]
fn what_leads_elsewhere_does_not_go_on() {
    let misleading = [
        ("x-original-url", "/hr/mcp"),
        ("x-http-method-override", "DELETE"),
        ("x-gatehold-user", "root"),
    ];
    let sim = Sim::ready();
    sim.push(&in_shadow("2"));
    for authorization in ["", "Bearer of.nothing"] {
        let request = [&fixture::headers(authorization)[..], &misleading].concat();
        let mut exchange = sim.exchange();
        exchange.request(&request, &fixture::call("get_user", json!({})));
        let outcome = exchange.finish();
        let upstream = outcome.upstream.as_ref().unwrap();
        for (name, _) in misleading {
            assert_eq!(upstream.header(name), None);
        }
        let own = (!authorization.is_empty()).then_some(authorization);
        assert_eq!(upstream.header("authorization"), own);
    }
    sim.check();
}
