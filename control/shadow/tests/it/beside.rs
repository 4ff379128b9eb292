//! What is proposed beside documents that are there: it must not undo what they say.

use std::collections::{BTreeMap, BTreeSet};

use gatehold_engine::{Effect, PolicySource, Principal, Rule, RuleEffect, ServerPolicy};
use gatehold_shadow::{By, Observation, Plan, Planner, Skipped};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{
    Call, SERVERS, allows, calls, decide, existing, load_with, people, policies, seen, target,
};

const HEAD: &str = "apiVersion: gatehold.io/v1\nkind: Policy\nmetadata: { name: p }\nspec:\n";

fn planned(policy: &str, by: By, observations: &[Observation]) -> Plan {
    let there = load_with(&[policy]).unwrap_or_else(|problems| panic!("{problems}\n{policy}"));
    let mut planner = Planner::new(by, None);
    for observation in observations {
        planner.add(observation);
    }
    let plan = planner.plan(&existing(&there));
    if let Err(problems) = load_with(&[policy, &plan.to_string()]) {
        panic!("{problems}\n{plan}");
    }
    plan
}

/// What is proposed of these events beside a policy, and for how many nothing is.
#[track_caller]
fn check(policy: &str, lines: &[Value], proposed: &[&str], conditional: u64) {
    let observations: Vec<_> = lines.iter().cloned().map(seen).collect();
    let plan = planned(&format!("{HEAD}{policy}"), By::Role, &observations);
    let grants = plan.policies.iter().flat_map(|it| &it.grants);
    let names: Vec<_> = grants.map(|grant| grant.need.name.as_str()).collect();
    assert_eq!(names, proposed, "{plan}");
    let key = ("crm".to_owned(), Skipped::Conditional);
    let skipped = plan.skipped.get(&key).copied();
    assert_eq!(skipped.unwrap_or_default(), conditional, "{plan}");
    assert_eq!(
        plan.notes(&[Skipped::Conditional]).is_empty(),
        conditional == 0
    );
}

#[test]
fn a_condition_is_not_undone() {
    let capped =
        "  rules: [{ allow: { server: crm, tools: [refund], when: args.amount <= 100 } }]\n";
    let small = json!({"target": "refund", "effect": "allow", "refusal": "", "rules": ["p/1"]});
    let large = json!({"target": "refund"});
    let get = json!({"target": "get"});
    check(capped, &[small, large.clone(), get], &["get"], 1);
    for (subjects, conditional) in [
        ("users: [alice]", true),
        ("users: [bob]", false),
        ("agents: [desk]", true),
        ("agents: [shell]", false),
        ("roles: [support]", true),
        ("roles: [lead]", false),
        // Events do not tell groups.
        ("groups: [staff]", true),
        ("users: [bob], groups: [staff]", false),
    ] {
        let policy = format!("  subjects: {{ {subjects} }}\n{capped}");
        let proposed: &[&str] = if conditional { &[] } else { &["refund"] };
        check(
            &policy,
            std::slice::from_ref(&large),
            proposed,
            conditional.into(),
        );
    }
    // A condition that is about something else, and a rule that has none.
    check(
        &capped.replace("refund", "get"),
        std::slice::from_ref(&large),
        &["refund"],
        0,
    );
    check(
        &capped.replace("allow", "deny"),
        std::slice::from_ref(&large),
        &["refund"],
        0,
    );
    check(
        &capped.replace("tools: [refund]", "risk: [destructive]"),
        &[large, json!({"target": "drop"})],
        &["refund"],
        1,
    );
}

#[test]
fn resources_are_the_same_however_they_are_written() {
    let policy = "  rules: [{ allow: { server: crm, resources: [\"docs://hr/*\"], when: user.id == \"bob\" } }]\n";
    for (uri, proposed) in [
        ("docs://hr/a", false),
        ("docs://h%72/a", false),
        ("docs://HR/a", false),
        ("docs://hr//a", false),
        ("docs://pay/a", true),
    ] {
        let line = json!({"method": "resources/read", "target": uri});
        let names: &[&str] = if proposed { &[uri] } else { &[] };
        check(policy, &[line], names, (!proposed).into());
    }
}

/// A role reaches those whom the condition is for, so that users are proposed.
#[test]
fn a_role_gets_nothing_that_others_have_on_a_condition() {
    let policy = "  subjects: { roles: [lead] }\n  rules: [{ allow: { server: crm, tools: [refund], when: args.amount <= 100 } }]\n";
    let lines = [
        json!({"target": "refund"}),
        json!({"target": "refund", "user": "bob"}),
        json!({}),
        json!({"user": "bob"}),
    ];
    let observations: Vec<_> = lines.into_iter().map(seen).collect();
    let plan = planned(&format!("{HEAD}{policy}"), By::Role, &observations).to_string();
    let (by_role, by_user) = plan.split_once("users: [alice, bob]").unwrap();
    assert!(
        by_role.contains("roles: [support]") && by_role.contains("- get # 2"),
        "{plan}"
    );
    assert!(
        by_user.contains("- refund # 2") && !by_user.contains("roles"),
        "{plan}"
    );
}

