//! What holds for every policy and query.

mod support;

use gatehold_engine::{
    Arguments, Effect, Expr, PolicySource, Principal, Query, RiskAssignment, Rule, RuleEffect,
    RuleOutcome, ServerPolicy, Target,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use support::arbitrary::{
    arguments, condition, numbered, principal, risks, rule, target, target_name,
};
use support::{lit, path, policy, tools, when};

/// A condition whose outcome is plain to see.
#[derive(Clone, Copy, Debug)]
enum Plain {
    Always,
    True,
    False,
    Fails,
    /// `args.a`: what the arguments say, an error if they say nothing.
    Asks,
}

type Outcome = Result<Option<bool>, ()>;

/// What a plain condition comes to: a value, `Ok(None)` if unknown, or an error.
fn outcome(plain: Plain, arguments: Option<&Map<String, Value>>) -> Outcome {
    match (plain, arguments) {
        (Plain::Always | Plain::True, _) => Ok(Some(true)),
        (Plain::False, _) => Ok(Some(false)),
        (Plain::Fails, _) => Err(()),
        (Plain::Asks, None) => Ok(None),
        (Plain::Asks, Some(arguments)) => arguments
            .get("a")
            .and_then(Value::as_bool)
            .map(Some)
            .ok_or(()),
    }
}

fn with(mut rule: Rule, plain: Plain) -> Rule {
    rule.when = match plain {
        Plain::Always => None,
        Plain::True => Some(lit(json!(true))),
        Plain::False => Some(lit(json!(false))),
        Plain::Fails => Some(path("agent.missing")),
        Plain::Asks => Some(path("args.a")),
    };
    rule
}

/// Matches by trying every split at a `*`.
fn naive_glob(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => {
            (0..=name.len()).any(|at| naive_glob(rest, name.get(at..).unwrap_or_default()))
        }
        Some((byte, rest)) => name
            .split_first()
            .is_some_and(|(first, name)| first == byte && naive_glob(rest, name)),
    }
}

fn naive_matches(
    rule: &Rule,
    risks: &[RiskAssignment],
    principal: &Principal,
    target: Target<'_>,
) -> bool {
    let any = |patterns: &[String], name: &str| {
        patterns
            .iter()
            .any(|pattern| naive_glob(pattern.as_bytes(), name.as_bytes()))
    };
    let held = |wanted: &[String], held: &[&String]| {
        wanted.is_empty() || wanted.iter().any(|wanted| held.contains(&wanted))
    };
    let risky = |tool: &str| {
        rule.targets.risks.is_empty()
            || risks.iter().any(|risk| {
                any(&risk.tools, tool)
                    && risk
                        .classes
                        .iter()
                        .any(|class| rule.targets.risks.contains(class))
            })
    };
    let covered = match target {
        Target::Tool(tool) => any(&rule.targets.tools, tool) && risky(tool),
        Target::Resource(uri) => any(&rule.targets.resources, uri),
        Target::Prompt(name) => any(&rule.targets.prompts, name),
        Target::Method(name) => any(&rule.targets.methods, name),
    };
    covered
        && held(&rule.subjects.users, &[&principal.user])
        && held(&rule.subjects.agents, &[&principal.agent])
        && held(
            &rule.subjects.roles,
            &principal.roles.iter().collect::<Vec<_>>(),
        )
        && held(
            &rule.subjects.groups,
            &principal.groups.iter().collect::<Vec<_>>(),
        )
}

