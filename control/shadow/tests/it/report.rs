//! The report, as people and as programs read it.

use expect_test::expect;
use gatehold_shadow::{Observation, Report};
use serde_json::{Value, json};

fn report(lines: &[Value]) -> Report {
    let mut report = Report::default();
    for (second, line) in lines.iter().enumerate() {
        let mut whole = json!({
            "kind": "decision", "sender": "a", "time": format!("2026-01-02T03:04:{second:02}.000000006Z"),
            "server": "crm", "era": "modern", "method": "tools/call", "target": "get", "user": "alice",
            "agent": "desk", "roles": ["support"], "effect": "allow", "rules": ["p/1"],
            "reason": "allowed by rule `p/1`", "outcome": "ok", "enforced": false,
        });
        let fields = whole.as_object_mut().unwrap();
        fields.extend(line.as_object().unwrap().clone());
        if let Some(observation) = Observation::parse(&whole.to_string()).unwrap() {
            report.add(&observation);
        }
    }
    report.finish()
}

fn example() -> Report {
    let denied = |more: Value| {
        let mut line = json!({"effect": "deny", "refusal": "hidden", "rules": [],
            "reason": "no rule allows tool `drop`", "target": "drop"});
        line.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        line
    };
    report(&[
        json!({}),
        json!({}),
        json!({"method": "tools/list", "target": "", "reason": "", "hidden": 2, "rules": []}),
        denied(json!({})),
        denied(json!({})),
        denied(
            json!({"user": "", "agent": "", "roles": [], "refusal": "token", "reason": "a bearer token is required"}),
        ),
        denied(
            json!({"effect": "hold", "refusal": "approval", "target": "refund", "reason": "approval required by rule `p/2`"}),
        ),
        json!({"refusal": "upstream", "reason": "the server's answer is odd \u{1b}[2J", "outcome": "unknown"}),
        json!({"detection": "redact"}),
        // None of these was in shadow mode, or is about a request.
        json!({"enforced": true}),
        json!({"server": "hr", "enforced": true, "effect": "deny", "refusal": "policy"}),
        json!({"kind": "gap"}),
        json!({"sender": "control", "method": "approvals/approve"}),
    ])
}

#[test]
fn who_would_have_been_refused_and_why() {
    expect![[r#"
        crm: 9 requests, from 2026-01-02T03:04:00Z to 2026-01-02T03:04:08Z
          4 would have passed (44.4 %)
          4 would have been refused (44.4 %)
          1 would have waited for a person (11.1 %)
          1 lists would have been shorter
          1 would have been changed or withheld by detection

          not allowed
            count  user       agent  roles    what               last                  why
            2      alice      desk   support  tools/call drop    2026-01-02T03:04:04Z  hidden: no rule allows tool `drop`
            1      alice      desk   support  tools/call get     2026-01-02T03:04:07Z  upstream: the server's answer is odd \u{1b}[2J
            1      alice      desk   support  tools/call refund  2026-01-02T03:04:06Z  approval: approval required by rule `p/2`
            1      (unknown)                  tools/call drop    2026-01-02T03:04:05Z  token: a bearer token is required

          allowed by rules
            count  user   agent  roles    what            last                  why
            3      alice  desk   support  tools/call get  2026-01-02T03:04:08Z  allowed by rule `p/1`
    "#]].assert_eq(&example().to_string());
    expect![[r#"
        nothing was recorded in shadow mode: write `enforce: false` in a Server document
    "#]]
    .assert_eq(&Report::default().to_string());
}

#[test]
fn programs_read_it_too() {
    let json = serde_json::to_value(example()).unwrap();
    let crm = &json["servers"]["crm"];
    assert_eq!(
        (
            &crm["requests"],
            &crm["allowed"],
            &crm["refused"],
            &crm["held"]
        ),
        (&json!(9), &json!(4), &json!(4), &json!(1))
    );
    assert_eq!(
        (&crm["shorter_lists"], &crm["changed"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(crm["not_allowed"][0]["count"], 2);
    assert_eq!(crm["not_allowed"][0]["target"], "drop");
    assert_eq!(json["servers"].as_object().unwrap().len(), 1);
}

#[test]
fn a_line_that_is_no_event_is_an_error() {
    for line in ["", "nothing", "{\"time\": 1}"] {
        let error = Observation::parse(line).unwrap_err().to_string();
        assert!(error.contains("no audit event"), "{error}");
    }
}

/// Whoever invents names does not fill memory.
#[test]
fn there_is_a_bound() {
    let mut report = Report::default();
    for number in 0..10_100 {
        let line = json!({"kind": "decision", "server": "s", "effect": "deny", "refusal": "hidden",
            "method": "tools/call", "target": number.to_string(), "user": "a", "enforced": false});
        report.add(&Observation::parse(&line.to_string()).unwrap().unwrap());
    }
    let report = report.finish();
    let server = &report.servers["s"];
    assert_eq!(
        (server.requests, server.not_allowed.len(), server.omitted),
        (10_100, 10_000, 100)
    );
}

/// Nor does who needs no token for it keep others out of the report.
#[test]
fn who_is_unknown_takes_no_room_of_others() {
    let mut report = Report::default();
    let mut add = |user: &str, number: u32| {
        let line = json!({"kind": "decision", "server": "s", "effect": "deny", "refusal": "token",
            "method": "tools/call", "target": number.to_string(), "user": user, "enforced": false});
        report.add(&Observation::parse(&line.to_string()).unwrap().unwrap());
    };
    for number in 0..20_000 {
        add("", number);
    }
    add("", 0);
    add("alice", 1);
    let report = report.finish();
    let server = &report.servers["s"];
    assert_eq!(
        (server.requests, server.not_allowed.len(), server.omitted),
        (20_002, 1_001, 19_000)
    );
    assert!(server.not_allowed.iter().any(|group| group.user == "alice"));
}
