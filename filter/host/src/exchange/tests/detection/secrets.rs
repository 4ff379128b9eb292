//! Secrets in what needs approval, and in what nobody judged by what it says.

use super::requests::{approve, send, waits};
use super::*;
use crate::hold::{Event as Told, Pending};
use gatehold_wire::hold::{Claimed, HeldCall, Mechanism, TaskState};

/// A call that policy has wait, with a card number.
fn risky() -> Vec<u8> {
    call("refund", json!({ "amount": 5000, "note": card() }))
}

#[test]
fn what_was_approved_is_not_told_either() {
    for (action, goes_on) in [(Do::Log, true), (Do::Redact, false)] {
        let host = FakeHost::new();
        let worker = worker(&host, secrets(action, Do::Log));
        let mut driver = Driver::new(&host, &worker);
        let bearer = bearer(&["support"]);
        driver.request(&headers(&bearer, &[]), &[&risky()], End::Piece);
        let [(waiter, wait)] = waits(&worker).try_into().unwrap();
        let asked = wait.call.unwrap();
        assert_eq!(asked.arguments.contains("4111"), goes_on, "{action:?}");
        approve(&mut driver, &host, &waiter, asked.digest);
        assert_eq!(host.with(|inner| inner.resumes), 1, "{action:?}");
        driver.exchange.done(&host);
        let sent = host.with(|inner| inner.bodies[0].clone());
        let sent = String::from_utf8_lossy(&sent).into_owned();
        assert_eq!(sent.contains("4111"), goes_on, "{action:?} {sent}");
        let events = testing::events(&worker);
        let [event] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert!(!format!("{event:?}").contains("4111"), "{event:?}");
        assert_eq!(event.arguments_digest.len(), 64);
        assert_eq!(event.approval, "a");
    }
}

#[test]
fn what_is_denied_is_not_told_either() {
    let note = format!("{} {}", card(), "x".repeat(200));
    let uri = ["postgres://ann:", "Tr0ub4dor-x9", "@db.example.com/crm"].concat();
    for (body, hidden) in [
        (call("drop_all", json!({ "note": card() })), "4111"),
        (call("drop_all", json!({ "note": note })), "4111"),
        (call("unknown", json!({ "note": card() })), "4111"),
        (rpc("x/y", json!({ "note": card() })), "4111"),
        (rpc("resources/read", json!({ "uri": uri })), "Tr0ub4dor"),
    ] {
        for (action, told) in [(Do::Log, false), (Do::Off, true)] {
            let host = FakeHost::new();
            let worker = worker(&host, secrets(action, Do::Log));
            let came = send(&worker, &host, &body);
            assert_eq!(came.upstream, b"");
            let event = &came.events[0];
            let context = format!("{action:?} {event:?}");
            assert_eq!(event.effect, "deny", "{context}");
            assert_eq!(context.contains(hidden), told, "{context}");
        }
    }
}

#[test]
fn a_task_is_kept_without_secrets() {
    let host = FakeHost::new();
    let worker = worker(&host, secrets(Do::Redact, Do::Log));
    let bearer = bearer(&["support"]);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {
            "extensions": { "io.modelcontextprotocol/tasks": {} },
        },
    });
    let arguments = json!({ "amount": 5000, "note": card() });
    let body = rpc(
        "tools/call",
        json!({ "name": "refund", "arguments": arguments, "_meta": meta }),
    );
    let version = ("mcp-protocol-version", "2026-07-28");
    let named = [
        version,
        ("mcp-method", "tools/call"),
        ("mcp-name", "refund"),
    ];
    let mut driver = Driver::new(&host, &worker);
    driver.request(&headers(&bearer, &named), &[&body], End::Piece);
    let [(_, wait)] = waits(&worker).try_into().unwrap();
    assert_eq!(wait.mechanism(), Mechanism::Task);
    let kept = HeldCall::decode(wait.body.as_slice()).unwrap();
    let text = String::from_utf8(kept.body).unwrap();
    assert!(!text.contains("4111") && text.contains("note"), "{text}");
    let pending = Pending {
        approval: "a".into(),
        ..Pending::default()
    };
    driver.exchange.event(&host, Told::Pending(pending));
    driver.exchange.done(&host);
    let reply = host.with(|inner| inner.replies.pop().unwrap());
    host.with(|inner| inner.bodies = Default::default());
    let task = self::body(&reply.body)["result"]["taskId"].clone();
    let task = task.as_str().unwrap();

    let poll = rpc("tasks/get", json!({ "taskId": task, "_meta": meta }));
    let named = [version, ("mcp-method", "tasks/get"), ("mcp-name", task)];
    let mut driver = Driver::new(&host, &worker);
    driver.request(&headers(&bearer, &named), &[&poll], End::Piece);
    let state = TaskState {
        approval: "a".into(),
        status: "working".into(),
        claimable: true,
        ..TaskState::default()
    };
    driver.exchange.event(&host, Told::Task(state));
    let claimed = Claimed {
        approval: "a".into(),
        granted: true,
        digest: wait.call.unwrap().digest,
        body: wait.body,
        ..Claimed::default()
    };
    driver.exchange.event(&host, Told::Claimed(claimed));
    let replies = host.with(|inner| inner.replies.clone());
    assert!(replies.is_empty(), "{replies:?}");
    assert_eq!(host.with(|inner| inner.resumes), 1);
    driver.exchange.done(&host);
    let events = testing::events(&worker);
    assert!(!format!("{events:?}").contains("4111"), "{events:?}");
}
