//! From the headers to the verdict.

use super::*;

#[track_caller]
fn check_call(body: &[u8], status: Option<u32>, contains: &str, effect: &str) {
    let bearer = bearer(&["support"]);
    let (left, right) = body.split_at(body.len() / 2);
    for config in [HOLD, GO_AHEAD] {
        let host = FakeHost::new();
        let worker = testing::worker(&host, config);
        for (pieces, end) in [
            (&[body][..], End::Piece),
            (&[body], End::Empty),
            (&[body], End::Trailers),
            (&[left, right], End::Piece),
            (&[left, right], End::Trailers),
        ] {
            let came = run_on(&host, &worker, &headers(&bearer, &[]), pieces, end);
            assert_eq!(came.status, status, "{}", came.body);
            assert!(came.body.to_string().contains(contains), "{}", came.body);
            let expected = if status.is_none() { body } else { b"" };
            assert_eq!(came.upstream, expected, "{end:?}");
            assert_eq!(came.events.len(), 1);
            assert_eq!(came.events[0].effect, effect);
            assert_eq!(came.events[0].user, "ann");
        }
    }
}

#[test]
fn calls() {
    check_call(&call("get_order", json!({})), None, "", "allow");
    check_call(&call("refund", json!({"amount": 5.0})), None, "", "allow");
    check_call(
        &call("refund", json!({"amount": 500.0})),
        Some(200),
        "Denied by policy: ",
        "deny",
    );
    check_call(
        &call("drop_table", json!({})),
        Some(200),
        "Unknown tool: drop_table",
        "deny",
    );
    check_call(
        &call("nonexistent", json!({})),
        Some(200),
        "Unknown tool: nonexistent",
        "deny",
    );
    check_call(
        &rpc("resources/read", json!({"uri": "docs://a"})),
        None,
        "",
        "allow",
    );
    check_call(
        &rpc("resources/read", json!({"uri": "hr://a"})),
        Some(200),
        "-32002",
        "deny",
    );
    check_call(
        &rpc("prompts/get", json!({"name": "greet"})),
        None,
        "",
        "allow",
    );
    check_call(
        &rpc("prompts/get", json!({"name": "x"})),
        Some(200),
        "Unknown prompt: x",
        "deny",
    );
    check_call(
        &rpc("tasks/get", json!({"taskId": "1"})),
        Some(200),
        "Task not found",
        "deny",
    );
    check_call(
        &rpc(
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "greet"}}),
        ),
        None,
        "",
        "allow",
    );
    check_call(&rpc("tools/list", json!({})), None, "", "allow");
    check_call(&rpc("initialize", json!({})), None, "", "allow");
    check_call(
        br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        None,
        "",
        "allow",
    );
    check_call(b"[]", Some(400), "-32600", "deny");
    check_call(b"{", Some(400), "-32700", "deny");
    check_call(
        br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"get_a","name":"refund"}}"#,
        Some(400),
        "appears twice",
        "deny",
    );
    check_call(
        &call("get_order", json!({"x": "y".repeat(5000)})),
        Some(413),
        "requestBytes",
        "deny",
    );
}

#[test]
fn resources_have_one_spelling() {
    let read = |uri: &str| rpc("resources/read", json!({ "uri": uri }));
    for uri in [
        "docs://a/b",
        "docs://a/b%2Fc%20d",
        "docs://A/secrets",
        "docs://a//b",
    ] {
        check_call(&read(uri), None, "", "allow");
    }
    check_call(&read("docs://a/secret/x"), Some(200), "-32002", "deny");
    for uri in [
        "docs://a/%73ecret/x",
        "docs://a/secret%2Fx",
        "docs://a//secret/x",
        "docs://A/secret/x",
        "docs://a/secret\\x",
    ] {
        check_call(&read(uri), Some(200), "denied by rule `p/secret`", "deny");
    }
    for uri in [
        "docs://a/b/../secret/x",
        "docs://a/%2e/secret/x",
        "docs://..",
    ] {
        check_call(&read(uri), Some(400), "`..` segments", "deny");
        let template = json!({ "ref": { "type": "ref/resource", "uri": uri } });
        let complete = rpc("completion/complete", template);
        check_call(&complete, Some(400), "`..` segments", "deny");
    }
}

