//! Sessions belong to the caller that opened them.

use super::*;

const INITIALIZED: &[(&str, &str)] = &[
    (":status", "200"),
    ("content-type", "application/json"),
    ("mcp-session-id", "upstream-1"),
];

/// Opens a session and gives the id that the client gets.
fn opened(host: &FakeHost, worker: &Rc<Worker>, authorization: &str, era: &str) -> Option<String> {
    let mut driver = Driver::new(host, worker);
    let version = [("mcp-protocol-version", era)];
    driver.request(
        &headers(authorization, &version),
        &[&rpc("initialize", json!({}))],
        End::Piece,
    );
    driver.response(INITIALIZED, &[&rpc("x", json!({}))], End::Piece);
    driver.exchange.done(host);
    testing::events(worker);
    host.with(|inner| {
        let id = inner.headers[1].single("mcp-session-id");
        id.map(|id| String::from_utf8(id.to_vec()).unwrap())
    })
}

/// The session id that the upstream sees, or the status of the refusal.
fn sent(
    host: &FakeHost,
    worker: &Rc<Worker>,
    authorization: &str,
    session: &str,
    more: &[(&str, &str)],
) -> Result<Option<String>, u32> {
    let more = [&[("mcp-session-id", session)], more].concat();
    let body = rpc("tools/list", json!({}));
    let post = !more.contains(&(":method", "GET")) && !more.contains(&(":method", "DELETE"));
    let pieces: &[&[u8]] = if post { &[&body] } else { &[] };
    let came = run_on(
        host,
        worker,
        &headers(authorization, &more),
        pieces,
        End::Piece,
    );
    match came.status {
        Some(status) => {
            assert_eq!(came.upstream, b"");
            Err(status)
        }
        None => Ok(host.with(|inner| {
            let id = inner.headers[0].single("mcp-session-id");
            id.map(|id| String::from_utf8(id.to_vec()).unwrap())
        })),
    }
}

#[test]
fn a_session_is_its_callers_alone() {
    for config in [HOLD, GO_AHEAD] {
        let host = FakeHost::new();
        let worker = testing::worker(&host, config);
        let ann = bearer(&["support"]);
        let bob = format!("Bearer {}", testing::token_of("bob", "agent-1"));
        let other_agent = format!("Bearer {}", testing::token_of("ann", "agent-2"));
        let session = opened(&host, &worker, &ann, "2025-06-18").unwrap();
        assert!(session.ends_with(".upstream-1"), "{session}");

        let own = Ok(Some("upstream-1".to_owned()));
        for more in [&[][..], &[(":method", "GET")], &[(":method", "DELETE")]] {
            assert_eq!(sent(&host, &worker, &ann, &session, more), own, "{more:?}");
            for foreign in [&bob, &other_agent] {
                assert_eq!(sent(&host, &worker, foreign, &session, more), Err(404));
            }
            let (tag, _) = session.split_once('.').unwrap();
            for invented in [
                "upstream-1",
                "",
                "x.upstream-1",
                &format!("{tag}.upstream-2"),
            ] {
                assert_eq!(sent(&host, &worker, &ann, invented, more), Err(404));
            }
        }
        // Another worker knows it as well, and another role changes nothing.
        let other = testing::worker(&host, config);
        assert_eq!(sent(&host, &other, &ann, &session, &[]), own);
        assert_eq!(sent(&host, &other, &bearer(&["sales"]), &session, &[]), own);
    }
}

#[test]
fn the_modern_era_has_no_sessions() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let ann = bearer(&["support"]);
    let meta = json!({ "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    } });
    let modern = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/list"),
        ("mcp-session-id", "upstream-1"),
    ];
    let mut driver = Driver::new(&host, &worker);
    let body = rpc("tools/list", meta);
    driver.request(&headers(&ann, &modern), &[&body], End::Piece);
    assert_eq!(driver.upstream, body);
    host.with(|inner| assert_eq!(inner.headers[0].single("mcp-session-id"), None));
    driver.response(INITIALIZED, &[&list_answer(7)], End::Piece);
    host.with(|inner| assert_eq!(inner.headers[1].single("mcp-session-id"), None));

    for method in ["GET", "DELETE"] {
        let more = [(":method", method), ("mcp-protocol-version", "2026-07-28")];
        let came = run(HOLD, &headers(&ann, &more), &[], End::Piece);
        assert_eq!(came.status, Some(405), "{method}");
    }
}

