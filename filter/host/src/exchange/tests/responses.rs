//! From the upstream's answer to the client.

use super::*;

#[test]
fn lists_are_filtered_in_json() {
    for config in [HOLD, GO_AHEAD] {
        for end in [End::Piece, End::Empty, End::Trailers] {
            let host = FakeHost::new();
            let worker = testing::worker(&host, config);
            let mut driver = answered(&host, &worker, &rpc("tools/list", json!({})));
            let answer = list_answer(7);
            let (left, right) = answer.split_at(40);
            driver.response(
                &[
                    (":status", "200"),
                    ("content-type", "application/json; charset=utf-8"),
                    ("content-length", "9"),
                ],
                &[left, right],
                end,
            );
            assert_eq!(names(&driver.client), ["get_a", "refund"]);
            let length = host.with(|inner| {
                inner.headers[1]
                    .single("content-length")
                    .map(<[u8]>::to_vec)
            });
            let expected = (config == HOLD).then(|| driver.client.len().to_string().into_bytes());
            assert_eq!(length, expected);
            driver.exchange.done(&host);
            let events = testing::events(&worker);
            assert_eq!(events.len(), 1);
            assert_eq!((events[0].shown, events[0].hidden), (2, 2));
            assert_eq!(events[0].outcome, "ok");
        }
    }
}

#[test]
fn lists_are_filtered_in_events_and_the_rest_is_byte_identical() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = answered(&host, &worker, &rpc("tools/list", json!({})));
    let before = b": hi\n\nretry: 1\r\ndata:\r\n\r\n".as_slice();
    let note =
        b"data: {\"jsonrpc\":\"2.0\",\ndata: \"method\":\"notifications/message\"}\n\n".as_slice();
    let list = [
        b"event: message\ndata: ".as_slice(),
        &list_answer(7),
        b"\n\n",
    ]
    .concat();
    let flow = driver.response(SSE, &[before, note, &list[..30]], End::Open);
    assert_eq!(flow, Flow::Continue);
    assert_eq!(driver.client, [before, note].concat());
    driver.body(Direction::Response, &[&list[30..]], End::Empty);
    let rest = driver.client[before.len() + note.len()..].to_vec();
    let data = rest.strip_prefix(b"event: message\ndata: ").unwrap();
    assert_eq!(
        names(data.strip_suffix(b"\n\n").unwrap()),
        ["get_a", "refund"]
    );
    driver.exchange.done(&host);
    assert_eq!(testing::events(&worker).len(), 1);
}

#[test]
fn replayed_lists_are_filtered_on_get_streams() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = Driver::new(&host, &worker);
    let bearer = bearer(&["support"]);
    let get = headers(&bearer, &[(":method", "GET")]);
    assert_eq!(driver.request(&get, &[], End::Piece), Flow::Continue);
    let list = [b"data: ".as_slice(), &list_answer(3), b"\n\n"].concat();
    driver.response(SSE, &[&list], End::Open);
    assert!(!driver.client.is_empty());
    assert!(
        !String::from_utf8(driver.client.clone())
            .unwrap()
            .contains("drop_all")
    );
    let events = testing::events(&worker);
    assert_eq!((events.len(), events[0].method.as_str()), (1, "GET"));
    driver.exchange.done(&host);
    assert_eq!(testing::events(&worker).len(), 0);
}

/// The answer to one request may come on the stream of another when both have the same id.
#[test]
fn lists_are_filtered_whatever_was_asked() {
    for asked in [call("get_a", json!({})), rpc("prompts/list", json!({}))] {
        for (answer, body) in [
            (JSON, list_answer(7)),
            (
                SSE,
                [b"data: ".as_slice(), &list_answer(7), b"\n\n"].concat(),
            ),
        ] {
            let host = FakeHost::new();
            let worker = testing::worker(&host, HOLD);
            let mut driver = answered(&host, &worker, &asked);
            driver.response(answer, &[&body], End::Piece);
            let client = String::from_utf8(driver.client.clone()).unwrap();
            assert!(client.contains("refund"), "{client}");
            assert!(!client.contains("drop_all"), "{client}");
            driver.exchange.done(&host);
            let events = testing::events(&worker);
            assert_eq!((events[0].shown, events[0].hidden), (2, 2));
        }
    }
}

