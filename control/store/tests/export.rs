//! The exported lines: their shape, and that nothing gets lost on the way to them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{batch, event, fields, finding, lines, open};
use expect_test::expect;
use futures_util::TryStreamExt as _;
use gatehold_approvals::Finding;
use gatehold_store::{AuditBatch, AuditEvent, Store};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::time::{Duration, UNIX_EPOCH};

#[tokio::test]
async fn the_shape_of_a_line_is_fixed() {
    let (_directory, store) = open().await;
    let sent = AuditBatch {
        dropped: 2,
        ..batch("a", 1, 1)
    };
    let received = UNIX_EPOCH + Duration::from_nanos(1_700_000_001_000_000_042);
    store.append_received(sent, received).await.unwrap();
    // A change here breaks every chain that exists.
    expect![[r#"
        {"sequence":1,"kind":"gap","time":"2023-11-14T22:13:21.000000042Z","received":"2023-11-14T22:13:21.000000042Z","sender":"a","node":"envoy-1","batch":1,"position":0,"dropped":2,"id":"","server":"","era":"","method":"","target":"","user":"","agent":"","roles":[],"issuer":"","arguments_digest":"","arguments":null,"arguments_cut":false,"effect":"","rules":[],"reason":"","errors":[],"outcome":"","error_code":0,"duration_micros":0,"trace_id":"","request_id":"","policy_version":"","hidden":0,"shown":0,"status":0,"previous_hash":"0000000000000000000000000000000000000000000000000000000000000000","hash":"46494df54477ee509f32b106faaa26958538c1ca3f7a9d7a1e67901894dfc93a"}
        {"sequence":2,"kind":"decision","time":"2023-11-14T22:13:20.123456789Z","received":"2023-11-14T22:13:21.000000042Z","sender":"a","node":"envoy-1","batch":1,"position":1,"dropped":0,"id":"a-1-0","server":"crm","era":"modern","method":"tools/call","target":"refund","user":"ana","agent":"desk","roles":["support","eu"],"issuer":"https://idp.example.com","arguments_digest":"abababababababababababababababababababababababababababababababab","arguments":{"amount":1.50,"note":"naïve \"x\"\n"},"arguments_cut":false,"effect":"deny","rules":["support/2"],"reason":"no rule allows it","errors":["`args.limit` is missing"],"outcome":"denied","error_code":-31403,"duration_micros":250,"trace_id":"0af7651916cd43dd8448eb211c80319c","request_id":"7","policy_version":"v1","hidden":1,"shown":2,"status":200,"previous_hash":"46494df54477ee509f32b106faaa26958538c1ca3f7a9d7a1e67901894dfc93a","hash":"907a638cef96c2d35b4d922fef3d50a65c070c3f18e44b342c850a049bee0968"}"#]].assert_eq(&lines(&store, 1).await.join("\n"));
}

/// Events without findings keep the lines, and so the hashes, that they had before there were any.
#[tokio::test]
async fn findings_stand_before_the_hashes_where_there_are_any() {
    let (_directory, store) = open().await;
    let seen = AuditEvent {
        findings: vec![finding("fetch"), finding("get")],
        findings_omitted: 3,
        detection: "block".to_owned(),
        ..event("x")
    };
    let events = vec![seen, event("y")];
    let sent = AuditBatch {
        events,
        ..batch("a", 1, 0)
    };
    store.append(sent).await.unwrap();
    let exported = lines(&store, 1).await;
    let of = |subject: &str| {
        format!(
            r#"{{"kind":"result","subject":"{subject}","score":0.987,"flagged":true,"features":["override.instructions","secret:card"],"start":12,"end":345,"excerpt":"forget what \"they\" said","shadow":false}}"#
        )
    };
    let expected = format!(
        r#","status":200,"findings":[{},{}],"findings_omitted":3,"detection":"block","previous_hash":"#,
        of("fetch"),
        of("get")
    );
    assert!(exported[0].contains(&expected), "{}", exported[0]);
    assert!(exported[1].contains(r#","status":200,"previous_hash":"#));
    store.verify().await.unwrap();
}

/// Events that were enforced and not refused keep theirs too.
#[tokio::test]
async fn what_was_not_enforced_says_so_before_the_hashes() {
    let (_directory, store) = open().await;
    let seen = AuditEvent {
        refusal: "policy".to_owned(),
        shadow: true,
        ..event("x")
    };
    let events = vec![seen, event("y")];
    let sent = AuditBatch {
        events,
        ..batch("a", 1, 0)
    };
    store.append(sent).await.unwrap();
    let exported = lines(&store, 1).await;
    let expected = r#","status":200,"refusal":"policy","enforced":false,"previous_hash":"#;
    assert!(exported[0].contains(expected), "{}", exported[0]);
    assert!(exported[1].contains(r#","status":200,"previous_hash":"#));
    store.verify().await.unwrap();
}

/// What the documentation promises: SHA-256 over the line without its last field.
#[tokio::test]
async fn anybody_can_check_an_exported_chain() {
    let (_directory, store) = open().await;
    store
        .append(AuditBatch {
            dropped: 1,
            ..batch("a", 1, 3)
        })
        .await
        .unwrap();
    let mut previous = "0".repeat(64);
    for line in lines(&store, 1).await {
        let (start, end) = line.split_at(line.len() - r#","hash":"}"#.len() - 1 - 64);
        let hash: String = Sha256::digest(format!("{start}}}"))
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(end, format!(r#","hash":"{hash}"}}"#));
        assert!(start.ends_with(&format!(r#","previous_hash":"{previous}""#)));
        previous = hash;
    }
    assert_eq!(previous, store.head().await.unwrap().hash.to_string());
}

#[tokio::test]
async fn arguments_are_a_value_when_they_are_an_object() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(500), "}".repeat(500));
    let (_directory, store) = open().await;
    let cases = [
        ("", "null"),
        ("{}", "{}"),
        // Numbers stay as they were written.
        (
            r#"{"a":12345678901234567890123,"b":1.10}"#,
            r#"{"a":12345678901234567890123,"b":1.10}"#,
        ),
        (r#"{"a":"cut he"#, r#""{\"a\":\"cut he""#),
        ("null", r#""null""#),
        (r#""text""#, r#""\"text\"""#),
        ("[1]", r#""[1]""#),
        // One event is one line, whatever was sent.
        ("{\n}", r#""{\n}""#),
        ("{\"a\":1}\r", r#""{\"a\":1}\r""#),
        (deep.as_str(), &Value::from(deep.as_str()).to_string()),
    ];
    for ((arguments, expected), number) in cases.into_iter().zip(1..) {
        let events = vec![AuditEvent {
            arguments: arguments.to_owned(),
            ..event("x")
        }];
        store
            .append(AuditBatch {
                events,
                ..batch("a", number, 0)
            })
            .await
            .unwrap();
        let line = lines(&store, number).await.remove(0);
        let found = format!(r#""arguments":{expected},"arguments_cut":"#);
        assert!(line.contains(&found), "{arguments}: {line}");
        assert!(!line.contains(['\n', '\r']));
    }
    store.verify().await.unwrap();
}

#[tokio::test]
async fn an_export_starts_anywhere_and_ends_where_the_chain_ended_when_it_began() {
    let (_directory, store) = open().await;
    for number in 1..=6 {
        store.append(batch("a", number, 100)).await.unwrap();
    }
    assert_eq!(fields(&store, "sequence").await.len(), 600);
    for (from, count) in [
        (0, 600),
        (1, 600),
        (2, 599),
        (600, 1),
        (601, 0),
        (u64::MAX, 0),
    ] {
        assert_eq!(lines(&store, from).await.len(), count, "from {from}");
    }
    let mut export = std::pin::pin!(store.export(1));
    let mut count = 0;
    while export.try_next().await.unwrap().is_some() {
        count += 1;
        if count % 100 == 0 {
            store.append(batch("b", count, 1)).await.unwrap();
        }
    }
    assert_eq!(count, 600);
    assert_eq!(store.verify().await.unwrap().events, 606);
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        any::<String>(),
        "[\"\\\\\n\r\u{0}\u{7f}\u{2028}{},:a]{0,8}"
    ]
}

fn any_event() -> impl Strategy<Value = AuditEvent> {
    let texts = prop::collection::vec(any_text(), 20);
    let lists = prop::collection::vec(prop::collection::vec(any_text(), 0..3), 3);
    let findings = prop::collection::vec(any_finding(), 0..3);
    let numbers = any::<(u64, u64, i64, bool, [u32; 4])>();
    (texts, lists, findings, numbers).prop_map(
        |(texts, lists, findings, (time, duration, code, cut, counts))| {
            let [hidden, shown, status, omitted] = counts;
            let (mut texts, mut lists) = (texts.into_iter(), lists.into_iter());
            let mut text = || texts.next().unwrap();
            let mut list = || lists.next().unwrap();
            AuditEvent {
                id: text(),
                time_unix_nanos: time,
                server: text(),
                era: text(),
                method: text(),
                target: text(),
                user: text(),
                agent: text(),
                roles: list(),
                issuer: text(),
                arguments_digest: text(),
                arguments: text(),
                arguments_cut: cut,
                effect: text(),
                rules: list(),
                reason: text(),
                errors: list(),
                outcome: text(),
                error_code: code,
                duration_micros: duration,
                trace_id: text(),
                request_id: text(),
                policy_version: text(),
                hidden,
                shown,
                status,
                approval: text(),
                findings,
                findings_omitted: omitted,
                detection: text(),
                refusal: text(),
                shadow: cut,
            }
        },
    )
}

fn any_finding() -> impl Strategy<Value = Finding> {
    let texts = [any_text(), any_text(), any_text()];
    let features = prop::collection::vec(any_text(), 0..3);
    let numbers = (0..=1000_u16, any::<(bool, u64, u64, bool)>());
    (texts, features, numbers).prop_map(
        |([kind, subject, excerpt], features, (score, (flagged, start, end, shadow)))| Finding {
            kind,
            subject,
            score,
            flagged,
            features,
            start,
            end,
            excerpt,
            shadow,
        },
    )
}

fn expected(event: &AuditEvent) -> Value {
    let mut expected = json!({
        "id": event.id, "server": event.server, "era": event.era, "method": event.method,
        "target": event.target, "user": event.user, "agent": event.agent, "roles": event.roles,
        "issuer": event.issuer, "arguments_digest": event.arguments_digest,
        "arguments_cut": event.arguments_cut, "effect": event.effect, "rules": event.rules,
        "reason": event.reason, "errors": event.errors, "outcome": event.outcome,
        "error_code": event.error_code, "duration_micros": event.duration_micros,
        "trace_id": event.trace_id, "request_id": event.request_id,
        "policy_version": event.policy_version, "hidden": event.hidden, "shown": event.shown,
        "status": event.status,
    });
    // Events from before there were approvals keep their lines, and so their hashes.
    if !event.approval.is_empty() {
        let fields = expected.as_object_mut().unwrap();
        fields.insert("approval".to_owned(), event.approval.as_str().into());
    }
    // Likewise those from before there was detection.
    let fields = expected.as_object_mut().unwrap();
    if !event.findings.is_empty() {
        let findings = event.findings.iter().map(|finding| {
            json!({
                "kind": finding.kind, "subject": finding.subject,
                "score": f64::from(finding.score) / 1000.0, "flagged": finding.flagged,
                "features": finding.features, "start": finding.start, "end": finding.end,
                "excerpt": finding.excerpt, "shadow": finding.shadow,
            })
        });
        fields.insert("findings".to_owned(), findings.collect());
    }
    if event.findings_omitted > 0 {
        let omitted = event.findings_omitted.into();
        fields.insert("findings_omitted".to_owned(), omitted);
    }
    if !event.detection.is_empty() {
        fields.insert("detection".to_owned(), event.detection.as_str().into());
    }
    if !event.refusal.is_empty() {
        fields.insert("refusal".to_owned(), event.refusal.as_str().into());
    }
    if event.shadow {
        fields.insert("enforced".to_owned(), false.into());
    }
    expected
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a sender sends is stored, exported as it was, and part of a chain that verifies.
    #[test]
    fn any_batch_comes_out_as_it_went_in(
        sender in any_text(), node in any_text(), number: u64, dropped: u64,
        events in prop::collection::vec(any_event(), 0..4),
    ) {
        let sent = AuditBatch { sender, node, batch: number, dropped, events };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let lines = runtime.block_on(async {
            let (_directory, path) = common::place();
            let store = Store::open(path).await.unwrap();
            store.append(sent.clone()).await.unwrap();
            store.verify().await.unwrap();
            let lines = lines(&store, 1).await;
            store.close().await;
            lines
        });
        let gap = usize::from(dropped > 0);
        prop_assert_eq!(lines.len(), sent.events.len() + gap);
        for (line, event) in lines.iter().skip(gap).zip(&sent.events) {
            prop_assert!(!line.contains(['\n', '\r']));
            let value: Value = serde_json::from_str(line).unwrap();
            prop_assert_eq!(&value["sender"], &json!(sent.sender));
            prop_assert_eq!(&value["node"], &json!(sent.node));
            prop_assert_eq!(&value["batch"], &json!(sent.batch));
            for (key, expected) in expected(event).as_object().unwrap() {
                prop_assert_eq!(&value[key], expected, "{}", key);
            }
        }
    }
}