#[test]
fn a_denied_call_says_why_to_the_model() {
    let bearer = bearer(&["support"]);
    let body = call("refund", json!({"amount": 500.0}));
    let came = run(HOLD, &headers(&bearer, &[]), &[&body], End::Piece);
    let result = &came.body["result"];
    assert_eq!(result["isError"], true);
    assert!(result.get("resultType").is_none());
    let meta = &result["_meta"]["gatehold.io/decision"];
    assert_eq!(meta["effect"], "deny");
    assert_eq!(meta["id"], came.events[0].id);
    let event = &came.events[0];
    assert_eq!(
        (event.method.as_str(), event.target.as_str()),
        ("tools/call", "refund")
    );
    assert_eq!(
        event.arguments,
        r#"{"amount":500.0}"#.replace("500.0", "500")
    );
    assert_eq!((event.outcome.as_str(), event.status), ("denied", 200));
    assert_eq!(event.policy_version, "v1");
}

#[test]
fn roles_decide() {
    let body = call("get_order", json!({}));
    let came = run(
        HOLD,
        &headers(&bearer(&["sales"]), &[]),
        &[&body],
        End::Piece,
    );
    assert!(came.body.to_string().contains("Unknown tool: get_order"));
    assert_eq!(came.upstream, b"");
}

#[track_caller]
fn check_headers(more: &[(&str, &str)], status: u32, contains: &str) {
    for config in [HOLD, GO_AHEAD] {
        let body = call("get_order", json!({}));
        let bearer = bearer(&["support"]);
        let came = run(config, &headers(&bearer, more), &[&body], End::Piece);
        assert_eq!(came.status, Some(status), "{more:?} {}", came.body);
        assert!(
            came.body.to_string().contains(contains),
            "{more:?} {}",
            came.body
        );
        assert_eq!(came.upstream, b"", "{more:?}");
    }
}

#[test]
fn headers_that_are_refused() {
    check_headers(&[(":path", "/other")], 404, "no server");
    check_headers(&[(":path", "/crm/mcp/")], 404, "no server");
    check_headers(&[(":path", "/crm/%6dcp")], 404, "no server");
    check_headers(&[(":method", "PUT")], 405, "not allowed");
    check_headers(&[(":method", "OPTIONS")], 405, "not allowed");
    check_headers(&[(":method", "GET")], 400, "no body");
    check_headers(&[("origin", "https://evil.example")], 403, "origin");
    check_headers(
        &[("authorization", "Basic x")],
        401,
        "bearer token is required",
    );
    check_headers(&[("authorization", "Bearer x")], 401, "invalid_token");
    check_headers(&[("content-type", "text/plain")], 415, "application/json");
    check_headers(&[("content-encoding", "gzip")], 415, "encoded");
    check_headers(&[("mcp-protocol-version", "2020-01-01")], 400, "-32022");
    check_headers(&[("mcp-method", "tools/list")], 400, "-32020");
    check_headers(&[("upgrade", "websocket")], 400, "without `upgrade`");
    let get = [(":method", "GET"), ("upgrade", "websocket")];
    check_headers(&get, 400, "without `upgrade`");
    let get = [(":method", "GET"), (":protocol", "websocket")];
    check_headers(&get, 400, "without `upgrade`");
}

#[test]
fn queries_and_origins_that_are_allowed() {
    let body = call("get_order", json!({}));
    let bearer = bearer(&["support"]);
    for more in [
        (":path", "/crm/mcp?session=1"),
        ("origin", "https://app.example.com"),
        ("origin", "http://gw.example.com:8080"),
    ] {
        let came = run(HOLD, &headers(&bearer, &[more]), &[&body], End::Piece);
        assert_eq!(
            (came.status, came.upstream),
            (None, body.clone()),
            "{more:?}"
        );
    }
}

#[test]
fn the_challenge_names_the_metadata() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = Driver::new(&host, &worker);
    driver.request(
        &[
            (":method", "POST"),
            (":path", "/crm/mcp"),
            (":authority", "h"),
        ],
        &[],
        End::Piece,
    );
    let reply = host.with(|inner| inner.replies[0].clone());
    let challenge = reply
        .headers
        .iter()
        .find(|(name, _)| *name == "www-authenticate")
        .unwrap();
    assert_eq!(
        challenge.1,
        "Bearer resource_metadata=\"http://gw.example.com/.well-known/oauth-protected-resource/crm/mcp\", \
         scope=\"mcp:tools\""
    );
    assert_eq!(host.metric("gatehold_refusals.reason=token"), 1);
}

