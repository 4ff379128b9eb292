//! Several messages at once: each is decided, and all go on or none.

use super::*;

fn batch(messages: &[Vec<u8>]) -> Vec<u8> {
    let messages = messages
        .iter()
        .map(|it| String::from_utf8(it.clone()).unwrap());
    format!("[{}]", messages.collect::<Vec<_>>().join(",")).into_bytes()
}

fn with_id(id: i64, message: &[u8]) -> Vec<u8> {
    let mut message: Value = serde_json::from_slice(message).unwrap();
    message["id"] = json!(id);
    message.to_string().into_bytes()
}

fn mixed() -> Vec<u8> {
    batch(&[
        with_id(1, &call("get_order", json!({}))),
        br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#.to_vec(),
        with_id(2, &rpc("tools/list", json!({}))),
    ])
}

fn send(body: &[u8], more: &[(&str, &str)]) -> Came {
    let ann = bearer(&["support"]);
    run(HOLD, &headers(&ann, more), &[body], End::Piece)
}

#[test]
fn what_is_allowed_goes_on_as_it_came() {
    for more in [&[][..], &[("mcp-protocol-version", "2025-03-26")]] {
        let came = send(&mixed(), more);
        assert_eq!(came.status, None, "{}", came.body);
        assert_eq!(came.upstream, mixed());
        let methods = came.events.iter().map(|event| event.method.as_str());
        let expected = ["tools/call", "notifications/progress", "tools/list"];
        assert_eq!(methods.collect::<Vec<_>>(), expected);
        assert!(came.events.iter().all(|event| event.effect == "allow"));
    }
}

#[test]
fn one_refused_message_refuses_all() {
    let body = batch(&[
        with_id(1, &call("get_order", json!({}))),
        br#"{"jsonrpc":"2.0","method":"notifications/progress"}"#.to_vec(),
        with_id(2, &call("refund", json!({"amount": 500.0}))),
        with_id(3, &call("nonexistent", json!({}))),
    ]);
    let came = send(&body, &[]);
    assert_eq!(
        (came.status, came.upstream.as_slice()),
        (Some(200), &b""[..])
    );
    let answers = came.body.as_array().unwrap();
    let ids: Vec<_> = answers.iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(ids, [json!(1), json!(2), json!(3)]);
    assert!(
        answers[0]["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("not run")
    );
    assert_eq!(answers[1]["result"]["isError"], true);
    assert_eq!(answers[2]["error"]["message"], "Unknown tool: nonexistent");
    assert_eq!(came.events.len(), 4);
    for event in &came.events {
        assert_eq!(
            (event.effect.as_str(), event.outcome.as_str()),
            ("deny", "denied")
        );
    }
    // Ids of events are in the answers, so each must be its own.
    let mut ids: Vec<_> = came.events.iter().map(|event| &event.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn a_refused_batch_without_requests_is_dropped() {
    let body = batch(&[
        br#"{"jsonrpc":"2.0","method":"notifications/progress"}"#.to_vec(),
        br#"{"jsonrpc":"2.0","method":"notifications/other"}"#.to_vec(),
    ]);
    let came = send(&body, &[]);
    assert_eq!((came.status, came.body), (Some(202), Value::Null));
    assert_eq!(came.upstream, b"");
}

#[test]
fn other_versions_have_none() {
    for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        let came = send(&mixed(), &[("mcp-protocol-version", version)]);
        assert_eq!(
            (came.status, came.upstream.as_slice()),
            (Some(400), &b""[..])
        );
        assert_eq!(came.events.len(), 1, "{version}");
    }
    for body in [
        b"[]".to_vec(),
        b"[1]".to_vec(),
        batch(&[rpc("initialize", json!({}))]),
        batch(&[rpc("ping", json!({})), rpc("ping", json!({}))]),
        b"[[]]".to_vec(),
        b"[".to_vec(),
    ] {
        let came = send(&body, &[]);
        assert_eq!(
            (came.status, came.upstream.as_slice()),
            (Some(400), &b""[..])
        );
    }
}

#[test]
fn answers_in_batches_are_judged_one_by_one() {
    let answers = batch(&[list_answer(2), with_id(1, &rpc("x", json!({})))]);
    for (answer, body) in [
        (JSON, answers.clone()),
        (SSE, [b"data: ".as_slice(), &answers, b"\n\n"].concat()),
    ] {
        let host = FakeHost::new();
        let worker = testing::worker(&host, HOLD);
        let mut driver = answered(&host, &worker, &mixed());
        driver.response(answer, &[&body], End::Piece);
        let client = String::from_utf8(driver.client.clone()).unwrap();
        assert!(
            client.contains("refund") && !client.contains("drop_all"),
            "{client}"
        );
        driver.exchange.done(&host);
        let events = testing::events(&worker);
        assert_eq!(events.len(), 3);
        let list = events.iter().find(|event| event.method == "tools/list");
        assert_eq!(list.map(|event| (event.shown, event.hidden)), Some((2, 2)));
    }
    // A client of a later version reads no batch, or who knows what in one.
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = Driver::new(&host, &worker);
    let later = [("mcp-protocol-version", "2025-06-18")];
    let ann = bearer(&["support"]);
    driver.request(
        &headers(&ann, &later),
        &[&rpc("ping", json!({}))],
        End::Piece,
    );
    driver.response(JSON, &[&answers], End::Piece);
    assert_eq!(driver.client, b"");
    assert_eq!(host.with(|inner| inner.replies[0].status), 502);
}

#[test]
fn a_subscription_is_no_part_of_a_batch() {
    let listen = json!({ "notifications": { "resourceSubscriptions": ["docs://a/x"] } });
    let came = send(&batch(&[rpc("subscriptions/listen", listen)]), &[]);
    assert_eq!(
        (came.status, came.upstream.as_slice()),
        (Some(200), &b""[..])
    );
    assert_eq!(came.body[0]["error"]["code"], -32600);
}
