//! What follows from which rules.

mod support;

use gatehold_engine::{
    Arguments, Effect, PolicyError, PolicySource, Principal, Query, RiskAssignment, Rule,
    RuleEffect, RuleOutcome, ServerPolicy, Subjects, Target, Targets,
};
use serde_json::{Value, json};
use support::*;

#[test]
fn an_empty_policy_denies() {
    let policy = ServerPolicy::new(PolicySource::default()).unwrap();
    let decision = decide(&policy, &ann(), Target::Tool("get_x"), &json!({}));
    assert_eq!(decision.effect, Effect::Deny);
    assert_eq!(decision.reason, "no rule allows tool `get_x`");
    assert!(decision.rules.is_empty() && decision.errors.is_empty());
    assert!(!policy.visible(&ann(), Target::Tool("get_x")));
}

fn effect(effect: &Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Hold(_) => "hold",
        Effect::Deny => "deny",
    }
}

/// Checks "effect; rules; reason; errors" for tool `refund` of Ann, for every rotation of the rules.
#[track_caller]
fn check(rules: Vec<Rule>, args: &Value, expected: [&str; 4]) {
    let decision = decide(&policy(rules.clone()), &ann(), Target::Tool("refund"), args);
    let errors: Vec<_> = decision
        .errors
        .iter()
        .map(|error| format!("{}: {}", error.rule, error.message))
        .collect();
    let found = [
        effect(&decision.effect),
        &decision.rules.join(" "),
        &decision.reason,
        &errors.join("; "),
    ];
    assert_eq!(found, expected);
    let mut rotated = rules;
    for _ in 1..rotated.len() {
        rotated.rotate_left(1);
        let again = decide(
            &policy(rotated.clone()),
            &ann(),
            Target::Tool("refund"),
            args,
        );
        assert_eq!(effect(&again.effect), expected[0], "order matters");
    }
}

#[test]
fn deny_beats_approve_beats_allow() {
    let t = || tools(&["refund"]);
    let none = json!({});
    check(
        vec![allow("a/1", t())],
        &none,
        ["allow", "a/1", "allowed by rule `a/1`", ""],
    );
    check(
        vec![allow("a/1", t()), allow("a/2", tools(&["re*"]))],
        &none,
        ["allow", "a/1 a/2", "allowed by rules `a/1`, `a/2`", ""],
    );
    check(
        vec![allow("a/1", t()), approve("a/2", t())],
        &none,
        ["hold", "a/2", "approval required by rule `a/2`", ""],
    );
    check(
        vec![allow("a/1", t()), approve("a/2", t()), deny("a/3", t())],
        &none,
        ["deny", "a/3", "denied by rule `a/3`", ""],
    );
    check(
        (1..=5).map(|i| deny(&format!("a/{i}"), t())).collect(),
        &none,
        [
            "deny",
            "a/1 a/2 a/3 a/4 a/5",
            "denied by rules `a/1`, `a/2`, `a/3` and 2 more",
            "",
        ],
    );
    check(
        vec![
            allow("a/1", tools(&["other"])),
            deny("a/2", tools(&["other"])),
        ],
        &none,
        ["deny", "", "no rule allows tool `refund`", ""],
    );
}

#[test]
fn a_refusal_names_the_conditions_that_do_not_hold() {
    let unless = |rule| when(rule, lit(json!(false)));
    let t = || tools(&["refund"]);
    check(
        vec![unless(allow("a/1", t())), unless(deny("a/2", t()))],
        &json!({}),
        [
            "deny",
            "",
            "no rule allows tool `refund` like this: the condition of rule `a/1` does not hold",
            "",
        ],
    );
    check(
        vec![unless(allow("a/1", t())), deny("a/2", t())],
        &json!({}),
        ["deny", "a/2", "denied by rule `a/2`", ""],
    );
}