#[test]
fn every_list_of_one_answer_is_filtered() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = answered(&host, &worker, &rpc("tools/list", json!({})));
    let answer = json!({ "jsonrpc": "2.0", "id": 7, "result": {
        "tools": [{ "name": "get_a" }, { "name": "drop_all" }],
        "prompts": [{ "name": "greet" }, { "name": "drop_prompt" }],
    } });
    driver.response(JSON, &[answer.to_string().as_bytes()], End::Piece);
    let client: Value = serde_json::from_slice(&driver.client).unwrap();
    let expected = json!({ "tools": [{ "name": "get_a" }], "prompts": [{ "name": "greet" }] });
    assert_eq!(client["result"], expected);
}

/// A list that this filter cannot read, and some client might.
#[test]
fn what_may_hold_a_list_and_cannot_be_read_is_refused() {
    let list = String::from_utf8(list_answer(7)).unwrap();
    let marked = format!("\u{feff}{list}");
    let lenient = list.replace("{}", "NaN");
    let twice = list.replace("\"result\"", "\"result\":{},\"result\"");
    for asked in ["ping", "tools/list"] {
        for answer in [&marked, &lenient, &twice] {
            let host = FakeHost::new();
            let worker = testing::worker(&host, HOLD);
            let mut driver = answered(&host, &worker, &rpc(asked, json!({})));
            driver.response(JSON, &[answer.as_bytes()], End::Piece);
            let reply = host.with(|inner| inner.replies[0].clone());
            let body: Value = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!(
                (reply.status, &body["error"]["code"]),
                (502, &json!(-31502))
            );
            assert_eq!(driver.client, b"");

            let mut driver = Driver::new(&host, &worker);
            let bearer = bearer(&["support"]);
            let get = headers(&bearer, &[(":method", "GET")]);
            driver.request(&get, &[], End::Piece);
            let event = format!("id: 4\ndata: {answer}\n\n");
            driver.response(SSE, &[event.as_bytes()], End::Open);
            let client = String::from_utf8(driver.client.clone()).unwrap();
            assert!(client.contains(".4\ndata: {"), "{client}");
            assert!(client.contains("-31502"), "{client}");
            assert!(!client.contains("drop_all"), "{client}");
        }
    }
}

#[track_caller]
fn check_answer(headers: &[(&str, &str)], body: &[u8], status: Option<u32>, outcome: &str) {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = answered(&host, &worker, &call("get_a", json!({})));
    let pieces: &[&[u8]] = if body.is_empty() { &[] } else { &[body] };
    driver.response(headers, pieces, End::Piece);
    driver.exchange.done(&host);
    driver.exchange.done(&host);
    assert_eq!(
        host.with(|inner| inner.replies.first().map(|reply| reply.status)),
        status
    );
    if status.is_none() {
        assert_eq!(driver.client, body);
    }
    assert_eq!(
        host.with(|inner| inner.headers[1]
            .single("www-authenticate")
            .map(<[u8]>::to_vec)),
        None
    );
    let events = testing::events(&worker);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].outcome, outcome);
}

#[test]
fn answers() {
    check_answer(
        JSON,
        br#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#,
        None,
        "ok",
    );
    check_answer(
        JSON,
        br#"{"jsonrpc":"2.0","id":7,"result":{"content":[],"isError":true}}"#,
        None,
        "tool_error",
    );
    check_answer(
        JSON,
        br#"{"jsonrpc":"2.0","id":7,"error":{"code":-5,"message":"x"}}"#,
        None,
        "error",
    );
    check_answer(
        SSE,
        b"data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n\n",
        None,
        "ok",
    );
    for text in [
        b"oops".as_slice(),
        b"\"Session not found\"",
        b"{\"detail\":[]}",
    ] {
        let gone = [(":status", "404"), ("content-type", "application/json")];
        check_answer(&gone, text, None, "unknown");
    }
    check_answer(&[(":status", "202")], b"", None, "unknown");
    check_answer(
        &[(":status", "500"), ("content-type", "text/plain")],
        b"oops",
        None,
        "unknown",
    );
    check_answer(
        &[
            (":status", "401"),
            ("content-type", "application/json"),
            ("www-authenticate", "Bearer"),
        ],
        br#"{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}"#,
        None,
        "error",
    );
    let gzip = [
        (":status", "200"),
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ];
    check_answer(&gzip, b"x", Some(502), "error");
    check_answer(
        &[(":status", "200"), ("content-type", "text/html")],
        b"x",
        Some(502),
        "error",
    );
    check_answer(&[(":status", "200")], b"x", Some(502), "error");
    check_answer(&[(":status", "101")], b"x", Some(502), "error");
    check_answer(&[], b"x", Some(502), "error");
    check_answer(JSON, &b"x".repeat(5000), Some(502), "error");
}

