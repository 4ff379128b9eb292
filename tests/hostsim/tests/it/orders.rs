//! Events in unusual order that a host may nevertheless send.

use gatehold_hostsim::{Exchange, Push, Sim, fixture};
use serde_json::json;

const GO_AHEAD: &str = r#"{"control_cluster": "gatehold_control", "hold_headers": false}"#;
const NOT_FOUND: &[(&str, &str)] = &[(":status", "404"), ("content-type", "text/plain")];

fn ahead() -> Sim {
    let sim = Sim::builder(GO_AHEAD).without_holding().start().unwrap();
    sim.tick();
    sim.push(&fixture::resources());
    sim
}

type Step = fn(&mut Exchange<'_>);

fn request_headers(exchange: &mut Exchange<'_>) {
    let token = fixture::token(&["support"]);
    exchange.headers(&fixture::headers(&token), false);
}

fn halves() -> (Vec<u8>, Vec<u8>) {
    let mut body = fixture::rpc("tools/list", json!({}));
    let rest = body.split_off(20);
    (body, rest)
}

const JSON_STEPS: [Step; 7] = [
    request_headers,
    |exchange| {
        exchange.body(&halves().0, false);
    },
    |exchange| {
        exchange.body(&halves().1, false);
    },
    |exchange| {
        exchange.trailers(&[]);
    },
    |exchange| {
        exchange.response_headers(fixture::JSON, false);
    },
    |exchange| {
        exchange.response_body(&fixture::tools(&["get_user", "drop_all"]), false);
    },
    |exchange| {
        exchange.response_trailers(&[]);
    },
];

const EVENT_STEPS: [Step; 6] = [
    request_headers,
    |exchange| {
        exchange.body(&fixture::rpc("tools/list", json!({})), true);
    },
    |exchange| {
        exchange.response_headers(fixture::EVENTS, false);
    },
    |exchange| {
        exchange.response_body(b": keep-alive\n\ndata: {", false);
    },
    |exchange| {
        exchange.response_body(b"}\n\n", false);
    },
    |exchange| {
        exchange.response_body(b"", true);
    },
];

/// Ends the exchange after each number of steps in turn.
#[track_caller]
fn check_end(sim: &Sim, steps: &[Step], end: Step) {
    for count in 0..=steps.len() {
        let mut exchange = sim.exchange();
        for step in &steps[..count] {
            step(&mut exchange);
        }
        end(&mut exchange);
        let outcome = exchange.finish();
        assert!(!outcome.shows("drop_all"), "after {count} steps");
        let events = sim.events();
        assert_eq!(
            events.len(),
            usize::from(count > 0),
            "after {count} steps: {events:?}"
        );
        if count == steps.len() {
            assert_ne!(events[0].outcome, "aborted");
        } else if let [event] = &events[..] {
            assert!(["aborted", "ok", "unknown", "error"].contains(&event.outcome.as_str()));
        }
    }
    assert!(sim.retire(sim.root()), "nothing is open any more");
}

#[test]
fn the_client_goes_after_each_step() {
    check_end(&Sim::ready(), &JSON_STEPS, |_| {});
    check_end(&Sim::ready(), &EVENT_STEPS, |_| {});
    check_end(&ahead(), &JSON_STEPS, |_| {});
    check_end(&ahead(), &EVENT_STEPS, |_| {});
}

#[test]
fn the_upstream_goes_after_each_step() {
    let reset: Step = |exchange| {
        exchange.upstream_reset();
    };
    check_end(&Sim::ready(), &JSON_STEPS, reset);
    check_end(&Sim::ready(), &EVENT_STEPS, reset);
    check_end(&ahead(), &JSON_STEPS, reset);
    check_end(&ahead(), &EVENT_STEPS, reset);
}

#[test]
fn steps_after_the_end_are_nothing() {
    let sim = Sim::ready();
    let mut exchange = sim.exchange();
    request_headers(&mut exchange);
    let outcome = exchange.gone().finish();
    for step in JSON_STEPS {
        step(&mut exchange);
    }
    assert_eq!(exchange.finish(), outcome);
}

#[test]
fn an_exchange_without_headers_leaves_no_trace() {
    let sim = Sim::ready();
    let outcome = sim.exchange().finish();
    assert_eq!((outcome.upstream, outcome.client), (None, None));
    assert_eq!(sim.events(), []);
    assert!(sim.retire(sim.root()));
}

#[test]
fn replies_of_the_host_pass() {
    let sim = Sim::ready();
    for steps in 0..JSON_STEPS.len() {
        let mut exchange = sim.exchange();
        for step in &JSON_STEPS[..steps] {
            step(&mut exchange);
        }
        exchange.local_reply(408, b"timeout");
        let outcome = exchange.finish();
        assert_eq!(outcome.status(), Some(408), "after {steps} steps");
        assert_eq!(outcome.answer().body, b"timeout");
        assert!(!outcome.reset);
    }
}

#[test]
fn a_success_before_the_verdict_does_not_pass() {
    for reply in [200, 204, 299] {
        let sim = Sim::ready();
        let mut exchange = sim.exchange();
        request_headers(&mut exchange);
        exchange.body(&halves().0, false);
        exchange.local_reply(reply, b"from somewhere");
        let outcome = exchange.finish();
        assert_eq!(outcome.client, None, "{reply}");
        assert!(outcome.reset);
    }
}

#[test]
fn an_answer_before_the_request_is_over() {
    let sim = ahead();
    for (headers, passes) in [
        (fixture::JSON, false),
        (fixture::EVENTS, false),
        (NOT_FOUND, true),
    ] {
        let mut exchange = sim.exchange();
        request_headers(&mut exchange);
        exchange.body(&halves().0, false);
        assert!(exchange.so_far().upstream_body().is_empty());
        exchange.response(headers, &fixture::tools(&["drop_all"]));
        exchange.body(&halves().1, true);
        let outcome = exchange.finish();
        assert_eq!(outcome.client.is_some(), passes, "{headers:?}");
        assert_eq!(outcome.reset, !passes);
        assert!(
            outcome.upstream_body().is_empty(),
            "nothing was allowed: {headers:?}"
        );
    }
}

#[test]
fn an_answer_while_the_allowed_body_is_on_its_way() {
    let sim = Sim::ready();
    let mut exchange = sim.exchange();
    request_headers(&mut exchange);
    exchange.body(&fixture::rpc("tools/list", json!({})), true);
    exchange.response_headers(fixture::JSON, false);
    // Envoy may answer over an answer that is held.
    exchange.local_reply(504, b"late");
    let outcome = exchange.finish();
    assert_eq!(outcome.status(), Some(504));
    assert_eq!(sim.events()[0].outcome, "aborted");
}

#[test]
fn the_hosts_own_buffer_limit_is_no_way_past() {
    let sim = Sim::ready();
    let mut server = fixture::server("crm", "/crm/mcp");
    let limits = server.limits.as_mut().unwrap();
    (limits.request_bytes, limits.response_bytes) = (8 << 20, 8 << 20);
    sim.push(&Push::default().server("2", &server));
    let piece = vec![b' '; 600 << 10];

    let mut exchange = sim.exchange();
    request_headers(&mut exchange);
    exchange.body(&piece, false).body(&piece, false);
    exchange.body(&fixture::call("get_user", json!({})), true);
    let outcome = exchange.finish();
    assert_eq!((outcome.status(), outcome.upstream), (Some(413), None));

    let mut exchange = sim.exchange();
    request_headers(&mut exchange);
    exchange.body(&fixture::rpc("tools/list", json!({})), true);
    exchange.response_headers(fixture::JSON, false);
    exchange
        .response_body(&piece, false)
        .response_body(&piece, false);
    assert_eq!(exchange.finish().status(), Some(500));
}

#[test]
fn a_get_stream_stays_open_and_is_filtered() {
    let sim = Sim::ready();
    let token = fixture::token(&["support"]);
    let mut headers = fixture::headers(&token);
    headers[0] = (":method", "GET");
    headers.retain(|(name, _)| *name != "content-type");
    let mut exchange = sim.exchange();
    exchange.headers(&headers, true);
    exchange.response_headers(fixture::EVENTS, false);
    assert_eq!(sim.events()[0].outcome, "ok", "recorded when it begins");
    for _ in 0..3 {
        exchange.response_body(
            &fixture::event(&fixture::tools(&["drop_all", "get_user"])),
            false,
        );
        sim.tick();
    }
    let outcome = exchange.finish();
    assert!(outcome.shows("get_user") && !outcome.shows("drop_all"));
    assert_eq!(sim.events(), []);
}

#[test]
fn a_notification_is_answered_without_a_body() {
    let sim = Sim::ready();
    let token = fixture::token(&["support"]);
    let body = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let mut exchange = sim.exchange();
    exchange.request(&fixture::headers(&token), body);
    exchange.response(&[(":status", "202")], b"");
    let outcome = exchange.finish();
    assert_eq!(
        (outcome.status(), outcome.upstream_body()),
        (Some(202), &body[..])
    );
    assert_eq!(sim.events()[0].outcome, "ok");
}

#[test]
fn informational_trailers_and_empty_pieces_are_harmless() {
    let sim = Sim::ready();
    let mut exchange = sim.exchange();
    request_headers(&mut exchange);
    exchange.body(b"", false).body(b"", false);
    exchange.body(&fixture::call("get_user", json!({})), false);
    exchange.body(b"", false).body(b"", true);
    exchange.response_headers(fixture::JSON, false);
    exchange.response_body(b"", false);
    exchange.response_body(&fixture::result(json!({})), false);
    exchange.response_body(b"", true);
    let outcome = exchange.finish();
    assert_eq!(outcome.answer().body, fixture::result(json!({})));
    assert_eq!(sim.events()[0].outcome, "ok");
}

#[test]
fn an_early_error_does_not_let_the_body_go() {
    let sim = ahead();
    let body = fixture::call("drop_all", json!({}));
    let mut exchange = sim.exchange();
    request_headers(&mut exchange);
    exchange.body(&body[..20], false);
    exchange.response_headers(&[(":status", "404"), ("content-type", "text/plain")], false);
    exchange.body(&body[20..], true);
    exchange.response_body(b"not found", true);
    let outcome = exchange.finish();
    assert_eq!(outcome.status(), Some(404));
    assert!(
        outcome.upstream_body().is_empty(),
        "an unjudged body went on"
    );
}
