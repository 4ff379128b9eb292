//! Policies as they arrive from the network, and the decisions that they lead to.

use gatehold_engine::{Arguments, Effect, PolicySource, Principal, Query, ServerPolicy, Target};
use gatehold_wire::{issuer_from_wire, policy_from_wire, policy_to_wire, push};
use prost::Message as _;
use serde_json::{Map, Value, json};

/// Patterns of a policy that become targets; more of them only cost time.
const MOST_NAMES: usize = 6;

/// The input is a `gatehold.push.v1.Server`; it is also read as an `Issuer`.
pub fn policy(data: &[u8]) {
    if let Ok(issuer) = push::Issuer::decode(data) {
        let _ = issuer_from_wire(&issuer);
    }
    let Ok(server) = push::Server::decode(data) else {
        return;
    };
    let Ok(source) = policy_from_wire(&server) else {
        return;
    };
    let (rules, risks) = policy_to_wire(&source).expect("what came by wire can go by wire");
    let again = push::Server {
        rules,
        risks,
        ..server.clone()
    };
    assert_eq!(
        policy_from_wire(&again).as_ref(),
        Ok(&source),
        "changed by wire"
    );
    let mut reversed = source.clone();
    reversed.rules.reverse();
    match (
        ServerPolicy::new(source.clone()),
        ServerPolicy::new(reversed),
    ) {
        (Ok(policy), Ok(reversed)) => decide(&source, &policy, &reversed),
        (Err(_), Err(_)) => {}
        (one, other) => panic!("the order of the rules matters: {one:?}, {other:?}"),
    }
}

fn decide(source: &PolicySource, policy: &ServerPolicy, reversed: &ServerPolicy) {
    let arguments = arguments();
    let names = names(source);
    for principal in principals(source) {
        for name in &names {
            for target in [
                Target::Tool(name),
                Target::Resource(name),
                Target::Prompt(name),
                Target::Method(name),
            ] {
                let query = |arguments| Query {
                    principal: &principal,
                    target,
                    arguments,
                    findings: None,
                };
                let known = query(Arguments::Known(&arguments));
                let decision = policy.decide(&known);
                let (explained, traces) = policy.explain(&known);
                assert_eq!(decision, explained, "explained otherwise");
                assert_eq!(traces.len(), source.rules.len());
                assert!(
                    decision.effect == Effect::Deny || !decision.rules.is_empty(),
                    "no rule"
                );
                same(&decision.effect, &reversed.decide(&known).effect);

                let unknown = policy.decide(&query(Arguments::Unknown));
                let visible = policy.visible(&principal, target);
                assert_eq!(
                    visible,
                    unknown.effect != Effect::Deny,
                    "listed and decided otherwise"
                );
                assert!(
                    visible || decision.effect == Effect::Deny,
                    "hidden and allowed"
                );
                same(
                    &unknown.effect,
                    &reversed.decide(&query(Arguments::Unknown)).effect,
                );
            }
        }
    }
}

/// The order of the rules decides nothing; approvals are named in it.
fn same(one: &Effect, other: &Effect) {
    assert_eq!(
        std::mem::discriminant(one),
        std::mem::discriminant(other),
        "the order of the rules matters"
    );
}

/// What rules speak of, with a text in the place of each `*`.
fn names(source: &PolicySource) -> Vec<String> {
    let targets = source.rules.iter().map(|rule| &rule.targets);
    let patterns = targets.flat_map(|it| [&it.tools, &it.resources, &it.prompts, &it.methods]);
    let patterns = patterns
        .chain(source.risks.iter().map(|it| &it.tools))
        .flatten();
    let mut names: Vec<String> = patterns
        .take(MOST_NAMES)
        .map(|it| it.replace('*', "x"))
        .collect();
    names.push("get_user".to_owned());
    names
}

/// Somebody nobody knows, and whoever the first rules speak of.
fn principals(source: &PolicySource) -> Vec<Principal> {
    let Value::Object(claims) = json!({ "tenant": "acme", "level": 3, "tags": ["a", null, 1.5] })
    else {
        panic!("an object");
    };
    let mut principals = vec![Principal {
        user: "ann".to_owned(),
        ..Principal::default()
    }];
    for rule in source.rules.iter().take(2) {
        let subjects = rule.subjects.clone();
        principals.push(Principal {
            user: subjects.users.into_iter().next().unwrap_or_default(),
            agent: subjects.agents.into_iter().next().unwrap_or_default(),
            roles: subjects.roles,
            groups: subjects.groups,
            claims: claims.clone(),
        });
    }
    principals
}

fn arguments() -> Map<String, Value> {
    let value = json!({
        "amount": 500, "ratio": -0.25, "id": "42", "path": "/a/../b", "tags": ["x", "y", 1, null],
        "nested": { "deep": { "list": [[1], [2, [3]]] } }, "big": u64::MAX, "": true,
    });
    value.as_object().cloned().unwrap_or_default()
}
