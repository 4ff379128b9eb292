//! What is written from borrowed parts is what the messages' own encoding writes.

use gatehold_wire::audit::{AppendRequest, Event, Finding};
use gatehold_wire::{EventRef, append_request};
use proptest::prelude::*;
use prost::Message as _;

fn borrowed(event: &Event) -> EventRef<'_> {
    // Without `..`: a field that is added to the message does not compile until it is here.
    let Event {
        id,
        time_unix_nanos,
        server,
        era,
        method,
        target,
        user,
        agent,
        roles,
        issuer,
        arguments_digest,
        arguments,
        arguments_cut,
        effect,
        rules,
        reason,
        errors,
        outcome,
        error_code,
        duration_micros,
        trace_id,
        request_id,
        policy_version,
        hidden,
        shown,
        status,
        arguments_raw,
        approval,
        findings,
        findings_omitted,
        detection,
        refusal,
        shadow,
    } = event;
    EventRef {
        id,
        time_unix_nanos: *time_unix_nanos,
        server,
        era,
        method,
        target,
        user,
        agent,
        roles: roles.iter().map(String::as_str).collect(),
        issuer,
        arguments_digest,
        arguments,
        arguments_cut: *arguments_cut,
        effect,
        rules: rules.iter().map(String::as_str).collect(),
        reason,
        errors: errors.iter().map(String::as_str).collect(),
        outcome,
        error_code: *error_code,
        duration_micros: *duration_micros,
        trace_id,
        request_id,
        policy_version,
        hidden: *hidden,
        shown: *shown,
        status: *status,
        arguments_raw: *arguments_raw,
        approval,
        findings,
        findings_omitted: *findings_omitted,
        detection,
        refusal,
        shadow: *shadow,
    }
}

fn finding() -> impl Strategy<Value = Finding> {
    let text = || "[a-zé]{0,9}";
    (
        [text(), text(), text()],
        any::<(f64, bool, bool)>(),
        proptest::collection::vec(text(), 0..3),
        any::<(u64, u64)>(),
    )
        .prop_map(|([kind, subject, excerpt], numbers, features, span)| {
            let (score, flagged, shadow) = numbers;
            Finding {
                kind,
                subject,
                score,
                flagged,
                features,
                start: span.0,
                end: span.1,
                excerpt,
                shadow,
            }
        })
}

fn event() -> impl Strategy<Value = Event> {
    let text = || "[a-zé\"]{0,20}";
    let texts = || proptest::collection::vec("[a-z]{0,6}", 0..4);
    (
        proptest::collection::vec(text(), 19),
        [texts(), texts(), texts()],
        (any::<u64>(), any::<bool>(), any::<i64>(), any::<u64>()),
        any::<[u32; 4]>(),
        proptest::collection::vec(finding(), 0..3),
    )
        .prop_map(
            |(mut text, [roles, rules, errors], numbers, counts, findings)| {
                let [hidden, shown, status, findings_omitted] = counts;
                let mut text = || text.pop().unwrap_or_default();
                let (time_unix_nanos, arguments_cut, error_code, duration_micros) = numbers;
                Event {
                    id: text(),
                    time_unix_nanos,
                    server: text(),
                    era: text(),
                    method: text(),
                    target: text(),
                    user: text(),
                    agent: text(),
                    roles,
                    issuer: text(),
                    arguments_digest: text(),
                    arguments: text(),
                    arguments_cut,
                    effect: text(),
                    rules,
                    reason: text(),
                    errors,
                    outcome: text(),
                    error_code,
                    duration_micros,
                    trace_id: text(),
                    request_id: text(),
                    policy_version: text(),
                    hidden,
                    shown,
                    status,
                    arguments_raw: arguments_cut,
                    approval: text(),
                    findings,
                    findings_omitted,
                    detection: text(),
                    refusal: text(),
                    shadow: arguments_cut,
                }
            },
        )
}

proptest! {
    #[test]
    fn events_are_the_same_bytes(event in event()) {
        prop_assert_eq!(borrowed(&event).encode(), event.encode_to_vec());
    }

    #[test]
    fn batches_are_the_same_bytes(
        events in proptest::collection::vec(event(), 0..4),
        (sender, node) in ("[a-z]{0,9}", "[a-z]{0,9}"),
        (batch, dropped) in any::<(u64, u64)>(),
    ) {
        let encoded: Vec<Vec<u8>> = events.iter().map(Event::encode_to_vec).collect();
        let written = append_request(&sender, batch, &node, encoded.iter().map(Vec::as_slice), dropped);
        let request = AppendRequest { sender, batch, node, events, dropped };
        prop_assert_eq!(written, request.encode_to_vec());
    }
}
