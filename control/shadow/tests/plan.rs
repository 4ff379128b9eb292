//! What is proposed, held against the engine that decides in the filters.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use expect_test::{Expect, expect};
use gatehold_documents::{Documents, load};
use gatehold_engine::{Arguments, Effect, Principal, Query, ServerPolicy, Target};
use gatehold_shadow::{By, Observation, Plan, Planner};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const SERVERS: [&str; 2] = ["crm", "hr"];

/// The servers' documents, and what is proposed beside them.
fn documents(plan: &Plan) -> Documents {
    let mut yaml = String::from(
        "apiVersion: gatehold.io/v1\nkind: Issuer\nmetadata: { name: corp }\nspec: { issuer: https://idp.example.com }\n",
    );
    for server in SERVERS {
        yaml.push_str(&format!(
            "---\napiVersion: gatehold.io/v1\nkind: Server\nmetadata: {{ name: {server} }}\n\
             spec: {{ path: /{server}, resource: https://gw.example.com/{server}, issuers: [corp] }}\n"
        ));
    }
    let proposed = plan.to_string();
    let files = [
        (PathBuf::from("servers.yaml"), yaml),
        (PathBuf::from("seen.yaml"), proposed.clone()),
    ];
    load(&files).unwrap_or_else(|problems| panic!("{problems}\n{proposed}"))
}

fn seen(line: Value) -> Observation {
    let mut whole = json!({
        "kind": "decision", "sender": "a", "time": "2026-01-02T03:04:05.000000006Z", "server": "crm",
        "era": "modern", "method": "tools/call", "target": "get", "user": "alice", "agent": "desk",
        "roles": ["support"], "effect": "deny", "rules": [], "refusal": "hidden", "outcome": "ok",
        "enforced": false,
    });
    let fields = whole.as_object_mut().unwrap();
    fields.extend(line.as_object().unwrap().clone());
    Observation::parse(&whole.to_string()).unwrap().unwrap()
}

fn plan(by: By, observations: &[Observation]) -> Plan {
    let mut planner = Planner::new(by, None);
    for observation in observations {
        planner.add(observation);
    }
    planner.plan()
}

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
            json!({"method": "resources/read", "target": "docs://a/b"}),
            json!({"method": "completion/complete", "target": "docs://a/{b}"}),
            json!({"method": "prompts/get", "target": "true"}),
            json!({"method": "custom/thing", "target": "", "server": "hr"}),
            json!({"method": "tools/list", "target": "", "effect": "allow", "refusal": ""}),
            json!({"method": "ping", "target": "", "effect": "allow", "refusal": ""}),
        ],
        expect![[r##"
            # Proposed by `gatehold suggest` from what was seen: read it before you use it.
            # 9 requests from 2026-01-02T03:04:05.000000006Z to 2026-01-02T03:04:05.000000006Z.
            # It allows each principal what it did, by exact names, whatever the arguments; the numbers say how often.
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
                      - refund # 1
                    resources:
                      - "docs://a/b" # 1
                      - "docs://a/{b}" # 1
                    prompts:
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
        # It allows each principal what it did, by exact names, whatever the arguments; the numbers say how often.
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
        # It allows each principal what it did, by exact names, whatever the arguments; the numbers say how often.
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
            # It allows each principal what it did, by exact names, whatever the arguments; the numbers say how often.
            # There is nothing that needs a rule.
            # Not proposed for `crm`: nobody knows who sent them: no token, or none that holds (1).
            # Not proposed for `crm`: a `deny` rule of yours forbids them (1).
            # Not proposed for `crm`: they wait for approval (1).
            # Not proposed for `crm`: detection stands against them (1).
            # Not proposed for `crm`: no rule can allow them: they cannot be read, or not like this (3).
            # Not proposed for `crm`: they were refused where policy is enforced (1).
            # Not proposed for `crm`: their name is too long to be recorded, has a secret in it, or is none that a rule can have (2).
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
            # It allows each principal what it did, by exact names, whatever the arguments; the numbers say how often.
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
        "##]],
    );
}

#[test]
fn nothing_seen_is_nothing_proposed() {
    check(
        By::Role,
        &[],
        expect![[r#"
        # Proposed by `gatehold suggest` from what was seen: read it before you use it.
        # Nothing was seen.
        # It allows each principal what it did, by exact names, whatever the arguments; the numbers say how often.
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
    let plan = planner.plan().to_string();
    assert!(plan.contains("users: [alice, bob]"), "{plan}");
    assert!(!plan.contains("hr") && !plan.contains("roles:"), "{plan}");
}

/// One call of somebody.
#[derive(Clone, Debug)]
struct Call {
    who: usize,
    server: usize,
    method: &'static str,
    name: String,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let method = prop::sample::select(vec![
        "tools/call",
        "resources/read",
        "prompts/get",
        "custom/a",
        "custom/b",
    ]);
    let call = (0..6_usize, 0..2_usize, method, name());
    let call = call.prop_map(|(who, server, method, name)| Call {
        who,
        server,
        method,
        name,
    });
    prop::collection::vec(call, 1..40)
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec!["get", "set", "drop", "docs://a", "get*", "*", "g t"])
            .prop_map(str::to_owned),
        1 => "[ -~\u{e9}\u{202e}\n\u{1f600}\\*]{1,6}",
    ]
}

/// Who there is: user, agent, roles. Some users and agents are odd, and one user has two agents.
fn people() -> impl Strategy<Value = Vec<Principal>> {
    let roles = || prop::sample::subsequence(vec!["support", "lead", "o'dd *"], 0..=3);
    prop::collection::vec(roles(), 5).prop_map(|roles| {
        let who = [
            ("alice", "desk", 0),
            ("alice", "shell", 0),
            ("bob", "desk", 1),
            ("carol", "", 2),
            ("dave", "desk", 3),
            ("eve * \"x\"", "odd\tone", 4),
        ];
        let people = who.map(|(user, agent, of)| Principal {
            user: user.to_owned(),
            agent: agent.to_owned(),
            roles: roles[of].iter().map(|&role| role.to_owned()).collect(),
            groups: Vec::new(),
            claims: Map::new(),
        });
        people.to_vec()
    })
}

fn target(call: &Call) -> Target<'_> {
    match call.method {
        "tools/call" => Target::Tool(&call.name),
        "resources/read" => Target::Resource(&call.name),
        "prompts/get" => Target::Prompt(&call.name),
        method => Target::Method(method),
    }
}

fn allows(policies: &BTreeMap<&str, ServerPolicy>, people: &[Principal], call: &Call) -> bool {
    let none = Map::new();
    let query = Query {
        principal: &people[call.who],
        target: target(call),
        arguments: Arguments::Known(&none),
        findings: None,
    };
    policies[SERVERS[call.server]].decide(&query).effect == Effect::Allow
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
        let policies = documents.servers.iter().map(|server| {
            (server.name.as_str(), ServerPolicy::new(server.policy.clone()).unwrap())
        });
        let policies: BTreeMap<&str, ServerPolicy> = policies.collect();
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