#[test]
fn what_is_there_is_not_said_again() {
    let policy = HEAD.replace("name: p", "name: seen-alice")
        + "  rules: [{ allow: { server: crm, tools: [get] } }]\n";
    let get = seen(json!({"effect": "allow", "refusal": "", "rules": ["seen-alice/1"]}));
    let plan = planned(
        &policy,
        By::Role,
        &[get.clone(), seen(json!({"target": "set"}))],
    );
    assert_eq!(plan.policies.len(), 1);
    assert_eq!(plan.policies[0].name, "seen-alice-2");
    assert!(!plan.to_string().contains("- get"), "{plan}");
    // A server that no document is about would have the documents refused.
    let gone = seen(json!({"server": "old"}));
    let plan = planned(&policy, By::Role, &[get, gone]);
    assert!(plan.policies.is_empty(), "{plan}");
    assert_eq!(plan.notes(&[Skipped::NoServer]).len(), 1);
}

#[test]
fn one_who_may_have_more_roles_than_events_tell_stands_for_none() {
    let many: Vec<String> = (0..64).map(|number| format!("r{number}")).collect();
    let whole = &many[1..];
    let did = |user: &str, roles: &[String]| seen(json!({"user": user, "roles": roles}));
    let other = |user: &str, agent: &str, roles: &[String]| {
        seen(json!({"user": user, "agent": agent, "roles": roles, "target": "other"}))
    };
    let support = ["support".to_owned()];
    let long = ["x".repeat(1024)];
    let two = [did("alice", &support), did("bob", &support)];
    let proposed = |more: &[Observation]| {
        let all = [&two[..], more].concat();
        planned("", By::Role, &all)
            .to_string()
            .contains("roles: [support]")
    };
    assert!(proposed(&[]));
    assert!(proposed(&[other("carol", "desk", whole)]));
    // She may have the role, and did not.
    assert!(!proposed(&[other("carol", "desk", &many)]));
    assert!(!proposed(&[other("carol", "desk", &long)]));
    // Through another agent, or she did.
    assert!(proposed(&[other("carol", "shell", &many)]));
    assert!(proposed(&[did("carol", &many)]));

    // Nor do roles that she has for certain stand for her.
    let plan = planned("", By::Role, &[did("carol", &many), did("dave", &many)]);
    let plan = plan.to_string();
    assert!(
        plan.contains("users: [carol, dave]") && !plan.contains("roles:"),
        "{plan}"
    );
}

/// Rules of all kinds, as a policy of the documents.
fn rules() -> impl Strategy<Value = String> {
    let subjects = prop::sample::select(vec![
        "",
        "users: [alice]",
        "users: [bob, dave]",
        "agents: [desk]",
        "roles: [support]",
        "roles: [lead]",
        "groups: [staff]",
        "roles: [support], agents: [desk]",
    ]);
    let verb = prop::sample::select(vec!["allow", "allow", "allow", "deny"]);
    let server = prop::sample::select(vec!["crm", "hr", "\"*\""]);
    let what = prop::sample::select(vec![
        "tools: [get]",
        "tools: [\"*et\"]",
        "tools: [\"*\"]",
        "risk: [destructive]",
        "resources: [\"docs://*\"]",
        "prompts: [get]",
        "methods: [\"custom/*\"]",
    ]);
    let when = prop::sample::select(vec![
        "",
        ", when: args.amount <= 100",
        ", when: \"user.groups.exists(it, it == \\\"staff\\\")\"",
        ", when: user.id == \"alice\"",
    ]);
    let rule = (subjects, verb, server, what, when);
    let rule = rule.prop_map(|(subjects, verb, server, what, when)| {
        let takes_arguments =
            what.starts_with("tools") || what.starts_with("risk") || what.starts_with("prompts");
        let when = if when.contains("args") && !takes_arguments {
            ""
        } else {
            when
        };
        (
            subjects,
            format!("{verb}: {{ server: {server}, {what}{when} }}"),
        )
    });
    prop::collection::vec(rule, 0..6).prop_map(|rules| {
        let mut yaml = String::new();
        for (number, (subjects, rule)) in rules.into_iter().enumerate() {
            let subjects = match subjects {
                "" => String::new(),
                subjects => format!("subjects: {{ {subjects} }}, "),
            };
            yaml.push_str(&format!(
                "---\napiVersion: gatehold.io/v1\nkind: Policy\nmetadata: {{ name: p{number} }}\n\
                 spec: {{ {subjects}rules: [{{ {rule} }}] }}\n"
            ));
        }
        yaml
    })
}

