//! Streams that stay open follow what is in force.

use super::*;
use crate::snapshot::Catalog;

const NOTE: &[u8] = b"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n";

fn updated(uri: &str) -> Vec<u8> {
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated",
        "params": { "uri": uri } });
    format!("data: {note}\n\n").into_bytes()
}

fn listen(uri: &str) -> (Vec<(&'static str, &'static str)>, Vec<u8>) {
    let body = rpc(
        "subscriptions/listen",
        json!({
            "notifications": { "resourceSubscriptions": [uri] },
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        }),
    );
    let headers = vec![
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "subscriptions/listen"),
    ];
    (headers, body)
}

fn get<'a>(host: &'a FakeHost, worker: &Rc<Worker>) -> Driver<'a> {
    let mut driver = Driver::new(host, worker);
    let ann = bearer(&["support"]);
    driver.request(&headers(&ann, &[(":method", "GET")]), &[], End::Piece);
    driver.response(SSE, &[NOTE], End::Open);
    assert_eq!(driver.client, NOTE);
    driver
}

fn listening<'a>(host: &'a FakeHost, worker: &Rc<Worker>) -> Driver<'a> {
    let mut driver = Driver::new(host, worker);
    let (more, body) = listen("docs://a/x");
    driver.request(&headers(&bearer(&["support"]), &more), &[&body], End::Piece);
    assert_eq!(driver.upstream, body);
    driver.response(SSE, &[&updated("docs://a/x")], End::Open);
    assert_eq!(driver.client, updated("docs://a/x"));
    driver.client.clear();
    testing::events(worker);
    driver
}

fn put(worker: &Worker, change: impl FnOnce(&mut Catalog)) {
    let mut catalog = Catalog::default();
    catalog.insert_server(testing::server("crm", "/crm/mcp", &[]));
    catalog.insert_issuer("v1".into(), testing::issuer());
    change(&mut catalog);
    *worker.snapshot.borrow_mut() = Some(Rc::new(catalog.snapshot()));
}

#[test]
fn a_stream_ends_with_its_token() {
    for pass in [3000, 3700] {
        let host = FakeHost::new();
        let worker = testing::worker(&host, HOLD);
        let mut driver = get(&host, &worker);
        host.with(|inner| inner.nanos += pass * 1_000_000_000);
        driver.body(Direction::Response, &[NOTE], End::Open);
        let ended = pass > 3600 + 60;
        assert_eq!(driver.client.len(), NOTE.len() * if ended { 1 } else { 2 });
        assert_eq!(host.with(|inner| inner.resets), usize::from(ended));
        let events = testing::events(&worker);
        assert_eq!(events.len(), if ended { 2 } else { 1 });
    }
}

#[test]
fn who_listens_is_told_why_it_ends() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = listening(&host, &worker);
    host.with(|inner| inner.nanos += 4000 * 1_000_000_000);
    driver.body(Direction::Response, &[&updated("docs://a/x")], End::Open);
    let client = String::from_utf8(driver.client.clone()).unwrap();
    assert!(
        client.contains("\"id\":7") && client.contains("-31401"),
        "{client}"
    );
    assert!(!client.contains("docs://"), "{client}");
    driver.body(Direction::Response, &[&updated("docs://a/x")], End::Open);
    assert_eq!(host.with(|inner| inner.resets), 1);
    let events = testing::events(&worker);
    assert_eq!(
        events[0].reason,
        "the token has expired; open the stream again"
    );
}

#[test]
fn a_stream_follows_the_policy() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = listening(&host, &worker);
    put(&worker, |_| {});
    driver.body(Direction::Response, &[&updated("docs://a/x")], End::Open);
    assert_eq!(driver.client, updated("docs://a/x"));
    driver.client.clear();
    put(&worker, |catalog| {
        let mut server = testing::server_resource("crm", "/crm/mcp", &[]);
        server.rules.retain(|rule| rule.id != "p/docs");
        let server = crate::server::Server::new(server, "v2".into()).unwrap();
        catalog.insert_server(server);
    });
    driver.body(Direction::Response, &[&updated("docs://a/x")], End::Open);
    let client = String::from_utf8(driver.client.clone()).unwrap();
    assert!(
        client.contains("-31401") && !client.contains("docs://a/x\""),
        "{client}"
    );

    let mut driver = {
        put(&worker, |_| {});
        get(&host, &worker)
    };
    put(&worker, |catalog| catalog.remove_server("crm"));
    driver.body(Direction::Response, &[NOTE], End::Open);
    assert_eq!(
        (driver.client.as_slice(), host.with(|inner| inner.resets)),
        (NOTE, 1)
    );
}

/// A call that was allowed is not cut off, but what it may see follows the policy.
#[test]
fn a_call_goes_on_under_another_policy() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = answered(&host, &worker, &rpc("tools/list", json!({})));
    driver.response(SSE, &[NOTE], End::Open);
    put(&worker, |catalog| {
        let mut server = testing::server_resource("crm", "/crm/mcp", &[]);
        server.rules.retain(|rule| rule.id != "p/get");
        let server = crate::server::Server::new(server, "v2".into()).unwrap();
        catalog.insert_server(server);
    });
    let list = [b"data: ".as_slice(), &list_answer(7), b"\n\n"].concat();
    driver.body(Direction::Response, &[&list], End::Piece);
    let client = String::from_utf8(driver.client.clone()).unwrap();
    assert!(
        client.contains("refund") && !client.contains("get_a"),
        "{client}"
    );
}

#[test]
fn news_of_hidden_resources_are_dropped() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = get(&host, &worker);
    let events = [
        updated("docs://a/secret/x"),
        updated("hr://x"),
        NOTE.to_vec(),
    ]
    .concat();
    driver.body(Direction::Response, &[&events], End::Open);
    assert_eq!(driver.client, [NOTE, NOTE].concat());
}

/// The token is not kept, so that nobody can say whether it would still be accepted.
#[test]
fn a_stream_ends_when_what_tokens_are_verified_by_changes() {
    for change in [
        |catalog: &mut Catalog| catalog.insert_issuer("v2".into(), testing::issuer()),
        |catalog: &mut Catalog| {
            let mut server = testing::server_resource("crm", "/crm/mcp", &[]);
            server.audiences = vec!["else".into()];
            let server = crate::server::Server::new(server, "v2".into()).unwrap();
            catalog.insert_server(server);
        },
    ] {
        let host = FakeHost::new();
        let worker = testing::worker(&host, HOLD);
        let mut driver = get(&host, &worker);
        put(&worker, change);
        driver.body(Direction::Response, &[NOTE], End::Open);
        let resets = host.with(|inner| inner.resets);
        assert_eq!((driver.client.as_slice(), resets), (NOTE, 1));
    }
}
