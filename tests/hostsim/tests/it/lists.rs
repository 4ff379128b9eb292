//! Lists are rewritten however the answer is cut.

use gatehold_hostsim::{Exchange, Outcome, Sim, fixture};
use proptest::prelude::*;
use serde_json::json;

const NAMES: [&str; 5] = ["get_user", "drop_all", "refund", "secret_tool", "get_é"];

fn ask<'a>(sim: &'a Sim, method: &str) -> Exchange<'a> {
    let mut exchange = sim.exchange();
    let token = fixture::token(&["support"]);
    exchange.request(&fixture::headers(&token), &fixture::rpc(method, json!({})));
    exchange
}

fn answer(exchange: &mut Exchange<'_>, headers: &[(&str, &str)], pieces: &[&[u8]], trailers: bool) {
    exchange.response_headers(headers, false);
    for (number, piece) in pieces.iter().enumerate() {
        exchange.response_body(piece, !trailers && number + 1 == pieces.len());
    }
    if trailers {
        exchange.response_trailers(&[("x-sum", "1")]);
    }
}

fn pieces<'a>(body: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| (*cut).min(body.len())).collect();
    cuts.extend([0, body.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &body[cut[0]..cut[1]]).collect()
}

fn names(message: &serde_json::Value) -> Vec<String> {
    let tools = message["result"]["tools"].as_array().unwrap();
    let name = |tool: &serde_json::Value| tool["name"].as_str().unwrap().to_owned();
    tools.iter().map(name).collect()
}

#[track_caller]
fn check_json(outcome: &Outcome) {
    assert_eq!(outcome.status(), Some(200));
    let answer = outcome.answer();
    assert!(answer.ended);
    assert_eq!(names(&answer.json()), ["get_user", "refund", "get_é"]);
}