#[test]
fn a_failing_rule_fails_closed() {
    let t = || tools(&["refund"]);
    let fails = || path("args.missing");
    let error = "there is no field `missing`: ask for it with `has` first";
    let none = json!({});
    check(
        vec![when(allow("a/1", t()), fails())],
        &none,
        [
            "deny",
            "",
            &format!(
                "no rule allows tool `refund`, and rule `a/1` could not be evaluated: {error}"
            ),
            &format!("a/1: {error}"),
        ],
    );
    check(
        vec![when(allow("a/1", t()), fails()), allow("a/2", t())],
        &none,
        [
            "allow",
            "a/2",
            "allowed by rule `a/2`",
            &format!("a/1: {error}"),
        ],
    );
    for rule in [deny("a/1", t()), approve("a/1", t())] {
        check(
            vec![when(rule, fails()), allow("a/2", t())],
            &none,
            [
                "deny",
                "a/1",
                &format!("rule `a/1` could not be evaluated: {error}"),
                &format!("a/1: {error}"),
            ],
        );
    }
    check(
        vec![deny("a/1", t()), when(deny("a/2", t()), fails())],
        &none,
        [
            "deny",
            "a/1 a/2",
            "denied by rule `a/1`",
            &format!("a/2: {error}"),
        ],
    );
    check(
        vec![when(allow("a/1", t()), lit(json!("yes")))],
        &none,
        [
            "deny",
            "",
            "no rule allows tool `refund`, and rule `a/1` could not be evaluated: expected bool, found string",
            "a/1: expected bool, found string",
        ],
    );
}

#[test]
fn hold_carries_every_requirement() {
    let policy = policy(vec![
        approve("a/1", tools(&["x"])),
        approve("a/2", tools(&["*"])),
    ]);
    let decision = decide(&policy, &ann(), Target::Tool("x"), &json!({}));
    let Effect::Hold(approvals) = decision.effect else {
        panic!("{decision:?}")
    };
    assert_eq!(approvals.len(), 2);
    assert_eq!(approvals[0].within_seconds, 900);
}

#[test]
fn lists_show_what_is_not_certainly_denied() {
    let t = || tools(&["refund"]);
    let unknown = || path("args.flag");
    let no = || lit(json!(false));
    let fails = || path("user.claims.missing");
    let check = |rules: Vec<Rule>, expected: &str| {
        let (policy, principal, target) = (policy(rules), ann(), Target::Tool("refund"));
        let query = Query {
            principal: &principal,
            target,
            arguments: Arguments::Unknown,
            findings: None,
        };
        assert_eq!(effect(&policy.decide(&query).effect), expected);
        assert_eq!(policy.visible(&principal, target), expected != "deny");
    };
    check(vec![when(allow("1", t()), unknown())], "allow");
    check(vec![when(approve("1", t()), unknown())], "hold");
    check(
        vec![
            when(approve("1", t()), unknown()),
            when(allow("2", t()), unknown()),
        ],
        "allow",
    );
    check(vec![approve("1", t()), allow("2", t())], "hold");
    check(vec![when(allow("1", t()), no())], "deny");
    check(vec![when(allow("1", t()), fails())], "deny");
    check(
        vec![allow("1", t()), when(deny("2", t()), unknown())],
        "allow",
    );
    check(vec![allow("1", t()), deny("2", t())], "deny");
    check(vec![allow("1", t()), when(deny("2", t()), fails())], "deny");
    check(
        vec![
            allow("1", t()),
            when(deny("2", t()), and(fails(), unknown())),
        ],
        "allow",
    );
    check(vec![when(deny("1", t()), unknown())], "deny");
}

#[test]
fn targets_do_not_mix() {
    let targets = Targets {
        tools: strings(&["get_*"]),
        resources: strings(&["file:///pub/*"]),
        prompts: strings(&["*_brief"]),
        methods: strings(&["tasks/*"]),
        risks: vec![],
    };
    let policy = policy(vec![allow("1", targets)]);
    let check = |target: Target<'_>, expected: bool| {
        assert_eq!(policy.visible(&ann(), target), expected, "{target:?}");
    };
    check(Target::Tool("get_x"), true);
    check(Target::Tool("file:///pub/x"), false);
    check(Target::Tool("tasks/get"), false);
    check(Target::Resource("file:///pub/x"), true);
    check(Target::Resource("get_x"), false);
    check(Target::Prompt("my_brief"), true);
    check(Target::Prompt("get_x"), false);
    check(Target::Method("tasks/get"), true);
    check(Target::Method("my_brief"), false);
}