#[test]
fn a_list_that_cannot_be_read_is_refused() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = answered(&host, &worker, &rpc("tools/list", json!({})));
    driver.response(
        JSON,
        &[br#"{"jsonrpc":"2.0","id":7,"result":{"tools":[],"tools":[]}}"#],
        End::Piece,
    );
    assert_eq!(host.with(|inner| inner.replies[0].status), 502);
    let mut driver = {
        host.with(|inner| inner.replies.clear());
        answered(&host, &worker, &rpc("tools/list", json!({})))
    };
    driver.response(
        SSE,
        &[b"data: {\"id\":7,\"result\":{\"tools\":[],\"tools\":[]}}\n\n"],
        End::Open,
    );
    let client = String::from_utf8(driver.client.clone()).unwrap();
    assert!(
        client.starts_with("data: {") && client.contains("-31502"),
        "{client}"
    );
}

#[test]
fn an_answer_that_is_refused_behind_its_headers_is_replaced() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, GO_AHEAD);
    let mut driver = answered(&host, &worker, &call("get_a", json!({})));
    driver.response(
        JSON,
        &[&b"x".repeat(3000), &b"x".repeat(3000), b"more"],
        End::Piece,
    );
    let client: Value = serde_json::from_slice(&driver.client).unwrap();
    assert_eq!(client["error"]["code"], -31502);
    assert_eq!(client["id"], 7);
}

#[test]
fn an_event_that_is_too_large_ends_the_stream() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = answered(&host, &worker, &call("get_a", json!({})));
    driver.response(SSE, &[b": first\n\n", &b"x".repeat(2000)], End::Open);
    let client = String::from_utf8(driver.client.clone()).unwrap();
    assert!(
        client.starts_with(": first\n\nevent: message\ndata: {"),
        "{client}"
    );
    assert!(client.contains("-31413"), "{client}");
    driver.body(Direction::Response, &[b"more"], End::Open);
    assert_eq!(driver.client.len(), client.len());
    assert_eq!(host.with(|inner| inner.resets), 1);
}

#[test]
fn a_client_that_goes_away_is_recorded_once() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = answered(&host, &worker, &call("get_a", json!({})));
    driver.exchange.done(&host);
    driver.exchange.done(&host);
    let events = testing::events(&worker);
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].effect.as_str(), events[0].outcome.as_str()),
        ("allow", "aborted")
    );
}

#[test]
fn our_own_reply_passes_through_the_response_events() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = Driver::new(&host, &worker);
    driver.request(
        &headers(&bearer(&[]), &[]),
        &[&call("drop_x", json!({}))],
        End::Piece,
    );
    assert_eq!(
        driver.exchange.response_headers(&host, false),
        Flow::Continue
    );
    assert_eq!(
        driver.exchange.response_body(&host, 10, true),
        Flow::Continue
    );
    driver.exchange.done(&host);
    assert_eq!(host.with(|inner| inner.replies.len()), 1);
    assert_eq!(testing::events(&worker).len(), 1);
}

#[test]
fn errors_of_the_proxy_pass_while_a_request_is_held() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    for (status, flow) in [
        ("413", Flow::Continue),
        ("503", Flow::Continue),
        ("101", Flow::Pause),
        ("200", Flow::Pause),
        ("307", Flow::Pause),
        ("", Flow::Pause),
    ] {
        let mut driver = Driver::new(&host, &worker);
        driver.request(&headers(&bearer(&[]), &[]), &[b"{"], End::Open);
        assert_eq!(
            driver.response(&[(":status", status)], &[], End::Open),
            flow
        );
        assert_eq!(driver.upstream, b"");
        let resets = host.with(|inner| inner.resets);
        assert_eq!(resets, usize::from(flow == Flow::Pause), "{status}");
    }
}

