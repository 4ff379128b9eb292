//! What is proposed, held against the engine that decides in the filters.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};
use gatehold_shadow::{By, Observation, Planner};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{
    Call, SERVERS, allows, calls, documents, nothing, people, plan, policies, seen, target,
};

#[track_caller]
fn check(by: By, lines: &[Value], expected: Expect) {
    let observations: Vec<_> = lines.iter().cloned().map(seen).collect();
    let plan = plan(by, &observations);
    documents(&plan);
    expected.assert_eq(&plan.to_string());
}

#[test]
fn users_get_what_they_did() {
    check(
        By::Role,
        &[
            json!({}),
            json!({}),
            json!({"target": "refund", "effect": "allow", "refusal": "", "rules": ["p/1"]}),
            json!({"target": "pay"}),
            json!({"method": "resources/read", "target": "docs://a/b"}),
            json!({"method": "completion/complete", "target": "docs://a/{b}", "reason": "no rule allows resource `docs://a/{b}`"}),
            json!({"method": "completion/complete", "target": "docs://c", "reason": "no rule allows prompt `docs://c`"}),
            json!({"method": "completion/complete", "target": "docs://d", "reason": "no rule allows resources"}),
            json!({"method": "prompts/get", "target": "true"}),
            json!({"method": "custom/thing", "target": "", "server": "hr"}),
            json!({"method": "tools/list", "target": "", "effect": "allow", "refusal": ""}),
            json!({"method": "ping", "target": "", "effect": "allow", "refusal": ""}),
        ],
        expect![[r##"
            # Proposed by `gatehold suggest` from what was seen: read it before you use it.
            # 12 requests from 2026-01-02T03:04:05.000000006Z to 2026-01-02T03:04:05.000000006Z.
            # It allows each principal what it did and no rule allows, by exact names, whatever the arguments; the numbers say how often.
            # It belongs beside the documents that it was made with: what their rules allow is not repeated.
            # Not proposed for `crm`: a name is too long to be recorded or for a rule, has a secret in it, or is none that a rule can have (1).
            ---
            apiVersion: gatehold.io/v1
            kind: Policy
            metadata: { name: seen-alice }
            spec:
              subjects: { users: [alice], agents: [desk] }
              rules:
                - allow:
                    server: crm
                    tools:
                      - get # 2
                      - pay # 1
                    resources:
                      - "docs://a/b" # 1
                      - "docs://a/{b}" # 1
                    prompts:
                      - "docs://c" # 1
                      - "true" # 1
                - allow:
                    server: hr
                    methods:
                      - custom/thing # 1
        "##]],
    );
}

#[test]
fn roles_get_what_all_who_have_them_did() {
    let bob = json!({"user": "bob"});
    let carol = json!({"user": "carol", "roles": ["support", "lead"]});
    let of_carol = json!({"user": "carol", "roles": ["support", "lead"], "target": "refund"});
    let lines = [json!({}), bob, carol, of_carol];
    check(
        By::Role,
        &lines,
        expect![[r#"
            # Proposed by `gatehold suggest` from what was seen: read it before you use it.
            # 4 requests from 2026-01-02T03:04:05.000000006Z to 2026-01-02T03:04:05.000000006Z.
            # It allows each principal what it did and no rule allows, by exact names, whatever the arguments; the numbers say how often.
            # It belongs beside the documents that it was made with: what their rules allow is not repeated.
            ---
            apiVersion: gatehold.io/v1
            kind: Policy
            metadata: { name: seen-support }
            spec:
              subjects: { roles: [support], agents: [desk] }
              rules:
                - allow:
                    server: crm
                    tools:
                      - get # 3
            ---
            apiVersion: gatehold.io/v1
            kind: Policy
            metadata: { name: seen-carol }
            spec:
              subjects: { users: [carol], agents: [desk] }
              rules:
                - allow:
                    server: crm
                    tools:
                      - refund # 1
        "#]],
    );
    check(
        By::User,
        &lines,
        expect![[r#"
            # Proposed by `gatehold suggest` from what was seen: read it before you use it.
            # 4 requests from 2026-01-02T03:04:05.000000006Z to 2026-01-02T03:04:05.000000006Z.
            # It allows each principal what it did and no rule allows, by exact names, whatever the arguments; the numbers say how often.
            # It belongs beside the documents that it was made with: what their rules allow is not repeated.
            ---
            apiVersion: gatehold.io/v1
            kind: Policy
            metadata: { name: seen-alice }
            spec:
              subjects: { users: [alice, bob], agents: [desk] }
              rules:
                - allow:
                    server: crm
                    tools:
                      - get # 2
            ---
            apiVersion: gatehold.io/v1
            kind: Policy
            metadata: { name: seen-carol }
            spec:
              subjects: { users: [carol], agents: [desk] }
              rules:
                - allow:
                    server: crm
                    tools:
                      - get # 1
                      - refund # 1
        "#]],
    );
}

#[test]
fn what_no_rule_should_allow_is_not_proposed() {
    check(
        By::Role,
        &[
            json!({"refusal": "token", "user": ""}),
            json!({"rules": ["guardrails/1"], "target": "delete"}),
            json!({"effect": "hold", "refusal": "approval", "target": "refund"}),
            json!({"refusal": "detection", "target": "send"}),
            json!({"refusal": "malformed", "method": "", "target": ""}),
            json!({"refusal": "too_large", "method": "", "target": ""}),
            json!({"enforced": true, "target": "drop"}),
            json!({"target": "x".repeat(1024)}),
            json!({"target": "a [withheld by Gatehold]"}),
            json!({"effect": "", "refusal": "", "outcome": "aborted"}),
        ],
        expect![[r#"
            # Proposed by `gatehold suggest` from what was seen: read it before you use it.
            # 10 requests from 2026-01-02T03:04:05.000000006Z to 2026-01-02T03:04:05.000000006Z.
            # It allows each principal what it did and no rule allows, by exact names, whatever the arguments; the numbers say how often.
            # It belongs beside the documents that it was made with: what their rules allow is not repeated.
            # There is nothing that needs a rule.
            # Not proposed for `crm`: nobody knows who sent them: no token, or none that holds (1).
            # Not proposed for `crm`: a `deny` rule of yours forbids them (1).
            # Not proposed for `crm`: they wait for approval (1).
            # Not proposed for `crm`: detection stands against them (1).
            # Not proposed for `crm`: no rule can allow them: they cannot be read, or not like this (3).
            # Not proposed for `crm`: they were refused where policy is enforced (1).
            # Not proposed for `crm`: a name is too long to be recorded or for a rule, has a secret in it, or is none that a rule can have (2).
        "#]],
    );
}

#[test]
fn names_that_no_pattern_can_have_are_named_by_conditions() {
    check(
        By::Role,
        &[
            json!({"target": "all*"}),
            json!({"target": "get customer"}),
            json!({"target": "odd \"one\" \u{202e}\n"}),
            json!({"target": "get", "user": "who*", "agent": ""}),
        ],
        expect![[r##"
            # Proposed by `gatehold suggest` from what was seen: read it before you use it.
            # 4 requests from 2026-01-02T03:04:05.000000006Z to 2026-01-02T03:04:05.000000006Z.
            # It allows each principal what it did and no rule allows, by exact names, whatever the arguments; the numbers say how often.
            # It belongs beside the documents that it was made with: what their rules allow is not repeated.
            ---
            apiVersion: gatehold.io/v1
            kind: Policy
            metadata: { name: seen-alice }
            spec:
              subjects: { users: [alice], agents: [desk] }
              rules:
                - allow:
                    server: crm
                    tools: ["all*"] # 1
                    when: "tool.name == \"all*\""
                - allow:
                    server: crm
                    tools: ["get*customer"] # 1
                    when: "tool.name == \"get customer\""
                - allow:
                    server: crm
                    tools: ["odd*\"one\"*\u202e*"] # 1
                    when: "tool.name == \"odd \\\"one\\\" \\u202e\\n\""
            ---
            apiVersion: gatehold.io/v1
            kind: Policy
            metadata: { name: seen-who }
            spec:
              rules:
                - allow:
                    server: crm
                    tools:
                      - get # 1
                    when: "user.id == \"who*\" && agent.id == \"\""
        "##]],
    );
}

/// Whoever invents names has nothing proposed that does not compile.
#[test]
fn hidden_characters_are_written_such_that_documents_read_them() {
    let tags = |many: usize| "\u{e0041}".repeat(many);
    check(
        By::Role,
        &[
            json!({"target": format!("x {}", tags(1))}),
            json!({"target": format!("y{}", tags(1))}),
            json!({"target": format!("too long {}", tags(240))}),
            json!({"target": "get", "user": format!("*{}", tags(240))}),
            json!({"target": format!("long {}", tags(110)), "user": format!("*{}", tags(110))}),
            json!({"target": "get", "user": "u".repeat(1024)}),
            json!({"target": "get", "agent": "a".repeat(1022)}),
        ],
        expect![[r##"
            # Proposed by `gatehold suggest` from what was seen: read it before you use it.
            # 7 requests from 2026-01-02T03:04:05.000000006Z to 2026-01-02T03:04:05.000000006Z.
            # It allows each principal what it did and no rule allows, by exact names, whatever the arguments; the numbers say how often.
            # It belongs beside the documents that it was made with: what their rules allow is not repeated.
            # Not proposed for `crm`: a name is too long to be recorded or for a rule, has a secret in it, or is none that a rule can have (5).
            ---
            apiVersion: gatehold.io/v1
            kind: Policy
            metadata: { name: seen-alice }
            spec:
              subjects: { users: [alice], agents: [desk] }
              rules:
                - allow:
                    server: crm
                    tools:
                      - "y\U000e0041" # 1
                - allow:
                    server: crm
                    tools: ["x*\U000e0041"] # 1
                    when: "tool.name == \"x \\U000e0041\""
        "##]],
    );
}

#[test]
fn many_who_take_conditions_are_as_many_rules() {
    let odd = |number: u32| json!({"user": format!("user {number} *"), "roles": []});
    let lines: Vec<_> = (0..100).map(|number| seen(odd(number))).collect();
    let plan = plan(By::Role, &lines);
    documents(&plan);
    assert_eq!(plan.policies.len(), 100);
}

#[test]
fn nothing_seen_is_nothing_proposed() {
    check(
        By::Role,
        &[],
        expect![[r#"
            # Proposed by `gatehold suggest` from what was seen: read it before you use it.
            # Nothing was seen.
            # It allows each principal what it did and no rule allows, by exact names, whatever the arguments; the numbers say how often.
            # It belongs beside the documents that it was made with: what their rules allow is not repeated.
            # There is nothing that needs a rule.
        "#]],
    );
}

#[test]
fn one_server_can_be_asked_for_and_others_tell_who_is_there() {
    let mut planner = Planner::new(By::Role, Some("crm".to_owned()));
    for line in [
        json!({}),
        json!({"user": "bob"}),
        // Somebody with the role who was not seen with it here.
        json!({"user": "carol", "server": "hr", "target": "other"}),
    ] {
        planner.add(&seen(line));
    }
    let plan = planner.plan(&nothing()).to_string();
    assert!(plan.contains("users: [alice, bob]"), "{plan}");
    assert!(!plan.contains("hr") && !plan.contains("roles:"), "{plan}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever was seen, the policy that is proposed compiles, allows each of it, and nothing else that the same
    /// principals might ask for.
    #[test]
    fn what_was_seen_is_allowed_and_nothing_else(
        calls in calls(),
        people in people(),
        others in calls(),
        by in prop::sample::select(vec![By::Role, By::User]),
    ) {
        let observations: Vec<Observation> = calls.iter().map(|call| {
            let who = &people[call.who];
            seen(json!({
                "server": SERVERS[call.server], "method": call.method,
                "target": if call.method.starts_with("custom/") { "" } else { &call.name },
                "user": who.user, "agent": who.agent, "roles": who.roles,
            }))
        }).collect();
        let plan = plan(by, &observations);
        let documents = documents(&plan);
        let policies = policies(&documents);
        for call in &calls {
            prop_assert!(allows(&policies, &people, call), "{call:?}\n{plan}");
        }
        let known: BTreeSet<_> = calls.iter().map(|call| call.who).collect();
        let key = |call: &Call| (call.who, call.server, format!("{:?}", target(call)));
        let was_seen: BTreeSet<_> = calls.iter().map(key).collect();
        // All that was seen of anybody, asked for by everybody everywhere; and things that nobody asked for.
        for call in calls.iter().chain(&others) {
            for &who in &known {
                for server in 0..SERVERS.len() {
                    let asked = Call { who, server, ..call.clone() };
                    let is_seen = was_seen.contains(&key(&asked));
                    prop_assert_eq!(allows(&policies, &people, &asked), is_seen, "{:?}\n{}", asked, plan);
                }
            }
        }
    }
}