/// The rules of a server that allow on a condition, as if it held.
fn conditional(policy: &PolicySource, change: fn(&mut Rule)) -> ServerPolicy {
    let mut policy = policy.clone();
    policy
        .rules
        .retain(|rule| rule.effect == RuleEffect::Allow && rule.when.is_some());
    for rule in &mut policy.rules {
        rule.when = None;
        change(rule);
    }
    ServerPolicy::new(policy).unwrap()
}

fn event(
    people: &[Principal],
    call: &Call,
    policies: &BTreeMap<String, ServerPolicy>,
) -> Observation {
    let who = &people[call.who];
    let decision = decide(policies, people, call);
    let (effect, refusal) = match decision.effect {
        Effect::Allow => ("allow", ""),
        _ => ("deny", "policy"),
    };
    seen(json!({
        "server": SERVERS[call.server], "method": call.method,
        "target": if call.method.starts_with("custom/") { "" } else { &call.name },
        "user": who.user, "agent": who.agent, "roles": who.roles,
        "effect": effect, "refusal": refusal, "rules": decision.rules, "reason": decision.reason,
    }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Beside any policy: what it allows it allows still. What it denied and is allowed now was asked for by that
    /// principal, or by all who were seen with a role of it, and refused for want of a rule; and no rule allows it to
    /// that principal on a condition.
    #[test]
    fn nothing_that_is_there_is_undone(
        yaml in rules(),
        calls in calls(),
        mut people in people(),
        groups in prop::collection::vec(any::<bool>(), 6),
        others in calls(),
        stranger in 0..6_usize,
        by in prop::sample::select(vec![By::Role, By::User]),
    ) {
        for (who, member) in people.iter_mut().zip(groups) {
            who.groups.extend(member.then(|| "staff".to_owned()));
        }
        let there = load_with(&[&yaml]).unwrap();
        let before = policies(&there);
        // Somebody whom nobody has seen.
        let calls: Vec<_> = calls.into_iter().filter(|call| call.who != stranger).collect();
        let observations: Vec<_> = calls.iter().map(|call| event(&people, call, &before)).collect();
        let plan = planned(&yaml, by, &observations);
        let after = policies(&load_with(&[&yaml, &plan.to_string()]).unwrap());
        let of = |change: fn(&mut Rule)| -> BTreeMap<String, ServerPolicy> {
            let all = there.servers.iter();
            all.map(|it| (it.name.clone(), conditional(&it.policy, change))).collect()
        };
        let on_condition = of(|_| {});
        let to_somebody = of(|rule| rule.subjects = gatehold_engine::Subjects::default());
        let lacks = |call: &Call| {
            let decision = decide(&before, &people, call);
            decision.effect == Effect::Deny && decision.rules.is_empty()
        };
        let key = |call: &Call| (call.who, call.server, format!("{:?}", target(call)));
        let lacked: BTreeSet<_> = calls.iter().filter(|call| lacks(call)).map(key).collect();
        for call in &calls {
            if lacks(call) && !allows(&to_somebody, &people, call) && !call.name.contains(['%']) {
                let is_uri = call.method == "resources/read" && !call.name.starts_with("docs://a");
                prop_assert!(is_uri || allows(&after, &people, call), "{call:?}\n{yaml}\n{plan}");
            }
        }
        for call in calls.iter().chain(&others) {
            for (who, server, amount) in (0..people.len()).flat_map(|who| {
                [(who, 0, 50), (who, 0, 100_000), (who, 1, 50), (who, 1, 100_000)]
            }) {
                let asked = Call { who, server, amount, ..call.clone() };
                let (had, has) = (allows(&before, &people, &asked), allows(&after, &people, &asked));
                prop_assert!(has || !had, "{asked:?}\n{yaml}\n{plan}");
                if has == had {
                    continue;
                }
                prop_assert!(!allows(&on_condition, &people, &asked), "{asked:?}\n{yaml}\n{plan}");
                if who != stranger && calls.iter().any(|call| call.who == who) {
                    prop_assert!(lacked.contains(&key(&asked)), "{asked:?}\n{yaml}\n{plan}");
                    continue;
                }
                // One of several who were seen with a role.
                prop_assert!(by == By::Role && !allows(&to_somebody, &people, &asked), "{asked:?}\n{yaml}\n{plan}");
                let stands = people[who].roles.iter().any(|role| {
                    let seen = |other: &usize| calls.iter().any(|call| call.who == *other);
                    let members = (0..people.len()).filter(|other| {
                        let member = &people[*other];
                        seen(other) && member.agent == people[who].agent && member.roles.contains(role)
                    });
                    let members: Vec<_> = members.collect();
                    let did = |who: &usize| lacked.contains(&key(&Call { who: *who, ..asked.clone() }));
                    members.len() > 1 && members.iter().all(did)
                });
                prop_assert!(stands, "{asked:?}\n{yaml}\n{plan}");
            }
        }
    }
}