/// Effect, rules that decided, rules that failed: one rule after the other, without any index.
fn naive_decide(
    rules: &[(Rule, Plain)],
    risks: &[RiskAssignment],
    query: &Query<'_>,
) -> (&'static str, Vec<String>, Vec<String>) {
    let known = match query.arguments {
        Arguments::Known(arguments) => Some(arguments),
        Arguments::Later(later) => later.arguments(),
        Arguments::Unknown => None,
    };
    let outcomes: Vec<_> = rules
        .iter()
        .filter(|(rule, _)| naive_matches(rule, risks, query.principal, query.target))
        .map(|(rule, plain)| (rule, outcome(*plain, known)))
        .collect();
    let ids = |wanted: &dyn Fn(&RuleEffect, Outcome) -> bool| {
        let found = outcomes
            .iter()
            .filter(|(rule, outcome)| wanted(&rule.effect, *outcome));
        found.map(|(rule, _)| rule.id.clone()).collect::<Vec<_>>()
    };
    let is_approve = |effect: &RuleEffect| matches!(effect, RuleEffect::Approve(_));
    let errors = ids(&|_, outcome| outcome.is_err());
    let denying = ids(&|effect, outcome| {
        (*effect == RuleEffect::Deny && outcome == Ok(Some(true)))
            || (*effect != RuleEffect::Allow && outcome.is_err())
    });
    let holding = ids(&|effect, outcome| is_approve(effect) && outcome == Ok(Some(true)));
    let possible = |outcome| outcome == Ok(Some(true)) || outcome == Ok(None);
    let allowing = ids(&|effect, outcome| *effect == RuleEffect::Allow && possible(outcome));
    let maybe_holding = ids(&|effect, outcome| is_approve(effect) && possible(outcome));
    for (effect, ids) in [
        ("deny", denying),
        ("hold", holding),
        ("allow", allowing),
        ("hold", maybe_holding),
    ] {
        if !ids.is_empty() {
            return (effect, ids, errors);
        }
    }
    ("deny", vec![], errors)
}

fn plain() -> impl Strategy<Value = Plain> {
    prop_oneof![
        4 => Just(Plain::Always),
        1 => Just(Plain::True),
        1 => Just(Plain::False),
        1 => Just(Plain::Fails),
        2 => Just(Plain::Asks),
    ]
}

fn one_of_three(effect: &Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Hold(_) => "hold",
        Effect::Deny => "deny",
    }
}

fn source(rules: Vec<Rule>, risks: Vec<RiskAssignment>) -> PolicySource {
    PolicySource {
        server: "s".to_owned(),
        rules,
        risks,
    }
}

/// The condition on an `allow` rule for everything; `None` if the policy is refused.
fn trace(condition: Expr, principal: &Principal, arguments: Arguments<'_>) -> Option<RuleOutcome> {
    let rule = when(support::allow("1", tools(&["*"])), condition);
    let policy = ServerPolicy::new(source(vec![rule], vec![])).ok()?;
    let (_, traces) = policy.explain(&Query {
        principal,
        target: Target::Tool("ab"),
        arguments,
        findings: None,
    });
    traces.into_iter().next().map(|trace| trace.outcome)
}

/// Rules that speak of everybody and every tool, so that their conditions decide.
fn rule_for_all() -> impl Strategy<Value = Rule> {
    rule().prop_map(|rule| Rule {
        effect: rule.effect,
        ..support::allow("", tools(&["*"]))
    })
}

