//! Tasks belong to the caller that started them.

use super::*;

/// Starts a task and gives the id that the client gets.
fn started(host: &FakeHost, worker: &Rc<Worker>) -> String {
    let mut driver = answered(host, worker, &call("get_order", json!({})));
    let answer = json!({ "jsonrpc": "2.0", "id": 7, "result": {
        "task": { "taskId": "t-1", "status": "working" },
    } });
    driver.response(JSON, &[answer.to_string().as_bytes()], End::Piece);
    driver.exchange.done(host);
    let events = testing::events(worker);
    assert_eq!(events[0].outcome, "task");
    let client: Value = serde_json::from_slice(&driver.client).unwrap();
    client["result"]["task"]["taskId"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_task_is_its_callers_alone() {
    for config in [HOLD, GO_AHEAD] {
        let host = FakeHost::new();
        let worker = testing::worker(&host, config);
        let task = started(&host, &worker);
        assert!(task.ends_with(".t-1"), "{task}");
        let ann = bearer(&["support"]);
        let bob = format!("Bearer {}", testing::token_of("bob", "agent-1"));
        let ask = |authorization: &str, task: &str, method: &str| {
            let body = rpc(method, json!({ "taskId": task }));
            let length = body.len().to_string();
            let headers = headers(authorization, &[("content-length", &length)]);
            run_on(&host, &worker, &headers, &[&body], End::Trailers)
        };
        for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
            let came = ask(&ann, &task, method);
            assert_eq!(came.upstream, rpc(method, json!({ "taskId": "t-1" })));
            let length = host.with(|inner| {
                let length = inner.headers[0].single("content-length");
                length.map(<[u8]>::to_vec)
            });
            let expected = (config == HOLD).then(|| came.upstream.len().to_string().into_bytes());
            assert_eq!(length, expected);
            for (who, task) in [(&bob, task.as_str()), (&ann, "t-1"), (&ann, "")] {
                let came = ask(who, task, method);
                assert_eq!(
                    (came.status, came.upstream.as_slice()),
                    (Some(200), &b""[..])
                );
                assert_eq!(came.body["error"]["message"], "Task not found");
                assert_eq!(came.events[0].effect, "deny");
            }
        }
        // The server cannot tell whose tasks these are.
        let came = ask(&ann, &task, "tasks/list");
        assert_eq!(came.body["error"]["code"], -32601);
        assert_eq!(came.upstream, b"");
    }
}

#[test]
fn the_mirrored_name_is_opened_too() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let task = started(&host, &worker);
    let ann = bearer(&["support"]);
    let ask = |name: &str, task: &str| {
        let body = rpc(
            "tasks/get",
            json!({ "taskId": task, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {
                    "extensions": { "io.modelcontextprotocol/tasks": {} },
                },
        } }),
        );
        let modern = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tasks/get"),
            ("mcp-name", name),
        ];
        run_on(
            &host,
            &worker,
            &headers(&ann, &modern),
            &[&body],
            End::Piece,
        )
    };
    let came = ask(&task, &task);
    let upstream: Value = serde_json::from_slice(&came.upstream).unwrap();
    assert_eq!(upstream["params"]["taskId"], "t-1");
    host.with(|inner| assert_eq!(inner.headers[0].single("mcp-name"), Some(&b"t-1"[..])));

    assert_eq!(ask("t-1", &task).status, Some(400));
    assert_eq!(ask("t-1", "t-1").body["error"]["message"], "Task not found");
    assert_eq!(ask(&task, "t-1").status, Some(400));
}

#[test]
fn news_of_tasks_are_sealed_in_streams() {
    let host = FakeHost::new();
    let worker = testing::worker(&host, HOLD);
    let mut driver = answered(&host, &worker, &call("get_order", json!({})));
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/tasks/status",
        "params": { "taskId": "t-1", "status": "completed" } });
    let event = format!("data: {note}\n\n");
    driver.response(SSE, &[event.as_bytes()], End::Open);
    let client = String::from_utf8(driver.client.clone()).unwrap();
    assert!(
        client.contains(".t-1\"") && !client.contains("\"t-1\""),
        "{client}"
    );
}