fn with_length(body: &[u8]) -> [(&'static str, String); 3] {
    [
        (":status", "200".to_owned()),
        ("content-type", "application/json; charset=utf-8".to_owned()),
        ("content-length", body.len().to_string()),
    ]
}

fn run_json(config: &str, hold: bool, cuts: &[usize], trailers: bool) -> Outcome {
    let builder = Sim::builder(config);
    let builder = if hold {
        builder
    } else {
        builder.without_holding()
    };
    let sim = builder.start().unwrap();
    sim.tick();
    sim.push(&fixture::resources());
    let body = fixture::tools(&NAMES);
    let headers = with_length(&body);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let mut exchange = ask(&sim, "tools/list");
    answer(&mut exchange, &headers, &pieces(&body, cuts), trailers);
    exchange.finish()
}

#[test]
fn json_cut_at_every_place() {
    let sim = Sim::ready();
    let body = fixture::tools(&NAMES);
    for cut in 0..=body.len() {
        let mut exchange = ask(&sim, "tools/list");
        answer(
            &mut exchange,
            fixture::JSON,
            &pieces(&body, &[cut]),
            cut % 2 == 1,
        );
        check_json(&exchange.finish());
    }
    let event = sim.events().pop().unwrap();
    assert_eq!((event.shown, event.hidden), (3, 2));
}

#[test]
fn events_cut_at_every_place() {
    let sim = Sim::ready();
    for separator in ["\n", "\r\n", "\r"] {
        let body = stream(separator);
        for cut in 0..=body.len() {
            let mut exchange = ask(&sim, "tools/list");
            answer(
                &mut exchange,
                fixture::EVENTS,
                &pieces(&body, &[cut]),
                false,
            );
            check_events(&exchange.finish(), &format!("{separator:?} at {cut}"));
        }
    }
}

/// A comment, a notification, the list.
fn stream(separator: &str) -> Vec<u8> {
    let list = String::from_utf8(fixture::tools(&NAMES)).unwrap();
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#;
    let text =
        format!(": hi\n\nid: 1\ndata: {progress}\n\nid: 2\nevent: message\ndata: {list}\n\n");
    text.replace('\n', separator).into_bytes()
}

#[track_caller]
fn check_events(outcome: &Outcome, how: &str) {
    assert_eq!(outcome.status(), Some(200), "{how}");
    assert!(outcome.answer().ended && !outcome.reset, "{how}");
    let text = outcome
        .answer()
        .text()
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let data: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    assert_eq!(data.len(), 2, "{how}: {text}");
    assert!(data[0].contains("notifications/progress"), "{how}");
    let list = serde_json::from_str(data[1]).unwrap();
    assert_eq!(names(&list), ["get_user", "refund", "get_é"], "{how}");
    // The id is sealed, since the stream belongs to no session.
    assert!(text.contains(".2\nevent: message\n"), "{how}: {text}");
    assert!(text.starts_with(": hi"), "{how}");
}

#[test]
fn whole_events_go_on_at_once() {
    let sim = Sim::ready();
    let mut exchange = ask(&sim, "tools/list");
    exchange.response_headers(fixture::EVENTS, false);
    assert_eq!(exchange.so_far().status(), Some(200));
    let event = fixture::event(&fixture::tools(&NAMES));
    let (left, right) = event.split_at(30);
    exchange.response_body(left, false);
    assert!(exchange.so_far().answer().body.is_empty());
    exchange.response_body(right, false);
    assert!(exchange.so_far().shows("get_user"));
    exchange.response_body(b"data: {\"cut", true);
    let outcome = exchange.finish();
    assert!(
        !outcome.shows("cut"),
        "an event that is cut off is no event"
    );
}

#[test]
fn an_event_over_the_limit_ends_the_stream() {
    let sim = Sim::ready();
    let mut exchange = ask(&sim, "tools/list");
    exchange.response_headers(fixture::EVENTS, false);
    exchange.response_body(&vec![b'x'; 5 << 10], false);
    assert!(exchange.so_far().shows("-31413"));
    exchange.response_body(b"more", false);
    let outcome = exchange.finish();
    assert!(outcome.reset && !outcome.shows("more"));
}

#[test]
fn an_answer_over_the_limit_is_refused() {
    let sim = Sim::ready();
    let mut exchange = ask(&sim, "tools/list");
    exchange.response_headers(fixture::JSON, false);
    exchange.response_body(&vec![b' '; 65 << 10], false);
    let outcome = exchange.finish();
    assert_eq!(outcome.status(), Some(502));
    assert_eq!(outcome.answer().json()["id"], 7);
}

#[test]
fn what_cannot_be_read_is_not_shown() {
    let sim = Sim::ready();
    let list = fixture::tools(&NAMES);
    let gzip: &[(&str, &str)] = &[
        (":status", "200"),
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ];
    let html: &[(&str, &str)] = &[(":status", "200"), ("content-type", "text/html")];
    let cut = &list[..list.len() - 1];
    for (headers, body) in [(gzip, &list[..]), (html, &list), (fixture::JSON, cut)] {
        let mut exchange = ask(&sim, "tools/list");
        answer(&mut exchange, headers, &[body], false);
        let outcome = exchange.finish();
        assert_eq!(outcome.status(), Some(502), "{headers:?}");
        assert!(!outcome.shows("get_user"));
    }
}

#[test]
fn other_answers_pass_byte_for_byte() {
    let sim = Sim::ready();
    let body = fixture::result(json!({ "content": [{ "type": "text", "text": "hi" }] }));
    let token = fixture::token(&["support"]);
    for headers in [fixture::JSON, fixture::EVENTS] {
        let body = if headers == fixture::JSON {
            body.clone()
        } else {
            fixture::event(&body)
        };
        for cut in 0..body.len() {
            let mut exchange = sim.exchange();
            let call = fixture::call("get_user", json!({}));
            exchange.request(&fixture::headers(&token), &call);
            answer(&mut exchange, headers, &pieces(&body, &[cut]), cut % 3 == 0);
            assert_eq!(exchange.finish().answer().body, body);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn json_in_any_pieces(
        cuts in proptest::collection::vec(0usize..400, 0..12),
        trailers: bool,
        hold: bool,
    ) {
        let config = if hold { fixture::CONFIG } else {
            r#"{"control_cluster": "gatehold_control", "hold_headers": false}"#
        };
        check_json(&run_json(config, hold, &cuts, trailers));
    }

    #[test]
    fn events_in_any_pieces(
        cuts in proptest::collection::vec(0usize..600, 0..16),
        separator in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        trailers: bool,
    ) {
        let sim = Sim::ready();
        let body = stream(separator);
        let mut exchange = ask(&sim, "tools/list");
        answer(&mut exchange, fixture::EVENTS, &pieces(&body, &cuts), trailers);
        check_events(&exchange.finish(), separator);
    }
}