#[test]
fn the_metadata_needs_no_token() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = Driver::new(&host, &worker);
    let path = "/.well-known/oauth-protected-resource/crm/mcp";
    driver.request(
        &[(":method", "GET"), (":path", path), (":authority", "h")],
        &[],
        End::Piece,
    );
    let reply = host.with(|inner| inner.replies[0].clone());
    assert_eq!(reply.status, 200);
    let document: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(document["resource"], "http://gw.example.com/crm/mcp");
    assert_eq!(
        document["authorization_servers"],
        json!(["https://idp.example.com"])
    );
}

#[test]
fn nothing_passes_before_the_first_push() {
    let host = FakeHost::new();
    for config in [HOLD, r#"{"control_cluster": "c", "unmatched": "pass"}"#] {
        let worker = testing::worker(&host, config);
        *worker.snapshot.borrow_mut() = None;
        host.with(|inner| inner.replies.clear());
        let mut driver = Driver::new(&host, &worker);
        driver.request(
            &[(":method", "GET"), (":path", "/"), (":authority", "h")],
            &[],
            End::Piece,
        );
        let reply = host.with(|inner| inner.replies[0].clone());
        assert_eq!(reply.status, 503);
        assert!(String::from_utf8(reply.body).unwrap().contains("-31503"));
    }
}

#[test]
fn foreign_paths_pass_when_they_may() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, r#"{"control_cluster": "c", "unmatched": "pass"}"#);
    let mut driver = Driver::new(&host, &worker);
    let flow = driver.request(
        &[
            (":method", "POST"),
            (":path", "/health"),
            (":authority", "h"),
        ],
        &[b"x"],
        End::Piece,
    );
    assert_eq!(
        (flow, driver.upstream.as_slice()),
        (Flow::Continue, b"x".as_slice())
    );
    let mut driver = Driver::new(&host, &worker);
    driver.request(
        &[
            (":method", "POST"),
            (":path", "/crm//mcp"),
            (":authority", "h"),
        ],
        &[],
        End::Piece,
    );
    assert_eq!(host.with(|inner| inner.replies[0].status), 404);
}

#[test]
fn the_upstream_never_gets_the_token() {
    let host = FakeHost::new();
    for config in [HOLD, GO_AHEAD] {
        let worker = testing::worker(&host, config);
        let mut driver = Driver::new(&host, &worker);
        let bearer = bearer(&["support"]);
        let own = headers(
            &bearer,
            &[
                ("x-gatehold-user", "root"),
                ("x-envoy-max-retries", "9"),
                ("x-original-url", "/admin"),
            ],
        );
        let flow = driver.request(&own, &[], End::Open);
        assert_eq!(
            flow,
            if config == HOLD {
                Flow::Pause
            } else {
                Flow::Continue
            }
        );
        let left = host.with(|inner| inner.headers[0].clone());
        for gone in [
            "authorization",
            "accept-encoding",
            "x-gatehold-user",
            "x-envoy-max-retries",
            "x-original-url",
        ] {
            assert_eq!(left.single(gone), None, "{gone}");
        }
        assert!(left.single("content-type").is_some());
    }
}

#[test]
fn tokens_are_verified_once() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let bearer = bearer(&["support"]);
    for _ in 0..3 {
        let mut driver = Driver::new(&host, &worker);
        driver.request(
            &headers(&bearer, &[]),
            &[&call("get_a", json!({}))],
            End::Piece,
        );
    }
    assert_eq!(host.metric("gatehold_tokens.source=verified"), 1);
    assert_eq!(host.metric("gatehold_tokens.source=remembered"), 2);
    assert_eq!(host.metric("gatehold_decisions.effect=allow"), 3);
}