#[test]
fn subject_lists_are_joined_by_and_their_entries_by_or() {
    let check =
        |users: &[&str], agents: &[&str], roles: &[&str], groups: &[&str], expected: bool| {
            let mut rule = allow("1", tools(&["x"]));
            rule.subjects = Subjects {
                users: strings(users),
                agents: strings(agents),
                roles: strings(roles),
                groups: strings(groups),
            };
            assert_eq!(
                policy(vec![rule]).visible(&ann(), Target::Tool("x")),
                expected
            );
        };
    check(&[], &[], &[], &[], true);
    check(&["ann"], &[], &[], &[], true);
    check(
        &["bob", "ann"],
        &["helper"],
        &["support", "x"],
        &["emea"],
        true,
    );
    check(&["bob"], &[], &["support"], &[], false);
    check(&["ann"], &["other"], &[], &[], false);
    check(&[], &[], &["staff"], &["apac"], false);
    check(&[], &[], &["ann"], &[], false);
    check(&["ANN"], &[], &[], &[], false);
}

#[test]
fn risks_restrict_tools() {
    let risk = |tools: &[&str], classes: &[&str]| RiskAssignment {
        tools: strings(tools),
        classes: strings(classes),
    };
    let risky = |id: &str, tools: &[&str], risks: &[&str]| {
        let targets = Targets {
            tools: strings(tools),
            risks: strings(risks),
            ..Targets::default()
        };
        Rule {
            effect: RuleEffect::Deny,
            ..allow(id, targets)
        }
    };
    let source = PolicySource {
        server: "crm".to_owned(),
        rules: vec![
            allow("0", tools(&["*"])),
            risky("1", &["*"], &["destructive", "unassigned"]),
            risky("2", &["get_*"], &["financial"]),
        ],
        risks: vec![
            risk(&["delete_*", "*_all"], &["destructive"]),
            risk(&["get_balance", "pay"], &["financial", "external"]),
        ],
    };
    let policy = ServerPolicy::new(source).unwrap();
    let check = |tool: &str, expected: &[&str]| {
        let decision = decide(&policy, &ann(), Target::Tool(tool), &json!({}));
        assert_eq!(decision.rules, expected, "{tool}");
    };
    check("get_x", &["0"]);
    check("delete_x", &["1"]);
    check("drop_all", &["1"]);
    check("get_all", &["1"]);
    check("get_balance", &["2"]);
    check("pay", &["0"]);
}

#[test]
fn explain_tells_how_every_rule_fared() {
    let policy = policy(vec![
        roles(allow("1", tools(&["x"])), &["admin"]),
        allow("2", tools(&["y"])),
        when(allow("3", tools(&["x"])), eq(path("args.a"), lit(json!(2)))),
        when(deny("4", tools(&["x"])), path("args.b")),
        allow("5", tools(&["x"])),
    ]);
    let (principal, known) = (ann(), object(json!({"a": 1})));
    let outcomes = |arguments: Arguments<'_>| {
        let query = Query {
            principal: &principal,
            target: Target::Tool("x"),
            arguments,
            findings: None,
        };
        let (decision, traces) = policy.explain(&query);
        assert_eq!(decision, policy.decide(&query));
        traces
            .into_iter()
            .map(|trace| trace.outcome)
            .collect::<Vec<_>>()
    };
    use RuleOutcome::*;
    let error = ConditionError("there is no field `b`: ask for it with `has` first".to_owned());
    let expected = [OtherSubject, OtherTarget, ConditionFalse, error, Matched];
    assert_eq!(outcomes(Arguments::Known(&known)), expected);
    let expected = [
        OtherSubject,
        OtherTarget,
        ConditionUnknown,
        ConditionUnknown,
        Matched,
    ];
    assert_eq!(outcomes(Arguments::Unknown), expected);
}

