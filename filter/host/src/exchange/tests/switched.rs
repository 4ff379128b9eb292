//! What began in shadow mode when its server is enforced.

use super::shadow::{in_force, server};
use super::*;
use crate::server::Server;
use crate::snapshot::Catalog;

const NOTE: &[u8] = b"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n";
const PASS: &str = r#"{"control_cluster": "c", "unmatched": "pass"}"#;
const GZIP: &[(&str, &str)] = &[
    (":status", "200"),
    ("content-type", "text/event-stream"),
    ("content-encoding", "gzip"),
];

/// Puts the server in force anew, or takes it out; another one changes each time.
fn put(worker: &Worker, shadow: Option<bool>) {
    let mut catalog = Catalog::default();
    if let Some(shadow) = shadow {
        catalog.insert_server(Server::new(server(shadow), "v2".into()).unwrap());
    }
    catalog.insert_server(testing::server("hr", "/hr/mcp", &[]));
    catalog.insert_issuer("v1".into(), testing::issuer());
    *worker.snapshot.borrow_mut() = Some(Rc::new(catalog.snapshot()));
}

#[test]
fn a_stream_ends_when_its_server_is_enforced() {
    for (first, then) in [(true, false), (false, true), (true, true)] {
        let host = FakeHost::new();
        let worker = in_force(&host, HOLD, server(first));
        let mut driver = Driver::new(&host, &worker);
        let ann = bearer(&["support"]);
        driver.request(&headers(&ann, &[(":method", "GET")]), &[], End::Piece);
        driver.response(SSE, &[NOTE], End::Open);
        put(&worker, Some(then));
        driver.body(Direction::Response, &[NOTE], End::Open);
        let ended = first != then;
        assert_eq!(host.with(|inner| inner.resets), usize::from(ended));
        assert_eq!(driver.client.len(), NOTE.len() * if ended { 1 } else { 2 });
    }
    // In shadow mode a token that expires ends nothing.
    let host = FakeHost::new();
    let worker = in_force(&host, HOLD, server(true));
    let mut driver = Driver::new(&host, &worker);
    let ann = bearer(&["support"]);
    driver.request(&headers(&ann, &[(":method", "GET")]), &[], End::Piece);
    driver.response(SSE, &[NOTE], End::Open);
    testing::events(&worker);
    host.with(|inner| inner.nanos += 4000 * 1_000_000_000);
    driver.body(Direction::Response, &[NOTE, NOTE], End::Open);
    assert_eq!(driver.client.len(), 3 * NOTE.len());
    let events = testing::events(&worker);
    assert_eq!((events.len(), events[0].refusal.as_str()), (1, "token"));
}

type Headers = &'static [(&'static str, &'static str)];

/// Something that is open in shadow mode: how the request begins, what comes of its body, and the answer's headers
/// and first piece.
struct Open {
    config: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
    end: End,
    answer: Option<(Headers, Vec<u8>)>,
    /// Seconds that pass then.
    seconds: u64,
}

fn open(more: &[(&'static str, &'static str)]) -> Open {
    Open {
        config: HOLD,
        headers: headers("Bearer of.nothing", &[&[(":method", "GET")], more].concat()),
        body: Vec::new(),
        end: End::Piece,
        answer: Some((SSE, NOTE.to_vec())),
        seconds: 0,
    }
}

fn post(body: Vec<u8>) -> Open {
    Open {
        headers: headers("", &[]),
        body,
        ..open(&[])
    }
}

/// Everything that may stay open for days, judged or not.
fn all_that_stays() -> Vec<(&'static str, Open)> {
    let known: &'static str = bearer(&["support"]).leak();
    let modern = ("mcp-protocol-version", "2026-07-28");
    let listen = json!({ "jsonrpc": "2.0", "id": 7, "method": "subscriptions/listen", "params": {
        "notifications": { "toolsListChanged": true }, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {} } } });
    let listen = listen.to_string().into_bytes();
    vec![
        ("no token", open(&[("authorization", "")])),
        (
            "expired",
            Open {
                seconds: 4000,
                ..open(&[("authorization", known)])
            },
        ),
        (
            "bad version",
            open(&[("mcp-protocol-version", "1999-01-01")]),
        ),
        (
            "bad version of a known user",
            open(&[("authorization", known), ("mcp-protocol-version", "x")]),
        ),
        (
            "bad origin",
            open(&[("origin", "https://evil.example.com")]),
        ),
        ("another method", open(&[(":method", "PUT")])),
        ("an upgrade", open(&[("upgrade", "websocket")])),
        (
            "encoded",
            Open {
                answer: Some((GZIP, b"\x1f\x8b".to_vec())),
                ..open(&[])
            },
        ),
        (
            "no events",
            Open {
                answer: Some((&[(":status", "200")], b"x".to_vec())),
                ..open(&[])
            },
        ),
        (
            "an event over the limit",
            Open {
                answer: Some((SSE, [b"data: ", vec![b'x'; 9 << 20].as_slice()].concat())),
                ..open(&[])
            },
        ),
        (
            "no answer yet",
            Open {
                answer: None,
                ..open(&[])
            },
        ),
        ("no JSON", post(b"{".to_vec())),
        ("too large", post(vec![b' '; 9000])),
        (
            "a request that goes on",
            Open {
                end: End::Open,
                answer: None,
                ..post(b"{\"jsonrpc\"".to_vec())
            },
        ),
        (
            "a large request that goes on",
            Open {
                end: End::Open,
                answer: None,
                ..post(vec![b' '; 9000])
            },
        ),
        (
            "a subscription",
            Open {
                headers: headers(known, &[modern, ("mcp-method", "subscriptions/listen")]),
                ..post(listen.clone())
            },
        ),
        (
            "an encoded subscription",
            Open {
                headers: headers("", &[modern, ("mcp-method", "subscriptions/listen")]),
                answer: Some((GZIP, b"\x1f\x8b".to_vec())),
                ..post(listen)
            },
        ),
        (
            "a path below",
            Open {
                config: PASS,
                ..open(&[(":path", "/crm/mcp/events")])
            },
        ),
        (
            "metadata",
            open(&[(":path", "/.well-known/oauth-protected-resource/crm/mcp")]),
        ),
    ]
}