/// Every host call of the way to a decision fails once, at each of its occurrences: nothing may go on.
#[test]
fn a_failing_host_never_lets_a_request_through() {
    let bearer = bearer(&["support"]);
    let body = call("get_order", json!({}));
    for config in [HOLD, GO_AHEAD] {
        for failing in ["headers", "now", "remove_header", "body", "reply"] {
            for after in 0..3 {
                let host = FakeHost::new();
                let worker = testing::worker(&host, config);
                let mut driver = Driver::new(&host, &worker);
                host.with(|inner| inner.fail = Some((failing, after)));
                driver.request(&headers(&bearer, &[]), &[&body], End::Piece);
                let failed = host.with(|inner| inner.fail == Some((failing, 0)));
                let stopped = host.with(|inner| inner.replies.len() + inner.resets);
                if stopped > 0 {
                    assert_eq!(driver.upstream, b"", "{failing} after {after}");
                    assert_eq!(host.metric("gatehold_refusals.reason=internal"), 1);
                } else {
                    // The call came less often than it was allowed to.
                    assert!(
                        !failed || after > 0 || failing == "reply",
                        "{failing} after {after}"
                    );
                }
            }
        }
    }
}

/// What decides was read before the body; what some server might take for it must not come in behind.
#[test]
fn trailers_decide_nothing() {
    let bearer = bearer(&["support"]);
    let body = call("get_order", json!({}));
    for config in [HOLD, GO_AHEAD] {
        let host = FakeHost::new();
        let worker = testing::worker(&host, config);
        for name in [
            "authorization",
            "X-Gatehold-User",
            "x_gatehold_user",
            "mcp-session-id",
            "Mcp_Name",
            "content-type",
            "x_http_method_override",
            ":path",
            "host",
        ] {
            host.with(|inner| inner.trailers = testing::pairs(&[("x-end", "1"), (name, "x")]));
            let came = run_on(
                &host,
                &worker,
                &headers(&bearer, &[]),
                &[&body],
                End::Trailers,
            );
            assert_eq!(came.status, Some(400), "{name}");
            assert!(came.body.to_string().contains("may not be a trailer"));
            assert_eq!(came.upstream, b"");
        }
        host.with(|inner| inner.trailers = testing::pairs(&[("grpc-status", "0")]));
        let came = run_on(
            &host,
            &worker,
            &headers(&bearer, &[]),
            &[&body],
            End::Trailers,
        );
        assert_eq!(came.upstream, body);
    }
}

/// Neither the client's token nor what would have a call sent twice or taken for another reaches the server.
#[test]
fn what_is_withheld_does_not_go_on() {
    let bearer = bearer(&["support"]);
    let withheld = [
        ("accept-encoding", "gzip"),
        ("X-Envoy-Retry-On", "5xx"),
        ("x-original-url", "/admin"),
        ("x_original_url", "/admin"),
        ("x-http-method-override", "DELETE"),
        ("X_HTTP_Method_Override", "DELETE"),
        ("x-gatehold-user", "root"),
        ("X_Gatehold_User", "root"),
    ];
    for config in [HOLD, GO_AHEAD] {
        let host = FakeHost::new();
        let worker = testing::worker(&host, config);
        let body = call("get_order", json!({}));
        let more = [&withheld[..], &[("x-mine", "1")]].concat();
        let came = run_on(
            &host,
            &worker,
            &headers(&bearer, &more),
            &[&body],
            End::Piece,
        );
        assert_eq!(came.upstream, body);
        host.with(|inner| {
            let left = &inner.headers[0];
            for (name, _) in withheld.iter().chain(&[("authorization", "")]) {
                let name = name.to_ascii_lowercase();
                assert_eq!(left.values(&name).count(), 0, "{name}");
            }
            assert_eq!(left.single("x-mine"), Some(&b"1"[..]));
        });
    }
}

/// A filter before this one may keep a body back, as one does that decodes it: that is no flag that is missing.
#[test]
fn an_empty_piece_says_that_the_body_is_told_of() {
    for told in [false, true] {
        let host = FakeHost::new();
        let worker = testing::worker(&host, HOLD);
        let mut driver = Driver::new(&host, &worker);
        driver.request(&headers(&bearer(&["support"]), &[]), &[], End::Open);
        if told {
            driver.body(Direction::Request, &[b""], End::Open);
        }
        assert_eq!(driver.exchange.is_bodyless(), !told);
        let total = 1_000_000_u64.to_le_bytes().to_vec();
        host.with(|inner| inner.properties.insert("request.total_size".into(), total));
        driver.exchange.bodyless(&host);
        assert_eq!(host.with(|inner| inner.replies.len()), usize::from(!told));
    }
}