#[test]
fn a_bad_policy_is_refused_with_the_rule() {
    let check = |rules: Vec<Rule>, expected: &str| {
        assert_eq!(
            ServerPolicy::new(source(rules)).unwrap_err().to_string(),
            expected
        );
    };
    let t = || tools(&["x"]);
    check(
        vec![allow("a", t()), deny("a", t())],
        "two rules are called `a`: give each its own name",
    );
    check(
        vec![roles(allow("a", t()), &[""])],
        "rule `a` names an empty subject: remove it or name one",
    );
    let error = ServerPolicy::new(source(vec![when(
        allow("a", t()),
        call(
            gatehold_engine::Function::Matches,
            vec![path("args.a"), lit(json!("("))],
        ),
    )]))
    .unwrap_err();
    assert!(
        matches!(&error, PolicyError::BadPattern { rule, pattern, .. } if rule == "a" && pattern == "(")
    );
    check(
        vec![when(
            allow("a", t()),
            call(
                gatehold_engine::Function::Matches,
                vec![path("args.a"), path("args.b")],
            ),
        )],
        "the condition of rule `a` computes the pattern of `matches`: write it as a literal",
    );
    check(
        vec![when(
            allow("a", t()),
            call(gatehold_engine::Function::Size, vec![]),
        )],
        "the condition of rule `a` calls `size` with 0 arguments instead of 1",
    );
    check(
        vec![when(allow("a", t()), gatehold_engine::Expr::Bound(0))],
        "the condition of rule `a` uses a macro's variable outside the macro: compile it again",
    );
    let deep = (0..100).fold(lit(json!(true)), |inner, _| {
        gatehold_engine::Expr::Unary(gatehold_engine::UnaryOp::Not, Box::new(inner))
    });
    check(
        vec![when(allow("a", t()), deep)],
        "the condition of rule `a` is nested more than 100 deep: split the rule",
    );
}

#[test]
fn a_reason_repeats_a_long_target_in_part() {
    let name = "é".repeat(1000);
    let decision = decide(
        &policy(vec![]),
        &Principal::default(),
        Target::Tool(&name),
        &json!({}),
    );
    assert_eq!(
        decision.reason,
        format!("no rule allows tool `{}…`", "é".repeat(100))
    );
}

/// Sizes at which the index changes its ways: buckets too large to be scanned, rules with too many
/// entries to stand under each subject.
#[test]
fn large_rules_and_buckets_decide_like_small_ones() {
    let names = |prefix: &str, count: usize| -> Vec<String> {
        (0..count)
            .map(|number| format!("{prefix}{number}"))
            .collect()
    };
    let mut wide = allow("wide", tools(&[]));
    wide.targets.tools = names("tool", 40);
    wide.subjects.roles = names("role", 40);
    let mut rules = vec![wide];
    for number in 0..100 {
        let rule = allow(&format!("{number}"), tools(&["shared"]));
        rules.push(roles(rule, &[&format!("role{number}"), "all"]));
    }
    let policy = policy(rules);
    let check = |role: &[&str], tool: &str, expected: &[&str]| {
        let principal = Principal {
            roles: strings(role),
            ..ann()
        };
        let decision = decide(&policy, &principal, Target::Tool(tool), &json!({}));
        assert_eq!(decision.rules, expected, "{role:?} {tool}");
    };
    check(&["role39"], "tool39", &["wide"]);
    check(&["role40"], "tool39", &[]);
    check(&["role39"], "tool40", &[]);
    check(&["role73"], "shared", &["73"]);
    check(&["role9", "role73", "role9"], "shared", &["9", "73"]);
    check(&["other"], "shared", &[]);
    let all: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    check(
        &["all", "role5"],
        "shared",
        &all.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

#[test]
fn arguments_that_cannot_be_built_fail_conditions_over_them() {
    let asks = || eq(path("args.a"), lit(json!(1)));
    let decide = |rules: Vec<Rule>| {
        policy(rules).decide(&Query {
            principal: &ann(),
            target: Target::Tool("refund"),
            arguments: Arguments::Later(&Built(None)),
            findings: None,
        })
    };
    let refund = || tools(&["refund"]);
    let (allow, deny) = (allow("a/1", refund()), deny("a/2", refund()));
    // Who does not ask does not care.
    assert_eq!(decide(vec![allow.clone()]).effect, Effect::Allow);
    let asking = vec![when(allow.clone(), asks())];
    assert_eq!(decide(asking).effect, Effect::Deny);
    let denied = decide(vec![allow, when(deny, asks())]);
    assert_eq!(denied.effect, Effect::Deny);
    assert!(
        denied.reason.contains("cannot be read"),
        "{}",
        denied.reason
    );
}