/// Few enough for every run; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(64)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn the_index_decides_like_a_linear_search(
        rules in vec((rule(), plain()), 0..24),
        risks in risks(),
        principal in principal(),
        queries in vec((0_u8..8, target_name(), select(vec![
            None,
            Some(json!({})),
            Some(json!({"a": true})),
            Some(json!({"a": false})),
        ])), 1..12),
    ) {
        let (rules, plains): (Vec<_>, Vec<_>) = rules.into_iter().unzip();
        let rules: Vec<_> = numbered(rules)
            .into_iter()
            .zip(plains)
            .map(|(rule, plain)| (with(rule, plain), plain))
            .collect();
        let all = rules.iter().map(|(rule, _)| rule.clone()).collect();
        let policy = ServerPolicy::new(source(all, risks.clone())).unwrap();
        for (kind, name, known) in &queries {
            let known = known.as_ref().and_then(Value::as_object);
            let arguments = known.map_or(Arguments::Unknown, Arguments::Known);
            let query = Query { principal: &principal, target: target(*kind, name), arguments, findings: None };
            let decision = policy.decide(&query);
            let errors: Vec<_> = decision.errors.into_iter().map(|error| error.rule).collect();
            let found = (one_of_three(&decision.effect), decision.rules, errors);
            let expected = naive_decide(&rules, &risks, &query);
            prop_assert_eq!(&found, &expected);
            if known.is_none() {
                prop_assert_eq!(policy.visible(&principal, query.target), expected.0 != "deny");
            }
        }
    }

    #[test]
    fn what_is_hidden_is_never_allowed_or_held(
        rules in vec((rule_for_all(), condition(true)), 1..4),
        principal in principal(),
        name in target_name(),
        calls in vec(arguments(), 1..8),
    ) {
        let rules = numbered(rules.into_iter().map(|(rule, condition)| when(rule, condition)).collect());
        let Ok(policy) = ServerPolicy::new(source(rules, vec![])) else { return Ok(()) };
        let target = Target::Tool(&name);
        if !policy.visible(&principal, target) {
            for call in &calls {
                let arguments = Arguments::Known(call);
                let decision = policy.decide(&Query { principal: &principal, target, arguments, findings: None });
                prop_assert_eq!(decision.effect, Effect::Deny);
            }
        }
    }

    #[test]
    fn what_is_certain_without_arguments_is_so_with_any(
        condition in condition(true),
        principal in principal(),
        calls in vec(arguments(), 1..8),
    ) {
        let partial = trace(condition.clone(), &principal, Arguments::Unknown);
        for call in &calls {
            let full = trace(condition.clone(), &principal, Arguments::Known(call));
            match (&partial, &full) {
                (None, None) | (Some(RuleOutcome::ConditionUnknown), Some(_)) => {}
                // Two errors may differ in what they name first.
                (Some(RuleOutcome::ConditionError(_)), Some(RuleOutcome::ConditionError(_))) => {}
                _ => prop_assert_eq!(&partial, &full),
            }
            prop_assert_ne!(full, Some(RuleOutcome::ConditionUnknown));
        }
    }

    #[test]
    fn without_conditions_on_arguments_lists_and_calls_agree(
        rules in vec((rule_for_all(), condition(false)), 1..4),
        principal in principal(),
        name in target_name(),
        call in arguments(),
    ) {
        let rules = numbered(rules.into_iter().map(|(rule, condition)| when(rule, condition)).collect());
        let Ok(policy) = ServerPolicy::new(source(rules, vec![])) else { return Ok(()) };
        let target = Target::Tool(&name);
        let arguments = Arguments::Known(&call);
        let decision = policy.decide(&Query { principal: &principal, target, arguments, findings: None });
        prop_assert_eq!(policy.visible(&principal, target), decision.effect != Effect::Deny);
    }

    #[test]
    fn logic_commutes(
        left in condition(true),
        right in condition(true),
        principal in principal(),
        call in arguments(),
    ) {
        for join in [support::and, support::or] {
            for arguments in [Arguments::Known(&call), Arguments::Unknown] {
                let one = trace(join(left.clone(), right.clone()), &principal, arguments);
                let other = trace(join(right.clone(), left.clone()), &principal, arguments);
                match (&one, &other) {
                    (Some(RuleOutcome::ConditionError(_)), Some(RuleOutcome::ConditionError(_))) => {}
                    _ => prop_assert_eq!(one, other),
                }
            }
        }
    }
}

/// A tree as deep as a condition may be fits the stack of a test thread, which is twice that of a VM.
#[test]
fn the_deepest_condition_is_evaluated() {
    let deep = (1..gatehold_engine::MAX_CONDITION_DEPTH).fold(lit(json!(true)), |inner, level| {
        if level % 2 == 0 {
            support::and(lit(json!(true)), inner)
        } else {
            Expr::Conditional(
                Box::new(lit(json!(true))),
                Box::new(inner),
                Box::new(lit(json!(1))),
            )
        }
    });
    let policy = policy(vec![when(support::allow("1", tools(&["*"])), deep)]);
    assert!(policy.visible(&Principal::default(), Target::Tool("x")));
}

/// Values nested beyond what a parser lets through are an error rather than a full stack.
#[test]
fn the_deepest_arguments_are_compared() {
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    for (depth, expected) in [(100, true), (200, false)] {
        let call = support::object(json!({"l": nested(depth), "r": nested(depth)}));
        let condition = support::eq(path("args.l"), path("args.r"));
        let outcome = trace(condition, &Principal::default(), Arguments::Known(&call));
        assert_eq!(
            outcome == Some(RuleOutcome::Matched),
            expected,
            "{outcome:?}"
        );
    }
}