#[test]
fn a_full_audit_queue_refuses_when_it_shall() {
    let host = FakeHost::new();
    let worker = testing::worker(
        &host,
        r#"{"control_cluster": "c", "audit_overflow": "refuse"}"#,
    );
    let bearer = bearer(&["support"]);
    let open: Vec<_> = (0..crate::audit::Bounds::default().events)
        .map(|_| worker.reserve().unwrap())
        .collect();
    let mut driver = Driver::new(&host, &worker);
    driver.request(
        &headers(&bearer, &[]),
        &[&call("get_a", json!({}))],
        End::Piece,
    );
    assert_eq!(host.with(|inner| inner.replies[0].status), 503);
    assert_eq!(driver.upstream, b"");
    host.with(|inner| inner.replies.clear());
    worker.release(&open[0]);
    answered(&host, &worker, &call("get_a", json!({})))
        .exchange
        .done(&host);
    assert!(worker.reserve().is_none(), "its event waits for control");
    assert_eq!(testing::events(&worker).len(), 1);
    let acknowledgement = AppendResponse { batch: 1 }.encode_to_vec();
    worker
        .audit
        .borrow_mut()
        .acknowledge(&acknowledgement)
        .unwrap();
    assert!(worker.reserve().is_some(), "the room is given back");
}

#[test]
fn the_verdict_is_published() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    answered(&host, &worker, &call("get_a", json!({})));
    let published = host.with(|inner| inner.published.clone());
    for (key, value) in [
        ("gatehold.effect", "allow"),
        ("gatehold.rule", "p/get"),
        ("gatehold.user", "ann"),
        ("gatehold.tool", "get_a"),
    ] {
        assert_eq!(published.get(key).map(String::as_str), Some(value), "{key}");
    }
}

/// Many a server says `Accepted` to what is due no answer, as whatever it takes for text.
#[test]
fn what_nobody_waits_for_is_swallowed() {
    let note = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    for media in ["text/html; charset=utf-8", "application/octet-stream"] {
        for (config, body) in [
            (HOLD, &b"Accepted"[..]),
            (GO_AHEAD, b"Accepted"),
            (HOLD, b""),
        ] {
            let host = FakeHost::new();
            let worker = testing::worker(&host, config);
            let mut driver = answered(&host, &worker, note);
            let headers = [
                (":status", "202"),
                ("content-type", media),
                ("content-length", "8"),
            ];
            let flow = driver.response(&headers, &[body], End::Empty);
            assert_eq!(flow, Flow::Continue);
            assert_eq!(driver.client, b"");
            host.with(|inner| {
                assert!(inner.replies.is_empty() && inner.resets == 0);
                assert_eq!(inner.headers[1].single("content-length"), None);
            });
            driver.exchange.done(&host);
            assert_eq!(testing::events(&worker)[0].outcome, "ok");
        }
    }
}

/// Where headers go ahead, an upstream can answer before it is sent the request: nobody judged that.
#[test]
fn an_early_error_goes_on_without_its_body() {
    let list = list_answer(7);
    for (config, passes) in [(HOLD, true), (GO_AHEAD, false)] {
        let host = FakeHost::new();
        let worker = testing::worker(&host, config);
        let mut driver = Driver::new(&host, &worker);
        let half = &call("get_order", json!({}))[..9];
        driver.request(&headers(&bearer(&["support"]), &[]), &[half], End::Open);
        let answer = [
            (":status", "401"),
            ("content-type", "application/json"),
            ("content-length", "300"),
            (
                "www-authenticate",
                "Bearer resource_metadata=\"https://else\"",
            ),
            ("mcp-session-id", "s-1"),
        ];
        driver.response(&answer, &[&list[..20], &list[20..]], End::Piece);
        assert_eq!(driver.client, if passes { list.as_slice() } else { b"" });
        host.with(|inner| {
            for name in ["www-authenticate", "mcp-session-id", "content-length"] {
                assert_eq!(inner.headers[1].single(name).is_some(), passes, "{name}");
            }
        });
        driver.body(Direction::Request, &[half], End::Piece);
        assert_eq!(driver.upstream, b"");
    }
}