#[test]
fn nothing_that_stays_open_outlasts_shadow_mode() {
    for then in [Some(true), Some(false), None] {
        for (what, it) in all_that_stays() {
            let host = FakeHost::new();
            let worker = in_force(&host, it.config, server(true));
            let mut driver = Driver::new(&host, &worker);
            let body: &[u8] = &it.body;
            let pieces = if body.is_empty() { &[][..] } else { &[body] };
            driver.request(&it.headers, pieces, it.end);
            assert_eq!(driver.upstream, body, "{what}");
            if let Some((headers, first)) = &it.answer {
                driver.response(headers, &[first], End::Open);
                assert_eq!(&driver.client, first, "{what}");
            }
            host.with(|inner| inner.nanos += it.seconds * 1_000_000_000);
            if it.seconds > 0 {
                driver.body(Direction::Response, &[NOTE], End::Open);
            }
            let had = (driver.upstream.len(), driver.client.len());
            put(&worker, then);
            match (&it.answer, it.end) {
                (None, End::Open) => driver.body(Direction::Request, &[NOTE, NOTE], End::Open),
                (None, _) => {
                    driver.response(SSE, &[NOTE, NOTE], End::Open);
                }
                (Some(_), _) => driver.body(Direction::Response, &[NOTE, NOTE], End::Open),
            }
            let has = (driver.upstream.len(), driver.client.len());
            let more = has.0 + has.1 - had.0 - had.1;
            let ended = then != Some(true);
            if ended && what == "a subscription" {
                // Its client is told.
                assert!(driver.client.ends_with(b"\n\n") && more > 0, "{what}");
                driver.body(Direction::Response, &[NOTE], End::Open);
            } else {
                assert_eq!(
                    more,
                    if ended { 0 } else { 2 * NOTE.len() },
                    "{what}: {then:?}"
                );
            }
            let resets = host.with(|inner| inner.resets);
            assert_eq!(resets, usize::from(ended), "{what}: {then:?}");
            drop(driver);
            assert_eq!(worker.copied.get(), 0, "{what}");
        }
    }
}

/// However many there are: what had no room to be looked at ends too.
#[test]
fn what_was_not_looked_at_ends_too() {
    let host = FakeHost::new();
    let worker = in_force(&host, HOLD, server(true));
    worker.copied.set(64 << 20);
    let mut driver = Driver::new(&host, &worker);
    driver.request(&headers("", &[(":method", "GET")]), &[], End::Piece);
    driver.response(SSE, &[NOTE, NOTE], End::Open);
    assert_eq!(driver.client.len(), 2 * NOTE.len());
    put(&worker, Some(false));
    driver.body(Direction::Response, &[NOTE], End::Open);
    assert_eq!(driver.client.len(), 2 * NOTE.len());
    assert_eq!(host.with(|inner| inner.resets), 1);
}

/// A call was let through, and its answer comes.
#[test]
fn calls_come_to_their_end() {
    let body = call("drop_all", json!({}));
    let answer = b"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"content\":[]}}";
    let event = [b"data: ", answer.as_slice(), b"\n\n"].concat();
    for (headers_of, answer) in [
        (JSON, answer.as_slice()),
        (SSE, &event),
        (GZIP, b"\x1f\x8b\0"),
    ] {
        let (one, other) = answer.split_at(2);
        for before in [true, false] {
            let host = FakeHost::new();
            let worker = in_force(&host, HOLD, server(true));
            let mut driver = Driver::new(&host, &worker);
            driver.request(&headers("", &[]), &[&body], End::Piece);
            if before {
                put(&worker, Some(false));
            }
            driver.response(headers_of, &[one], End::Open);
            put(&worker, Some(false));
            driver.body(Direction::Response, &[other], End::Piece);
            assert_eq!(driver.client, answer);
            assert_eq!(host.with(|inner| inner.resets), 0);
        }
    }
}

/// A server that comes and goes elsewhere ends nothing that is no server's.
#[test]
fn what_is_no_servers_stays() {
    let host = FakeHost::new();
    let worker = in_force(&host, PASS, server(true));
    let mut driver = Driver::new(&host, &worker);
    driver.request(&headers("", &[(":path", "/other")]), &[], End::Piece);
    driver.response(SSE, &[NOTE], End::Open);
    put(&worker, None);
    driver.body(Direction::Response, &[NOTE], End::Open);
    assert_eq!(driver.client.len(), 2 * NOTE.len());
}