#[test]
fn an_id_that_no_client_could_send_is_taken_away() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    for ids in [&["a b"][..], &["é"], &[""], &["1", "2"]] {
        let mut driver = answered(&host, &worker, &rpc("initialize", json!({})));
        let mut answer = JSON.to_vec();
        answer.extend(ids.iter().map(|id| ("mcp-session-id", *id)));
        driver.response(&answer, &[b"{}"], End::Piece);
        host.with(|inner| assert_eq!(inner.headers[1].values("mcp-session-id").count(), 0));
    }
}

/// A message that goes nowhere without a session, and on as it is within one.
#[track_caller]
fn check_needs_a_session(message: &[u8]) {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let ann = bearer(&["support"]);
    let send = |more: &[(&str, &str)]| {
        let headers = headers(&ann, more);
        run_on(&host, &worker, &headers, &[message], End::Piece)
    };
    let came = send(&[]);
    assert_eq!(
        (came.status, came.upstream.as_slice()),
        (Some(202), &b""[..])
    );
    assert_eq!(came.events[0].effect, "deny");
    let session = opened(&host, &worker, &ann, "2025-06-18").unwrap();
    let came = send(&[("mcp-session-id", session.as_str())]);
    assert_eq!((came.status, came.upstream.as_slice()), (None, message));
}

/// Without a session, anybody could answer what the server asked somebody else, or cancel what somebody else
/// asked the server.
#[test]
fn responses_and_cancellations_belong_to_a_session() {
    check_needs_a_session(br#"{"jsonrpc":"2.0","id":0,"result":{"action":"accept"}}"#);
    check_needs_a_session(
        br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
    );
}

#[test]
fn other_notifications_need_a_rule() {
    let ann = bearer(&["support"]);
    for method in ["notifications/x", "notifications/tasks"] {
        let body = json!({ "jsonrpc": "2.0", "method": method }).to_string();
        let came = run(HOLD, &headers(&ann, &[]), &[body.as_bytes()], End::Piece);
        assert_eq!(came.status, Some(202), "{method}");
        assert_eq!((came.body, came.upstream), (Value::Null, Vec::new()));
        assert_eq!(came.events[0].effect, "deny");
    }
}

/// The id of the last event on a stream of that session.
fn last_id(host: &FakeHost, worker: &Rc<Worker>, more: &[(&str, &str)]) -> String {
    let mut driver = Driver::new(host, worker);
    let ann = bearer(&["support"]);
    driver.request(&headers(&ann, more), &[&rpc("ping", json!({}))], End::Piece);
    driver.response(
        SSE,
        &[b"id: 1\ndata:\n\nid:e-2\r\ndata: {}\r\n\r\n"],
        End::Open,
    );
    let client = String::from_utf8(driver.client.clone()).unwrap();
    let (_, last) = client.rsplit_once("id:").unwrap();
    last.split_once("\r\n").unwrap().0.trim().to_owned()
}

/// Many a server keeps the events of all sessions in one place: who could name one could have it sent again.
#[test]
fn a_stream_is_resumed_by_its_receiver_only() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let ann = bearer(&["support"]);
    let bob = format!("Bearer {}", testing::token_of("bob", "agent-1"));
    let resumed = |authorization: &str, id: &str, more: &[(&str, &str)]| {
        let more = [&[(":method", "GET"), ("last-event-id", id)], more].concat();
        let came = run_on(
            &host,
            &worker,
            &headers(authorization, &more),
            &[],
            End::Piece,
        );
        host.with(|inner| {
            let id = inner.headers[0].single("last-event-id").unwrap().to_vec();
            came.status.ok_or(String::from_utf8(id).unwrap())
        })
    };
    let session = opened(&host, &worker, &ann, "2025-06-18").unwrap();
    let session = [("mcp-session-id", session.as_str())];
    let bobs = opened(&host, &worker, &bob, "2025-06-18").unwrap();
    let bobs = [("mcp-session-id", bobs.as_str())];
    for from in [&[][..], &session] {
        let id = last_id(&host, &worker, from);
        assert!(id.ends_with(".e-2") && id.len() > 20, "{id}");
        for to in [&[][..], &session] {
            assert_eq!(resumed(&ann, &id, to), Err("e-2".to_owned()));
            for invented in ["e-2", "e-1", ""] {
                assert_eq!(resumed(&ann, invented, to), Ok(404), "{invented}");
            }
        }
        for to in [&[][..], &bobs] {
            assert_eq!(resumed(&bob, &id, to), Ok(404));
        }
    }
    // It means something to a GET only.
    let more = [("last-event-id", "e-2")];
    let came = run_on(
        &host,
        &worker,
        &headers(&ann, &more),
        &[&rpc("ping", json!({}))],
        End::Piece,
    );
    assert_eq!(came.status, None);
    host.with(|inner| assert_eq!(inner.headers[0].single("last-event-id"), None));
}
