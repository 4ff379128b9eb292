//! From the messages of the audit stream.

use gatehold_approvals::Finding;
use gatehold_store::{AuditBatch, AuditEvent};
use gatehold_wire::audit;

/// Every field of the message arrives: the message is built without `..`, so a new field fails to compile.
#[test]
fn every_field_of_the_message_arrives() {
    let message = audit::AppendRequest {
        sender: "a".to_owned(),
        batch: 7,
        node: "envoy-1".to_owned(),
        events: vec![audit::Event {
            id: "1".to_owned(),
            time_unix_nanos: 2,
            server: "3".to_owned(),
            era: "4".to_owned(),
            method: "5".to_owned(),
            target: "6".to_owned(),
            user: "7".to_owned(),
            agent: "8".to_owned(),
            roles: vec!["9".to_owned()],
            issuer: "10".to_owned(),
            arguments_digest: "11".to_owned(),
            arguments: "12".to_owned(),
            arguments_cut: true,
            effect: "14".to_owned(),
            rules: vec!["15".to_owned()],
            reason: "16".to_owned(),
            errors: vec!["17".to_owned()],
            outcome: "18".to_owned(),
            error_code: -19,
            duration_micros: 20,
            trace_id: "21".to_owned(),
            request_id: "22".to_owned(),
            policy_version: "23".to_owned(),
            hidden: 24,
            shown: 25,
            status: 26,
            arguments_raw: false,
            approval: "28".to_owned(),
            findings: vec![audit::Finding {
                kind: "29.1".to_owned(),
                subject: "29.2".to_owned(),
                score: 0.2903,
                flagged: true,
                features: vec!["29.5".to_owned()],
                start: 296,
                end: 297,
                excerpt: "29.8".to_owned(),
                shadow: true,
            }],
            findings_omitted: 30,
            detection: "31".to_owned(),
            refusal: "32".to_owned(),
            shadow: true,
        }],
        dropped: 3,
    };
    let expected = AuditEvent {
        id: "1".to_owned(),
        time_unix_nanos: 2,
        server: "3".to_owned(),
        era: "4".to_owned(),
        method: "5".to_owned(),
        target: "6".to_owned(),
        user: "7".to_owned(),
        agent: "8".to_owned(),
        roles: vec!["9".to_owned()],
        issuer: "10".to_owned(),
        arguments_digest: "11".to_owned(),
        arguments: "12".to_owned(),
        arguments_cut: true,
        effect: "14".to_owned(),
        rules: vec!["15".to_owned()],
        reason: "16".to_owned(),
        errors: vec!["17".to_owned()],
        outcome: "18".to_owned(),
        error_code: -19,
        duration_micros: 20,
        trace_id: "21".to_owned(),
        request_id: "22".to_owned(),
        policy_version: "23".to_owned(),
        hidden: 24,
        shown: 25,
        status: 26,
        approval: "28".to_owned(),
        findings: vec![Finding {
            kind: "29.1".to_owned(),
            subject: "29.2".to_owned(),
            score: 290,
            flagged: true,
            features: vec!["29.5".to_owned()],
            start: 296,
            end: 297,
            excerpt: "29.8".to_owned(),
            shadow: true,
        }],
        findings_omitted: 30,
        detection: "31".to_owned(),
        refusal: "32".to_owned(),
        shadow: true,
    };
    let batch = AuditBatch::from(message);
    assert_eq!(
        (batch.sender.as_str(), batch.node.as_str()),
        ("a", "envoy-1")
    );
    assert_eq!((batch.batch, batch.dropped), (7, 3));
    assert_eq!(batch.events, [expected]);
}

#[test]
fn arguments_that_came_whole_are_digested() {
    let check = |arguments: &str, cut: bool, digest: &str, expected: &str| {
        let event = audit::Event {
            arguments: arguments.to_owned(),
            arguments_cut: cut,
            arguments_digest: digest.to_owned(),
            ..audit::Event::default()
        };
        assert_eq!(
            AuditEvent::from(event).arguments_digest,
            expected,
            "{arguments}"
        );
    };
    // printf '{"a":1}' | sha256sum
    let digest = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
    check(r#"{"a":1}"#, false, "", digest);
    check(r#"{"a":1}"#, false, "given", "given");
    check(r#"{"a":"#, true, "given", "given");
    check("", false, "given", "given");
    check("", false, "", "");
}

#[test]
fn arguments_as_they_were_written_are_brought_into_form() {
    let check = |arguments: &str, expected: &str| {
        let event = |arguments: &str, arguments_raw| audit::Event {
            arguments: arguments.to_owned(),
            arguments_raw,
            ..audit::Event::default()
        };
        let found = AuditEvent::from(event(arguments, true));
        // As if the filter had done it.
        assert_eq!(
            found,
            AuditEvent::from(event(expected, false)),
            "{arguments}"
        );
    };
    check(r#"{ "b": 1.0, "a": "\u00e9" }"#, r#"{"a":"é","b":1}"#);
    check("no JSON", "no JSON");
}
