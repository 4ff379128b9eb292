//! Conditions over what detection saw, and what it asks for by itself.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail their test")]

mod support;

use std::cell::Cell;

use gatehold_engine::{
    Approval, Arguments, BinaryOp::*, Comprehension, ComprehensionKind, Decision, Effect, Expr,
    Findings, FindingsSource, Ground, PolicySource, Query, RiskAssignment, Rule, RuleOutcome,
    ServerPolicy, Target,
};
use serde_json::{Map, json};
use support::*;

/// Counts how often it is asked.
#[derive(Debug)]
struct Source {
    findings: Option<Findings>,
    asked: Cell<u32>,
}

impl FindingsSource for Source {
    fn findings(&self) -> Option<&Findings> {
        self.asked.set(self.asked.get() + 1);
        self.findings.as_ref()
    }
}

fn counting(findings: Option<Findings>) -> Source {
    let asked = Cell::new(0);
    Source { findings, asked }
}

fn suspicious() -> Findings {
    Findings {
        score: 0.75,
        flagged: true,
        features: strings(&["override.instructions", "rule.hosts"]),
        secrets: strings(&["github-token"]),
    }
}

fn ask(
    rules: Vec<Rule>,
    known: bool,
    source: Option<&dyn FindingsSource>,
) -> (Decision, RuleOutcome) {
    let none = Map::new();
    let (policy, principal) = (policy(rules), ann());
    let query = Query {
        principal: &principal,
        target: Target::Tool("refund"),
        arguments: match known {
            true => Arguments::Known(&none),
            false => Arguments::Unknown,
        },
        findings: source,
    };
    let (decision, traces) = policy.explain(&query);
    (decision, traces.into_iter().next().unwrap().outcome)
}

#[test]
fn conditions_see_every_field() {
    let check = |condition: Expr, findings: &Findings, expected: bool| {
        let rule = when(allow("1", tools(&["*"])), condition.clone());
        let outcome = ask(vec![rule], true, Some(findings)).1;
        let expected = match expected {
            true => RuleOutcome::Matched,
            false => RuleOutcome::ConditionFalse,
        };
        assert_eq!(outcome, expected, "{condition:?}");
    };
    let nothing = Findings::default();
    let at_least = |score: f64| bin(path("findings.score"), GreaterOrEqual, lit(json!(score)));
    check(at_least(0.75), &suspicious(), true);
    check(at_least(0.76), &suspicious(), false);
    check(at_least(0.01), &nothing, false);
    check(path("findings.flagged"), &suspicious(), true);
    check(path("findings.flagged"), &nothing, false);
    let among = |name: &str, list: &str| bin(lit(json!(name)), In, path(list));
    check(
        among("rule.hosts", "findings.features"),
        &suspicious(),
        true,
    );
    check(
        among("rule.other", "findings.features"),
        &suspicious(),
        false,
    );
    check(
        among("github-token", "findings.secrets"),
        &suspicious(),
        true,
    );
    check(among("github-token", "findings.secrets"), &nothing, false);
    let findings = || path("findings");
    check(has(findings(), "score"), &nothing, true);
    check(has(findings(), "other"), &nothing, false);
    let fields = Expr::Comprehension(Box::new(Comprehension {
        kind: ComprehensionKind::All,
        range: findings(),
        predicate: Some(has(findings(), "secrets")),
        transform: None,
    }));
    check(fields, &nothing, true);
}

#[test]
fn what_was_not_looked_at_denies() {
    let flagged = || path("findings.flagged");
    let refund = || tools(&["refund"]);
    let check = |rules: Vec<Rule>, source: Option<&dyn FindingsSource>| {
        let (decision, _) = ask(rules, true, source);
        assert_eq!(decision.effect, Effect::Deny);
        let [error] = decision.errors.as_slice() else {
            panic!("{decision:?}");
        };
        assert!(
            error.message.contains("have not been looked at"),
            "{error:?}"
        );
    };
    let nothing = counting(None);
    for source in [None, Some(&nothing as &dyn FindingsSource)] {
        check(vec![when(allow("1", refund()), flagged())], source);
        let rules = vec![when(deny("1", refund()), flagged()), allow("2", refund())];
        check(rules, source);
    }
}

#[test]
fn a_list_never_depends_on_findings() {
    let refund = || tools(&["refund"]);
    let denies = when(deny("1", refund()), path("findings.flagged"));
    let found = counting(Some(suspicious()));
    let (decision, outcome) = ask(vec![denies, allow("2", refund())], false, Some(&found));
    assert_eq!(outcome, RuleOutcome::ConditionUnknown);
    assert_eq!(decision.effect, Effect::Allow);
    assert_eq!(found.asked.get(), 0);
}

#[test]
fn nobody_looks_unless_a_condition_asks() {
    let refund = || tools(&["refund"]);
    let found = counting(Some(suspicious()));
    let cheap = when(allow("1", refund()), lit(json!(true)));
    ask(vec![cheap], true, Some(&found));
    // A side that decides by itself leaves the other one alone.
    let short = Expr::Or(
        Box::new(lit(json!(true))),
        Box::new(path("findings.flagged")),
    );
    ask(vec![when(allow("1", refund()), short)], true, Some(&found));
    assert_eq!(found.asked.get(), 0);
}

#[test]
fn detection_asks_for_one_approval_more() {
    let security = Approval {
        roles: strings(&["security"]),
        within_seconds: 900,
        ..Approval::default()
    };
    let seen = "a result of tool `fetch` looked like an attack";
    let check = |rules: Vec<Rule>, approvals: usize, ground: Ground, reason: &str| {
        let before = ask(rules, true, None).0;
        let after = before.clone().and_approval(&security, seen);
        let found = match &after.effect {
            Effect::Hold(approvals) => approvals.len(),
            Effect::Allow | Effect::Deny => 0,
        };
        assert_eq!((found, after.ground), (approvals, ground));
        assert_eq!(after.rules, before.rules);
        assert_eq!(after.reason, reason);
        assert!(after.forbids() || after.ground == Ground::NoRule);
    };
    let refund = || tools(&["refund"]);
    check(
        vec![allow("1", refund())],
        1,
        Ground::Detection,
        "approval required because a result of tool `fetch` looked like an attack",
    );
    check(
        vec![approve("1", refund())],
        2,
        Ground::Rules,
        "approval required by rule `1`, and because a result of tool `fetch` looked like an attack",
    );
    check(
        vec![deny("1", refund())],
        0,
        Ground::Rules,
        "denied by rule `1`",
    );
    check(
        vec![allow("1", tools(&["other"]))],
        0,
        Ground::NoRule,
        "no rule allows tool `refund`",
    );
}

#[test]
fn only_tools_of_the_class_read_only_read() {
    let assignment = |tools: &[&str], classes: &[&str]| RiskAssignment {
        tools: strings(tools),
        classes: strings(classes),
    };
    let policy = ServerPolicy::new(PolicySource {
        server: "crm".to_owned(),
        rules: Vec::new(),
        risks: vec![
            assignment(&["get_*"], &["read"]),
            assignment(&["get_page"], &["external"]),
            assignment(&["delete_*"], &["destructive"]),
        ],
    })
    .unwrap();
    for (tool, expected) in [
        ("get_order", true),
        ("get_page", false),
        ("delete_order", false),
        ("unheard_of", false),
    ] {
        assert_eq!(policy.only_reads(tool), expected, "{tool}");
    }
}
